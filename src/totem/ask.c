/* SPDX-License-Identifier: BSD-3-Clause */
/* Recovery's requests: who lacks a message of the old ring asks one that holds it, and gets it as
 * it was, under its old number. The receiver asks for no more than it lacks, and it had promised
 * slots for all of that, so nobody's memory can be overrun. */
#include "totem/totem_int.h"

/* Neighbouring numbers are asked of the same holder, so that requests stay short. */
#define CHUNK 32

struct asking {
	struct control *control;
	int holder; /* index in the new ring; -1: none yet */
	uint32_t frames;
	uint32_t messages;
};

static bool holder_fits(struct totem *t, uint32_t i, uint64_t seq, bool linked)
{
	return i != t->next->me && (t->recovery.trans_mask & (1ull << i)) &&
	       holding_has(&t->recovery.holdings[i], seq) &&
	       (!linked || peer_linked(t, t->next->members.id[i]));
}

static uint32_t holders_count(struct totem *t, uint64_t seq, bool linked)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < t->next->members.count; i++) {
		count += holder_fits(t, i, seq, linked) ? 1 : 0;
	}
	return count;
}

/* Chunks are spread over the holders; another attempt asks another one. Index in the new ring, or
 * -1. */
static int holder_choose(struct totem *t, uint64_t seq)
{
	bool linked = holders_count(t, seq, true) > 0;
	uint32_t count = holders_count(t, seq, linked);
	uint64_t pick;

	if (count == 0) {
		return -1;
	}
	pick = (seq / CHUNK + t->recovery.attempt) % count;
	for (uint32_t i = 0; i < t->next->members.count; i++) {
		if (holder_fits(t, i, seq, linked) && pick-- == 0) {
			return (int)i;
		}
	}
	return -1;
}

static void ask_flush(struct totem *t, struct asking *asking)
{
	if (asking->holder < 0) {
		return;
	}
	check(asking->control->ask.count > 0 && asking->holder != (int)t->next->me);
	act_control(t, t->next->members.id[asking->holder], asking->control);
	asking->messages++;
	asking->holder = -1;
}

static void ask_open(struct totem *t, struct asking *asking, int holder)
{
	asking->control = message_new(t, CONTROL_ASK);
	asking->control->ask.ring = t->next->id;
	asking->control->ask.old_ring = t->ring->id;
	asking->control->ask.count = 0;
	asking->holder = holder;
}

static void ask_append(struct control_ask *ask, uint64_t seq)
{
	if (ask->count > 0 && ask->range[ask->count - 1].last + 1 == seq) {
		ask->range[ask->count - 1].last = seq;
		return;
	}
	check(ask->count < CONTROL_ASK_MAX);
	ask->range[ask->count++] = (struct control_range){seq, seq, 0};
}

static void ask_one(struct totem *t, struct asking *asking, uint64_t seq)
{
	int holder = holder_choose(t, seq);

	if (holder < 0) {
		return;
	}
	if (asking->holder != holder || asking->control->ask.count == CONTROL_ASK_MAX) {
		ask_flush(t, asking);
		ask_open(t, asking, holder);
	}
	ask_append(&asking->control->ask, seq);
	window_at(&t->ring->window, seq)->asked = true;
	t->recovery.asked++;
	asking->frames++;
}

/* Asks for the lowest that are wanted, neither here nor being pulled, nor asked for. The rest
 * follows when these have come. */
void recovery_ask(struct totem *t)
{
	struct asking asking = {.holder = -1};
	const struct recovery *recovery = &t->recovery;
	uint32_t room = repeats_room(t);

	check(recovery->united && !recovery->done);
	for (uint64_t seq = t->ring->window.released + 1; seq <= recovery->top; seq++) {
		const struct place *place = window_at(&t->ring->window, seq);

		if (asking.frames == room || asking.messages == ASK_MESSAGES_MAX - 1) {
			break;
		}
		if (recovery_wants(recovery, seq) && place->state == PLACE_EMPTY && !place->asked) {
			ask_one(t, &asking, seq);
		}
	}
	ask_flush(t, &asking);
	repeats_asked(t, asking.frames);
	t->counters.requested += asking.frames;
}

void ask_received(struct totem *t, uint32_t from, const struct control_ask *ask)
{
	const struct window *window = &t->ring->window;
	uint32_t frames = 0;
	int index;

	if (t->state != TOTEM_RECOVERY || !ringid_equal(ask->ring, t->next->id)) {
		return;
	}
	index = nodeset_index(&t->next->members, from);
	if (index < 0 || !nodeset_has(&t->recovery.trans, from) ||
	    !ringid_equal(ask->old_ring, t->ring->id)) {
		reject(t, "ask: not from a member that comes from our old ring");
		return;
	}
	for (uint32_t i = 0; i < ask->count; i++) {
		const struct control_range *range = &ask->range[i];
		uint64_t seq =
			range->first > window->released ? range->first : window->released + 1;

		for (; seq <= range->last && seq <= window->high && frames < t->config.window_size;
		     seq++) {
			if (window_at(&t->ring->window, seq)->state == PLACE_HERE) {
				act_repeat(t, t->ring, seq, &t->next->members, 1ull << index);
				frames++;
			}
		}
	}
}
