/* SPDX-License-Identifier: BSD-3-Clause */
/* The update never overflows: the sums of pg.c against the fullest groups there can be. The bounds are
 * checked in the code under test, which aborts when one does not hold. */
#include "feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Announces `count` processes of a node, all in one group or each in one of its own with a long name. */
static void announce(struct feed *f, uint32_t origin, uint32_t first_pid, uint32_t count, bool one)
{
	uint8_t bytes[FRAME_META_MAX];
	struct pg_sync_part part;
	uint32_t number = 0;

	pg_sync_part_begin(&part, f->ring, number, bytes);
	for (uint32_t i = 0; i < count; i++) {
		struct cpg_name name = {.length = one ? 1 : GROUP_NAME_MAX, .value = "g"};

		if (!one) {
			snprintf(name.value, sizeof(name.value), "%u", first_pid + i);
		}
		if (pg_sync_part_add(&part, first_pid + i, &name)) {
			continue;
		}
		pg_message(f->pg, origin, f->ring, bytes, pg_sync_part_end(&part, false), NULL);
		number++;
		pg_sync_part_begin(&part, f->ring, number, bytes);
		pg_sync_part_add(&part, first_pid + i, &name);
	}
	pg_message(f->pg, origin, f->ring, bytes, pg_sync_part_end(&part, true), NULL);
	feed_collect(f);
}

static void join_all(struct feed *f, uint32_t clients, bool one)
{
	for (uint32_t i = 0; i < clients; i++) {
		char name[16] = "g";

		if (!one) {
			snprintf(name, sizeof(name), "own%u", i);
		}
		assert_int_equal(pg_client_open(f->pg, i, true), 0);
		assert_int_equal(feed_join(f, i, i, name), CS_OK);
		feed_own_all(f);
	}
}

/* All clients in one group with `others` processes of node 2, which go and come at once, and four of node
 * 3, which are stale; every client has asked to leave. */
static void activate_fullest(uint32_t others, uint32_t confchgs)
{
	const uint32_t clients = 16;
	const uint32_t members = 50;
	struct feed *f = feed_new(clients, members);

	feed_activate(f, 3);
	join_all(f, clients, true);
	feed_ring(f, 3, ~0u);
	announce(f, 2, 5000, others, true);
	announce(f, 3, 9000, 4, true);
	feed_own_all(f);
	assert_int_equal(pg_iterate(f->pg, NULL, 0), clients + others + 4);
	feed_ring(f, 3, 1u << 1 | 1u << 3);
	for (uint32_t i = 0; i < clients; i++) {
		assert_int_equal(pg_leave(f->pg, i), CS_OK);
		assert_int_equal(pg_update(f->pg)->count, 0);
	}
	feed_own_all(f);
	announce(f, 2, 5000, others, true);
	announce(f, 3, 0, 0, true);
	assert_true(pg_active(f->pg));
	assert_int_equal(feed_count(f, PG_ACT_CONFCHG), confchgs * clients);
	assert_int_equal(feed_count(f, PG_ACT_TOTEM), clients);
	assert_int_equal(feed_count(f, PG_ACT_SUBMIT), clients);
	feed_free(f);
}

/* As many as there is room for, and then: gone, come, one stale by itself, the other three together. */
static void activation__with_the_longest_lists(void **state)
{
	(void)state;
	activate_fullest(2 * 50 - 4, 4);
}

/* Gone, come, two stale ones by themselves, the other two together. */
static void activation__with_the_most_actions(void **state)
{
	(void)state;
	activate_fullest(20, 5);
}

/* A companion that forgets everything: too many to be told one by one. */
static void stale__beyond_the_spare_room_is_told_at_once(void **state)
{
	const uint32_t clients = 8;
	const uint32_t members = 100;
	struct feed *f = feed_new(clients, members);
	uint32_t told = 0;
	uint32_t left = members + clients;

	(void)state;
	feed_activate(f, 2);
	join_all(f, clients, true);
	feed_ring(f, 2, ~0u);
	announce(f, 2, 5000, members, true);
	feed_own_all(f);
	feed_ring(f, 2, ~0u);
	feed_own_all(f);
	announce(f, 2, 0, 0, true);
	for (uint32_t i = 0; i < feed_count(f, PG_ACT_CONFCHG); i++) {
		const struct pg_action *a = feed_action(f, PG_ACT_CONFCHG, i);

		if (a->client != 0) {
			continue;
		}
		left -= a->left_count;
		told += a->left_count;
		assert_int_equal(a->members_count, left);
		assert_int_equal(a->left[0].reason, CPG_REASON_PROCDOWN);
	}
	assert_int_equal(told, members);
	assert_int_equal(pg_iterate(f->pg, NULL, 0), clients);
	feed_free(f);
}

