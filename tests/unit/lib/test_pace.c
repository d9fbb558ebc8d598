/* SPDX-License-Identifier: BSD-3-Clause */
/* Who lags: whoever freed too little in the grace time while somebody looked. */
#include "clients/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ENOUGH 10u
#define START  1000000u

/* Looks every 10 ms until `until_ms`; `per_look` slots are freed before each. Returns the time. */
static uint64_t look_on(struct pace *pace, uint64_t now_ms, uint64_t until_ms, uint32_t per_look)
{
	for (; now_ms < until_ms; now_ms += 10) {
		pace->freed += per_look;
		pace_look(pace, ENOUGH, now_ms);
	}
	return now_ms;
}

static void pace__who_frees_nothing_lags_after_the_grace_time(void **state)
{
	struct pace pace = {0};
	uint64_t now_ms = START;

	(void)state;
	assert_int_equal(pace_look(&pace, ENOUGH, now_ms), START + PACE_GRACE_MS);
	now_ms = look_on(&pace, now_ms, START + PACE_GRACE_MS, 0);
	assert_false(pace.lagging);
	assert_int_equal(pace_look(&pace, ENOUGH, now_ms), now_ms + PACE_GRACE_MS);
	assert_true(pace.lagging);
}

static void pace__who_frees_enough_does_not_lag(void **state)
{
	struct pace pace = {0};

	(void)state;
	look_on(&pace, START, START + 20 * PACE_GRACE_MS, 1);
	assert_false(pace.lagging);
}

static void pace__one_too_few_is_not_enough(void **state)
{
	struct pace pace = {0};

	(void)state;
	pace_look(&pace, ENOUGH, START);
	pace.freed = ENOUGH - 1;
	pace_look(&pace, ENOUGH, START + PACE_GRACE_MS);
	assert_true(pace.lagging);
	pace.freed = ENOUGH;
	pace_look(&pace, ENOUGH, START + 2 * PACE_GRACE_MS);
	assert_false(pace.lagging);
}

/* Hundreds of them lie in one slot. */
static void pace__many_small_messages_are_enough(void **state)
{
	struct pace pace = {0};

	(void)state;
	pace_look(&pace, ENOUGH, START);
	pace.read = PACE_MESSAGES - 1;
	pace_look(&pace, ENOUGH, START + PACE_GRACE_MS);
	assert_true(pace.lagging);
	pace.read = PACE_MESSAGES;
	pace_look(&pace, ENOUGH, START + 2 * PACE_GRACE_MS);
	assert_false(pace.lagging);
	assert_int_equal(pace.read, 0);
}

/* Each stretch is judged by itself: what was freed in the one before does not help. */
static void pace__begins_anew_each_time(void **state)
{
	struct pace pace = {0};

	(void)state;
	pace_look(&pace, ENOUGH, START);
	pace.freed = 100 * ENOUGH;
	pace_look(&pace, ENOUGH, START + PACE_GRACE_MS);
	assert_false(pace.lagging);
	assert_int_equal(pace.freed, 0);
	pace_look(&pace, ENOUGH, START + 2 * PACE_GRACE_MS);
	assert_true(pace.lagging);
}

/* Nobody needed slots for a while, so nobody looked: a client that had nothing to free then is not
 * slow, and one that has lagged is not fast because of what it freed meanwhile. */
static void pace__what_nobody_has_watched_says_nothing(void **state)
{
	struct pace pace = {0};

	(void)state;
	pace_look(&pace, ENOUGH, START);
	assert_int_equal(pace_look(&pace, ENOUGH, START + 10 * PACE_GRACE_MS),
			 START + 11 * PACE_GRACE_MS);
	assert_false(pace.lagging);
	pace.lagging = true;
	pace.freed = 100 * ENOUGH;
	pace_look(&pace, ENOUGH, START + 20 * PACE_GRACE_MS);
	assert_true(pace.lagging);
	assert_int_equal(pace.freed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pace__who_frees_nothing_lags_after_the_grace_time),
		cmocka_unit_test(pace__who_frees_enough_does_not_lag),
		cmocka_unit_test(pace__one_too_few_is_not_enough),
		cmocka_unit_test(pace__many_small_messages_are_enough),
		cmocka_unit_test(pace__begins_anew_each_time),
		cmocka_unit_test(pace__what_nobody_has_watched_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
