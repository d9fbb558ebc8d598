/* SPDX-License-Identifier: BSD-3-Clause */
/* Which of the nodes is this daemon? Asked in this order; the first answer counts:
 *   what --node says: a name, a ring address or a node id
 *   the host's name: in full, with domain labels taken away one by one, then the first label of both sides
 *   the ring addresses, if one is an address of this host
 *   the names under which name servers know this host's addresses */
#include "config/config_int.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <syslog.h>

#include "config/host_addrs.h"

#define NAMES_TEXT_MAX 512
#define NONE	       (-1)
#define AMBIGUOUS      (-2)

static bool is_called(const struct config_node *node, const char *name)
{
	return name[0] && (strcmp(node->name, name) == 0 || strcmp(node->ring_addr, name) == 0);
}

static int find_called(const struct config *config, const char *name)
{
	for (uint32_t i = 0; i < config->node_count; i++) {
		if (is_called(&config->nodes[i], name)) {
			return (int)i;
		}
	}
	return NONE;
}

/* Length up to the first dot. An address is no name with a domain. */
static size_t first_label(const char *name)
{
	return name[strspn(name, "0123456789.")] == '\0' ? strlen(name) : strcspn(name, ".");
}

static bool same_label(const char *a, const char *b)
{
	size_t size = first_label(a);

	return size > 0 && size == first_label(b) && strncmp(a, b, size) == 0;
}

static int find_label(const struct config *config, const char *name)
{
	for (uint32_t i = 0; i < config->node_count; i++) {
		if (same_label(config->nodes[i].name, name) ||
		    same_label(config->nodes[i].ring_addr, name)) {
			return (int)i;
		}
	}
	return NONE;
}

static int find_host_name(const struct config *config, const char *host)
{
	char name[256];
	char *dot;
	int found;

	snprintf(name, sizeof(name), "%s", host);
	while ((found = find_called(config, name)) == NONE && (dot = strrchr(name, '.')) != NULL) {
		*dot = '\0';
	}
	return found != NONE ? found : find_label(config, host);
}

/* Several of them here: the daemons share this host, and only a name can tell them apart. */
static int find_address(const struct config *config, const struct host_addrs *host)
{
	int found = NONE;

	for (uint32_t i = 0; i < config->node_count; i++) {
		if (host_addrs_has(host, &config->nodes[i].addr)) {
			if (found != NONE) {
				return AMBIGUOUS;
			}
			found = (int)i;
		}
	}
	return found;
}

static int find_reverse(const struct config *config, const struct host_addrs *host)
{
	char name[NI_MAXHOST];
	int found = NONE;

	for (uint32_t i = 0; i < host->count && found == NONE; i++) {
		const struct sockaddr_storage *addr = &host->addr[i];
		socklen_t size = addr->ss_family == AF_INET ? sizeof(struct sockaddr_in)
							    : sizeof(struct sockaddr_in6);

		if (getnameinfo((const struct sockaddr *)addr, size, name, sizeof(name), NULL, 0,
				NI_NAMEREQD) == 0) {
			found = find_host_name(config, name);
		}
	}
	return found;
}

static int find_wanted(const struct config *config, const char *wanted)
{
	int found = find_called(config, wanted);
	char *end;
	unsigned long id = strtoul(wanted, &end, 10);

	for (uint32_t i = 0; found == NONE && i < config->node_count; i++) {
		if (*end == '\0' && config->nodes[i].id == id) {
			found = (int)i;
		}
	}
	return found;
}

static void list_nodes(const struct config *config, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < config->node_count && used < size; i++) {
		const struct config_node *node = &config->nodes[i];
		const char *name = node->name[0] ? node->name : node->ring_addr;

		used += (size_t)snprintf(text + used, size - used, "%s%u%s%s%s", used ? ", " : "",
					 node->id, name[0] ? " (" : "", name, name[0] ? ")" : "");
	}
}

static int search(const struct config *config)
{
	struct host_addrs host;
	struct utsname system;
	int found = NONE;

	if (uname(&system) == 0) {
		found = find_host_name(config, system.nodename);
	}
	if (found == NONE && config->transport == CONFIG_TRANSPORT_SHM) {
		return config->node_count == 1 ? 0 : AMBIGUOUS;
	}
	if (found == NONE) {
		host_addrs_read(&host);
		found = find_address(config, &host);
	}
	return found == NONE ? find_reverse(config, &host) : found;
}

static int fail(const struct config *config, const char *wanted, int found,
		struct messages *messages)
{
	char nodes[NAMES_TEXT_MAX];
	struct utsname system = {.nodename = "?"};

	list_nodes(config, nodes, sizeof(nodes));
	uname(&system);
	if (wanted) {
		config_say(messages, LOG_ERR, config->path, 0,
			   "there is no node with name, address or id \"%s\"; the nodes are %s",
			   wanted, nodes);
	} else if (found == AMBIGUOUS) {
		config_say(messages, LOG_ERR, config->path, 0,
			   "which node is this? Several are on this host: say --node and a name or "
			   "id. The nodes are %s",
			   nodes);
	} else {
		config_say(
			messages, LOG_ERR, config->path, 0,
			"none of the nodes is this host: no name is the host's (%s), and no "
			"ring0_addr is one of its addresses. Correct the nodelist, or say --node. "
			"The nodes are %s",
			system.nodename, nodes);
	}
	return -EINVAL;
}

static int find_same(const struct config *config, uint32_t id, struct messages *messages)
{
	for (uint32_t i = 0; i < config->node_count; i++) {
		if (config->nodes[i].id == id) {
			return (int)i;
		}
	}
	config_say(
		messages, LOG_ERR, config->path, 0,
		"node %u, which this daemon is, is not among the nodes any more; stop the daemon to "
		"take it out",
		id);
	return NONE;
}

int config_find_local(struct config *config, const struct config_source *source,
		      struct messages *messages)
{
	int found;

	if (source->known) {
		found = find_same(config, config_local(source->known)->id, messages);
		if (found < 0) {
			return -EINVAL;
		}
	} else {
		found = source->node ? find_wanted(config, source->node) : search(config);
		if (found < 0) {
			return fail(config, source->node, found, messages);
		}
	}
	config->local = (uint32_t)found;
	config->totem.node = config->nodes[found].id;
	return 0;
}
