/* SPDX-License-Identifier: BSD-3-Clause */
/* Retransmission requests on the token (paper, Total Ordering Protocol: rtr): ranges of numbers,
 * each with the set of members that lack it, so that a holder resends to those only. A request is
 * served by the first holder that the token meets, and taken off. */
#include "totem/totem_int.h"

/* A gap is not asked for before token_retransmit_ms / this have passed: connections do not lose,
 * they are late. */
#define PATIENCE_DIVISOR 16

/* Nobody had what we asked for: ask again now. */
static void still_missing(struct totem *t, const struct control_range *range)
{
	struct window *window = &t->ring->window;
	uint64_t seq = range->first > window->aru ? range->first : window->aru + 1;

	repeats_settled(t, range->last - range->first + 1);
	for (; seq <= range->last; seq++) {
		if (window_at(window, seq)->state == PLACE_EMPTY) {
			window_at(window, seq)->misses = UINT8_MAX;
		}
	}
}

struct serving {
	struct control_range keep[CONTROL_RTR_MAX];
	uint32_t count;
	uint32_t budget;
};

static void keep_one(struct serving *serving, uint64_t seq, uint64_t mask)
{
	struct control_range *last = serving->count > 0 ? &serving->keep[serving->count - 1] : NULL;

	if (last && last->mask == mask && last->last + 1 == seq) {
		last->last = seq;
	} else if (serving->count < CONTROL_RTR_MAX) {
		serving->keep[serving->count++] = (struct control_range){seq, seq, mask};
	}
}

static void keep_range(struct serving *serving, const struct control_range *range, uint64_t mask)
{
	if (serving->count < CONTROL_RTR_MAX) {
		serving->keep[serving->count++] =
			(struct control_range){range->first, range->last, mask};
	}
}

static void serve_range(struct totem *t, struct serving *serving, const struct control_range *range,
			uint64_t mask)
{
	struct window *window = &t->ring->window;
	uint64_t seq = range->first;

	/* ACKs have told that all have these: who asked has got them since, and takes its request
	 * off itself, because it counts what it has asked for. */
	if (seq <= window->released) {
		struct control_range late = *range;

		late.last = late.last < window->released ? late.last : window->released;
		keep_range(serving, &late, mask);
		seq = window->released + 1;
	}
	for (; seq <= range->last; seq++) {
		if (serving->budget > 0 && window_at(window, seq)->state == PLACE_HERE) {
			act_repeat(t, t->ring, seq, &t->ring->members, mask);
			serving->budget--;
		} else {
			keep_one(serving, seq, mask);
		}
	}
}

/* Who has no link to us just now has to get it from somebody else. */
static uint64_t linked_members(struct totem *t)
{
	uint64_t mask = 0;

	for (uint32_t i = 0; i < t->ring->members.count; i++) {
		mask |= peer_linked(t, t->ring->members.id[i]) ? 1ull << i : 0;
	}
	return mask;
}

void rtr_serve(struct totem *t, struct control_token *token)
{
	struct serving serving = {.budget = t->config.window_size};
	uint64_t me = 1ull << t->ring->me;
	uint64_t linked = token->rtr_count > 0 ? linked_members(t) : 0;

	check(token->rtr_count <= CONTROL_RTR_MAX && t->state == TOTEM_OPERATIONAL);
	for (uint32_t i = 0; i < token->rtr_count; i++) {
		const struct control_range *range = &token->rtr[i];

		if (range->mask & me) {
			still_missing(t, range);
		}
		if (range->mask & linked) {
			serve_range(t, &serving, range, range->mask & linked);
		}
		if (range->mask & ~linked & ~me) {
			keep_range(&serving, range, range->mask & ~linked & ~me);
		}
	}
	check(serving.count <= CONTROL_RTR_MAX);
	token->rtr_count = serving.count;
	for (uint32_t i = 0; i < serving.count; i++) {
		token->rtr[i] = serving.keep[i];
	}
}

/* Joins a request for the very same range; false when there is no room for another. */
static bool add_range(struct control_token *token, const struct control_range *range)
{
	for (uint32_t i = 0; i < token->rtr_count; i++) {
		if (token->rtr[i].first == range->first && token->rtr[i].last == range->last) {
			token->rtr[i].mask |= range->mask;
			return true;
		}
	}
	if (token->rtr_count == CONTROL_RTR_MAX) {
		return false;
	}
	token->rtr[token->rtr_count++] = *range;
	return true;
}

/* Whether the place has been empty for so many visits and so long that it is asked for now. */
static bool overdue(struct totem *t, struct place *place)
{
	uint32_t patience_ms = t->config.token_retransmit_ms / PATIENCE_DIVISOR;
	uint32_t now_ms = (uint32_t)t->now_ms;

	if (place->state != PLACE_EMPTY) {
		return false;
	}
	if (place->misses == 0) {
		place->missing_since_ms = now_ms;
	}
	if (place->misses < UINT8_MAX) {
		place->misses++;
	}
	return place->misses > t->config.miss_count_const &&
	       now_ms - place->missing_since_ms >= patience_ms;
}

static void request(struct totem *t, struct control_token *token, struct control_range *range)
{
	if (range->mask == 0 || !add_range(token, range)) {
		return;
	}
	repeats_asked(t, range->last - range->first + 1);
	for (uint64_t seq = range->first; seq <= range->last; seq++) {
		window_at(&t->ring->window, seq)->misses = 0;
		t->counters.requested++;
	}
	range->mask = 0;
}

/* Only what was announced a full rotation ago can be missing: the token overtakes the frames that
 * it announces (accelerated ring). */
void rtr_request(struct totem *t, struct control_token *token)
{
	struct window *window = &t->ring->window;
	struct control_range range = {.mask = 0};
	uint32_t room = repeats_room(t);
	uint32_t asked = 0;

	for (uint64_t seq = window->aru + 1; seq <= t->token.visit_seq && asked < room; seq++) {
		if (!overdue(t, window_at(window, seq))) {
			continue;
		}
		asked++;
		if (range.mask != 0 && range.last + 1 == seq) {
			range.last = seq;
			continue;
		}
		request(t, token, &range);
		range = (struct control_range){seq, seq, 1ull << t->ring->me};
	}
	request(t, token, &range);
}
