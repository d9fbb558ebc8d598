/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is in the ring: nodes that come late, die in any state, leave, stop for a while, are cut
 * off and meet again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster.h"
#include "wire/control.h"

static const struct cluster_event *last_of(const struct cluster *cluster, uint32_t node,
					   enum totem_action_kind kind)
{
	uint32_t count;
	const struct cluster_event *log = cluster_log(cluster, node, &count);

	for (uint32_t i = count; i-- > 0;) {
		if (log[i].kind == kind) {
			return &log[i];
		}
	}
	return NULL;
}

static void assert_transition(const struct cluster *cluster, uint32_t node, uint32_t transitional,
			      uint32_t regular)
{
	const struct cluster_event *trans = last_of(cluster, node, TOTEM_ACT_TRANSITIONAL);
	const struct cluster_event *reg = last_of(cluster, node, TOTEM_ACT_REGULAR);

	assert_non_null(trans);
	assert_non_null(reg);
	assert_int_equal(trans->members.count, transitional);
	assert_int_equal(reg->members.count, regular);
}

static void busy(struct cluster *cluster, uint32_t nodes, uint32_t messages)
{
	for (uint32_t i = 0; i < messages; i++) {
		if (cluster_alive(cluster, i % nodes)) {
			cluster_submit(cluster, i % nodes, i % 3 ? FRAME_AGREED : FRAME_SAFE, 0);
		}
	}
}

static void totem_step__late_joiner_is_taken_in(void **state)
{
	struct cluster_options options = {.nodes = 3, .seed = 1};
	struct cluster *cluster = cluster_new(&options);

	(void)state;
	cluster_start(cluster, 0);
	cluster_start(cluster, 1);
	assert_true(cluster_run_until(cluster, cluster_formed, 5000));
	busy(cluster, 2, 100);
	cluster_start(cluster, 2);
	assert_true(cluster_run_until(cluster, cluster_settled, 5000));
	assert_transition(cluster, 0, 2, 3);
	assert_transition(cluster, 2, 1, 3);
	cluster_free(&cluster);
}

static void totem_step__crash_is_noticed_within_milliseconds(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 2);
	uint64_t before_ms;

	(void)state;
	busy(cluster, 3, 90);
	cluster_run_us(cluster, 400);
	cluster_crash(cluster, 1);
	before_ms = cluster_now_ms(cluster);
	assert_true(cluster_run_until(cluster, cluster_formed, 5000));
	assert_in_range(cluster_now_ms(cluster) - before_ms, 0, 20);
	assert_transition(cluster, 0, 2, 2);
	assert_true(cluster_run_until(cluster, cluster_settled, 1000));
	cluster_free(&cluster);
}

static void totem_step__power_loss_is_noticed_by_the_timers(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 3);
	uint64_t before_ms = cluster_now_ms(cluster);

	(void)state;
	cluster_vanish(cluster, 0);
	assert_true(cluster_run_until(cluster, cluster_formed, 10000));
	/* Shortened token loss (4 * 80 ms), then silence (1000 / 8 ms): not consensus (1200 ms). */
	assert_in_range(cluster_now_ms(cluster) - before_ms, 400, 600);
	cluster_free(&cluster);
}

static void totem_step__crashed_node_comes_back(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 4);

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		busy(cluster, 3, 60);
		cluster_run_us(cluster, 300);
		cluster_crash(cluster, i % 3);
		cluster_run_ms(cluster, i * 4);
		cluster_start(cluster, i % 3);
		assert_true(cluster_run_until(cluster, cluster_settled, 5000));
	}
	cluster_free(&cluster);
}

/* The others have not even noticed that it was gone. */
static void totem_step__restart_is_a_new_member(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 5);

	(void)state;
	cluster_vanish(cluster, 2);
	cluster_start(cluster, 2);
	assert_true(cluster_run_until(cluster, cluster_settled, 10000));
	assert_transition(cluster, 2, 1, 3);
	cluster_free(&cluster);
}

/* It comes back over others' links; ours to it is mended later, when it is a member already. When it is lost again, its link is
 * cut like any other's (the checker says so). */
