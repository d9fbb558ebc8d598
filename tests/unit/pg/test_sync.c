/* SPDX-License-Identifier: BSD-3-Clause */
/* The exchange after a configuration change, message by message. */
#include "feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void open_and_join(struct feed *f, uint32_t client, uint32_t pid, const char *group)
{
	assert_int_equal(pg_client_open(f->pg, client, false), 0);
	assert_int_equal(feed_join(f, client, pid, group), CS_OK);
	feed_own_all(f);
}

static void check_list(const struct cpg_address *list, uint32_t count, uint32_t i, uint32_t node,
		       uint32_t pid, uint32_t reason)
{
	assert_true(i < count);
	assert_int_equal(list[i].nodeid, node);
	assert_int_equal(list[i].pid, pid);
	assert_int_equal(list[i].reason, reason);
}

static void regular__announces_even_nothing(void **state)
{
	struct feed *f = feed_new(2, 8);
	struct pg_msg msg;

	(void)state;
	feed_ring(f, 2, 0);
	assert_int_equal(f->own, 1);
	assert_null(pg_msg_decode(f->submitted[0].meta, f->submitted[0].size, &msg));
	assert_int_equal(msg.kind, PG_MSG_SYNC);
	assert_true(msg.last);
	assert_int_equal(msg.entries, 0);
	assert_true(ringid_equal(msg.ring, f->ring));
	feed_free(f);
}

/* Longest names, every client: as many parts as it takes, each within a frame's meta. */
static void regular__announces_many_in_parts(void **state)
{
	struct feed *f = feed_new(300, 300);
	bool seen[300] = {false};
	uint32_t total = 0;
	char name[GROUP_NAME_MAX + 1];

	(void)state;
	memset(name, 'n', GROUP_NAME_MAX);
	name[GROUP_NAME_MAX] = '\0';
	feed_activate(f, 1);
	for (uint32_t i = 0; i < 300; i++) {
		open_and_join(f, i, i, name);
	}
	feed_ring(f, 1, ~0u);
	for (uint32_t i = 0; i < f->own; i++) {
		struct pg_msg_entry entry;
		struct pg_msg msg;

		assert_null(pg_msg_decode(f->submitted[i].meta, f->submitted[i].size, &msg));
		assert_int_equal(msg.part, i);
		assert_int_equal(msg.last, i + 1 == f->own);
		while (pg_msg_sync_next(&msg, &entry)) {
			assert_true(entry.pid < 300 && !seen[entry.pid]);
			assert_int_equal(entry.name_size, GROUP_NAME_MAX);
			seen[entry.pid] = true;
			total++;
		}
	}
	assert_int_equal(total, 300);
	assert_true(f->own > 40);
	assert_false(pg_active(f->pg));
	feed_own_all(f);
	assert_true(pg_active(f->pg));
	feed_free(f);
}

static void activation__waits_for_every_member(void **state)
{
	struct feed *f = feed_new(2, 8);
	struct nodeset waiting;

	(void)state;
	assert_false(pg_active(f->pg));
	feed_ring(f, 3, 0);
	assert_null(feed_sync(f, 3, NULL, 0));
	feed_own_all(f);
	assert_false(pg_active(f->pg));
	waiting = pg_waiting(f->pg);
	assert_int_equal(waiting.count, 1);
	assert_int_equal(waiting.id[0], 2);
	assert_null(feed_sync(f, 2, NULL, 0));
	assert_true(pg_active(f->pg));
	assert_int_equal(pg_waiting(f->pg).count, 0);
	feed_free(f);
}

static void sync__counts_for_its_own_ring_only(void **state)
{
	struct feed *f = feed_new(2, 8);
	struct ringid now;

	(void)state;
	feed_ring(f, 2, 0);
	feed_own_all(f);
	now = f->ring;
	f->ring.seq -= 4;
	assert_string_equal(feed_sync(f, 2, NULL, 0), "sync message of another ring");
	f->ring = now;
	f->ring.rep = 2;
	assert_string_equal(feed_sync(f, 2, NULL, 0), "sync message of another ring");
	f->ring = now;
	assert_false(pg_active(f->pg));
	feed_free(f);
}

