/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools, groups by name, members by (group, node, pid), their order. */
#include "pg/pg_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct pg *make(uint32_t clients_max, uint32_t members_max)
{
	struct pg_limits limits = {.clients_max = clients_max, .members_max = members_max};
	struct pg *pg;

	assert_int_equal(pg_new(1, &limits, &pg), 0);
	return pg;
}

static struct pg_member *member(struct pg *pg, const char *name, uint32_t node, uint32_t pid)
{
	return pg_member_need(pg, (const uint8_t *)name, (uint32_t)strlen(name), node, pid);
}

static void pool__gives_zeroed_items_and_takes_them_back(void **state)
{
	struct pg_pool pool;
	uint64_t *a;
	uint64_t *b;

	(void)state;
	assert_int_equal(pg_pool_init(&pool, 16, 2), 0);
	a = pg_pool_take(&pool);
	b = pg_pool_take(&pool);
	assert_non_null(a);
	assert_non_null(b);
	assert_ptr_not_equal(a, b);
	assert_null(pg_pool_take(&pool));
	memset(a, 0xff, 16);
	pg_pool_give(&pool, a);
	assert_ptr_equal(pg_pool_take(&pool), a);
	assert_int_equal(a[0] | a[1], 0);
	pg_pool_fini(&pool);
}

static void find__by_length_and_bytes(void **state)
{
	struct pg *pg = make(2, 4);
	struct pg_group *g;

	(void)state;
	g = pg_group_need(pg, "a\0b", 3);
	assert_ptr_equal(pg_group_find(pg, "a\0b", 3), g);
	assert_ptr_equal(pg_group_need(pg, "a\0b", 3), g);
	assert_null(pg_group_find(pg, "a\0c", 3));
	assert_null(pg_group_find(pg, "a", 1));
	assert_null(pg_group_find(pg, "a\0b\0", 4));
	assert_null(pg_group_find(pg, "", 0));
	assert_int_equal(g->name.value[3] | g->name.value[127], 0);
	pg_free(&pg);
}

static void group__goes_with_its_last_member_and_its_name_stays_readable(void **state)
{
	struct pg *pg = make(2, 4);
	struct pg_member *a = member(pg, "g", 2, 1);
	struct pg_member *b = member(pg, "g", 3, 1);
	const struct cpg_name *name = &a->group->name;

	(void)state;
	pg_member_settle(pg, a);
	assert_non_null(pg_group_find(pg, "g", 1));
	pg_member_settle(pg, b);
	assert_null(pg_group_find(pg, "g", 1));
	assert_int_equal(name->value[0], 'g');
	pg_begin(pg);
	assert_ptr_equal(&pg_group_need(pg, "h", 1)->name, name);
	pg_free(&pg);
}

static void member__is_found_by_all_three_parts(void **state)
{
	struct pg *pg = make(2, 8);
	struct pg_member *m = member(pg, "g", 2, 7);

	(void)state;
	assert_ptr_equal(member(pg, "g", 2, 7), m);
	assert_ptr_equal(pg_member_find(pg, m->group, 2, 7), m);
	assert_null(pg_member_find(pg, m->group, 7, 2));
	assert_null(pg_member_find(pg, m->group, 2, 8));
	assert_null(pg_member_find(pg, pg_group_need(pg, "h", 1), 2, 7));
	pg_member_set_view(pg, m, true);
	pg_member_set_view(pg, m, true);
	assert_int_equal(pg->in_view, 1);
	pg_member_settle(pg, m);
	assert_ptr_equal(pg_member_find(pg, m->group, 2, 7), m);
	pg_member_set_view(pg, m, false);
	assert_int_equal(pg->in_view, 0);
	pg_free(&pg);
}

static void member__others_never_take_what_own_processes_need(void **state)
{
	struct pg *pg = make(2, 4);

	(void)state;
	for (uint32_t i = 0; i < 8; i++) {
		assert_non_null(member(pg, "g", 2, i));
	}
	assert_null(member(pg, "g", 2, 8));
	assert_null(member(pg, "new", 2, 8));
	assert_null(pg_group_find(pg, "new", 3));
	for (uint32_t i = 0; i < 4; i++) {
		assert_non_null(member(pg, "g", 1, i));
	}
	pg_member_settle(pg, member(pg, "g", 2, 3));
	assert_non_null(member(pg, "g", 2, 8));
	pg_free(&pg);
}

static void tables__hold_every_item_through_random_changes(void **state)
{
	struct pg *pg = make(4, 200);
	bool there[4][100] = {{false}};
	uint64_t random = 99;

	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t node;
		uint32_t pid;

		random = random * 6364136223846793005u + 1442695040888963407u;
		node = (uint32_t)(random >> 40) % 4;
		pid = (uint32_t)(random >> 44) % 100;
		if (there[node][pid]) {
			pg_member_settle(pg, member(pg, pid % 2 ? "odd" : "even", node + 2, pid));
		} else {
			assert_non_null(member(pg, pid % 2 ? "odd" : "even", node + 2, pid));
		}
		there[node][pid] = !there[node][pid];
	}
	for (uint32_t node = 0; node < 4; node++) {
		for (uint32_t pid = 0; pid < 100; pid++) {
			const char *name = pid % 2 ? "odd" : "even";
			struct pg_group *g = pg_group_find(pg, name, (uint32_t)strlen(name));

			assert_int_equal(pg_member_find(pg, g, node + 2, pid) != NULL,
					 there[node][pid]);
		}
	}
	pg_free(&pg);
}

static void check_sorted(struct pg_group *group, uint32_t count)
{
	const struct pg_member *before = NULL;

	list_for_each(it, &group->members) {
		const struct pg_member *m = list_entry(it, struct pg_member, in_group);

		assert_ptr_equal(it->next->prev, it);
		assert_true(!before || before->node < m->node ||
			    (before->node == m->node && before->pid < m->pid));
		before = m;
		count--;
	}
	assert_int_equal(count, 0);
}

static void sort__any_order_of_arrival_ascends(void **state)
{
	struct pg *pg = make(2, 512);
	uint64_t random = 7;
	struct pg_group *group;

	(void)state;
	for (uint32_t count = 0; count < 512;) {
		struct pg_member *m;

		random = random * 6364136223846793005u + 1442695040888963407u;
		m = member(pg, "g", 2 + (uint32_t)(random >> 62), (uint32_t)(random >> 33) % 997);
		group = m->group;
		if (m->flags) {
			continue;
		}
		m->flags = PG_ANNOUNCED;
		count++;
		if (count < 20 || count == 512) {
			pg_group_sort(group);
			check_sorted(group, count);
		}
	}
	pg_free(&pg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pool__gives_zeroed_items_and_takes_them_back),
		cmocka_unit_test(find__by_length_and_bytes),
		cmocka_unit_test(group__goes_with_its_last_member_and_its_name_stays_readable),
		cmocka_unit_test(member__is_found_by_all_three_parts),
		cmocka_unit_test(member__others_never_take_what_own_processes_need),
		cmocka_unit_test(tables__hold_every_item_through_random_changes),
		cmocka_unit_test(sort__any_order_of_arrival_ascends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