/* More than fits is dropped by name, and what fits works. */
static void announcement__beyond_all_limits_is_cut(void **state)
{
	struct feed *f = feed_new(4, 50);

	(void)state;
	feed_activate(f, 1);
	join_all(f, 4, false);
	feed_ring(f, 3, 1u << 1);
	announce(f, 2, 5000, 300, false);
	announce(f, 3, 9000, 300, false);
	feed_own_all(f);
	assert_true(pg_active(f->pg));
	assert_int_equal(pg_iterate(f->pg, NULL, 0), 4 + 100);
	assert_string_equal(feed_message(f, PG_MSG_JOIN, 2, 1, "x"),
			    "no room for the process that joins");
	feed_free(f);
}

/* Coming and going costs nothing in the long run, during sync neither. */
static void tables__are_empty_again_after_everyone_has_left(void **state)
{
	struct feed *f = feed_new(2, 4);
	char name[16];

	(void)state;
	feed_activate(f, 2);
	assert_int_equal(pg_client_open(f->pg, 0, false), 0);
	for (uint32_t i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "g%u", i);
		assert_null(feed_message(f, PG_MSG_JOIN, 2, i, name));
		assert_int_equal(feed_join(f, 0, i, name), CS_OK);
		feed_own_all(f);
		assert_int_equal(pg_iterate(f->pg, NULL, 0), 2);
		if (i % 10 == 0) {
			feed_ring(f, 2, i % 20 ? ~0u : 1u << 1);
		}
		assert_null(feed_message(f, PG_MSG_LEAVE, 2, i, name));
		assert_int_equal(pg_leave(f->pg, 0), CS_OK);
		feed_collect(f);
		if (!pg_active(f->pg)) {
			feed_sync(f, 2, NULL, 0);
		}
		feed_own_all(f);
		assert_int_equal(pg_iterate(f->pg, NULL, 0), 0);
	}
	feed_free(f);
}

/* As large as it gets: 1024 clients here, all other processes there, one group. */
static void full_size__one_group_goes_and_comes(void **state)
{
	struct feed *f = feed_new(PG_CLIENTS_MAX, PG_MEMBERS_MAX);
	const struct pg_action *a;

	(void)state;
	feed_activate(f, 2);
	for (uint32_t i = 0; i < PG_CLIENTS_MAX; i++) {
		assert_int_equal(pg_client_open(f->pg, i, false), 0);
		assert_int_equal(feed_join(f, i, i, "g"), CS_OK);
	}
	feed_own_all(f);
	for (uint32_t turn = 0; turn < 2; turn++) {
		feed_ring(f, 2, 1u << 1);
		announce(f, 2, 70000, PG_MEMBERS_MAX, true);
		feed_own_all(f);
		assert_int_equal(feed_count(f, PG_ACT_TOTEM), PG_CLIENTS_MAX);
		assert_int_equal(pg_iterate(f->pg, NULL, 0), PG_CLIENTS_MAX + PG_MEMBERS_MAX);
	}
	a = feed_action(f, PG_ACT_CONFCHG, 0);
	assert_int_equal(a->left_count, PG_MEMBERS_MAX);
	assert_int_equal(a->members_count, PG_CLIENTS_MAX);
	a = feed_action(f, PG_ACT_CONFCHG, PG_CLIENTS_MAX);
	assert_int_equal(a->joined_count, PG_MEMBERS_MAX);
	assert_int_equal(a->members_count, PG_CLIENTS_MAX + PG_MEMBERS_MAX);
	feed_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(activation__with_the_longest_lists),
		cmocka_unit_test(activation__with_the_most_actions),
		cmocka_unit_test(stale__beyond_the_spare_room_is_told_at_once),
		cmocka_unit_test(announcement__beyond_all_limits_is_cut),
		cmocka_unit_test(tables__are_empty_again_after_everyone_has_left),
		cmocka_unit_test(full_size__one_group_goes_and_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
