/* SPDX-License-Identifier: BSD-3-Clause */
/* Recovery (paper: Recovery Protocol): members of the new ring that come from the same old ring
 * make sure that all of them have every message of it that any of them has. Each says what it
 * holds (CONTROL_HAVE); the union of that is wanted; what one lacks it asks of a holder (ask.c).
 * Who has all says so on the token of the new ring; when all have, the ring is installed. Why not
 * by renumbering on the new ring, as the paper does: docs/protocol.md, "Deviations". */
#include "totem/totem_int.h"

#include <assert.h>
#include <string.h>

static_assert(TOTEM_WINDOW_MAX == CONTROL_HAVE_BYTES * 8, "a map has a bit for each place");

static bool bit_get(const uint8_t *map, uint64_t bit)
{
	return map[bit / 8] & (1u << (bit % 8));
}

static void bit_set(uint8_t *map, uint64_t bit)
{
	map[bit / 8] = (uint8_t)(map[bit / 8] | (1u << (bit % 8)));
}

bool holding_has(const struct holding *holding, uint64_t seq)
{
	if (seq <= holding->aru) {
		return true;
	}
	return seq - holding->aru <= (uint64_t)holding->map_bytes * 8 &&
	       bit_get(holding->map, seq - holding->aru - 1);
}

bool recovery_wants(const struct recovery *recovery, uint64_t seq)
{
	return seq <= recovery->top && bit_get(recovery->wanted, seq % TOTEM_WINDOW_MAX);
}

void recovery_reset(struct totem *t)
{
	memset(&t->recovery, 0, sizeof(t->recovery));
	for (uint32_t i = 0; i < TOTEM_WINDOW_MAX; i++) {
		t->ring->window.places[i].asked = false;
	}
}

/* Transitional members: those whose old ring is ours. A node that comes from nowhere has only
 * itself. */
static void find_transitional(struct totem *t)
{
	struct recovery *recovery = &t->recovery;
	uint64_t obliged = 0;

	for (uint32_t i = 0; i < t->next->members.count; i++) {
		const struct control_commit_entry *entry = &t->commit.entry[i];
		uint32_t id = t->next->members.id[i];

		if (i != t->next->me &&
		    (!ring_exists(t->ring) || !ringid_equal(entry->old_ring, t->ring->id) ||
		     !nodeset_has(&t->ring->members, id))) {
			continue;
		}
		nodeset_add(&recovery->trans, id);
		recovery->trans_mask |= 1ull << i;
		obliged |= entry->received ? entry->obligation : 0;
		if (entry->high_delivered > recovery->high_delivered) {
			recovery->high_delivered = entry->high_delivered;
		}
	}
	recovery->obliged = recovery->trans;
	for (uint32_t i = 0; ring_exists(t->ring) && i < t->ring->members.count; i++) {
		if (obliged & (1ull << i)) {
			nodeset_add(&recovery->obliged, t->ring->members.id[i]);
		}
	}
	check(nodeset_has(&recovery->trans, t->config.node));
}

/* The usual case on a quiet ring: all have the same, without gaps. Then the commit token has said
 * it all. */
static bool all_even(const struct totem *t)
{
	uint64_t aru = t->commit.entry[t->next->me].aru;

	for (uint32_t i = 0; i < t->next->members.count; i++) {
		const struct control_commit_entry *entry = &t->commit.entry[i];

		if ((t->recovery.trans_mask & (1ull << i)) &&
		    (entry->aru != aru || entry->high != aru)) {
			return false;
		}
	}
	return true;
}

static void hold_even(struct totem *t)
{
	for (uint32_t i = 0; i < t->next->members.count; i++) {
		if (t->recovery.trans_mask & (1ull << i)) {
			t->recovery.holdings[i] =
				(struct holding){.known = true, .aru = t->commit.entry[i].aru};
		}
	}
}

/* What we hold now is what we are counted on for; later arrivals of the old ring count only if
 * somebody had them now. */
static void hold_ours(struct totem *t)
{
	struct holding *ours = &t->recovery.holdings[t->next->me];
	const struct window *window = &t->ring->window;

	*ours = (struct holding){.known = true, .aru = window->aru};
	for (uint64_t seq = window->aru + 1; seq <= window->high; seq++) {
		if (window_has(window, seq)) {
			bit_set(ours->map, seq - window->aru - 1);
		}
	}
	ours->map_bytes = (uint32_t)((window->high - window->aru + 7) / 8);
	check(ours->map_bytes <= CONTROL_HAVE_BYTES);
}

static void have_send(struct totem *t, uint32_t to, bool reply)
{
	const struct holding *ours = &t->recovery.holdings[t->next->me];
	struct control *control = message_new(t, CONTROL_HAVE);

	check(ours->known);
	control->have.ring = t->next->id;
	control->have.old_ring = t->ring->id;
	control->have.aru = ours->aru;
	control->have.reply = reply;
	control->have.map_bytes = ours->map_bytes;
	memcpy(control->have.map, ours->map, sizeof(ours->map));
	act_control(t, to, control);
}

/* Paper: my_received_flg, my_deliver_memb. What we promise now we keep, whatever becomes of this
 * recovery: the others may deliver messages as safe because we will deliver them too. */