static void totem_step__restarted_member_without_a_link_is_fenced_too(void **state)
{
	static const uint32_t apart[CLUSTER_MAX] = {0, 1, 0, 0};
	struct cluster *cluster = cluster_new_formed(4, 6);

	(void)state;
	cluster_crash(cluster, 3);
	assert_true(cluster_run_until(cluster, cluster_formed, 5000));
	cluster_cut(cluster, 1, 3);
	cluster_start(cluster, 3);
	assert_true(cluster_run_until(cluster, cluster_formed, 5000));
	cluster_mend(cluster, 1, 3);
	cluster_run_ms(cluster, 300);
	cluster_partition(cluster, apart);
	cluster_run_ms(cluster, 5000);
	assert_int_equal(last_of(cluster, 1, TOTEM_ACT_REGULAR)->members.count, 1);
	cluster_heal(cluster);
	assert_true(cluster_run_until(cluster, cluster_settled, 10000));
	cluster_free(&cluster);
}

static bool someone_in(struct cluster *cluster, enum totem_state state)
{
	return cluster_in_state(cluster, 1, state);
}

static bool one_in_gather(struct cluster *cluster)
{
	return someone_in(cluster, TOTEM_GATHER);
}

static bool one_in_commit(struct cluster *cluster)
{
	return someone_in(cluster, TOTEM_COMMIT);
}

static bool one_in_recovery(struct cluster *cluster)
{
	return someone_in(cluster, TOTEM_RECOVERY);
}

static bool one_operational_again(struct cluster *cluster)
{
	return someone_in(cluster, TOTEM_OPERATIONAL);
}

/* Node 3 crashes; while the others form a ring without it, another one does, in each state and
 * whoever it is. */
static void totem_step__crash_during_each_state(void **state)
{
	bool (*const when[])(struct cluster *) = {one_in_gather, one_in_commit, one_in_recovery,
						  one_operational_again};

	(void)state;
	for (uint64_t seed = 0; seed < 4 * 3 * 8; seed++) {
		struct cluster *cluster = cluster_new_formed(4, seed + 100);

		busy(cluster, 4, 200);
		cluster_run_us(cluster, 500 + 100 * (seed % 8));
		cluster_crash(cluster, 3);
		cluster_run_until(cluster, one_in_gather, 5000);
		assert_true(cluster_run_until(cluster, when[seed % 4], 5000));
		cluster_crash(cluster, (uint32_t)(seed / 4 % 3));
		assert_true(cluster_run_until(cluster, cluster_settled, 20000));
		cluster_free(&cluster);
	}
}

static bool three_sent_one(struct cluster *cluster)
{
	return cluster_status(cluster, 3).frames_sent == 1;
}

static bool two_sent_one(struct cluster *cluster)
{
	return cluster_status(cluster, 2).frames_sent == 1;
}

static bool two_installed_again(struct cluster *cluster)
{
	return cluster_status(cluster, 2).configurations == 2;
}

/* Node 3 dies, and its only message with it: a gap. Behind it stands a safe message of node 2,
 * which is the first to install the new ring and delivers its message as safe, because nodes 0
 * and 1 have said that they have all there is. The same moment it is cut off from them. What they
 * said is a promise: they deliver the message although node 2, alone on the other side, is none
 * of their companions any more and there is the gap. */
static void totem_step__promise_outlives_the_recovery_it_was_made_in(void **state)
{
	(void)state;
	for (uint64_t seed = 600; seed < 630; seed++) {
		struct cluster *cluster = cluster_new_formed(4, seed);
		uint32_t lost;
		uint32_t safe;

		cluster_run_ms(cluster, 300);
		lost = cluster_submit(cluster, 3, FRAME_AGREED, 0);
		assert_true(cluster_run_until(cluster, three_sent_one, 10));
		for (uint32_t i = 0; i < 3; i++) {
			cluster_lose_bulk(cluster, 3, i);
		}
		safe = cluster_submit(cluster, 2, FRAME_SAFE, 0);
		assert_true(cluster_run_until(cluster, two_sent_one, 10));
		cluster_crash(cluster, 3);
		assert_true(cluster_run_until(cluster, two_installed_again, 100));
		assert_true(cluster_delivered(cluster, 2, safe));
		cluster_cut(cluster, 0, 2);
		cluster_cut(cluster, 1, 2);
		cluster_run_ms(cluster, 5000);
		assert_int_equal(cluster_status(cluster, 0).members.count, 2);
		assert_true(cluster_delivered(cluster, 0, safe));
		assert_true(cluster_delivered(cluster, 1, safe));
		assert_false(cluster_delivered(cluster, 0, lost));
		cluster_free(&cluster);
	}
}

