/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What clients are told, cause by cause: the table of configuration changes that corosync's closed
 * process groups show, and the traces around partitions, merges and restarts. One line per callback:
 *     cCLIENT GROUP m=[members] l=[left rREASON] j=[joined rREASON]
 *     cCLIENT GROUP #MESSAGE from NODE:PID
 *     cCLIENT totem REP.SEQ [nodes]
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct pg_limits limits = {.clients_max = WORLD_CLIENTS, .members_max = 32};

/* Nodes in one ring, active; every node has its clients open. */
static void set_up(struct world *w, uint32_t nodes)
{
	world_init(w, nodes, &limits, 1);
	world_heal(w);
	world_settle(w);
	for (uint32_t i = 1; i <= nodes; i++) {
		for (uint32_t c = 0; c < 2; c++) {
			world_open(w, i, c, false);
		}
		assert_true(pg_active(w->node[i - 1].pg));
	}
}

static void forget_told(struct world *w)
{
	for (uint32_t i = 1; i <= w->count; i++) {
		world_told(w, i);
	}
}

static void joined(struct world *w, uint32_t id, uint32_t client, uint32_t pid)
{
	assert_int_equal(world_join(w, id, client, pid, "g"), CS_OK);
	world_settle(w);
}

/* Members 1:10 1:11 2:20 3:30 in g. */
static void set_up_four(struct world *w)
{
	set_up(w, 3);
	joined(w, 1, 0, 10);
	joined(w, 1, 1, 11);
	joined(w, 2, 0, 20);
	joined(w, 3, 0, 30);
	forget_told(w);
}

static void join__joiner_and_members_see_it(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, 2);
	joined(&w, 1, 0, 10);
	assert_string_equal(world_told(&w, 1), "c0 g m=[1:10] l=[] j=[1:10 r1]\n");
	assert_string_equal(world_told(&w, 2), "");
	joined(&w, 2, 0, 20);
	assert_string_equal(world_told(&w, 1), "c0 g m=[1:10 2:20] l=[] j=[2:20 r1]\n");
	assert_string_equal(world_told(&w, 2), "c0 g m=[1:10 2:20] l=[] j=[2:20 r1]\n");
	world_fini(&w);
}

static void join__members_ascend_by_node_then_pid(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, 2);
	joined(&w, 2, 0, 5);
	joined(&w, 1, 0, 90);
	joined(&w, 1, 1, 7);
	world_told(&w, 2);
	joined(&w, 2, 1, 4);
	assert_string_equal(world_told(&w, 2), "c0 g m=[1:7 1:90 2:4 2:5] l=[] j=[2:4 r1]\n"
					       "c1 g m=[1:7 1:90 2:4 2:5] l=[] j=[2:4 r1]\n");
	world_fini(&w);
}

static void mcast__before_own_join_is_ordered_comes_after_it(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, 2);
	joined(&w, 2, 0, 20);
	forget_told(&w);
	assert_int_equal(world_join(&w, 1, 0, 10, "g"), CS_OK);
	assert_int_equal(world_mcast(&w, 1, 0, 501), CS_OK);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "c0 g m=[1:10 2:20] l=[] j=[1:10 r1]\n"
					       "c0 g #501 from 1:10\n");
	assert_string_equal(world_told(&w, 2), "c0 g m=[1:10 2:20] l=[] j=[1:10 r1]\n"
					       "c0 g #501 from 1:10\n");
	world_fini(&w);
}

static void mcast__ordered_before_the_receivers_join_is_not_delivered_to_it(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, 2);
	joined(&w, 2, 0, 20);
	forget_told(&w);
	assert_int_equal(world_mcast(&w, 2, 0, 502), CS_OK);
	assert_true(world_order(&w, &w.node[1]));
	assert_int_equal(world_join(&w, 1, 0, 10, "g"), CS_OK);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "c0 g m=[1:10 2:20] l=[] j=[1:10 r1]\n");
	assert_string_equal(world_told(&w, 2), "c0 g #502 from 2:20\n"
					       "c0 g m=[1:10 2:20] l=[] j=[1:10 r1]\n");
	world_fini(&w);
}

