/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames in, deliveries out. A frame belongs to the ring from the event that brings it until its
 * RELEASE; one that has no place here is released at once. */
#include "totem/totem_int.h"

/* The ring that a frame is of: the installed (or old) one, or the one that others may have
 * installed before us. */
static struct ring *route(const struct totem *t, struct ringid id)
{
	if (ring_exists(t->ring) && ringid_equal(id, t->ring->id)) {
		return t->ring;
	}
	if (t->state == TOTEM_RECOVERY && ringid_equal(id, t->next->id)) {
		return t->next;
	}
	return NULL;
}

/* The place that this frame is to take, or NULL: foreign, out of range, or there already. */
static struct place *place_of(const struct totem *t, struct ring *ring, uint32_t from,
			      const struct frame_info *info)
{
	struct place *place;

	if (!ring || t->left || !nodeset_has(&ring->members, from) ||
	    !nodeset_has(&ring->members, info->origin) ||
	    !window_covers(&ring->window, info->seq)) {
		return NULL;
	}
	place = window_at(&ring->window, info->seq);
	return place->state == PLACE_HERE ? NULL : place;
}

static void note_seq(struct totem *t, struct ring *ring, const struct frame_info *info)
{
	const struct ring *turning = t->state == TOTEM_OPERATIONAL ? t->ring : t->next;

	t->progress = true;
	if (info->seq > ring->high_seq) {
		ring->high_seq = info->seq;
	}
	/* Numbered after we passed the token on: it has arrived (paper, Total Ordering Protocol:
	 * token retransmission). */
	if (ring == turning && info->seq > t->token.visit_seq) {
		token_arrived_evidence(t);
		t->token.sender = info->origin != t->config.node ? info->origin : 0;
		stay_disturb(t);
	}
}

void deliver_early(struct totem *t, uint64_t first, uint64_t last)
{
	for (uint64_t seq = first; seq <= last; seq++) {
		if (window_at(&t->ring->window, seq)->guarantee == FRAME_UNORDERED) {
			act_deliver(t, t->ring, seq, TOTEM_ACT_DELIVER_EARLY);
		}
	}
}

void frame_received(struct totem *t, const struct totem_event *event)
{
	const struct frame_info *info = &event->info;
	struct ring *ring = route(t, info->ring);

	const struct place *place = place_of(t, ring, event->from, info);

	check(event->frame != NULL);
	if (info->repeated && (!place || place->state != PLACE_PENDING)) {
		repeats_settled(t, 1);
	}
	if (!place) {
		act_release(t, event->frame);
		return;
	}
	if (t->state == TOTEM_RECOVERY && ring == t->ring) {
		recovery_answered(t, info->seq);
	}
	window_put(&ring->window, info, event->frame);
	note_seq(t, ring, info);
	if (t->state == TOTEM_OPERATIONAL) {
		deliver_early(t, info->seq, info->seq);
		deliver_ready(t);
	} else if (t->state == TOTEM_RECOVERY && ring == t->ring) {
		recovery_frame(t, info->seq);
	}
}

void frame_pending(struct totem *t, const struct totem_event *event)
{
	const struct frame_info *info = &event->info;
	struct ring *ring = route(t, info->ring);
	struct place *place = place_of(t, ring, event->from, info);

	if (info->repeated) {
		repeats_settled(t, 1);
	}
	if (!place) {
		return;
	}
	if (t->state == TOTEM_RECOVERY && ring == t->ring) {
		recovery_answered(t, info->seq);
		t->recovery.moved = true;
	}
	place->state = PLACE_PENDING;
	note_seq(t, ring, info);
	if (t->state == TOTEM_RECOVERY && ring == t->ring && t->recovery.united &&
	    !t->recovery.done && t->recovery.asked == 0) {
		recovery_ask(t);
	}
}

/* Missing at once, without the patience that other gaps enjoy. */
void frame_lost(struct totem *t, const struct totem_event *event)
{
	struct ring *ring = route(t, event->info.ring);
	struct place *place = place_of(t, ring, event->from, &event->info);

	if (!place || place->state != PLACE_PENDING) {
		return;
	}
	place->state = PLACE_EMPTY;
	place->misses = UINT8_MAX;
	place->missing_since_ms = (uint32_t)(t->now_ms - t->config.token_ms);
	if (t->state == TOTEM_RECOVERY && ring == t->ring && t->recovery.united &&
	    !t->recovery.done && t->recovery.asked == 0) {
		recovery_ask(t);
	}
}

bool frame_wanted(const struct totem *t, uint32_t from, const struct frame_info *info)
{
	const struct place *place = place_of(t, route(t, info->ring), from, info);

	if (!place || place->state != PLACE_EMPTY) {
		return false;
	}
	return t->state != TOTEM_RECOVERY || route(t, info->ring) != t->ring ||
	       !t->recovery.united || recovery_wants(&t->recovery, info->seq);
}

/* In order, without gaps; SAFE, and whatever stands behind it, waits until every member is known to
 * have it (paper: Total Ordering Protocol; ack.c). Then what all have and we have delivered is let
 * go. */
void deliver_ready(struct totem *t)
{
	struct ring *ring = t->ring;
	uint64_t release;

	check(t->state == TOTEM_OPERATIONAL);
	acks_settle(t);
	while (ring->delivered < ring->window.aru) {
		uint64_t seq = ring->delivered + 1;

		if (window_at(&ring->window, seq)->guarantee == FRAME_SAFE && seq > ring->safe) {
			break;
		}
		act_deliver(t, ring, seq, TOTEM_ACT_DELIVER);
		ring->delivered = seq;
	}
	release = ring->safe < ring->delivered ? ring->safe : ring->delivered;
	while (ring->window.released < release) {
		act_release(t, window_take(&ring->window));
	}
	check(ring->window.released <= ring->delivered && ring->delivered <= ring->window.aru);
}

static const struct place *recovered_place(struct totem *t, uint64_t seq)
{
	const struct place *place = window_at(&t->ring->window, seq);

	return recovery_wants(&t->recovery, seq) && place->state == PLACE_HERE ? place : NULL;
}

/* What belongs into the old regular configuration: all without a gap that is not SAFE, and all
 * that any transitional member has delivered there already. Every one of them computes the same
 * end. Returns the first number that is left. */
uint64_t deliver_old_regular(struct totem *t)
{
	uint64_t seq = t->ring->delivered + 1;

	for (; seq <= t->recovery.top; seq++) {
		const struct place *place = recovered_place(t, seq);

		if (!place ||
		    (place->guarantee == FRAME_SAFE && seq > t->recovery.high_delivered)) {
			break;
		}
		act_deliver(t, t->ring, seq, TOTEM_ACT_DELIVER);
	}
	return seq;
}

/* The rest, in the transitional configuration: SAFE is safe there, since all its members have all
 * of it. Behind a gap only messages that cannot depend on a lost one: those of the members that
 * are obliged to each other, and those that never asked for an order. */
void deliver_old_transitional(struct totem *t, uint64_t from)
{
	bool gap = false;

	for (uint64_t seq = from; seq <= t->recovery.top; seq++) {
		const struct place *place = recovered_place(t, seq);

		if (!place) {
			gap = true;
		} else if (!gap || place->guarantee == FRAME_UNORDERED ||
			   nodeset_has(&t->recovery.obliged, place->origin)) {
			act_deliver(t, t->ring, seq, TOTEM_ACT_DELIVER);
		}
	}
}
