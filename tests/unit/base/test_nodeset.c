/* SPDX-License-Identifier: BSD-3-Clause */
/* Node sets against a plain table of booleans, with many random operations. */
#include "base/nodeset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UNIVERSE 100

static struct nodeset set_of(const bool *table)
{
	struct nodeset set = {0};

	for (uint32_t id = UNIVERSE; id-- > 1;) {
		if (table[id]) {
			nodeset_add(&set, id);
		}
	}
	return set;
}

static void assert_same(const struct nodeset *set, const bool *table)
{
	uint32_t count = 0;

	for (uint32_t id = 1; id < UNIVERSE; id++) {
		assert_int_equal(nodeset_has(set, id), table[id]);
		count += table[id];
	}
	assert_int_equal(set->count, count);
	for (uint32_t i = 1; i < set->count; i++) {
		assert_true(set->id[i - 1] < set->id[i]);
	}
}

static void random_table(uint32_t *seed, bool *table)
{
	uint32_t count = 0;

	for (uint32_t id = 1; id < UNIVERSE; id++) {
		*seed = *seed * 1664525u + 1013904223u;
		table[id] = *seed >> 31 && count < NODES_MAX;
		count += table[id];
	}
}

static void algebra__agrees_with_a_table(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 500; round++) {
		bool a[UNIVERSE] = {false};
		bool b[UNIVERSE] = {false};
		bool minus[UNIVERSE] = {false};
		bool both[UNIVERSE] = {false};
		bool subset = true;
		struct nodeset sa, sb, result;

		random_table(&seed, a);
		random_table(&seed, b);
		for (uint32_t id = 1; id < UNIVERSE; id++) {
			minus[id] = a[id] && !b[id];
			both[id] = a[id] && b[id];
			subset = subset && (!a[id] || b[id]);
		}
		sa = set_of(a);
		sb = set_of(b);
		assert_same(&sa, a);
		result = nodeset_subtract(&sa, &sb);
		assert_same(&result, minus);
		result = nodeset_intersect(&sa, &sb);
		assert_same(&result, both);
		assert_true(nodeset_subset(&result, &sa));
		assert_int_equal(nodeset_subset(&sa, &sb), subset);
		assert_int_equal(nodeset_equal(&sa, &sb), memcmp(a, b, sizeof(a)) == 0);
	}
}

static void add__a_full_set_refuses_new_ids_only(void **state)
{
	struct nodeset set = {0};
	struct nodeset more = {0};

	(void)state;
	for (uint32_t id = 1; id <= NODES_MAX; id++) {
		assert_true(nodeset_add(&set, id * 2));
	}
	assert_false(nodeset_add(&set, 3));
	assert_true(nodeset_add(&set, 4));
	assert_int_equal(set.count, NODES_MAX);
	nodeset_add(&more, 3);
	assert_false(nodeset_merge(&set, &more));
	nodeset_del(&set, 4);
	nodeset_del(&set, 4);
	assert_true(nodeset_merge(&set, &more));
	assert_int_equal(nodeset_index(&set, 3), 1);
	assert_int_equal(nodeset_index(&set, 4), -1);
}

static void next__goes_round(void **state)
{
	struct nodeset set = {0};

	(void)state;
	nodeset_add(&set, 7);
	assert_int_equal(nodeset_next(&set, 7), 7);
	nodeset_add(&set, 3);
	nodeset_add(&set, 9);
	assert_int_equal(nodeset_next(&set, 3), 7);
	assert_int_equal(nodeset_next(&set, 9), 3);
	assert_int_equal(nodeset_next(&set, 8), 9);
	assert_int_equal(nodeset_next(&set, 10), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(algebra__agrees_with_a_table),
		cmocka_unit_test(add__a_full_set_refuses_new_ids_only),
		cmocka_unit_test(next__goes_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
