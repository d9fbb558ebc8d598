/* SPDX-License-Identifier: BSD-3-Clause */
/* Building the update: actions in the order in which the driver must carry them out, and the
 * bytes they borrow. */
#include "totem/totem_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The worst step installs a ring and is at once busy on it: the old window delivered and
 * released, the new one sent (our own and what others asked for), delivered and released. */
#define ACTIONS_MAX (7 * TOTEM_WINDOW_MAX + TOTEM_BACKLOG_MAX + 4 * NODES_MAX + 64)
/* Requests in recovery are the most that one step says. */
#define OUTBOX_BYTES ((ASK_MESSAGES_MAX + 16) * (size_t)CONTROL_SIZE_MAX)

int outbox_init(struct outbox *outbox)
{
	outbox->update.actions = calloc(ACTIONS_MAX, sizeof(*outbox->update.actions));
	outbox->update.capacity = ACTIONS_MAX;
	outbox->bytes = malloc(OUTBOX_BYTES);
	return outbox->update.actions && outbox->bytes ? 0 : -ENOMEM;
}

void outbox_fini(struct outbox *outbox)
{
	free(outbox->update.actions);
	free(outbox->bytes);
}

void outbox_clear(struct outbox *outbox)
{
	outbox->update.count = 0;
	outbox->used = 0;
}

struct totem_action *act(struct totem *t, enum totem_action_kind kind)
{
	struct totem_update *update = &t->outbox.update;
	struct totem_action *action = &update->actions[update->count];

	check(update->count < update->capacity);
	update->count++;
	*action = (struct totem_action){.kind = kind};
	return action;
}

/* A copy: what was said stays as it was until the next step. */
void act_bytes(struct totem *t, uint32_t to, const uint8_t *bytes, size_t size)
{
	struct totem_action *action = act(t, TOTEM_ACT_CONTROL);

	check(size > 0 && size <= CONTROL_SIZE_MAX && to != t->config.node);
	check(t->outbox.used + size <= OUTBOX_BYTES);
	memcpy(t->outbox.bytes + t->outbox.used, bytes, size);
	action->to = to;
	action->bytes = t->outbox.bytes + t->outbox.used;
	action->size = size;
	t->outbox.used += size;
}

void act_control(struct totem *t, uint32_t to, const struct control *control)
{
	uint8_t bytes[CONTROL_SIZE_MAX];
	size_t size = wire_control_encode(control, bytes);

	act_bytes(t, to, bytes, size);
}

static void describe(const struct ring *ring, uint64_t seq, struct totem_action *action)
{
	const struct place *place = &ring->window.places[seq % TOTEM_WINDOW_MAX];

	check(window_covers(&ring->window, seq) && place->state == PLACE_HERE);
	action->frame = place->frame;
	action->info = (struct frame_info){.ring = ring->id,
					   .seq = seq,
					   .origin = place->origin,
					   .guarantee = (enum frame_guarantee)place->guarantee};
}

/* To members of `to`, which is not the frame's own ring in recovery. */
void act_repeat(struct totem *t, const struct ring *ring, uint64_t seq, const struct nodeset *to,
		uint64_t mask)
{
	struct totem_action *action = act(t, TOTEM_ACT_SEND);

	check(mask != 0);
	describe(ring, seq, action);
	action->info.repeated = true;
	action->members = to;
	action->mask = mask;
	t->counters.retransmitted++;
}

void act_send(struct totem *t, const struct ring *ring, uint64_t seq, uint64_t mask)
{
	struct totem_action *action;

	if (mask == 0) {
		return;
	}
	action = act(t, TOTEM_ACT_SEND);
	describe(ring, seq, action);
	action->members = &ring->members;
	action->mask = mask;
}

void act_deliver(struct totem *t, const struct ring *ring, uint64_t seq,
		 enum totem_action_kind kind)
{
	describe(ring, seq, act(t, kind));
	if (kind == TOTEM_ACT_DELIVER) {
		t->counters.frames_delivered++;
	}
}

void act_release(struct totem *t, void *frame)
{
	if (frame) {
		act(t, TOTEM_ACT_RELEASE)->frame = frame;
	}
}

void act_persist(struct totem *t, uint64_t ring_seq)
{
	check(ring_seq > t->ring_seq);
	t->ring_seq = ring_seq;
	act(t, TOTEM_ACT_PERSIST)->ring_seq = ring_seq;
}

struct control *message_new(struct totem *t, enum control_kind kind)
{
	t->outgoing.kind = kind;
	t->outgoing.sender = t->config.node;
	return &t->outgoing;
}

void reject(struct totem *t, const char *reason)
{
	t->counters.rejected++;
	t->counters.rejected_reason = reason;
}