static void message__from_outside_the_ring_is_dropped(void **state)
{
	static const struct feed_process p = {.pid = 30, .group = "g"};
	struct feed *f = feed_new(2, 8);

	(void)state;
	assert_string_equal(feed_sync(f, 2, NULL, 0),
			    "group message from a node outside of the ring");
	feed_ring(f, 2, 0);
	assert_string_equal(feed_sync(f, 3, &p, 1),
			    "group message from a node outside of the ring");
	assert_string_equal(feed_message(f, PG_MSG_JOIN, 3, 30, "g"),
			    "group message from a node outside of the ring");
	feed_own_all(f);
	feed_sync(f, 2, NULL, 0);
	assert_int_equal(pg_iterate(f->pg, NULL, 0), 0);
	feed_free(f);
}

static void sync__part_out_of_turn_is_dropped(void **state)
{
	struct feed *f = feed_new(2, 8);
	uint8_t bytes[FRAME_META_MAX];
	struct pg_sync_part part;

	(void)state;
	feed_ring(f, 2, 0);
	feed_own_all(f);
	pg_sync_part_begin(&part, f->ring, 1, bytes);
	assert_string_equal(pg_message(f->pg, 2, f->ring, bytes, pg_sync_part_end(&part, true),
				       NULL),
			    "sync message out of turn");
	assert_null(feed_sync(f, 2, NULL, 0));
	assert_true(pg_active(f->pg));
	assert_string_equal(feed_sync(f, 2, NULL, 0), "sync message out of turn");
	assert_true(pg_active(f->pg));
	feed_free(f);
}

/* Who has announced itself cannot stand in for somebody else. */
static void sync__after_the_last_part_is_dropped(void **state)
{
	struct feed *f = feed_new(2, 8);
	uint8_t bytes[FRAME_META_MAX];
	struct pg_sync_part part;

	(void)state;
	feed_ring(f, 3, 0);
	feed_own_all(f);
	assert_null(feed_sync(f, 2, NULL, 0));
	pg_sync_part_begin(&part, f->ring, 1, bytes);
	assert_string_equal(pg_message(f->pg, 2, f->ring, bytes, pg_sync_part_end(&part, true),
				       NULL),
			    "sync message out of turn");
	assert_false(pg_active(f->pg));
	feed_free(f);
}

static void message__malformed_or_with_a_stray_payload_is_dropped(void **state)
{
	struct pg_payload payload = {.size = 1};
	uint8_t bytes[PG_META_MAX] = {0};
	struct cpg_name name = feed_name("g");
	struct feed *f = feed_new(2, 8);
	uint32_t size;

	(void)state;
	feed_activate(f, 2);
	assert_string_equal(pg_message(f->pg, 2, f->ring, bytes, 8, NULL),
			    "unknown kind of group message");
	size = pg_msg_encode(PG_MSG_JOIN, 0, 20, &name, bytes);
	assert_string_equal(pg_message(f->pg, 2, f->ring, bytes, size, &payload),
			    "payload in a group message that has none");
	assert_int_equal(pg_iterate(f->pg, NULL, 0), 0);
	assert_string_equal(feed_message(f, PG_MSG_LEAVE, 2, 20, "g"),
			    "leave of a process that is not in the group");
	assert_null(feed_message(f, PG_MSG_JOIN, 2, 20, "g"));
	assert_string_equal(feed_message(f, PG_MSG_JOIN, 2, 20, "g"), "process has joined before");
	assert_string_equal(feed_message(f, PG_MSG_JOIN, 1, 10, "g"),
			    "own join that was never sent");
	assert_string_equal(feed_message(f, PG_MSG_MCAST, 2, 21, "g"),
			    "message from a process that is not in the group");
	assert_string_equal(feed_message(f, PG_MSG_MCAST, 2, 20, "h"),
			    "message from a process that is not in the group");
	feed_free(f);
}

