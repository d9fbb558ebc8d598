/* SPDX-License-Identifier: BSD-3-Clause */
/* A daemon that ran too late is counted, one that had nothing to do is not. */
#include "daemon/pauses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void pauses_note__counts_what_is_late_by_the_limit(void **state)
{
	struct pauses pauses = {0};

	(void)state;
	assert_int_equal(pauses_note(&pauses, 5000, 100), 0);
	pauses_expect(&pauses, 5000, 5200);
	assert_int_equal(pauses_note(&pauses, 5100, 100), 0);
	assert_int_equal(pauses_note(&pauses, 5299, 100), 0);
	assert_int_equal(pauses_note(&pauses, 5300, 100), 100);
	pauses_expect(&pauses, 5300, 5400);
	assert_int_equal(pauses_note(&pauses, 9400, 100), 4000);
	assert_int_equal(pauses.count, 2);
	assert_int_equal(pauses.longest_ms, 4000);
}

static void pauses_expect__waits_for_nothing_and_excuses_what_is_overdue(void **state)
{
	struct pauses pauses = {0};

	(void)state;
	pauses_expect(&pauses, 1000, UINT64_MAX);
	assert_int_equal(pauses_note(&pauses, 900000, 100), 0);
	pauses_expect(&pauses, 1000, 0);
	assert_int_equal(pauses_note(&pauses, 1099, 100), 0);
	assert_int_equal(pauses_note(&pauses, 1100, 100), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_note__counts_what_is_late_by_the_limit),
		cmocka_unit_test(pauses_expect__waits_for_nothing_and_excuses_what_is_overdue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
