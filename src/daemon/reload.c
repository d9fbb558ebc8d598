/* SPDX-License-Identifier: BSD-3-Clause */
/* SIGHUP: the configuration is read anew. With an error in it nothing changes; else what can change does, and what cannot is named. */
#include "daemon/daemon.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "config/exit_code.h"
#include "config/host_addrs.h"
#include "daemon/log.h"
#include "daemon/process.h"

static void tell(void *ctx, int priority, const char *text)
{
	(void)ctx;
	log_say(LOG_PART_MAIN, priority, "%s", text);
}

/* --- What needs a restart ------------------------------------------------------------------------- */

static void keep_text(const char *name, const char *old, char *new)
{
	if (strcmp(old, new) != 0) {
		log_say(LOG_PART_MAIN, LOG_NOTICE,
			"reload: %s stays \"%s\" until the daemon is restarted", name, old);
		memcpy(new, old, CONFIG_TEXT_MAX);
	}
}

static void keep_word(const char *name, const char *old, const char *new)
{
	if (strcmp(old, new) != 0) {
		log_say(LOG_PART_MAIN, LOG_NOTICE,
			"reload: %s stays %s until the daemon is restarted", name, old);
	}
}

static void keep_number(const char *name, uint64_t old, uint64_t new)
{
	if (old != new) {
		log_say(LOG_PART_MAIN, LOG_NOTICE,
			"reload: %s stays %llu until the daemon is restarted", name,
			(unsigned long long)old);
	}
}

#define KEEP(name, member)                                   \
	do {                                                 \
		keep_number(name, old->member, new->member); \
		new->member = old->member;                   \
	} while (0)

static void keep(const struct config *old, struct config *new)
{
	keep_text("totem.cluster_name", old->cluster_name, new->cluster_name);
	keep_text("system.state_dir", old->state_dir, new->state_dir);
	keep_text("system.priority", old->priority, new->priority);
	keep_text("rdma.device", old->device, new->device);
	if (old->transport != new->transport) {
		log_say(LOG_PART_MAIN, LOG_NOTICE,
			"reload: totem.transport stays %s until the daemon is restarted",
			config_transport_name((enum config_transport)old->transport));
		new->transport = old->transport;
	}
	keep_word("totem.crypto_cipher", crypto_cipher_name(key_suite(old).cipher),
		  crypto_cipher_name(key_suite(new).cipher));
	keep_word("totem.crypto_hash", crypto_hash_name(key_suite(old).hash),
		  crypto_hash_name(key_suite(new).hash));
	new->crypto_cipher = old->crypto_cipher;
	new->crypto_hash = old->crypto_hash;
	KEEP("totem.interface.mcastport", port);
	KEEP("totem.ip_version", ip_version);
	KEEP("system.sched_rr", sched_rr);
	KEEP("system.syscall_filter", syscall_filter);
	KEEP("logging.blackbox", logging.blackbox);
	KEEP("rdma.softroce", softroce);
	KEEP("rdma.huge_pages", huge_pages);
	KEEP("rdma.digest", digest);
	KEEP("rdma.slot_size", slot_size_bytes);
	KEEP("rdma.slots", slots);
	KEEP("rdma.extents", extents_bytes);
	KEEP("rdma.eager_size", eager_size_bytes);
	KEEP("rdma.copy_size", copy_size_bytes);
	KEEP("rdma.connect_timeout", connect_timeout_ms);
	KEEP("rdma.ack_timeout", ack_timeout_ms);
	KEEP("clients.max", clients_max);
	KEEP("clients.user_max", clients_user_max);
	KEEP("clients.queue_max", client_queue_max_bytes);
	KEEP("clients.send_memory_max", client_send_memory_max_bytes);
	KEEP("clients.user_memory_max", client_user_memory_max_bytes);
	KEEP("clients.inline_max", client_inline_max_bytes);
}

/* More frames in a rotation need more slots, and those there are stay. */
static void keep_window(const struct config *old, struct config *new)
{
	if (config_slots_needed(new->totem.window_size) <= new->slots) {
		return;
	}
	log_say(LOG_PART_MAIN, LOG_NOTICE,
		"reload: totem.window_size stays %u until the daemon is restarted with more slots",
		old->totem.window_size);
	new->totem.window_size = old->totem.window_size;
	new->totem.max_messages = old->totem.max_messages;
	new->totem.accelerated_window = old->totem.accelerated_window;
}

/* An address is part of a link: a node gets another one by being removed and added again. */
static void keep_addresses(const struct config *old, struct config *new)
{
	for (uint32_t i = 0; i < new->node_count; i++) {
		struct config_node *node = &new->nodes[i];
		const struct config_node *before = config_node(old, node->id);

		if (before && before->addr.ss_family != 0 &&
		    (before->port != node->port || !host_addr_equal(&before->addr, &node->addr))) {
			log_say(LOG_PART_MAIN, LOG_NOTICE,
				"reload: ring0_addr and ring0_port of node %u stay as they are, %s; to "
				"change them, %s",
				node->id, before->ring_addr,
				node->id == config_local(new)->id
					? "restart the daemon"
					: "reload once without this node and once more with it");
			node->addr = before->addr;
			node->port = before->port;
			memcpy(node->ring_addr, before->ring_addr, sizeof(node->ring_addr));
		}
	}
}