static void transitional__ends_activity_until_the_next_view(void **state)
{
	struct feed *f = feed_new(2, 8);
	struct nodeset self = {.count = 1, .id = {1}};

	(void)state;
	feed_activate(f, 2);
	assert_int_equal(pg_client_open(f->pg, 0, false), 0);
	pg_transitional(f->pg, &self);
	assert_false(pg_active(f->pg));
	assert_int_equal(feed_join(f, 0, 10, "g"), CS_OK);
	assert_int_equal(f->own, 0);
	assert_int_equal(pg_mcast(f->pg, 0, FRAME_AGREED, NULL), CS_ERR_TRY_AGAIN);
	feed_free(f);
}

/* The last announcements may be among the recovered messages: the view is activated, told, and left. */
static void activation__in_the_transitional_configuration(void **state)
{
	static const struct feed_process p = {.pid = 20, .group = "g"};
	struct feed *f = feed_new(2, 8);
	struct nodeset self = {.count = 1, .id = {1}};
	struct nodeset both = {.count = 2, .id = {1, 2}};
	const struct pg_action *a;

	(void)state;
	feed_activate(f, 1);
	open_and_join(f, 0, 10, "g");
	feed_ring(f, 2, 1u << 1);
	assert_int_equal(pg_client_open(f->pg, 1, false), 0);
	assert_int_equal(feed_join(f, 1, 11, "g"), CS_OK);
	feed_own_all(f);
	pg_transitional(f->pg, &both);
	pg_transitional(f->pg, &self);
	assert_null(feed_sync(f, 2, &p, 1));
	a = feed_action(f, PG_ACT_CONFCHG, 0);
	assert_non_null(a);
	check_list(a->joined, a->joined_count, 0, 2, 20, CPG_REASON_NODEUP);
	assert_int_equal(feed_count(f, PG_ACT_TOTEM), 2);
	assert_int_equal(feed_count(f, PG_ACT_SUBMIT), 0);
	assert_false(pg_active(f->pg));
	/* the next ring is without node 2, which did not come along */
	f->ring.seq += 4;
	pg_regular(f->pg, f->ring, &self);
	feed_collect(f);
	feed_own_all(f);
	assert_true(pg_active(f->pg));
	assert_int_equal(pg_iterate(f->pg, NULL, 0), 2);
	feed_free(f);
}

/* A ring whose end was never told has left nobody together. */
static void regular__without_transitional_trusts_nobody(void **state)
{
	static const struct feed_process p = {.pid = 20, .group = "g"};
	struct feed *f = feed_new(2, 8);

	(void)state;
	feed_activate(f, 2);
	open_and_join(f, 0, 10, "g");
	assert_null(feed_message(f, PG_MSG_JOIN, 2, 20, "g"));
	f->ring.seq += 4;
	pg_regular(f->pg, f->ring, &f->members);
	feed_collect(f);
	feed_own_all(f);
	assert_null(feed_sync(f, 2, &p, 1));
	assert_int_equal(feed_count(f, PG_ACT_CONFCHG), 2);
	assert_int_equal(feed_action(f, PG_ACT_CONFCHG, 0)->left[0].reason, CPG_REASON_NODEDOWN);
	assert_int_equal(feed_action(f, PG_ACT_CONFCHG, 1)->joined[0].reason, CPG_REASON_NODEUP);
	feed_free(f);
}