static void leave__leaver_and_rest_see_it_without_the_leaver(void **state)
{
	struct world w;

	(void)state;
	set_up_four(&w);
	assert_int_equal(world_leave(&w, 1, 0), CS_OK);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "c0 g m=[1:11 2:20 3:30] l=[1:10 r2] j=[]\n"
					       "c1 g m=[1:11 2:20 3:30] l=[1:10 r2] j=[]\n");
	assert_string_equal(world_told(&w, 3), "c0 g m=[1:11 2:20 3:30] l=[1:10 r2] j=[]\n");
	/* nothing of the group comes after that */
	assert_int_equal(world_mcast(&w, 2, 0, 503), CS_OK);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "c1 g #503 from 2:20\n");
	world_fini(&w);
}

static void leave__last_member_sees_an_empty_group(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, 2);
	joined(&w, 1, 0, 10);
	forget_told(&w);
	assert_int_equal(world_leave(&w, 1, 0), CS_OK);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "c0 g m=[] l=[1:10 r2] j=[]\n");
	assert_string_equal(world_told(&w, 2), "");
	assert_int_equal(pg_iterate(w.node[1].pg, NULL, 0), 0);
	world_fini(&w);
}

static void leave__handle_is_free_for_any_group_again(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, 1);
	joined(&w, 1, 0, 10);
	assert_int_equal(world_leave(&w, 1, 0), CS_OK);
	world_settle(&w);
	world_told(&w, 1);
	assert_int_equal(world_join(&w, 1, 0, 10, "h"), CS_OK);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "c0 h m=[1:10] l=[] j=[1:10 r1]\n");
	assert_int_equal(world_leave(&w, 1, 0), CS_OK);
	world_settle(&w);
	assert_int_equal(world_join(&w, 1, 0, 10, "h"), CS_OK);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "c0 h m=[] l=[1:10 r2] j=[]\n"
					       "c0 h m=[1:10] l=[] j=[1:10 r1]\n");
	world_fini(&w);
}

static void leave__while_the_join_is_under_way(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, 2);
	joined(&w, 2, 0, 20);
	forget_told(&w);
	assert_int_equal(world_join(&w, 1, 0, 10, "g"), CS_OK);
	assert_int_equal(world_mcast(&w, 1, 0, 504), CS_OK);
	assert_int_equal(world_leave(&w, 1, 0), CS_OK);
	assert_int_equal(world_leave(&w, 1, 0), CS_ERR_NOT_EXIST);
	assert_int_equal(world_mcast(&w, 1, 0, 505), CS_ERR_NOT_EXIST);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "c0 g m=[1:10 2:20] l=[] j=[1:10 r1]\n"
					       "c0 g #504 from 1:10\n"
					       "c0 g m=[2:20] l=[1:10 r2] j=[]\n");
	assert_int_equal(world_join(&w, 1, 0, 10, "g"), CS_OK);
	world_fini(&w);
}

static void close__rest_sees_procdown_and_the_departed_nothing(void **state)
{
	struct world w;

	(void)state;
	set_up_four(&w);
	assert_int_equal(world_mcast(&w, 1, 0, 506), CS_OK);
	world_close(&w, 1, 0);
	world_open(&w, 1, 0, false);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "c1 g #506 from 1:10\n"
					       "c1 g m=[1:11 2:20 3:30] l=[1:10 r5] j=[]\n");
	assert_string_equal(world_told(&w, 2), "c0 g #506 from 1:10\n"
					       "c0 g m=[1:11 2:20 3:30] l=[1:10 r5] j=[]\n");
	world_fini(&w);
}