static void totem_step__leave_is_orderly(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 6);
	uint64_t before_ms;

	(void)state;
	cluster_run_ms(cluster, 300);
	cluster_leave(cluster, 0);
	before_ms = cluster_now_ms(cluster);
	assert_true(cluster_run_until(cluster, cluster_formed, 1000));
	assert_in_range(cluster_now_ms(cluster) - before_ms, 0, 5);
	assert_int_equal(cluster_state_entries(cluster, 1, TOTEM_GATHER), 2);
	/* It may come back. */
	cluster_start(cluster, 0);
	assert_true(cluster_run_until(cluster, cluster_formed, 5000));
	cluster_free(&cluster);
}

static void totem_step__partition_delivers_on_each_side_what_is_its_own(void **state)
{
	const uint32_t sides[] = {0, 0, 1, 1};
	struct cluster *cluster = cluster_new_formed(4, 7);
	uint32_t left;
	uint32_t right;

	(void)state;
	cluster_partition(cluster, sides);
	left = cluster_submit(cluster, 0, FRAME_SAFE, 0);
	right = cluster_submit(cluster, 2, FRAME_SAFE, 0);
	cluster_run_ms(cluster, 4000);
	assert_true(cluster_delivered(cluster, 0, left) && cluster_delivered(cluster, 1, left));
	assert_true(cluster_delivered(cluster, 2, right) && cluster_delivered(cluster, 3, right));
	assert_false(cluster_delivered(cluster, 0, right) || cluster_delivered(cluster, 2, left));
	assert_transition(cluster, 0, 2, 2);
	assert_transition(cluster, 3, 2, 2);
	cluster_heal(cluster);
	assert_true(cluster_run_until(cluster, cluster_settled, 10000));
	assert_false(cluster_delivered(cluster, 0, right) || cluster_delivered(cluster, 2, left));
	assert_transition(cluster, 0, 2, 4);
	cluster_free(&cluster);
}

/* Both sides have frames under way when they find each other; the checker compares what
 * companions delivered. */
static void totem_step__rings_merge_with_unstable_messages(void **state)
{
	const uint32_t sides[] = {0, 0, 1, 1};

	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct cluster *cluster = cluster_new_formed(4, seed + 300);
		uint32_t configurations;

		cluster_partition(cluster, sides);
		cluster_run_ms(cluster, 5000);
		assert_transition(cluster, 0, 2, 2);
		configurations = (uint32_t)cluster_status(cluster, 0).configurations;
		cluster_heal(cluster);
		while (cluster_status(cluster, 0).configurations == configurations) {
			busy(cluster, 4, 12);
			cluster_lose_bulk(cluster, seed % 4, (seed + 1) % 4);
			cluster_run_us(cluster, 300);
		}
		assert_true(cluster_run_until(cluster, cluster_settled, 10000));
		assert_int_equal(cluster_status(cluster, 1).members.count, 4);
		cluster_free(&cluster);
	}
}

static void totem_step__stopped_process_is_left_behind_and_taken_in_again(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 8);
	uint64_t rejected;

	(void)state;
	for (uint32_t stopped = 0; stopped < 3; stopped++) {
		busy(cluster, 3, 60);
		cluster_run_us(cluster, 250);
		cluster_pause(cluster, stopped);
		cluster_run_ms(cluster, 5000);
		assert_transition(cluster, (stopped + 1) % 3, 2, 2);
		/* It wakes up with an old token, old timers and old news. */
		cluster_resume(cluster, stopped);
		assert_true(cluster_run_until(cluster, cluster_settled, 10000));
		rejected = cluster_status(cluster, 0).rejected;
		assert_int_equal(rejected, 0);
	}
	cluster_free(&cluster);
}

static void totem_step__short_stop_changes_nothing(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 9);

	(void)state;
	busy(cluster, 3, 60);
	cluster_run_us(cluster, 250);
	cluster_pause(cluster, 1);
	cluster_run_ms(cluster, 700);
	cluster_resume(cluster, 1);
	assert_true(cluster_run_until(cluster, cluster_settled, 1000));
	assert_int_equal(cluster_status(cluster, 0).configurations, 1);
	cluster_free(&cluster);
}