/* Nodes that came along and do not announce what we know: told one by one, before the totem event. */
static void stale_processes__are_told_as_procdown_one_by_one(void **state)
{
	static const struct feed_process kept = {.pid = 21, .group = "g"};
	struct feed *f = feed_new(2, 8);
	const struct pg_action *a;

	(void)state;
	feed_activate(f, 2);
	open_and_join(f, 0, 10, "g");
	for (uint32_t pid = 20; pid < 23; pid++) {
		assert_null(feed_message(f, PG_MSG_JOIN, 2, pid, "g"));
	}
	feed_ring(f, 2, ~0u);
	feed_own_all(f);
	assert_null(feed_sync(f, 2, &kept, 1));
	assert_int_equal(pg_update(f->pg)->count, 3);
	assert_int_equal(pg_update(f->pg)->actions[2].kind, PG_ACT_TOTEM);
	a = feed_action(f, PG_ACT_CONFCHG, 0);
	assert_int_equal(a->left_count, 1);
	check_list(a->left, a->left_count, 0, 2, 20, CPG_REASON_PROCDOWN);
	assert_int_equal(a->members_count, 3);
	check_list(a->members, a->members_count, 2, 2, 22, 0);
	a = feed_action(f, PG_ACT_CONFCHG, 1);
	check_list(a->left, a->left_count, 0, 2, 22, CPG_REASON_PROCDOWN);
	assert_int_equal(a->members_count, 2);
	check_list(a->members, a->members_count, 1, 2, 21, 0);
	feed_free(f);
}

/* The other way round: a process that this node had no room for is found by the next exchange. */
static void unknown_process_of_a_companion__comes_with_the_next_view(void **state)
{
	static const struct feed_process p = {.pid = 20, .group = "g"};
	struct feed *f = feed_new(2, 8);

	(void)state;
	feed_activate(f, 2);
	open_and_join(f, 0, 10, "g");
	feed_ring(f, 2, ~0u);
	feed_own_all(f);
	assert_null(feed_sync(f, 2, &p, 1));
	assert_int_equal(feed_action(f, PG_ACT_CONFCHG, 0)->joined[0].reason, CPG_REASON_NODEUP);
	assert_int_equal(pg_iterate(f->pg, NULL, 0), 2);
	feed_free(f);
}

/* Who was separated is told as lost, whatever it says of itself before the view is activated. */
static void leave_of_a_separated_node__waits_for_the_view(void **state)
{
	static const struct feed_process both[] = {{.pid = 20, .group = "g"},
						   {.pid = 21, .group = "g"}};
	struct feed *f = feed_new(2, 8);
	const struct pg_action *a;

	(void)state;
	feed_activate(f, 2);
	open_and_join(f, 0, 10, "g");
	assert_null(feed_message(f, PG_MSG_JOIN, 2, 20, "g"));
	assert_null(feed_message(f, PG_MSG_JOIN, 2, 21, "g"));
	feed_ring(f, 2, 1u << 1);
	feed_own_all(f);
	assert_null(feed_message(f, PG_MSG_LEAVE, 2, 20, "g"));
	assert_int_equal(pg_update(f->pg)->count, 0);
	assert_null(feed_message(f, PG_MSG_JOIN, 2, 22, "g"));
	assert_int_equal(pg_update(f->pg)->count, 0);
	assert_null(feed_sync(f, 2, both, 2));
	a = feed_action(f, PG_ACT_CONFCHG, 0);
	assert_int_equal(a->left_count, 2);
	check_list(a->left, a->left_count, 0, 2, 20, CPG_REASON_NODEDOWN);
	check_list(a->left, a->left_count, 1, 2, 21, CPG_REASON_NODEDOWN);
	a = feed_action(f, PG_ACT_CONFCHG, 1);
	assert_int_equal(a->joined_count, 2);
	check_list(a->joined, a->joined_count, 0, 2, 21, CPG_REASON_NODEUP);
	check_list(a->joined, a->joined_count, 1, 2, 22, CPG_REASON_NODEUP);
	feed_free(f);
}

/* Gone, come and gone again before the announcement that still lists the process. */
static void last_word_before_the_announcement__overrules_it(void **state)
{
	static const struct feed_process p = {.pid = 20, .group = "g"};
	struct feed *f = feed_new(2, 8);

	(void)state;
	for (uint32_t words = 1; words <= 4; words++) {
		feed_activate(f, 1);
		feed_ring(f, 2, 1u << 1);
		feed_own_all(f);
		for (uint32_t i = 0; i < words; i++) {
			feed_message(f, i % 2 ? PG_MSG_JOIN : PG_MSG_LEAVE, 2, 20, "g");
		}
		assert_null(feed_sync(f, 2, &p, 1));
		assert_int_equal(pg_iterate(f->pg, NULL, 0), words % 2 ? 0 : 1);
	}
	feed_free(f);
}