static void close__rejoin_of_the_same_pid_waits_for_the_removal(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, 1);
	joined(&w, 1, 0, 10);
	world_close(&w, 1, 0);
	world_open(&w, 1, 0, false);
	assert_int_equal(world_join(&w, 1, 0, 10, "g"), CS_ERR_TRY_AGAIN);
	assert_int_equal(world_join(&w, 1, 1, 10, "g"), CS_ERR_TRY_AGAIN);
	assert_int_equal(world_join(&w, 1, 1, 10, "h"), CS_OK);
	world_settle(&w);
	assert_int_equal(world_join(&w, 1, 0, 10, "g"), CS_OK);
	world_fini(&w);
}

static void close__while_the_join_is_under_way_never_reaches_the_next_client(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, 2);
	joined(&w, 2, 0, 20);
	forget_told(&w);
	assert_int_equal(world_join(&w, 1, 0, 10, "g"), CS_OK);
	world_close(&w, 1, 0);
	world_open(&w, 1, 0, true);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "");
	assert_string_equal(world_told(&w, 2), "c0 g m=[1:10 2:20] l=[] j=[1:10 r1]\n"
					       "c0 g m=[2:20] l=[1:10 r5] j=[]\n");
	world_fini(&w);
}

static void node_lost__all_its_processes_in_one_confchg(void **state)
{
	uint32_t component[] = {0, 2, 2};
	struct world w;

	(void)state;
	set_up_four(&w);
	world_crash(&w, 1);
	world_reform(&w, component, NULL, false);
	world_settle(&w);
	assert_string_equal(world_told(&w, 2), "c0 g m=[2:20 3:30] l=[1:10 r3 1:11 r3] j=[]\n"
					       "c0 totem 2.2 [2 3]\n"
					       "c1 totem 2.2 [2 3]\n");
	assert_string_equal(world_told(&w, 3), "c0 g m=[2:20 3:30] l=[1:10 r3 1:11 r3] j=[]\n"
					       "c0 totem 2.2 [2 3]\n"
					       "c1 totem 2.2 [2 3]\n");
	world_fini(&w);
}

static void node_lost__without_members_only_totem(void **state)
{
	uint32_t component[] = {1, 1, 0};
	struct world w;

	(void)state;
	set_up(&w, 3);
	joined(&w, 1, 0, 10);
	forget_told(&w);
	world_crash(&w, 3);
	world_reform(&w, component, NULL, false);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "c0 totem 1.2 [1 2]\nc1 totem 1.2 [1 2]\n");
	world_fini(&w);
}

static void restart__is_noticed_as_loss_and_then_joins_anew(void **state)
{
	uint32_t branch[] = {1, 1, 1};
	uint32_t component[] = {1, 1, 1};
	struct world w;

	(void)state;
	set_up_four(&w);
	world_crash(&w, 3);
	world_restart(&w, 3);
	world_reform(&w, component, branch, false);
	world_open(&w, 3, 0, false);
	world_settle(&w);
	assert_string_equal(world_told(&w, 2), "c0 g m=[1:10 1:11 2:20] l=[3:30 r3] j=[]\n"
					       "c0 totem 1.2 [1 2 3]\n"
					       "c1 totem 1.2 [1 2 3]\n");
	joined(&w, 3, 0, 31);
	assert_string_equal(world_told(&w, 2), "c0 g m=[1:10 1:11 2:20 3:31] l=[] j=[3:31 r1]\n");
	world_fini(&w);
}

