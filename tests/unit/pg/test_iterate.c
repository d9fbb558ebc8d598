/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots: pg_members and pg_iterate. */
#include "feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct feed *make(void)
{
	struct feed *f = feed_new(2, 8);

	feed_activate(f, 3);
	assert_null(feed_message(f, PG_MSG_JOIN, 3, 30, "b"));
	assert_null(feed_message(f, PG_MSG_JOIN, 2, 21, "a"));
	assert_null(feed_message(f, PG_MSG_JOIN, 2, 20, "a"));
	assert_null(feed_message(f, PG_MSG_JOIN, 2, 25, "b"));
	/* under way only: in no snapshot */
	assert_int_equal(pg_client_open(f->pg, 0, false), 0);
	assert_int_equal(feed_join(f, 0, 10, "c"), CS_OK);
	return f;
}

static void members__ascend_without_reason(void **state)
{
	struct cpg_name name = feed_name("a");
	struct cpg_address list[3];
	struct feed *f = make();

	(void)state;
	memset(list, 0xff, sizeof(list));
	assert_int_equal(pg_members(f->pg, &name, list, 3), 2);
	assert_int_equal(list[0].nodeid, 2);
	assert_int_equal(list[0].pid, 20);
	assert_int_equal(list[0].reason, 0);
	assert_int_equal(list[1].pid, 21);
	assert_int_equal(list[2].pid, UINT32_MAX);
	feed_free(f);
}

static void members__writes_no_more_than_there_is_room_for(void **state)
{
	struct cpg_name name = feed_name("a");
	struct cpg_address list[2];
	struct feed *f = make();

	(void)state;
	memset(list, 0xff, sizeof(list));
	assert_int_equal(pg_members(f->pg, &name, list, 1), 2);
	assert_int_equal(list[0].pid, 20);
	assert_int_equal(list[1].pid, UINT32_MAX);
	assert_int_equal(pg_members(f->pg, &name, NULL, 0), 2);
	feed_free(f);
}

static void members__of_an_unknown_group_are_none(void **state)
{
	struct cpg_name name = feed_name("c");
	struct feed *f = make();

	(void)state;
	assert_int_equal(pg_members(f->pg, &name, NULL, 0), 0);
	name = feed_name("unknown");
	assert_int_equal(pg_members(f->pg, &name, NULL, 0), 0);
	name.length = GROUP_NAME_MAX + 1;
	assert_int_equal(pg_members(f->pg, &name, NULL, 0), 0);
	feed_free(f);
}

static void iterate__by_group_then_node_then_pid(void **state)
{
	static const uint32_t expected[][3] = {
		{'b', 2, 25}, {'b', 3, 30}, {'a', 2, 20}, {'a', 2, 21}};
	struct cpg_iteration_description_t all[5];
	struct feed *f = make();

	(void)state;
	memset(all, 0xff, sizeof(all));
	assert_int_equal(pg_iterate(f->pg, all, 5), 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(all[i].group.length, 1);
		assert_int_equal(all[i].group.value[0], expected[i][0]);
		assert_int_equal(all[i].group.value[127], 0);
		assert_int_equal(all[i].nodeid, expected[i][1]);
		assert_int_equal(all[i].pid, expected[i][2]);
	}
	assert_int_equal(all[4].pid, UINT32_MAX);
	memset(all, 0xff, sizeof(all));
	assert_int_equal(pg_iterate(f->pg, all, 2), 4);
	assert_int_equal(all[2].pid, UINT32_MAX);
	feed_free(f);
}

static void snapshot__is_the_view_and_not_what_is_announced_for_the_next(void **state)
{
	static const struct feed_process announced[] = {{.pid = 20, .group = "a"},
							{.pid = 29, .group = "a"}};
	struct cpg_name name = feed_name("a");
	struct feed *f = make();

	(void)state;
	feed_ring(f, 3, ~0u);
	assert_null(feed_sync(f, 2, announced, 2));
	assert_int_equal(pg_members(f->pg, &name, NULL, 0), 2);
	assert_int_equal(pg_iterate(f->pg, NULL, 0), 4);
	feed_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members__ascend_without_reason),
		cmocka_unit_test(members__writes_no_more_than_there_is_room_for),
		cmocka_unit_test(members__of_an_unknown_group_are_none),
		cmocka_unit_test(snapshot__is_the_view_and_not_what_is_announced_for_the_next),
		cmocka_unit_test(iterate__by_group_then_node_then_pid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
