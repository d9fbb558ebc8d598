/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the ring's order and the groups: entries of delivered frames go in, what the groups ask
 * for is carried out. */
#include "engine/engine_int.h"

#include <syslog.h>

static void deliver_to_client(struct engine *engine, const struct pg_action *action)
{
	struct engine_delivery delivery = {.client = action->client,
					   .group = action->group,
					   .node = action->node,
					   .pid = action->pid,
					   .body = action->payload.body,
					   .region = action->payload.region,
					   .offset = action->payload.offset,
					   .size = action->payload.size};

	engine->stats.messages_delivered++;
	engine->stats.bytes_delivered += action->payload.size;
	engine->host.deliver(engine->host.ctx, &delivery);
}

static void confchg_to_client(struct engine *engine, const struct pg_action *action)
{
	struct engine_confchg confchg = {.client = action->client,
					 .group = action->group,
					 .members = action->members,
					 .left = action->left,
					 .joined = action->joined,
					 .members_count = action->members_count,
					 .left_count = action->left_count,
					 .joined_count = action->joined_count};

	engine->host.confchg(engine->host.ctx, &confchg);
}

static void perform(struct engine *engine, const struct pg_action *action)
{
	switch (action->kind) {
	case PG_ACT_SUBMIT:
		engine_submit(engine, action);
		return;
	case PG_ACT_DELIVER:
		deliver_to_client(engine, action);
		return;
	case PG_ACT_CONFCHG:
		confchg_to_client(engine, action);
		return;
	case PG_ACT_TOTEM:
		engine->host.totem(engine->host.ctx, action->client, action->ring,
				   action->ring_members);
		return;
	}
}

void engine_perform_groups(struct engine *engine)
{
	const struct pg_update *update = pg_update(engine->pg);

	/* What waited in the groups is younger than what waits here: a leave comes behind its join. */
	if (pg_active(engine->pg)) {
		engine->ready_once = true;
		engine_pack_resume(engine);
	}
	for (uint32_t i = 0; i < update->count; i++) {
		perform(engine, &update->actions[i]);
	}
}

/* Entries that could be delivered ahead of their place are marked, so that they are not delivered
 * again in it. */
static void deliver_entry(struct engine *engine, struct frame *frame, const struct frame_info *info,
			  uint32_t index, bool early, const uint8_t *meta, uint32_t meta_size,
			  const struct pg_payload *payload)
{
	uint64_t bit = index < 64 ? 1ull << index : 0;
	const char *reason = NULL;

	if (frame->early & bit) {
		return;
	}
	if (!early) {
		reason = pg_message(engine->pg, info->origin, info->ring, meta, meta_size, payload);
	} else if (bit && pg_message_early(engine->pg, info->origin, info->ring, meta, meta_size,
					   payload)) {
		frame->early |= bit;
	} else {
		return;
	}
	if (reason) {
		engine_log(engine, LOG_DEBUG, "message of node %u dropped: %s", info->origin,
			   reason);
	}
	engine_perform_groups(engine);
}

void engine_deliver(struct engine *engine, struct frame *frame, const struct frame_info *info,
		    bool early)
{
	struct frame_walk walk = frame_walk_start();
	struct pg_payload payload;
	const uint8_t *meta;
	uint32_t meta_size;

	for (uint32_t i = 0; frame_walk_next(frame, &walk, &meta, &meta_size, &payload); i++) {
		deliver_entry(engine, frame, info, i, early, meta, meta_size, &payload);
	}
}