static void partition_and_merge__both_sides_see_the_other_go_and_come(void **state)
{
	uint32_t component[] = {1, 1, 3};
	struct world w;

	(void)state;
	set_up_four(&w);
	world_reform(&w, component, NULL, false);
	world_settle(&w);
	assert_string_equal(world_told(&w, 2), "c0 g m=[1:10 1:11 2:20] l=[3:30 r3] j=[]\n"
					       "c0 totem 1.2 [1 2]\n"
					       "c1 totem 1.2 [1 2]\n");
	assert_string_equal(world_told(&w, 3), "c0 g m=[3:30] l=[1:10 r3 1:11 r3 2:20 r3] j=[]\n"
					       "c0 totem 3.3 [3]\n"
					       "c1 totem 3.3 [3]\n");
	world_heal(&w);
	world_settle(&w);
	assert_string_equal(world_told(&w, 2), "c0 g m=[1:10 1:11 2:20 3:30] l=[] j=[3:30 r4]\n"
					       "c0 totem 1.4 [1 2 3]\n"
					       "c1 totem 1.4 [1 2 3]\n");
	assert_string_equal(world_told(&w, 3), "c0 g m=[1:10 1:11 2:20 3:30] l=[] "
					       "j=[1:10 r4 1:11 r4 2:20 r4]\n"
					       "c0 totem 1.4 [1 2 3]\n"
					       "c1 totem 1.4 [1 2 3]\n");
	world_fini(&w);
}

static void contact_lost_and_regained_in_one_sync__gone_and_come(void **state)
{
	uint32_t component[] = {1, 1, 1};
	uint32_t branch[] = {1, 1, 3};
	struct world w;

	(void)state;
	set_up_four(&w);
	world_reform(&w, component, branch, false);
	world_settle(&w);
	assert_string_equal(world_told(&w, 2), "c0 g m=[1:10 1:11 2:20] l=[3:30 r3] j=[]\n"
					       "c0 g m=[1:10 1:11 2:20 3:30] l=[] j=[3:30 r4]\n"
					       "c0 totem 1.2 [1 2 3]\n"
					       "c1 totem 1.2 [1 2 3]\n");
	assert_string_equal(world_told(&w, 3), "c0 g m=[3:30] l=[1:10 r3 1:11 r3 2:20 r3] j=[]\n"
					       "c0 g m=[1:10 1:11 2:20 3:30] l=[] "
					       "j=[1:10 r4 1:11 r4 2:20 r4]\n"
					       "c0 totem 1.2 [1 2 3]\n"
					       "c1 totem 1.2 [1 2 3]\n");
	world_fini(&w);
}

static void process_ended_on_the_far_side__is_not_in_the_merge(void **state)
{
	uint32_t component[] = {1, 1, 3};
	struct world w;

	(void)state;
	set_up_four(&w);
	world_reform(&w, component, NULL, false);
	world_settle(&w);
	world_close(&w, 1, 1);
	world_settle(&w);
	forget_told(&w);
	world_heal(&w);
	world_settle(&w);
	assert_string_equal(world_told(&w, 3), "c0 g m=[1:10 2:20 3:30] l=[] "
					       "j=[1:10 r4 2:20 r4]\n"
					       "c0 totem 1.4 [1 2 3]\n"
					       "c1 totem 1.4 [1 2 3]\n");
	world_fini(&w);
}

static void second_change_before_activation__net_difference_only(void **state)
{
	uint32_t apart[] = {1, 1, 3};
	struct world w;

	(void)state;
	set_up_four(&w);
	world_reform(&w, apart, NULL, false);
	/* no sync of that ring is delivered: nobody hears of it but through the next */
	world_heal(&w);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "c0 g m=[1:10 1:11 2:20] l=[3:30 r3] j=[]\n"
					       "c1 g m=[1:10 1:11 2:20] l=[3:30 r3] j=[]\n"
					       "c0 g m=[1:10 1:11 2:20 3:30] l=[] j=[3:30 r4]\n"
					       "c1 g m=[1:10 1:11 2:20 3:30] l=[] j=[3:30 r4]\n"
					       "c0 totem 1.4 [1 2 3]\n"
					       "c1 totem 1.4 [1 2 3]\n");
	world_fini(&w);
}

