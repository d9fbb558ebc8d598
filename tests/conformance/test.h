/* SPDX-License-Identifier: BSD-3-Clause */
/* cmocka with what it needs, and the two ends that most tests begin with. */
#ifndef CORONET_CONFORMANCE_TEST_H
#define CORONET_CONFORMANCE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/conformance/end.h"

/* Linked and idle: a is node 1, b is node 2; more are for the test to open. */
struct pair {
	struct end a, b;
	struct end more[4];
};

int pair_setup(void **state);
/* Two ends that are not open yet. */
int pair_setup_closed(void **state);
int pair_teardown(void **state);

#define pair_test(function) cmocka_unit_test_setup_teardown(function, pair_setup, pair_teardown)
#define closed_test(function) \
	cmocka_unit_test_setup_teardown(function, pair_setup_closed, pair_teardown)

#endif
