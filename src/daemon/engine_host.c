/* SPDX-License-Identifier: BSD-3-Clause */
/* See engine_host.h. These run inside calls of the engine. */
#include "daemon/engine_host.h"

#include <string.h>
#include <syslog.h>

#include "config/exit_code.h"
#include "crypto/secret.h"
#include "daemon/log.h"

static int random_bytes(void *ctx, void *out, size_t size)
{
	(void)ctx;
	return secret_random(out, size);
}

static int persist(void *ctx, uint64_t ring_seq)
{
	struct daemon *daemon = ctx;
	int err = ring_id_file_store(daemon->ring_id, ring_seq);

	if (err) {
		log_say(LOG_PART_MAIN, LOG_CRIT, "%s: the ring's number cannot be stored: %s",
			ring_id_file_path(daemon->ring_id), strerror(-err));
	}
	return err;
}

static void deliver(void *ctx, const struct engine_delivery *delivery)
{
	clients_deliver(((struct daemon *)ctx)->clients, delivery);
}

static void confchg(void *ctx, const struct engine_confchg *confchg)
{
	clients_confchg(((struct daemon *)ctx)->clients, confchg);
}

static void totem(void *ctx, uint32_t client, struct ringid ring, const struct nodeset *members)
{
	clients_totem(((struct daemon *)ctx)->clients, client, ring, members);
}

static void sent(void *ctx, uint32_t client, uint64_t cookie)
{
	clients_sent(((struct daemon *)ctx)->clients, client, cookie);
}

static int foreign(void *ctx, const struct engine_foreign *memory, uint32_t *region)
{
	return clients_foreign(((struct daemon *)ctx)->clients, memory, region);
}

static void region_gone(void *ctx, uint32_t region)
{
	clients_region_gone(((struct daemon *)ctx)->clients, region);
}

/* The adapter cannot be opened again while this process has the old one open (librdmacm keeps it). */
static void transport_lost(void *ctx)
{
	struct daemon *daemon = ctx;

	log_say(LOG_PART_MAIN, LOG_CRIT,
		"the adapter is gone, and this node is alone: the daemon ends. Start it again when the adapter is back; systemd does");
	daemon->exit_code = EXIT_FATAL;
	daemon->lost = true;
}

static void say(void *ctx, int priority, const char *text)
{
	(void)ctx;
	log_say(LOG_PART_TOTEM, priority, "%s", text);
}

static void state(void *ctx, const struct totem_action *action)
{
	struct daemon *daemon = ctx;
	char ring[RING_ID_TEXT_MAX];

	ring_id_text(action->ring, ring);
	history_state(&daemon->history, action->state, action->reason, loop_now_ms(daemon->loop));
	log_say(LOG_PART_TOTEM, LOG_INFO, "%s, ring %s: %s", totem_state_name(action->state), ring,
		totem_reason_name(action->reason));
}

static void configuration(void *ctx, const struct totem_action *action)
{
	struct daemon *daemon = ctx;
	const struct history_change *change;
	char ring[RING_ID_TEXT_MAX];
	char members[NODE_LIST_TEXT_MAX];
	char joined[NODE_LIST_TEXT_MAX];
	char left[NODE_LIST_TEXT_MAX];

	if (action->kind != TOTEM_ACT_REGULAR) {
		return;
	}
	change = history_ring(&daemon->history, action->ring, action->members,
			      loop_now_ms(daemon->loop));
	ring_id_text(change->ring, ring);
	node_list_text(&change->members, members);
	node_list_text(&change->joined, joined);
	node_list_text(&change->left, left);
	log_say(LOG_PART_TOTEM, LOG_NOTICE,
		"ring %s: members %s; joined: %s; left: %s; because: %s; after %u ms", ring,
		members, joined, left, totem_reason_name(change->reason), change->took_ms);
}

struct engine_host engine_host(struct daemon *daemon)
{
	return (struct engine_host){.ctx = daemon,
				    .random = random_bytes,
				    .persist = persist,
				    .deliver = deliver,
				    .confchg = confchg,
				    .totem = totem,
				    .sent = sent,
				    .foreign = foreign,
				    .region_gone = region_gone,
				    .transport_lost = transport_lost,
				    .log = say,
				    .state = state,
				    .configuration = configuration};
}