static void second_change_before_activation__nodes_that_stayed_together_see_nothing(void **state)
{
	uint32_t all[] = {1, 1, 1};
	struct world w;

	(void)state;
	set_up_four(&w);
	world_reform(&w, all, NULL, false);
	world_reform(&w, all, NULL, false);
	world_settle(&w);
	assert_string_equal(world_told(&w, 3), "c0 totem 1.3 [1 2 3]\nc1 totem 1.3 [1 2 3]\n");
	world_fini(&w);
}

/* T26: node 3 announces its process and dies before the view is activated. */
static void newcomer_dies_during_sync__leaves_no_ghost(void **state)
{
	uint32_t apart[] = {1, 1, 3};
	uint32_t two[] = {1, 1, 0};
	struct world w;

	(void)state;
	set_up_four(&w);
	world_reform(&w, apart, NULL, false);
	world_settle(&w);
	forget_told(&w);
	world_heal(&w);
	assert_true(world_order(&w, &w.node[2]));
	assert_true(world_deliver(&w, &w.node[0]));
	assert_true(world_deliver(&w, &w.node[1]));
	world_crash(&w, 3);
	world_reform(&w, two, NULL, false);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "c0 totem 1.5 [1 2]\nc1 totem 1.5 [1 2]\n");
	assert_int_equal(pg_iterate(w.node[0].pg, NULL, 0), 3);
	world_fini(&w);
}

static void recovered_message__is_delivered_in_the_old_membership(void **state)
{
	uint32_t component[] = {1, 1, 0};
	struct world w;

	(void)state;
	set_up_four(&w);
	assert_int_equal(world_mcast(&w, 3, 0, 507), CS_OK);
	assert_true(world_order(&w, &w.node[2]));
	world_crash(&w, 3);
	world_reform(&w, component, NULL, false);
	world_settle(&w);
	assert_string_equal(world_told(&w, 2), "c0 g #507 from 3:30\n"
					       "c0 g m=[1:10 1:11 2:20] l=[3:30 r3] j=[]\n"
					       "c0 totem 1.2 [1 2]\n"
					       "c1 totem 1.2 [1 2]\n");
	world_fini(&w);
}

static void requests_during_sync__wait_in_order_and_are_never_lost(void **state)
{
	uint32_t all[] = {1, 1};
	struct world w;

	(void)state;
	set_up(&w, 2);
	joined(&w, 2, 0, 20);
	joined(&w, 1, 0, 10);
	forget_told(&w);
	world_reform(&w, all, NULL, false);
	assert_false(pg_active(w.node[0].pg));
	assert_int_equal(world_mcast(&w, 1, 0, 508), CS_ERR_TRY_AGAIN);
	assert_int_equal(world_join(&w, 1, 1, 11, "g"), CS_OK);
	assert_int_equal(world_mcast(&w, 1, 1, 509), CS_ERR_TRY_AGAIN);
	world_close(&w, 1, 0);
	assert_int_equal(world_leave(&w, 1, 1), CS_OK);
	world_settle(&w);
	assert_string_equal(world_told(&w, 2), "c0 totem 1.2 [1 2]\n"
					       "c1 totem 1.2 [1 2]\n"
					       "c0 g m=[1:10 1:11 2:20] l=[] j=[1:11 r1]\n"
					       "c0 g m=[1:11 2:20] l=[1:10 r5] j=[]\n"
					       "c0 g m=[2:20] l=[1:11 r2] j=[]\n");
	world_fini(&w);
}

static void request_withdrawn_during_sync__nobody_hears_of_it(void **state)
{
	uint32_t all[] = {1, 1};
	struct world w;

	(void)state;
	set_up(&w, 2);
	joined(&w, 2, 0, 20);
	forget_told(&w);
	world_reform(&w, all, NULL, false);
	assert_int_equal(world_join(&w, 1, 0, 10, "g"), CS_OK);
	assert_int_equal(world_leave(&w, 1, 0), CS_OK);
	world_close(&w, 1, 0);
	world_open(&w, 1, 0, false);
	assert_int_equal(world_join(&w, 1, 0, 10, "g"), CS_OK);
	world_settle(&w);
	assert_string_equal(world_told(&w, 2), "c0 totem 1.2 [1 2]\n"
					       "c1 totem 1.2 [1 2]\n"
					       "c0 g m=[1:10 2:20] l=[] j=[1:10 r1]\n");
	world_fini(&w);
}

