/* SPDX-License-Identifier: BSD-3-Clause */
/* Whom the ring waits for. A client that keeps slots but goes on reading holds the senders back, as
 * it should: else its messages would pile up elsewhere. One that frees too few in the grace time
 * while the ring needs them, and does not read many small messages either, is lagging: what it keeps is put
 * aside, and what comes for it beyond a small share is copied at once, until it is fast again or has read
 * all. */
#ifndef CORONET_CLIENTS_PACE_H
#define CORONET_CLIENTS_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_GRACE_MS 100u
/* Messages in the grace time: a slot may hold hundreds. */
#define PACE_MESSAGES 1000u

struct pace {
	bool lagging;
	uint32_t freed, read; /* slots, and messages by reference or put aside, since then: */
	uint64_t since_ms;
	uint64_t looked_ms;
};

/* To be called while the ring needs slots, and while the client lags. `enough` is what a client
 * frees in the grace time that does not lag. Returns when to look again. */
uint64_t pace_look(struct pace *pace, uint32_t enough, uint64_t now_ms);

#endif