static void totem_step__link_flap_changes_nothing(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 30; seed++) {
		struct cluster *cluster = cluster_new_formed(3, 400 + seed);

		busy(cluster, 3, 90);
		cluster_run_us(cluster, 200 + 40 * seed);
		cluster_flap(cluster, seed % 3, (seed + 1) % 3);
		/* A token that the link swallowed is said again when it is back, not by a timer. */
		assert_true(cluster_run_until(cluster, cluster_settled, 60));
		assert_int_equal(cluster_status(cluster, 0).configurations, 1);
		cluster_free(&cluster);
	}
}

/* 0 and 2 have no link: no ring of three can come about, and trying must become rare. */
static void totem_step__asymmetric_links_do_not_churn(void **state)
{
	struct cluster_options options = {.nodes = 3, .seed = 10};
	struct cluster *cluster = cluster_new(&options);
	uint64_t early;
	uint64_t late;

	(void)state;
	cluster_cut(cluster, 0, 2);
	cluster_start_all(cluster);
	cluster_run_ms(cluster, 60000);
	early = cluster_state_entries(cluster, 1, TOTEM_COMMIT);
	cluster_run_ms(cluster, 600000);
	late = cluster_state_entries(cluster, 1, TOTEM_COMMIT) - early;
	/* Ten times as long, and yet no more often. */
	assert_in_range(early, 2, 9);
	assert_in_range(late, 0, early);
	/* A new link is a new chance. */
	cluster_mend(cluster, 0, 2);
	cluster_flap(cluster, 0, 1);
	cluster_flap(cluster, 1, 2);
	assert_true(cluster_run_until(cluster, cluster_formed, 10000));
	cluster_free(&cluster);
}

/* A working ring of two must not be torn apart by a node that only one of them can hear. */
static void totem_step__half_linked_stranger_does_not_split_a_ring(void **state)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct cluster_options options = {.nodes = 3, .seed = 500 + seed};
		struct cluster *cluster = cluster_new(&options);
		uint32_t count;
		const struct cluster_event *log;

		(void)state;
		cluster_cut(cluster, 1, 2);
		cluster_start(cluster, 0);
		cluster_start(cluster, 1);
		assert_true(cluster_run_until(cluster, cluster_formed, 5000));
		cluster_start(cluster, 2);
		cluster_run_ms(cluster, 60000);
		log = cluster_log(cluster, 1, &count);
		for (uint32_t i = 0; i < count; i++) {
			if (log[i].kind == TOTEM_ACT_REGULAR) {
				assert_true(nodeset_has(&log[i].members, cluster_id(0)));
			}
		}
		cluster_free(&cluster);
	}
}

/* A stranger arrives while a member is lost without a trace. That it, too, misses the member is no
 * reason to do without it: one ring of both, and no attempt wasted. */
static void totem_step__stranger_comes_while_a_member_is_lost(void **state)
{
	uint32_t alone = 0;

	(void)state;
	for (uint64_t seed = 700; seed < 720; seed++) {
		struct cluster_options options = {.nodes = 3, .seed = seed};
		struct cluster *cluster = cluster_new(&options);

		cluster_start(cluster, 0);
		cluster_start(cluster, 1);
		assert_true(cluster_run_until(cluster, cluster_formed, 5000));
		cluster_start(cluster, 2);
		cluster_vanish(cluster, 1);
		assert_true(cluster_run_until(cluster, cluster_formed, 10000));
		alone += cluster_status(cluster, 0).configurations > 2 ? 1 : 0;
		cluster_free(&cluster);
	}
	assert_int_equal(alone, 0);
}

static void totem_step__member_that_does_not_receive_is_failed(void **state)
{
	struct cluster_options options = {.nodes = 3, .seed = 11};
	struct cluster *cluster = cluster_new(&options);
	uint64_t before_ms;

	(void)state;
	cluster_config(cluster)->fail_recv_const = 50;
	cluster_start_all(cluster);
	assert_true(cluster_run_until(cluster, cluster_formed, 5000));
	cluster_fail_pulls(cluster, 2, UINT32_MAX);
	cluster_mute_progress(cluster, 2);
	before_ms = cluster_now_ms(cluster);
	cluster_submit(cluster, 0, FRAME_AGREED, 100);
	while (cluster_status(cluster, 0).reason != TOTEM_REASON_FAILED_TO_RECEIVE &&
	       cluster_now_ms(cluster) < before_ms + 10000) {
		cluster_run_us(cluster, 20);
	}
	assert_int_equal(cluster_status(cluster, 0).reason, TOTEM_REASON_FAILED_TO_RECEIVE);
	/* Not before token_ms. */
	assert_in_range(cluster_now_ms(cluster) - before_ms, 1000, 1100);
	cluster_fail_pulls(cluster, 2, 0);
	assert_true(cluster_run_until(cluster, cluster_settled, 10000));
	cluster_free(&cluster);
}