/* A join that was under way when the ring changed gets its place before the view is activated. */
static void join_overtaken_by_a_merge__every_side_tells_it_once(void **state)
{
	uint32_t apart[] = {1, 1, 3};
	struct world w;

	(void)state;
	set_up(&w, 3);
	joined(&w, 2, 0, 20);
	joined(&w, 3, 0, 30);
	world_reform(&w, apart, NULL, false);
	world_settle(&w);
	forget_told(&w);
	assert_int_equal(world_join(&w, 1, 0, 10, "g"), CS_OK);
	world_heal(&w);
	world_settle(&w);
	assert_string_equal(world_told(&w, 2), "c0 g m=[1:10 2:20] l=[] j=[1:10 r1]\n"
					       "c0 g m=[1:10 2:20 3:30] l=[] j=[3:30 r4]\n"
					       "c0 totem 1.4 [1 2 3]\n"
					       "c1 totem 1.4 [1 2 3]\n");
	assert_string_equal(world_told(&w, 3), "c0 g m=[1:10 2:20 3:30] l=[] "
					       "j=[1:10 r4 2:20 r4]\n"
					       "c0 totem 1.4 [1 2 3]\n"
					       "c1 totem 1.4 [1 2 3]\n");
	world_fini(&w);
}

/* The announcement was made before the leave got its place, and is delivered after it. */
static void leave_overtaken_by_a_merge__is_not_undone_by_the_announcement(void **state)
{
	uint32_t apart[] = {1, 1, 3};
	struct world w;

	(void)state;
	set_up_four(&w);
	world_reform(&w, apart, NULL, false);
	world_settle(&w);
	forget_told(&w);
	assert_int_equal(world_leave(&w, 1, 0), CS_OK);
	world_close(&w, 1, 1);
	world_heal(&w);
	world_settle(&w);
	assert_string_equal(world_told(&w, 2), "c0 g m=[1:11 2:20] l=[1:10 r2] j=[]\n"
					       "c0 g m=[2:20] l=[1:11 r5] j=[]\n"
					       "c0 g m=[2:20 3:30] l=[] j=[3:30 r4]\n"
					       "c0 totem 1.4 [1 2 3]\n"
					       "c1 totem 1.4 [1 2 3]\n");
	assert_string_equal(world_told(&w, 3), "c0 g m=[2:20 3:30] l=[] j=[2:20 r4]\n"
					       "c0 totem 1.4 [1 2 3]\n"
					       "c1 totem 1.4 [1 2 3]\n");
	world_fini(&w);
}

/* 1 and 3 were apart for a moment: 3 cannot take 1's message into a view that 1 was gone from. */
static void message_overtaken_by_a_merge__counts_for_those_who_came_along(void **state)
{
	uint32_t component[] = {1, 1, 1};
	uint32_t branch[] = {1, 1, 3};
	struct world w;

	(void)state;
	set_up_four(&w);
	assert_int_equal(world_mcast(&w, 1, 0, 510), CS_OK);
	world_reform(&w, component, branch, false);
	world_settle(&w);
	assert_memory_equal(world_told(&w, 2), "c0 g #510 from 1:10\nc0 g m=[1:10 1:11 2:20]", 43);
	assert_null(strstr(world_told(&w, 3), "#510"));
	assert_string_equal(w.node[2].last_drop, "message from a node that is not in the view yet");
	world_fini(&w);
}

