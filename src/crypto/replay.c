/* SPDX-License-Identifier: BSD-3-Clause */
/* A bit for each number, in a ring of words. One word more than the window has: it begins in the middle of one. */
#include "crypto/replay.h"

static uint64_t *word_of(struct replay *replay, uint64_t number)
{
	return &replay->seen[number / 64 % REPLAY_WORDS];
}

bool replay_fresh(const struct replay *replay, uint64_t number)
{
	if (number == 0) {
		return false;
	}
	if (number > replay->highest) {
		return true;
	}
	if (replay->highest - number >= REPLAY_WINDOW) {
		return false;
	}
	return !(replay->seen[number / 64 % REPLAY_WORDS] & UINT64_C(1) << number % 64);
}

void replay_take(struct replay *replay, uint64_t number)
{
	uint64_t word = replay->highest / 64;

	if (number > replay->highest) {
		for (uint32_t i = 0; word < number / 64 && i < REPLAY_WORDS; i++) {
			word++;
			replay->seen[word % REPLAY_WORDS] = 0;
		}
		/* Farther than the whole ring: all words are empty by now. */
		replay->highest = number;
	}
	*word_of(replay, number) |= UINT64_C(1) << number % 64;
}