static void early__only_in_the_view_and_from_its_members(void **state)
{
	struct cpg_name name = feed_name("g");
	struct feed *f = feed_new(2, 8);
	uint8_t bytes[PG_META_MAX];
	uint32_t size = pg_msg_encode(PG_MSG_MCAST, 0, 20, &name, bytes);
	struct ringid other;

	(void)state;
	feed_activate(f, 2);
	open_and_join(f, 0, 10, "g");
	assert_false(pg_message_early(f->pg, 2, f->ring, bytes, size, NULL));
	assert_null(feed_message(f, PG_MSG_JOIN, 2, 20, "g"));
	assert_true(pg_message_early(f->pg, 2, f->ring, bytes, size, NULL));
	assert_int_equal(feed_count(f, PG_ACT_DELIVER), 1);
	other = f->ring;
	other.seq++;
	assert_false(pg_message_early(f->pg, 2, other, bytes, size, NULL));
	assert_false(pg_message_early(f->pg, 2, f->ring, bytes, size - 1, NULL));
	pg_msg_encode(PG_MSG_JOIN, 0, 20, &name, bytes);
	assert_false(pg_message_early(f->pg, 2, f->ring, bytes, size, NULL));
	pg_msg_encode(PG_MSG_MCAST, 0, 20, &name, bytes);
	/* a client that is about to join would lose it */
	assert_int_equal(pg_client_open(f->pg, 1, false), 0);
	assert_int_equal(feed_join(f, 1, 11, "g"), CS_OK);
	assert_false(pg_message_early(f->pg, 2, f->ring, bytes, size, NULL));
	feed_own_all(f);
	assert_true(pg_message_early(f->pg, 2, f->ring, bytes, size, NULL));
	assert_int_equal(feed_count(f, PG_ACT_DELIVER), 2);
	feed_ring(f, 2, ~0u);
	assert_false(pg_message_early(f->pg, 2, f->ring, bytes, size, NULL));
	assert_int_equal(pg_update(f->pg)->count, 0);
	feed_free(f);
}

static void early__is_left_for_later_where_nobody_listens(void **state)
{
	struct cpg_name name = feed_name("g");
	struct feed *f = feed_new(2, 8);
	uint8_t bytes[PG_META_MAX];
	uint32_t size = pg_msg_encode(PG_MSG_MCAST, 0, 20, &name, bytes);

	(void)state;
	feed_activate(f, 2);
	assert_null(feed_message(f, PG_MSG_JOIN, 2, 20, "g"));
	assert_false(pg_message_early(f->pg, 2, f->ring, bytes, size, NULL));
	feed_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regular__announces_even_nothing),
		cmocka_unit_test(regular__announces_many_in_parts),
		cmocka_unit_test(activation__waits_for_every_member),
		cmocka_unit_test(sync__counts_for_its_own_ring_only),
		cmocka_unit_test(message__from_outside_the_ring_is_dropped),
		cmocka_unit_test(sync__part_out_of_turn_is_dropped),
		cmocka_unit_test(sync__after_the_last_part_is_dropped),
		cmocka_unit_test(message__malformed_or_with_a_stray_payload_is_dropped),
		cmocka_unit_test(transitional__ends_activity_until_the_next_view),
		cmocka_unit_test(activation__in_the_transitional_configuration),
		cmocka_unit_test(regular__without_transitional_trusts_nobody),
		cmocka_unit_test(stale_processes__are_told_as_procdown_one_by_one),
		cmocka_unit_test(unknown_process_of_a_companion__comes_with_the_next_view),
		cmocka_unit_test(leave_of_a_separated_node__waits_for_the_view),
		cmocka_unit_test(last_word_before_the_announcement__overrules_it),
		cmocka_unit_test(early__only_in_the_view_and_from_its_members),
		cmocka_unit_test(early__is_left_for_later_where_nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