static void message_of_one_who_left__is_dropped_by_name(void **state)
{
	struct world_entry late;
	struct world w;

	(void)state;
	set_up_four(&w);
	assert_int_equal(world_mcast(&w, 1, 0, 511), CS_OK);
	late = w.node[0].backlog.at[0];
	world_settle(&w);
	assert_int_equal(world_leave(&w, 1, 0), CS_OK);
	world_settle(&w);
	forget_told(&w);
	assert_string_equal(pg_message(w.node[1].pg, 1, w.node[1].ring->id, late.meta,
				       late.meta_size, NULL),
			    "message from a process that is not in the group");
	assert_int_equal(pg_update(w.node[1].pg)->count, 0);
	world_fini(&w);
}

static void initial_totem__once_right_after_the_own_join(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, 2);
	world_open(&w, 1, 2, true);
	assert_int_equal(world_join(&w, 1, 0, 10, "h"), CS_OK);
	assert_int_equal(world_join(&w, 1, 2, 12, "g"), CS_OK);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "c0 h m=[1:10] l=[] j=[1:10 r1]\n"
					       "c2 g m=[1:12] l=[] j=[1:12 r1]\n"
					       "c2 totem 1.1 [1 2]\n");
	assert_int_equal(world_leave(&w, 1, 2), CS_OK);
	world_settle(&w);
	world_told(&w, 1);
	assert_int_equal(world_join(&w, 1, 2, 12, "g"), CS_OK);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "c2 g m=[1:12] l=[] j=[1:12 r1]\n");
	world_fini(&w);
}

/* T28: while the next ring is there but not activated, the pair is that of the view. */
static void initial_totem__during_sync_is_of_the_view(void **state)
{
	uint32_t apart[] = {1, 2};
	struct world w;

	(void)state;
	set_up(&w, 2);
	world_open(&w, 1, 2, true);
	assert_int_equal(world_join(&w, 1, 2, 12, "g"), CS_OK);
	world_reform(&w, apart, NULL, false);
	world_settle(&w);
	assert_string_equal(world_told(&w, 1), "c2 g m=[1:12] l=[] j=[1:12 r1]\n"
					       "c2 totem 1.1 [1 2]\n"
					       "c0 totem 1.2 [1]\n"
					       "c1 totem 1.2 [1]\n"
					       "c2 totem 1.2 [1]\n");
	world_fini(&w);
}

static void join__same_pid_and_group_exists(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, 2);
	assert_int_equal(world_join(&w, 1, 0, 10, "g"), CS_OK);
	assert_int_equal(world_join(&w, 1, 1, 10, "g"), CS_ERR_EXIST);
	world_settle(&w);
	assert_int_equal(world_join(&w, 1, 1, 10, "g"), CS_ERR_EXIST);
	assert_int_equal(world_join(&w, 2, 0, 10, "g"), CS_OK);
	assert_int_equal(world_join(&w, 1, 1, 10, "h"), CS_OK);
	world_fini(&w);
}

/* T2: a group without a name is a group. */
static void empty_name__is_a_group_like_any_other(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, 2);
	assert_int_equal(world_join(&w, 1, 0, 10, ""), CS_OK);
	assert_int_equal(world_join(&w, 2, 0, 20, ""), CS_OK);
	world_settle(&w);
	assert_int_equal(world_mcast(&w, 1, 0, 512), CS_OK);
	world_close(&w, 1, 0);
	forget_told(&w);
	world_settle(&w);
	assert_string_equal(world_told(&w, 2), "c0  #512 from 1:10\n"
					       "c0  m=[2:20] l=[1:10 r5] j=[]\n");
	assert_int_equal(pg_iterate(w.node[0].pg, NULL, 0), 1);
	world_fini(&w);
}

