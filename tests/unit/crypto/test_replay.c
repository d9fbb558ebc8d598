/* SPDX-License-Identifier: BSD-3-Clause */
/* Each number once, in any order inside the window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/replay.h"

#define FAR 20000u

static bool take(struct replay *replay, uint64_t number)
{
	if (!replay_fresh(replay, number)) {
		return false;
	}
	replay_take(replay, number);
	return true;
}

static void fresh__zero_never_is(void **state)
{
	struct replay replay = {0};

	(void)state;
	assert_false(replay_fresh(&replay, 0));
}

static void fresh__edge_of_the_window(void **state)
{
	(void)state;
	for (uint64_t highest = REPLAY_WINDOW; highest < REPLAY_WINDOW + 200; highest++) {
		struct replay replay = {0};

		assert_true(take(&replay, highest));
		assert_false(replay_fresh(&replay, highest - REPLAY_WINDOW));
		assert_true(take(&replay, highest - REPLAY_WINDOW + 1));
		assert_false(replay_fresh(&replay, highest - REPLAY_WINDOW + 1));
		assert_false(replay_fresh(&replay, highest));
	}
}

static void fresh__after_a_jump_beyond_all(void **state)
{
	struct replay replay = {0};

	(void)state;
	assert_true(take(&replay, 5));
	assert_true(take(&replay, UINT64_MAX - 10));
	assert_false(replay_fresh(&replay, 6));
	assert_true(take(&replay, UINT64_MAX - 11));
	assert_true(take(&replay, UINT64_MAX));
	assert_false(replay_fresh(&replay, UINT64_MAX - 10));
}

static uint64_t dice(uint32_t *state, uint64_t below)
{
	*state = *state * 1664525u + 1013904223u;
	return (*state >> 8) % below;
}

/* Against a model that forgets nothing. */
static void take__as_a_model_says(void **state)
{
	static bool taken[FAR];
	struct replay replay = {0};
	uint64_t highest = 0;
	uint32_t state_of = 7;

	(void)state;
	for (int i = 0; i < 400000; i++) {
		uint64_t base = (uint64_t)i / 25;
		uint64_t number =
			base + dice(&state_of, dice(&state_of, 50) ? 300 : 3 * REPLAY_WINDOW);
		bool wanted;

		number = number > REPLAY_WINDOW ? number - REPLAY_WINDOW : number;
		if (number >= FAR) {
			continue;
		}
		wanted = number > 0 && !taken[number] &&
			 (number > highest || highest - number < REPLAY_WINDOW);
		assert_int_equal(take(&replay, number), wanted);
		taken[number] = taken[number] || wanted;
		highest = wanted && number > highest ? number : highest;
	}
	assert_true(highest > FAR / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fresh__zero_never_is),
		cmocka_unit_test(fresh__edge_of_the_window),
		cmocka_unit_test(fresh__after_a_jump_beyond_all),
		cmocka_unit_test(take__as_a_model_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
