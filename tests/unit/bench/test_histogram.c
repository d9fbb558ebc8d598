/* SPDX-License-Identifier: BSD-3-Clause */
/* The histogram: exact when small, within its promise when large, and the sum of its parts. */
#include "bench/histogram.h"

#include <stdarg.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

static struct histogram histogram;
static struct histogram other;

static int clear(void **state)
{
	(void)state;
	memset(&histogram, 0, sizeof(histogram));
	memset(&other, 0, sizeof(other));
	return 0;
}

static void histogram_quantile__nothing_added(void **state)
{
	(void)state;
	assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
	assert_int_equal(histogram_quantile(&histogram, 1), 0);
}

static void histogram_quantile__small_values_are_exact(void **state)
{
	(void)state;
	for (uint64_t value = 1; value <= 100; value++) {
		histogram_add(&histogram, value);
	}
	assert_int_equal(histogram_quantile(&histogram, 0.01), 1);
	assert_int_equal(histogram_quantile(&histogram, 0.5), 50);
	assert_int_equal(histogram_quantile(&histogram, 0.63), 63);
	assert_in_range(histogram_quantile(&histogram, 0.9), 90, 91);
	assert_int_equal(histogram_quantile(&histogram, 1), 100);
}

/* Every value in the range, at and beside the powers of two, is answered with 1.6% at most above it. */
static void histogram_quantile__large_values_are_close(void **state)
{
	(void)state;
	for (unsigned int power = 0; power < HISTOGRAM_VALUE_BITS; power++) {
		for (int beside = -1; beside <= 1; beside++) {
			uint64_t value = (UINT64_C(1) << power) + (uint64_t)(int64_t)beside;
			uint64_t found;

			clear(NULL);
			histogram_add(&histogram, value);
			/* So that the answer is the bucket's end, not the highest value. */
			histogram_add(&histogram, (UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1);
			found = histogram_quantile(&histogram, 0.5);
			assert_true(found >= value);
			assert_true(found - value <= value / HISTOGRAM_STEPS);
		}
	}
}

static void histogram_quantile__rare_value_is_the_tail(void **state)
{
	(void)state;
	for (int i = 0; i < 999; i++) {
		histogram_add(&histogram, 1000);
	}
	histogram_add(&histogram, 5000000);
	assert_in_range(histogram_quantile(&histogram, 0.5), 1000, 1016);
	assert_in_range(histogram_quantile(&histogram, 0.999), 1000, 1016);
	assert_int_equal(histogram_quantile(&histogram, 1), 5000000);
}

static void histogram_add__beyond_the_range_counts_as_its_end(void **state)
{
	(void)state;
	histogram_add(&histogram, UINT64_MAX);
	assert_int_equal(histogram.values, 1);
	assert_int_equal(histogram_quantile(&histogram, 0.5),
			 (UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1);
}

static void histogram_merge__is_as_if_added_to_one(void **state)
{
	struct histogram *both = &(struct histogram){0};

	(void)state;
	for (uint64_t value = 1; value < 1000000; value = value * 3 + 1) {
		histogram_add(value % 2 ? &histogram : &other, value);
		histogram_add(both, value);
	}
	histogram_merge(&histogram, &other);
	assert_memory_equal(&histogram, both, sizeof(*both));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(histogram_quantile__nothing_added, clear),
		cmocka_unit_test_setup(histogram_quantile__small_values_are_exact, clear),
		cmocka_unit_test_setup(histogram_quantile__large_values_are_close, clear),
		cmocka_unit_test_setup(histogram_quantile__rare_value_is_the_tail, clear),
		cmocka_unit_test_setup(histogram_add__beyond_the_range_counts_as_its_end, clear),
		cmocka_unit_test_setup(histogram_merge__is_as_if_added_to_one, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
