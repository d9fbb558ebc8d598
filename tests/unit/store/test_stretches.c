/* SPDX-License-Identifier: BSD-3-Clause */
/* Pieces of an area: never two at one place, first fit, whole again in the end. */
#include "store/stretches.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#define PAGE  4096ull
#define PAGES 64ull

static struct stretches *new_area(void)
{
	struct stretches *area = NULL;

	assert_int_equal(stretches_new(PAGES * PAGE, &area), 0);
	return area;
}

static void take__random_use_never_overlaps_and_coalesces(void **state)
{
	struct stretches *area = new_area();
	uint64_t offset[16] = {0};
	uint64_t size[16] = {0};
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		int i;

		seed = seed * 1664525u + 1013904223u;
		i = (int)(seed >> 28);
		if (size[i]) {
			stretches_put(area, offset[i]);
			size[i] = 0;
			continue;
		}
		if (stretches_take(area, 1 + (seed >> 8) % (20 * PAGE), &offset[i])) {
			continue;
		}
		size[i] = 1 + (seed >> 8) % (20 * PAGE);
		assert_true(offset[i] + size[i] <= PAGES * PAGE);
		for (int j = 0; j < 16; j++) {
			assert_true(j == i || !size[j] || offset[j] + size[j] <= offset[i] ||
				    offset[i] + size[i] <= offset[j]);
		}
	}
	for (int i = 0; i < 16; i++) {
		if (size[i]) {
			stretches_put(area, offset[i]);
		}
	}
	assert_int_equal(stretches_used(area), 0);
	assert_int_equal(stretches_take(area, PAGES * PAGE, &offset[0]), 0);
	assert_int_equal(stretches_take(area, 1, &offset[1]), -ENOSPC);
	assert_int_equal(stretches_put(area, offset[0]), PAGES * PAGE);
	stretches_free(&area);
	assert_null(area);
}

/* What is in use stays at the start, whatever was given back last. */
static void take__the_first_place_that_fits(void **state)
{
	struct stretches *area = new_area();
	uint64_t at[4];
	uint64_t next;

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(stretches_take(area, 2 * PAGE, &at[i]), 0);
		assert_int_equal(at[i], (uint64_t)i * 2 * PAGE);
	}
	assert_int_equal(stretches_put(area, at[2]), 2 * PAGE);
	assert_int_equal(stretches_put(area, at[0]), 2 * PAGE);
	assert_int_equal(stretches_take(area, PAGE, &next), 0);
	assert_int_equal(next, 0);
	assert_int_equal(stretches_take(area, 2 * PAGE, &next), 0);
	assert_int_equal(next, at[2]);
	assert_int_equal(stretches_take(area, 2 * PAGE, &next), 0);
	assert_int_equal(next, 8 * PAGE);
	assert_int_equal(stretches_used(area), 9 * PAGE);
	stretches_free(&area);
}

static void take__refuses_nothing_and_too_much(void **state)
{
	struct stretches *area = new_area();
	uint64_t at;

	(void)state;
	assert_int_equal(stretches_take(area, 0, &at), -EINVAL);
	assert_int_equal(stretches_take(area, PAGES * PAGE + 1, &at), -ENOSPC);
	assert_int_equal(stretches_take(area, UINT64_MAX, &at), -ENOSPC);
	stretches_free(&area);
	assert_int_equal(stretches_new(0, &area), -EINVAL);
	assert_int_equal(stretches_new(PAGE + 1, &area), -EINVAL);
	stretches_free(&area);
}

static void taken__says_whether_all_of_it_is_in_one_piece(void **state)
{
	struct stretches *area;
	uint64_t a, b;

	(void)state;
	assert_int_equal(stretches_new(16 * 4096, &area), 0);
	assert_int_equal(stretches_take(area, 5000, &a), 0);
	assert_int_equal(stretches_take(area, 4096, &b), 0);
	assert_true(stretches_taken(area, a, 8192));
	assert_true(stretches_taken(area, a + 8191, 1));
	assert_false(stretches_taken(area, a, 8193)); /* runs into b */
	assert_false(stretches_taken(area, a + 4096, UINT64_MAX));
	stretches_put(area, a);
	assert_false(stretches_taken(area, a, 1));
	assert_true(stretches_taken(area, b, 4096));
	stretches_free(&area);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken__says_whether_all_of_it_is_in_one_piece),
		cmocka_unit_test(take__random_use_never_overlaps_and_coalesces),
		cmocka_unit_test(take__the_first_place_that_fits),
		cmocka_unit_test(take__refuses_nothing_and_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