/* --- What changes --------------------------------------------------------------------------------- */

static void remove_nodes(struct daemon *daemon, const struct config *new)
{
	const struct config *old = daemon->config;

	for (uint32_t i = 0; i < old->node_count; i++) {
		if (!config_node(new, old->nodes[i].id)) {
			log_say(LOG_PART_MAIN, LOG_NOTICE, "reload: node %u is removed",
				old->nodes[i].id);
			engine_peer_remove(daemon->engine, old->nodes[i].id);
		}
	}
}

static void add_nodes(struct daemon *daemon, const struct config *new)
{
	for (uint32_t i = 0; i < new->node_count; i++) {
		struct transport_peer peer = {.node = new->nodes[i].id, .addr = new->nodes[i].addr};
		int err;

		if (config_node(daemon->config, peer.node)) {
			continue;
		}
		err = engine_peer_add(daemon->engine, &peer);
		log_say(LOG_PART_MAIN, err ? LOG_ERR : LOG_NOTICE, "reload: node %u is %s%s",
			peer.node, err ? "not added: " : "added", err ? strerror(-err) : "");
	}
}

static void change_times(struct daemon *daemon, const struct config *new)
{
	int err;

	if (memcmp(&daemon->config->totem, &new->totem, sizeof(new->totem)) == 0) {
		return;
	}
	err = engine_reconfigure(daemon->engine, &new->totem);
	if (err) {
		log_say(LOG_PART_MAIN, LOG_ERR, "reload: the ring does not take its new times: %s",
			strerror(-err));
		return;
	}
	log_say(LOG_PART_MAIN, LOG_NOTICE,
		"reload: token %u ms, retransmit %u, hold %u, join %u, consensus %u, merge %u; window "
		"%u, messages %u",
		new->totem.token_ms, new->totem.token_retransmit_ms, new->totem.hold_ms,
		new->totem.join_ms, new->totem.consensus_ms, new->totem.merge_ms,
		new->totem.window_size, new->totem.max_messages);
}

static void change_polling(struct daemon *daemon, const struct config *new)
{
	if (daemon->config->poll != new->poll) {
		polling_change(&daemon->polling, (enum config_poll) new->poll);
		log_say(LOG_PART_MAIN, LOG_NOTICE, "reload: poll is %s now",
			config_poll_name((enum config_poll) new->poll));
	}
}

/* Of the whole cluster: it is used when all nodes have been told. */
static void change_key(struct daemon *daemon, struct cluster_key *key)
{
	char id[CLUSTER_KEY_TEXT_SIZE];

	if (key && !cluster_key_same(key, daemon->key)) {
		cluster_key_text(key->id, id);
		log_say(LOG_PART_MAIN, LOG_NOTICE,
			"reload: the key file has another key (%s): it is used as soon as all nodes of "
			"the ring have it",
			id);
	}
	if (key) {
		engine_change_key(daemon->engine, key);
		key_free(&daemon->key);
		daemon->key = key;
	}
}

static void change_dissemination(struct daemon *daemon, const struct config *new)
{
	if (daemon->config->dissemination == new->dissemination) {
		return;
	}
	engine_set_dissemination(daemon->engine, daemon_dissemination(daemon, new));
	log_say(LOG_PART_MAIN, LOG_NOTICE, "reload: dissemination %s",
		config_dissemination_name((enum config_dissemination) new->dissemination));
}

static void apply(struct daemon *daemon, struct config *new, struct cluster_key *key)
{
	log_open(&new->logging);
	remove_nodes(daemon, new);
	add_nodes(daemon, new);
	change_times(daemon, new);
	change_polling(daemon, new);
	change_dissemination(daemon, new);
	change_key(daemon, key);
	config_free(&daemon->config);
	daemon->config = new;
}

void daemon_reload(struct daemon *daemon)
{
	struct config_source source = {.path = daemon->source.path, .known = daemon->config};
	struct messages messages = {0};
	struct config *new = NULL;
	struct cluster_key *key = NULL;
	int code;

	if (daemon->stopping) {
		return;
	}
	if (daemon->ready) {
		process_notify("RELOADING=1");
	}
	code = config_load(&source, &messages, &new);
	if (!code) {
		keep(daemon->config, new);
		code = key_load(new, &messages, &key);
	}
	messages_flush(&messages, tell, NULL);
	if (code) {
		log_say(LOG_PART_MAIN, LOG_ERR, "reload: nothing is changed");
		config_free(&new);
	} else {
		keep_window(daemon->config, new);
		keep_addresses(daemon->config, new);
		apply(daemon, new, key);
		log_say(LOG_PART_MAIN, LOG_NOTICE, "reload: done");
	}
	if (daemon->ready) {
		process_notify("READY=1");
	}
}
