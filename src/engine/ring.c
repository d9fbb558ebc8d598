/* SPDX-License-Identifier: BSD-3-Clause */
/* Events to the ring, and its actions to the world, in the order in which it gave them. */
#include "engine/engine_int.h"

#include <syslog.h>

#include "wire/control.h"

/* Slots that may still be promised: posted ones, less those that announced frames on their way will
 * take, and those that repetitions may take for a moment: frames asked for again, and those whose
 * acknowledgement was lost when a bulk connection is redialled; a window's worth each. */
static uint32_t promise(const struct engine *engine)
{
	uint64_t expected = totem_expected(engine->totem) + 2ull * engine->config.totem.window_size;

	return expected < engine->posted ? engine->posted - (uint32_t)expected : 0;
}

static uint32_t sendable(const struct engine *engine)
{
	uint32_t window = engine->config.totem.window_size;

	return engine->sending < window ? window - engine->sending : 0;
}

static void send_control(struct engine *engine, const struct totem_action *action)
{
	if (action->to != 0) {
		engine_tell(engine, action->to, action->bytes, action->size);
		return;
	}
	for (uint32_t i = 0; i < engine->linked.count; i++) {
		engine_tell(engine, engine->linked.id[i], action->bytes, action->size);
	}
}

static void persist(struct engine *engine, uint64_t ring_seq)
{
	int err = engine->host.persist(engine->host.ctx, ring_seq);

	if (err) {
		engine->failed = true;
		engine_log(
			engine, LOG_CRIT,
			"ring sequence %llu cannot be stored (error %d): stopping, because a ring id "
			"might be used twice",
			(unsigned long long)ring_seq, err);
	}
}

static void configuration(struct engine *engine, const struct totem_action *action)
{
	if (engine->host.configuration) {
		engine->host.configuration(engine->host.ctx, action);
	}
	if (action->kind == TOTEM_ACT_TRANSITIONAL) {
		pg_transitional(engine->pg, action->members);
	} else {
		engine->members = action->members->count;
		engine_pull_forget_others(engine, action->ring);
		engine_pack_hold(engine);
		pg_regular(engine->pg, action->ring, action->members);
	}
	engine_perform_groups(engine);
}

static void fence(struct engine *engine, uint32_t node)
{
	engine_log(engine, LOG_NOTICE, "node %u is not a member any more: its link is cut", node);
	engine_link_ended(engine, node);
	engine->ops->peer_fence(engine->transport, node);
}

static void perform(struct engine *engine, const struct totem_action *action)
{
	struct frame *frame = action->frame;

	switch (action->kind) {
	case TOTEM_ACT_PERSIST:
		persist(engine, action->ring_seq);
		return;
	case TOTEM_ACT_CONTROL:
		send_control(engine, action);
		return;
	case TOTEM_ACT_SEND:
		engine_send(engine, action);
		return;
	case TOTEM_ACT_DELIVER:
		if (engine->host.ordered) {
			engine->host.ordered(engine->host.ctx, &action->info);
		}
		engine_deliver(engine, frame, &action->info, false);
		return;
	case TOTEM_ACT_DELIVER_EARLY:
		engine_deliver(engine, frame, &action->info, true);
		return;
	case TOTEM_ACT_RELEASE:
		body_drop(&frame->body, HOLD_STORE);
		return;
	case TOTEM_ACT_RETURN:
		engine_pack_returned(engine, frame);
		return;
	case TOTEM_ACT_TRANSITIONAL:
	case TOTEM_ACT_REGULAR:
		configuration(engine, action);
		return;
	case TOTEM_ACT_FENCE:
		fence(engine, action->to);
		return;
	case TOTEM_ACT_STATE:
		engine_serve_forget_askers(engine);
		if (action->state == TOTEM_OPERATIONAL) {
			engine_chain_join(engine);
		} else {
			engine_chain_stop(engine);
		}
		if (engine->host.state) {
			engine->host.state(engine->host.ctx, action);
		}
		return;
	}
}

void engine_ring_event(struct engine *engine, struct totem_event *event)
{
	const struct totem_update *update;

	event->now_ms = engine->now_ms;
	event->capacity = promise(engine);
	event->sendable = sendable(engine);
	update = totem_step(engine->totem, event);
	for (uint32_t i = 0; i < update->count && !engine->failed; i++) {
		perform(engine, &update->actions[i]);
	}
}
