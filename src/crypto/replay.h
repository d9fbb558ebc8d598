/* SPDX-License-Identifier: BSD-3-Clause */
/* Which numbers of a sender were taken already: each is taken once. Numbers come nearly in order; what
 * is older than the window is taken for a repetition (RFC 6479). */
#ifndef CORONET_CRYPTO_REPLAY_H
#define CORONET_CRYPTO_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#define REPLAY_WORDS  65u
#define REPLAY_WINDOW ((REPLAY_WORDS - 1) * 64u)

struct replay {
	uint64_t highest; /* 0: none yet; numbers begin at 1 */
	uint64_t seen[REPLAY_WORDS];
};

/* False: it was taken, is too old, or is 0. */
bool replay_fresh(const struct replay *replay, uint64_t number);
/* Of a fresh number whose message was genuine. */
void replay_take(struct replay *replay, uint64_t number);

#endif
