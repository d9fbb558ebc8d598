/* SPDX-License-Identifier: BSD-3-Clause */
/* The one entry point: each event to the file that knows what to do. No rules of its own but who
 * may speak at all. */
#include "totem/totem_int.h"

static void start(struct totem *t)
{
	check(!t->started);
	t->started = true;
	nodeset_add(&t->gather.proc, t->config.node);
	gather_enter(t, TOTEM_REASON_START);
	/* Nodes that start together form one ring at once rather than many that merge. */
	t->gather.settle_until_ms = t->now_ms + t->config.join_ms;
}

static void route_control(struct totem *t, uint32_t from)
{
	const struct control *control = &t->incoming;

	switch (control->kind) {
	case CONTROL_NONE:
	case CONTROL_CHAIN: /* between drivers */
		return;
	case CONTROL_JOIN:
		join_received(t, from, &control->join);
		return;
	case CONTROL_COMMIT:
		commit_received(t, from, &control->commit);
		return;
	case CONTROL_TOKEN:
		token_received(t, from, &control->token);
		return;
	case CONTROL_MERGE:
		merge_received(t, from, control->ring);
		return;
	case CONTROL_WAKE:
		wake_received(t, from, control->ring);
		return;
	case CONTROL_LEAVE:
		peer_leaves(t, from);
		return;
	case CONTROL_HAVE:
		have_received(t, from, &control->have);
		return;
	case CONTROL_ASK:
		ask_received(t, from, &control->ask);
		return;
	case CONTROL_ACK:
		ack_received(t, from, &control->ack);
		return;
	case CONTROL_RETURN: /* the engine's */
		return;
	}
}

static void control_received(struct totem *t, const struct totem_event *event)
{
	const char *fault = wire_control_decode(event->bytes, event->size, &t->incoming);
	const struct peer *peer = peer_find(t, event->from);

	if (!fault && t->incoming.sender != event->from) {
		fault = "sender is not who the link is to";
	}
	if (!fault && (!peer || !peer->linked || peer->gone)) {
		fault = "from a node without a link";
	}
	if (fault) {
		reject(t, fault);
	} else if (t->started) {
		route_control(t, event->from);
	}
}

static void submit(struct totem *t, const struct totem_event *event)
{
	struct token_memory *memory = &t->token;

	backlog_push(t, event);
	if (t->state != TOTEM_OPERATIONAL) {
		return;
	}
	if (memory->staying) {
		stay_go_on(t);
	} else if (memory->holding && (memory->resting || t->ring->members.count > 1)) {
		memory->idle_visits = 0;
		token_release(t);
	} else {
		stay_disturb(t);
	}
}

static void leave(struct totem *t)
{
	struct control *control = message_new(t, CONTROL_LEAVE);

	control->ring = t->ring->id;
	act_control(t, 0, control);
	t->left = true;
	for (uint32_t i = 0; i < TIMERS; i++) {
		timer_stop(t, (enum timer)i);
	}
}

static void dispatch(struct totem *t, const struct totem_event *event)
{
	switch (event->kind) {
	case TOTEM_EV_START:
		start(t);
		return;
	case TOTEM_EV_CONTROL:
		control_received(t, event);
		return;
	case TOTEM_EV_FRAME:
		frame_received(t, event);
		return;
	case TOTEM_EV_PENDING:
		frame_pending(t, event);
		return;
	case TOTEM_EV_LOST:
		frame_lost(t, event);
		return;
	case TOTEM_EV_PROGRESS:
		t->progress = true;
		t->recovery.moved = true;
		return;
	case TOTEM_EV_SUBMIT:
		submit(t, event);
		return;
	case TOTEM_EV_PEER_UP:
		peer_up(t, event->from);
		return;
	case TOTEM_EV_PEER_DOWN:
		peer_down(t, event->from, event->gone);
		return;
	case TOTEM_EV_TIMER:
		timers_run(t);
		return;
	case TOTEM_EV_LEAVE:
		leave(t);
		return;
	}
}

/* After LEAVE only frames still matter: somebody has to give them back. */
static void dispatch_left(struct totem *t, const struct totem_event *event)
{
	if (event->kind == TOTEM_EV_FRAME || event->kind == TOTEM_EV_SUBMIT) {
		act_release(t, event->frame);
	}
}

const struct totem_update *totem_step(struct totem *t, const struct totem_event *event)
{
	outbox_clear(&t->outbox);
	if (event->now_ms > t->now_ms) {
		t->now_ms = event->now_ms;
	}
	t->sendable = event->sendable;
	t->capacity = event->capacity;
	t->capacity_from = t->ring->high_seq;
	if (t->left) {
		dispatch_left(t, event);
	} else {
		dispatch(t, event);
	}
	if (t->state == TOTEM_GATHER && t->started && !t->left) {
		gather_settle(t);
	}
	check((t->state == TOTEM_COMMIT || t->state == TOTEM_RECOVERY) == ring_exists(t->next));
	check(t->state != TOTEM_OPERATIONAL || ring_exists(t->ring));
	return &t->outbox.update;
}