/* T4: names that are equal up to a zero byte, and bytes after the name's end. */
static void names__are_length_and_bytes(void **state)
{
	struct cpg_name a = {.length = 3, .value = "a\0b"};
	struct cpg_name b = {.length = 3, .value = "a\0c"};
	struct cpg_name garbage = {.length = 3, .value = "a\0bgarbage"};
	struct cpg_iteration_description_t all[4];
	uint32_t component[] = {1, 0};
	struct world w;

	(void)state;
	set_up(&w, 2);
	assert_int_equal(pg_join(w.node[0].pg, 0, 10, &garbage), CS_OK);
	world_collect(&w, &w.node[0]);
	assert_int_equal(pg_join(w.node[0].pg, 1, 10, &b), CS_OK);
	world_collect(&w, &w.node[0]);
	assert_int_equal(pg_join(w.node[1].pg, 0, 20, &a), CS_OK);
	world_collect(&w, &w.node[1]);
	assert_int_equal(pg_join(w.node[1].pg, 1, 20, &b), CS_OK);
	world_collect(&w, &w.node[1]);
	world_settle(&w);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(pg_iterate(w.node[i].pg, all, 4), 4);
		assert_memory_equal(&all[0].group, &a, sizeof(a));
		assert_memory_equal(&all[2].group, &b, sizeof(b));
	}
	forget_told(&w);
	world_crash(&w, 2);
	world_reform(&w, component, NULL, false);
	world_settle(&w);
	assert_non_null(strstr(world_told(&w, 1), " m=[1:10] l=[2:20 r3] j=[]\nc1 a"));
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(join__joiner_and_members_see_it),
		cmocka_unit_test(join__members_ascend_by_node_then_pid),
		cmocka_unit_test(mcast__before_own_join_is_ordered_comes_after_it),
		cmocka_unit_test(mcast__ordered_before_the_receivers_join_is_not_delivered_to_it),
		cmocka_unit_test(leave__leaver_and_rest_see_it_without_the_leaver),
		cmocka_unit_test(leave__last_member_sees_an_empty_group),
		cmocka_unit_test(leave__handle_is_free_for_any_group_again),
		cmocka_unit_test(leave__while_the_join_is_under_way),
		cmocka_unit_test(close__rest_sees_procdown_and_the_departed_nothing),
		cmocka_unit_test(close__rejoin_of_the_same_pid_waits_for_the_removal),
		cmocka_unit_test(close__while_the_join_is_under_way_never_reaches_the_next_client),
		cmocka_unit_test(node_lost__all_its_processes_in_one_confchg),
		cmocka_unit_test(node_lost__without_members_only_totem),
		cmocka_unit_test(restart__is_noticed_as_loss_and_then_joins_anew),
		cmocka_unit_test(partition_and_merge__both_sides_see_the_other_go_and_come),
		cmocka_unit_test(contact_lost_and_regained_in_one_sync__gone_and_come),
		cmocka_unit_test(process_ended_on_the_far_side__is_not_in_the_merge),
		cmocka_unit_test(second_change_before_activation__net_difference_only),
		cmocka_unit_test(
			second_change_before_activation__nodes_that_stayed_together_see_nothing),
		cmocka_unit_test(newcomer_dies_during_sync__leaves_no_ghost),
		cmocka_unit_test(recovered_message__is_delivered_in_the_old_membership),
		cmocka_unit_test(requests_during_sync__wait_in_order_and_are_never_lost),
		cmocka_unit_test(request_withdrawn_during_sync__nobody_hears_of_it),
		cmocka_unit_test(join_overtaken_by_a_merge__every_side_tells_it_once),
		cmocka_unit_test(leave_overtaken_by_a_merge__is_not_undone_by_the_announcement),
		cmocka_unit_test(message_overtaken_by_a_merge__counts_for_those_who_came_along),
		cmocka_unit_test(message_of_one_who_left__is_dropped_by_name),
		cmocka_unit_test(initial_totem__once_right_after_the_own_join),
		cmocka_unit_test(initial_totem__during_sync_is_of_the_view),
		cmocka_unit_test(join__same_pid_and_group_exists),
		cmocka_unit_test(empty_name__is_a_group_like_any_other),
		cmocka_unit_test(names__are_length_and_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