static void totem_step__frames_return_when_the_ring_changes(void **state)
{
	struct cluster *cluster = cluster_new_formed(2, 12);
	uint32_t last = 0;

	(void)state;
	for (uint32_t i = 0; i < 500; i++) {
		last = cluster_submit(cluster, 0, FRAME_AGREED, 0);
	}
	cluster_crash(cluster, 1);
	assert_true(cluster_run_until(cluster, cluster_settled, 1000));
	assert_true(cluster_delivered(cluster, 0, last));
	cluster_free(&cluster);
}

static void totem_step__ring_ids_never_repeat_after_restarts(void **state)
{
	struct cluster *cluster = cluster_new_formed(2, 13);
	uint64_t last = 0;

	(void)state;
	/* The checker also compares each id with what was persisted. */
	for (uint32_t i = 0; i < 6; i++) {
		assert_true(cluster_status(cluster, 0).ring.seq > last);
		last = cluster_status(cluster, 0).ring.seq;
		cluster_crash(cluster, 0);
		cluster_crash(cluster, 1);
		cluster_run_ms(cluster, 10);
		cluster_start_all(cluster);
		assert_true(cluster_run_until(cluster, cluster_formed, 5000));
	}
	cluster_free(&cluster);
}

static void totem_step__eight_nodes_start_together(void **state)
{
	struct cluster *cluster = cluster_new_formed(8, 14);

	(void)state;
	assert_in_range(cluster_now_ms(cluster), 1000, 1400);
	busy(cluster, 8, 800);
	assert_true(cluster_run_until(cluster, cluster_settled, 5000));
	cluster_free(&cluster);
}

/* As many as there can be: every mask and message at its fullest, also in recovery. */
static void totem_step__sixty_four_nodes(void **state)
{
	struct cluster *cluster = cluster_new_formed(NODES_MAX, 15);

	(void)state;
	busy(cluster, NODES_MAX, 500);
	cluster_run_ms(cluster, 30);
	cluster_lose_bulk(cluster, 5, 63);
	cluster_lose_bulk(cluster, 5, 0);
	cluster_crash(cluster, 5);
	assert_true(cluster_run_until(cluster, cluster_settled, 10000));
	assert_transition(cluster, 63, NODES_MAX - 1, NODES_MAX - 1);
	cluster_free(&cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(totem_step__late_joiner_is_taken_in),
		cmocka_unit_test(totem_step__crash_is_noticed_within_milliseconds),
		cmocka_unit_test(totem_step__power_loss_is_noticed_by_the_timers),
		cmocka_unit_test(totem_step__crashed_node_comes_back),
		cmocka_unit_test(totem_step__restart_is_a_new_member),
		cmocka_unit_test(totem_step__restarted_member_without_a_link_is_fenced_too),
		cmocka_unit_test(totem_step__crash_during_each_state),
		cmocka_unit_test(totem_step__promise_outlives_the_recovery_it_was_made_in),
		cmocka_unit_test(totem_step__leave_is_orderly),
		cmocka_unit_test(totem_step__partition_delivers_on_each_side_what_is_its_own),
		cmocka_unit_test(totem_step__rings_merge_with_unstable_messages),
		cmocka_unit_test(totem_step__stopped_process_is_left_behind_and_taken_in_again),
		cmocka_unit_test(totem_step__short_stop_changes_nothing),
		cmocka_unit_test(totem_step__link_flap_changes_nothing),
		cmocka_unit_test(totem_step__asymmetric_links_do_not_churn),
		cmocka_unit_test(totem_step__half_linked_stranger_does_not_split_a_ring),
		cmocka_unit_test(totem_step__stranger_comes_while_a_member_is_lost),
		cmocka_unit_test(totem_step__member_that_does_not_receive_is_failed),
		cmocka_unit_test(totem_step__frames_return_when_the_ring_changes),
		cmocka_unit_test(totem_step__ring_ids_never_repeat_after_restarts),
		cmocka_unit_test(totem_step__eight_nodes_start_together),
		cmocka_unit_test(totem_step__sixty_four_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
