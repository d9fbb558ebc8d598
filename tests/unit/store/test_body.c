/* SPDX-License-Identifier: BSD-3-Clause */
/* Holds: a body is freed with its last one, whichever that is. */
#include "store/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool freed;

static void note_free(struct body *body)
{
	(void)body;
	freed = true;
}

static void drop__frees_with_the_last_hold_of_any_kind(void **state)
{
	(void)state;
	for (int last = 0; last < HOLD_KINDS; last++) {
		struct body body = {.free = note_free};

		freed = false;
		for (int i = 0; i < HOLD_KINDS; i++) {
			body_hold(&body, (enum body_hold)i);
			body_hold(&body, (enum body_hold)i);
		}
		for (int i = 0; i < HOLD_KINDS; i++) {
			body_drop(&body, (enum body_hold)i);
			if (i != last) {
				body_drop(&body, (enum body_hold)i);
			}
			assert_false(freed);
		}
		body_drop(&body, (enum body_hold)last);
		assert_true(freed);
	}
}

static void name__every_hold_has_one(void **state)
{
	(void)state;
	assert_string_equal(body_hold_name(HOLD_BUILD), "build");
	assert_string_equal(body_hold_name(HOLD_STORE), "store");
	assert_string_equal(body_hold_name(HOLD_SEND), "send");
	assert_string_equal(body_hold_name(HOLD_CLIENT), "client");
	assert_string_equal(body_hold_name(HOLD_LENT), "lent");
	assert_string_equal(body_hold_name(HOLD_PIN), "pin");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drop__frees_with_the_last_hold_of_any_kind),
		cmocka_unit_test(name__every_hold_has_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
