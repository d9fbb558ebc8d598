/* SPDX-License-Identifier: BSD-3-Clause */
/* How the daemon does, as JSON for coronet-status(8) and as lines of the log. */
#include "daemon/daemon.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon/confine.h"
#include "daemon/json.h"
#include "daemon/log.h"
#include "daemon/memory.h"

struct facts {
	const struct daemon *daemon;
	struct totem_status ring;
	struct engine_stats engine;
	struct clients_stats clients;
	struct transport_memory transport;
	struct memory_facts process;
};

static struct facts gather(const struct daemon *daemon)
{
	struct facts facts = {.daemon = daemon};

	engine_status(daemon->engine, &facts.ring, &facts.engine);
	clients_stats(daemon->clients, &facts.clients);
	engine_transport_ops(daemon->engine)
		->memory(engine_transport(daemon->engine), &facts.transport);
	memory_facts(&facts.process);
	return facts;
}

static void node_names(struct json *json, const struct daemon *daemon, uint32_t id)
{
	const struct config_node *node = config_node(daemon->config, id);

	json_number(json, "nodeid", id);
	json_text(json, "name", node ? node->name : "");
	json_text(json, "address", node ? node->ring_addr : "");
}

static void ring(struct json *json, const struct facts *facts)
{
	const struct totem_status *status = &facts->ring;
	char id[RING_ID_TEXT_MAX];

	ring_id_text(status->ring, id);
	json_text(json, "state", totem_state_name(status->state));
	json_text(json, "reason", totem_reason_name(status->reason));
	json_text(json, "ring_id", id);
	json_number(json, "ring_rep", status->ring.rep);
	json_number(json, "ring_seq", status->ring.seq);
	json_number(json, "members_count", status->members.count);
	json_open(json, "members", '[');
	for (uint32_t i = 0; i < status->members.count; i++) {
		json_open(json, NULL, '{');
		node_names(json, facts->daemon, status->members.id[i]);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void link_stats(struct json *json, const struct daemon *daemon, uint32_t id)
{
	struct transport_peer_stats stats;

	if (engine_transport_ops(daemon->engine)
		    ->peer_stats(engine_transport(daemon->engine), id, &stats)) {
		return;
	}
	json_open(json, "link", '{');
	json_bool(json, "up", stats.up);
	json_number(json, "control_sent", stats.control_sent);
	json_number(json, "control_received", stats.control_received);
	json_number(json, "frames_sent", stats.frames_sent);
	json_number(json, "frames_received", stats.frames_received);
	json_number(json, "bytes_sent", stats.bytes_sent);
	json_number(json, "bytes_received", stats.bytes_received);
	json_number(json, "reads", stats.reads);
	json_number(json, "read_bytes", stats.read_bytes);
	json_number(json, "redials", stats.redials);
	json_number(json, "receiver_not_ready", stats.receiver_not_ready);
	json_close(json, '}');
}

static void nodes(struct json *json, const struct facts *facts)
{
	const struct config *config = facts->daemon->config;

	json_open(json, "nodes", '[');
	for (uint32_t i = 0; i < config->node_count; i++) {
		uint32_t id = config->nodes[i].id;

		json_open(json, NULL, '{');
		node_names(json, facts->daemon, id);
		json_bool(json, "local", i == config->local);
		json_bool(json, "in_ring", nodeset_has(&facts->ring.members, id));
		if (i != config->local) {
			link_stats(json, facts->daemon, id);
		}
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void id_list(struct json *json, const char *name, const struct nodeset *set)
{
	json_open(json, name, '[');
	for (uint32_t i = 0; i < set->count; i++) {
		json_number(json, NULL, set->id[i]);
	}
	json_close(json, ']');
}

static void transport(struct json *json, const struct daemon *daemon)
{
	json_open(json, "transport", '{');
	json_text(json, "name", daemon->carrier.ops->name);
	json_text(json, "device", daemon->carrier.ops->device(engine_transport(daemon->engine)));
	json_text(json, "why", daemon->carrier.why);
	json_close(json, '}');
}

static void key_id(struct json *json, const char *name, const uint8_t *id, bool there)
{
	char text[CLUSTER_KEY_TEXT_SIZE];

	cluster_key_text(id, text);
	json_text(json, name, there ? text : "");
}

static void protection(struct json *json, const struct daemon *daemon)
{
	static const uint8_t none[CLUSTER_KEY_ID_SIZE];
	struct engine_trust_status status;

	engine_trust_status(daemon->engine, &status);
	json_open(json, "protection", '{');
	json_bool(json, "on", status.on);
	json_text(json, "cipher", crypto_cipher_name(status.suite.cipher));
	json_text(json, "hash", crypto_hash_name(status.suite.hash));
	key_id(json, "key", status.key, status.on);
	key_id(json, "next_key", status.next_key, memcmp(status.next_key, none, sizeof(none)) != 0);
	id_list(json, "waiting_for", &status.waiting_for);
	json_number(json, "generation", status.generation);
	json_number(json, "handshakes", status.stats.handshakes);
	json_number(json, "refused", status.stats.refused);
	json_number(json, "forged", status.stats.forged);
	json_number(json, "replayed", status.stats.replayed);
	json_number(json, "early", status.stats.early);
	json_number(json, "clear", status.stats.clear);
	json_close(json, '}');
}

static void token(struct json *json, const struct totem_status *status)
{
	json_open(json, "token", '{');
	json_bool(json, "resting", status->resting);
	json_number(json, "rotations", status->token_rotations);
	json_number(json, "rotation_us", status->rotation_us_last);
	json_number(json, "retransmits", status->token_retransmits);
	json_close(json, '}');
	json_open(json, "order", '{');
	json_number(json, "high_seq", status->high_seq);
	json_number(json, "aru", status->aru);
	json_number(json, "delivered", status->delivered);
	json_number(json, "released", status->released);
	json_number(json, "backlog", status->backlog);
	json_number(json, "configurations", status->configurations);
	json_close(json, '}');
}

/* "auto" only where it means something. */
static const char *dissemination(const struct daemon *daemon)
{
	const struct config *config = daemon->config;

	return daemon_dissemination(daemon, config) == ENGINE_DIRECT
		       ? "direct"
		       : config_dissemination_name(
				 (enum config_dissemination)config->dissemination);
}

static void messages(struct json *json, const struct facts *facts)
{
	json_open(json, "messages", '{');
	json_number(json, "sent", facts->engine.messages_sent);
	json_number(json, "delivered", facts->engine.messages_delivered);
	json_number(json, "bytes_sent", facts->engine.bytes_sent);
	json_number(json, "bytes_delivered", facts->engine.bytes_delivered);
	json_number(json, "bytes_copied_send", facts->engine.bytes_copied_send);
	json_number(json, "frames_sent", facts->ring.frames_sent);
	json_number(json, "frames_delivered", facts->ring.frames_delivered);
	json_number(json, "frames_received", facts->engine.frames_in);
	json_number(json, "frames_rejected", facts->engine.frames_rejected);
	json_number(json, "frames_unsent", facts->engine.frames_unsent);
	json_number(json, "retransmitted", facts->ring.retransmitted);
	json_number(json, "requested", facts->ring.requested);
	json_number(json, "control_rejected", facts->ring.rejected);
	json_number(json, "pulls", facts->engine.pulls);
	json_number(json, "pull_bytes", facts->engine.pull_bytes);
	json_number(json, "borrows", facts->engine.borrows);
	json_number(json, "borrow_bytes", facts->engine.borrow_bytes);
	json_number(json, "lent", facts->engine.lent);
	json_number(json, "pull_retries", facts->engine.pull_retries);
	json_text(json, "dissemination", dissemination(facts->daemon));
	json_number(json, "chain_pulls", facts->engine.chain_pulls);
	json_number(json, "chain_fallbacks", facts->engine.chain_fallbacks);
	json_number(json, "chain_bytes", facts->engine.chain_bytes);
	json_close(json, '}');
}

static void memory(struct json *json, const struct facts *facts)
{
	const struct config *config = facts->daemon->config;
	const struct sealed *slots = slab_memory(facts->daemon->slab);
	const struct extents_stats *extents = &facts->engine.extents;
	const struct transport_memory *transport = &facts->transport;

	json_open(json, "memory", '{');
	json_number(json, "slots", config->slots);
	json_number(json, "slots_free", facts->engine.slots_free);
	json_number(json, "slot_size", config->slot_size_bytes);
	json_number(json, "extents", config->extents_bytes);
	json_number(json, "extents_free", facts->engine.extents_free_bytes);
	json_number(json, "extents_used", extents->used_bytes);
	json_number(json, "extents_ready", extents->segment_bytes);
	json_number(json, "segments", extents->segments);
	json_number(json, "segments_made", extents->made);
	json_number(json, "segments_failed", extents->failed);
	json_number(json, "send_memory", facts->clients.send_bytes);
	json_number(json, "headers", facts->engine.header_bytes);
	json_number(json, "sealed", facts->engine.sealed_memory_bytes);
	json_number(json, "queues", transport->queues_bytes);
	json_number(json, "registered", transport->registered_bytes);
	json_number(json, "resident", facts->process.resident_bytes);
	json_number(json, "locked", facts->process.locked_bytes);
	json_number(json, "pinned", facts->process.pinned_bytes);
	json_number(json, "huge", (slots->huge ? slots->size : 0) + extents->huge_bytes);
	if (facts->daemon->numa_node >= 0) {
		json_number(json, "adapter_node", (uint64_t)facts->daemon->numa_node);
	}
	if (slots->node >= 0) {
		json_number(json, "slots_node", (uint64_t)slots->node);
	}
	json_close(json, '}');
}

static const char *slowed_by(const struct clients_handle *handle)
{
	if (handle->waits_for_ring) {
		return "the ring takes no more now";
	}
	return handle->waits_for_memory ? "its send memory is in use" : "";
}

static void client_handle(void *json, const struct clients_handle *handle)
{
	json_open(json, NULL, '{');
	json_number(json, "pid", (uint64_t)handle->pid);
	json_number(json, "uid", handle->uid);
	json_bool(json, "joined", handle->joined);
	json_bytes(json, "group", handle->group.value, handle->joined ? handle->group.length : 0);
	json_number(json, "unread_bytes", handle->unread_bytes);
	json_number(json, "held_bytes", handle->held_bytes);
	json_number(json, "queue_bytes", handle->queue_bytes);
	json_number(json, "sends_on_way", handle->sends_on_way);
	json_bool(json, "slowed", handle->waits_for_ring || handle->waits_for_memory);
	json_text(json, "slowed_by", slowed_by(handle));
	json_close(json, '}');
}

static void client_user(void *json, const struct clients_user *user)
{
	json_open(json, NULL, '{');
	json_number(json, "uid", user->uid);
	json_number(json, "connections", user->connections);
	json_number(json, "regions", user->regions);
	json_number(json, "send_memory", user->send_bytes);
	json_number(json, "queued", user->queued_bytes);
	json_close(json, '}');
}

static void clients(struct json *json, const struct facts *facts)
{
	const struct clients_stats *stats = &facts->clients;

	json_open(json, "clients", '{');
	json_number(json, "connected", stats->connected);
	json_number(json, "accepted", stats->accepted);
	json_number(json, "refused", stats->refused);
	json_number(json, "disconnected", stats->disconnected);
	json_number(json, "spilled", stats->spilled);
	json_number(json, "spilled_bytes", stats->spilled_bytes);
	json_number(json, "queue_max", facts->daemon->config->client_queue_max_bytes);
	json_number(json, "user_memory_max", stats->user_memory_max);
	json_open(json, "users", '[');
	clients_users(facts->daemon->clients, client_user, json);
	json_close(json, ']');
	json_open(json, "handles", '[');
	clients_handles(facts->daemon->clients, client_handle, json);
	json_close(json, ']');
	json_close(json, '}');
}

static void time_text(const struct timespec *time, char *text, size_t size)
{
	struct tm parts;
	size_t used;

	localtime_r(&time->tv_sec, &parts);
	used = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + used, size - used, ".%03ld", time->tv_nsec / 1000000);
}

static void changes(struct json *json, const struct history *history)
{
	const struct history_change *change;
	char text[64];

	json_open(json, "changes", '[');
	for (uint64_t i = 0; (change = history_at(history, i)) != NULL; i++) {
		json_open(json, NULL, '{');
		time_text(&change->time, text, sizeof(text));
		json_text(json, "time", text);
		ring_id_text(change->ring, text);
		json_text(json, "ring_id", text);
		json_text(json, "reason", totem_reason_name(change->reason));
		json_number(json, "took_ms", change->took_ms);
		id_list(json, "members", &change->members);
		id_list(json, "joined", &change->joined);
		id_list(json, "left", &change->left);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void pauses(struct json *json, const struct pauses *pauses)
{
	json_open(json, "pauses", '{');
	json_number(json, "count", pauses->count);
	json_number(json, "longest_ms", pauses->longest_ms);
	json_close(json, '}');
}

static void polling(struct json *json, const struct lingering *linger)
{
	json_open(json, "polling", '{');
	json_text(json, "mode", config_poll_name(linger->mode));
	json_number(json, "windows", linger->windows_ever);
	json_number(json, "windows_paid", linger->paid_ever);
	json_number(json, "given_up", linger->pauses_ever);
	json_close(json, '}');
}

static void confinement(struct json *json)
{
	struct confine_facts facts;
	char text[CONFINE_TEXT_MAX];

	confine_report(&facts);
	confine_capabilities_text(facts.capabilities, text);
	json_open(json, "confinement", '{');
	json_number(json, "uid", geteuid());
	json_text(json, "capabilities", text);
	json_bool(json, "no_new_privileges", facts.no_new_privileges);
	json_text(json, "system_calls", confine_calls_name(facts.calls));
	json_number(json, "refused", facts.refused);
	json_close(json, '}');
}

static void identity(struct json *json, const struct daemon *daemon)
{
	const struct config *config = daemon->config;

	json_text(json, "version", PACKAGE_VERSION);
	json_number(json, "nodeid", config_local(config)->id);
	json_text(json, "name", config_local(config)->name);
	json_text(json, "cluster", config->cluster_name);
	json_number(json, "config_version", config->config_version);
	json_number(json, "pid", (uint64_t)getpid());
	json_text(json, "run_dir", run_dir_path(daemon->run_dir));
	json_number(json, "uptime_ms", loop_now_ms(daemon->loop) - daemon->started_ms);
}

char *daemon_status(const struct daemon *daemon)
{
	struct facts facts = gather(daemon);
	struct json json = {0};

	json_open(&json, NULL, '{');
	identity(&json, daemon);
	confinement(&json);
	pauses(&json, &daemon->pauses);
	polling(&json, &daemon->polling.linger);
	ring(&json, &facts);
	transport(&json, daemon);
	protection(&json, daemon);
	token(&json, &facts.ring);
	messages(&json, &facts);
	memory(&json, &facts);
	clients(&json, &facts);
	nodes(&json, &facts);
	changes(&json, &daemon->history);
	json_close(&json, '}');
	return json_take(&json);
}

void daemon_dump(const struct daemon *daemon)
{
	struct facts facts = gather(daemon);
	const struct totem_status *status = &facts.ring;
	char id[RING_ID_TEXT_MAX];
	char members[NODE_LIST_TEXT_MAX];
	int err;

	ring_id_text(status->ring, id);
	node_list_text(&status->members, members);
	log_say(LOG_PART_MAIN, LOG_NOTICE, "state: %s (%s), ring %s, members %s",
		totem_state_name(status->state), totem_reason_name(status->reason), id, members);
	log_say(LOG_PART_MAIN, LOG_NOTICE,
		"state: seq %" PRIu64 ", aru %" PRIu64 ", delivered %" PRIu64 ", released %" PRIu64
		", backlog %u, token %s after %" PRIu64 " visits",
		status->high_seq, status->aru, status->delivered, status->released, status->backlog,
		status->resting ? "rests" : "moves", status->token_rotations);
	log_say(LOG_PART_MAIN, LOG_NOTICE,
		"state: %" PRIu64 " messages sent, %" PRIu64 " delivered; %" PRIu64
		" frames resent, %" PRIu64 " asked for; %u slots free; %u clients",
		facts.engine.messages_sent, facts.engine.messages_delivered, status->retransmitted,
		status->requested, facts.engine.slots_free, facts.clients.connected);
	err = log_recorder_write();
	log_say(LOG_PART_MAIN, LOG_NOTICE, "flight recorder, file blackbox in %s: %s",
		run_dir_path(daemon->run_dir),
		err ? strerror(-err) : "written; qb-blackbox(8) shows it");
}
