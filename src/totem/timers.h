/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring's timers. Included only in this directory. */
#ifndef CORONET_TOTEM_TIMERS_H
#define CORONET_TOTEM_TIMERS_H

#include <stdint.h>

struct totem;

/* timers.c says what each is for. In the order in which they are looked at when
 * several are due. */
enum timer {
	TIMER_TOKEN_LOSS,
	TIMER_TOKEN_RETRANSMIT,
	TIMER_HOLD,
	TIMER_JOIN,
	TIMER_CONSENSUS,
	TIMER_SILENCE,
	TIMER_MERGE,
	TIMER_RECOVER,
};
#define TIMERS	  8
#define TIMER_OFF UINT64_MAX

void timer_set(struct totem *t, enum timer timer, uint64_t after_ms);
void timer_stop(struct totem *t, enum timer timer);
void timer_shorten(struct totem *t, enum timer timer, uint64_t after_ms);
void timers_run(struct totem *t);

#endif
