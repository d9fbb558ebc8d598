/* SPDX-License-Identifier: BSD-3-Clause */
/* Ring addresses, from text to socket addresses; host names are looked up. */
#include "config/config_int.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "config/host_addrs.h"

static int family_wanted(enum config_ip_version version)
{
	switch (version) {
	case CONFIG_IPV4:
		return AF_INET;
	case CONFIG_IPV6:
		return AF_INET6;
	case CONFIG_IPV4_6:
	case CONFIG_IPV6_4:
		return AF_UNSPEC;
	}
	return AF_UNSPEC;
}

static const struct addrinfo *choose(const struct addrinfo *found, enum config_ip_version version)
{
	int first = version == CONFIG_IPV4_6 || version == CONFIG_IPV4 ? AF_INET : AF_INET6;

	for (const struct addrinfo *one = found; one; one = one->ai_next) {
		if (one->ai_family == first) {
			return one;
		}
	}
	return found;
}

static uint32_t port_of(const struct config *config, const struct config_node *node)
{
	return node->port ? node->port : config->port;
}

/* Of a name server that does not answer yet, as after a power cut, nobody learns that the configuration is wrong. */
static bool may_pass(int lookup_error)
{
	return lookup_error == EAI_AGAIN || lookup_error == EAI_SYSTEM ||
	       lookup_error == EAI_MEMORY;
}

static int resolve(struct config *config, struct config_node *node, struct messages *messages)
{
	struct addrinfo hints = {.ai_family =
					 family_wanted((enum config_ip_version)config->ip_version),
				 .ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	const struct addrinfo *one;
	char port[16];
	int err;

	snprintf(port, sizeof(port), "%u", port_of(config, node));
	err = getaddrinfo(node->ring_addr, port, &hints, &found);
	if (err) {
		config_say(
			messages, LOG_ERR, config->path, node->line,
			"ring0_addr of node %u: the address of \"%s\" is not known: %s. Write the "
			"numeric address, or see that the name stands in /etc/hosts",
			node->id, node->ring_addr,
			err == EAI_SYSTEM ? strerror(errno) : gai_strerror(err));
		return may_pass(err) ? -EAGAIN : -EINVAL;
	}
	one = choose(found, (enum config_ip_version)config->ip_version);
	memcpy(&node->addr, one->ai_addr, one->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

/* Two nodes with one address and port cannot be told apart on the network. */
static int check_distinct(const struct config *config, uint32_t index, struct messages *messages)
{
	const struct config_node *node = &config->nodes[index];

	for (uint32_t i = 0; i < index; i++) {
		const struct config_node *other = &config->nodes[i];

		if (host_addr_equal(&other->addr, &node->addr) &&
		    port_of(config, other) == port_of(config, node)) {
			config_say(
				messages, LOG_ERR, config->path, node->line,
				"ring0_addr of node %u, %s, is that of node %u as well; give them "
				"different ports (ring0_port) if their daemons share a host. Only "
				"with transport: shm may nodes share both",
				node->id, node->ring_addr, other->id);
			return -EINVAL;
		}
	}
	return 0;
}

/* A name server that does not answer must not hold a ring that runs. */
static bool take_known(struct config_node *node, const struct config *known)
{
	const struct config_node *before = known ? config_node(known, node->id) : NULL;

	if (!before || before->addr.ss_family == 0 || before->port != node->port ||
	    strcmp(before->ring_addr, node->ring_addr) != 0) {
		return false;
	}
	node->addr = before->addr;
	return true;
}

int config_resolve(struct config *config, const struct config_source *source,
		   struct messages *messages)
{
	int err = 0;

	/* With shm the address is a name and nothing more. */
	for (uint32_t i = 0; config->transport != CONFIG_TRANSPORT_SHM && i < config->node_count;
	     i++) {
		struct config_node *node = &config->nodes[i];

		if (node->ring_addr[0] == '\0') {
			continue;
		}
		if (err == 0 && !take_known(node, source->known)) {
			err = resolve(config, node, messages);
		}
		if (err == 0 && config->transport == CONFIG_TRANSPORT_RDMA) {
			err = check_distinct(config, i, messages);
		}
	}
	return err;
}