static void recovery_done(struct totem *t)
{
	struct recovery *recovery = &t->recovery;

	check(recovery->need == 0 && !recovery->done);
	recovery->done = true;
	timer_stop(t, TIMER_RECOVER);
	if (!ring_exists(t->ring)) {
		return;
	}
	t->received = true;
	t->obligation = 0;
	for (uint32_t i = 0; i < t->ring->members.count; i++) {
		if (nodeset_has(&recovery->obliged, t->ring->members.id[i])) {
			t->obligation |= 1ull << i;
		}
	}
}

static bool anybody_has(const struct totem *t, uint64_t seq)
{
	for (uint32_t i = 0; i < t->next->members.count; i++) {
		if ((t->recovery.trans_mask & (1ull << i)) &&
		    holding_has(&t->recovery.holdings[i], seq)) {
			return true;
		}
	}
	return false;
}

static void mark_wanted(struct totem *t)
{
	struct recovery *recovery = &t->recovery;
	const struct window *window = &t->ring->window;

	for (uint64_t seq = window->released + 1; window_covers(window, seq); seq++) {
		if (anybody_has(t, seq)) {
			bit_set(recovery->wanted, seq % TOTEM_WINDOW_MAX);
			recovery->top = seq;
			recovery->need += window_has(window, seq) ? 0 : 1;
		}
	}
}

/* As soon as all have said what they hold, the union is known. */
static void unite(struct totem *t)
{
	struct recovery *recovery = &t->recovery;

	check(!recovery->united);
	for (uint32_t i = 0; i < t->next->members.count; i++) {
		if ((recovery->trans_mask & (1ull << i)) && !recovery->holdings[i].known) {
			return;
		}
	}
	recovery->united = true;
	if (ring_exists(t->ring)) {
		mark_wanted(t);
	}
	check(recovery->asked == 0 && recovery->need <= TOTEM_WINDOW_MAX);
	if (recovery->need == 0) {
		recovery_done(t);
	} else {
		recovery_ask(t);
	}
}

void recovery_enter(struct totem *t)
{
	struct recovery *recovery = &t->recovery;

	state_enter(t, TOTEM_RECOVERY, TOTEM_REASON_COMMIT_ROTATED);
	find_transitional(t);
	timer_set(t, TIMER_RECOVER, t->config.token_retransmit_ms);
	if (!ring_exists(t->ring) || all_even(t)) {
		hold_even(t);
	} else {
		hold_ours(t);
		for (uint32_t i = 0; i < recovery->trans.count; i++) {
			if (recovery->trans.id[i] != t->config.node) {
				have_send(t, recovery->trans.id[i], false);
			}
		}
	}
	unite(t);
}

/* A member may be ahead of us: it has seen the commit token come round, we have not yet. */
void have_received(struct totem *t, uint32_t from, const struct control_have *have)
{
	struct recovery *recovery = &t->recovery;
	struct holding *holding;
	int index;

	if ((t->state != TOTEM_COMMIT && t->state != TOTEM_RECOVERY) ||
	    !ringid_equal(have->ring, t->next->id)) {
		return;
	}
	index = nodeset_index(&t->next->members, from);
	if (index < 0 || !ringid_equal(have->old_ring, t->ring->id)) {
		reject(t, "have: not from a member, or not of our old ring");
		return;
	}
	if (have->aru > t->ring->window.released + TOTEM_WINDOW_MAX) {
		reject(t, "have: holds numbers that nobody can have assigned");
		return;
	}
	holding = &recovery->holdings[index];
	if (!holding->known) {
		*holding = (struct holding){
			.known = true, .aru = have->aru, .map_bytes = have->map_bytes};
		memcpy(holding->map, have->map, sizeof(holding->map));
	}
	if (t->state != TOTEM_RECOVERY) {
		return;
	}
	if (have->reply) {
		have_send(t, from, false);
	}
	if (!recovery->united) {
		unite(t);
	}
}

/* A frame of the old ring has arrived in its place. */
void recovery_frame(struct totem *t, uint64_t seq)
{
	struct recovery *recovery = &t->recovery;

	recovery->moved = true;
	if (!recovery->united || !recovery_wants(recovery, seq)) {
		return;
	}
	check(recovery->need > 0 && !recovery->done);
	recovery->need--;
	if (recovery->need == 0) {
		recovery_done(t);
	} else if (recovery->asked == 0) {
		recovery_ask(t);
	}
}

/* The place is about to change: a request for it, if there was one, has been answered. */
void recovery_answered(struct totem *t, uint64_t seq)
{
	struct place *place = window_at(&t->ring->window, seq);

	if (place->asked) {
		check(t->recovery.asked > 0);
		place->asked = false;
		t->recovery.asked--;
	}
}

static void ask_again(struct totem *t)
{
	const struct window *window = &t->ring->window;

	for (uint64_t seq = window->released + 1; seq <= t->recovery.top; seq++) {
		recovery_answered(t, seq);
	}
	check(t->recovery.asked == 0);
	t->recovery.attempt++;
	recovery_ask(t);
}

void recovery_timer(struct totem *t)
{
	struct recovery *recovery = &t->recovery;

	check(t->state == TOTEM_RECOVERY && !recovery->done);
	if (recovery->united && !recovery->moved) {
		ask_again(t);
	} else if (recovery->united && recovery->asked == 0) {
		recovery_ask(t);
	}
	for (uint32_t i = 0; !recovery->united && i < t->next->members.count; i++) {
		if ((recovery->trans_mask & (1ull << i)) && !recovery->holdings[i].known) {
			have_send(t, t->next->members.id[i], true);
		}
	}
	recovery->moved = false;
	timer_set(t, TIMER_RECOVER, t->config.token_retransmit_ms);
}
