/* SPDX-License-Identifier: BSD-3-Clause */
/* Construction: limits, and every allocation failing in its turn (calloc is wrapped by the linker). */
#include "pg/pg.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static int fail_in; /* the how-manieth allocation fails; 0: none */

void *__wrap_calloc(size_t count, size_t size)
{
	if (fail_in > 0 && --fail_in == 0) {
		return NULL;
	}
	return __real_calloc(count, size);
}

static void new__limits_are_checked(void **state)
{
	static const struct pg_limits bad[] = {{0, 1},
					       {1, 0},
					       {PG_CLIENTS_MAX + 1, 1},
					       {1, PG_MEMBERS_MAX + 1},
					       {UINT32_MAX, UINT32_MAX}};
	struct pg *pg = (struct pg *)state;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(pg_new(1, &bad[i], &pg), -EINVAL);
		assert_ptr_equal(pg, (struct pg *)state);
	}
}

static void new__every_failing_allocation_is_survived(void **state)
{
	static const struct pg_limits limits = {.clients_max = 4, .members_max = 8};
	struct pg *pg = NULL;
	int failures = 0;
	int err = -ENOMEM;

	(void)state;
	while (err == -ENOMEM) {
		fail_in = failures + 1;
		err = pg_new(1, &limits, &pg);
		if (err) {
			assert_null(pg);
			failures++;
		}
	}
	fail_in = 0;
	assert_int_equal(err, 0);
	assert_true(failures >= 10);
	pg_free(&pg);
	assert_null(pg);
	pg_free(&pg);
}

static void new__is_in_no_ring_and_empty(void **state)
{
	static const struct pg_limits limits = {.clients_max = 4, .members_max = 8};
	struct pg *pg;

	(void)state;
	assert_int_equal(pg_new(1, &limits, &pg), 0);
	assert_false(pg_active(pg));
	assert_int_equal(pg_update(pg)->count, 0);
	assert_int_equal(pg_iterate(pg, NULL, 0), 0);
	assert_int_equal(pg_waiting(pg).count, 0);
	pg_free(&pg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new__limits_are_checked),
		cmocka_unit_test(new__every_failing_allocation_is_survived),
		cmocka_unit_test(new__is_in_no_ring_and_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
