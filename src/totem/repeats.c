/* SPDX-License-Identifier: BSD-3-Clause */
/* Repetitions under way: frames that we asked for, on the token or in recovery, and that have not
 * come yet. A frame that was only late then comes twice, and needs a slot for a moment although
 * its place is taken. The driver keeps window_size slots for that out of its promise, so no more
 * may be under way. */
#include "totem/totem_int.h"

/* Visits of the token that must pass without a repetition: a process that was stopped finds the
 * clock advanced and its receive queue full of them. */
#define VISITS_MIN 64

/* One that does not come, because a link broke, is forgotten at last. */
static void forget_old(struct totem *t)
{
	if (t->repeats_visits >= VISITS_MIN &&
	    t->now_ms - t->repeats_ms >= t->config.token_retransmit_ms) {
		t->repeats = 0;
	}
}

static void touched(struct totem *t)
{
	t->repeats_ms = t->now_ms;
	t->repeats_visits = 0;
}

uint32_t repeats_room(struct totem *t)
{
	forget_old(t);
	return t->repeats < t->config.window_size ? t->config.window_size - t->repeats : 0;
}

void repeats_asked(struct totem *t, uint64_t count)
{
	check(count <= repeats_room(t));
	if (count > 0) {
		t->repeats += (uint32_t)count;
		touched(t);
	}
}

/* Came, or will not: nobody had it. */
void repeats_settled(struct totem *t, uint64_t count)
{
	t->repeats = count < t->repeats ? t->repeats - (uint32_t)count : 0;
	touched(t);
}
