/* SPDX-License-Identifier: BSD-3-Clause */
/* All timers of the ring, as deadlines in one table; the driver has one real timer for them.
 *
 * TOKEN_LOSS        operational, commit, recovery: token_ms without a token mean that it is lost:
 *                   gather. A link to a member that breaks shortens it to a few
 *                   token_retransmit_ms. Off while the token is here, and on a ring of one.
 * TOKEN_RETRANSMIT  we forwarded a token or commit token and have no sign that it arrived: send
 *                   it again every token_retransmit_ms.
 * HOLD              the token is here and waits: on an idle ring for hold_ms, on a ring that only
 *                   waits for somebody's pull for a moment, during a stay for the next frame; on
 *                   a ring of one until the next visit has something to do.
 * JOIN              gather: our proposal is said again every join_ms, because a link may have
 *                   dropped it; also puts a little distance between proposals that change
 *                   quickly.
 * CONSENSUS         gather: who has not agreed within consensus_ms of the last change is taken as
 *                   failed.
 * SILENCE           gather after a lost token: who has not said a word since is taken as failed,
 *                   after token_ms without the token and so much more.
 * MERGE             operational, representative: every merge_ms each linked node that is not a
 *                   member is told of our ring. Off without any.
 * RECOVER           recovery: what was asked of a holder and did not come is asked of another
 *                   every token_retransmit_ms. */
#include "totem/totem_int.h"

void timer_set(struct totem *t, enum timer timer, uint64_t after_ms)
{
	t->deadlines[timer] = t->now_ms + after_ms;
}

void timer_stop(struct totem *t, enum timer timer)
{
	t->deadlines[timer] = TIMER_OFF;
}

/* Earlier, never later; a timer that is off stays off. */
void timer_shorten(struct totem *t, enum timer timer, uint64_t after_ms)
{
	uint64_t deadline = t->now_ms + after_ms;

	if (t->deadlines[timer] != TIMER_OFF && deadline < t->deadlines[timer]) {
		t->deadlines[timer] = deadline;
	}
}

uint64_t totem_next_deadline_ms(const struct totem *t)
{
	uint64_t next = TIMER_OFF;

	for (uint32_t i = 0; i < TIMERS; i++) {
		next = t->deadlines[i] < next ? t->deadlines[i] : next;
	}
	return next;
}

static void expire(struct totem *t, enum timer timer)
{
	timer_stop(t, timer);
	switch (timer) {
	case TIMER_TOKEN_LOSS:
		gather_enter(t, TOTEM_REASON_TOKEN_LOST);
		return;
	case TIMER_TOKEN_RETRANSMIT:
		token_timer_retransmit(t);
		return;
	case TIMER_HOLD:
		token_release(t);
		return;
	case TIMER_JOIN:
		gather_timer_join(t);
		return;
	case TIMER_CONSENSUS:
		gather_timer_consensus(t);
		return;
	case TIMER_SILENCE:
		gather_timer_silence(t);
		return;
	case TIMER_MERGE:
		merge_timer(t);
		return;
	case TIMER_RECOVER:
		recovery_timer(t);
		return;
	}
}

/* Each at most once per step: a ring of one, whose token is due again at once, gives the driver
 * its turn in between. */
void timers_run(struct totem *t)
{
	bool due[TIMERS];

	for (uint32_t i = 0; i < TIMERS; i++) {
		due[i] = t->deadlines[i] <= t->now_ms;
	}
	for (uint32_t i = 0; i < TIMERS; i++) {
		if (due[i] && t->deadlines[i] <= t->now_ms) {
			expire(t, (enum timer)i);
		}
	}
}
