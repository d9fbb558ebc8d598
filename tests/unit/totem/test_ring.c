/* SPDX-License-Identifier: BSD-3-Clause */
/* A ring that works: order, guarantees, requests, flow, rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster.h"
#include "wire/control.h"

static void totem_step__one_node_forms_a_ring_and_rests(void **state)
{
	struct cluster *cluster = cluster_new_formed(1, 1);
	uint32_t agreed = cluster_submit(cluster, 0, FRAME_AGREED, 0);
	uint32_t safe = cluster_submit(cluster, 0, FRAME_SAFE, 0);
	uint64_t steps;

	(void)state;
	assert_true(cluster_delivered(cluster, 0, agreed));
	assert_true(cluster_run_until(cluster, cluster_settled, 10));
	assert_true(cluster_delivered(cluster, 0, safe));
	cluster_run_ms(cluster, 100);
	assert_true(totem_resting(cluster_totem(cluster, 0)));
	steps = cluster_steps(cluster);
	cluster_run_ms(cluster, 10000);
	assert_int_equal(cluster_steps(cluster), steps);
	cluster_free(&cluster);
}

static void totem_step__one_node_sends_a_backlog_at_full_speed(void **state)
{
	struct cluster *cluster = cluster_new_formed(1, 1);

	(void)state;
	for (uint32_t i = 0; i < TOTEM_BACKLOG_MAX; i++) {
		assert_int_not_equal(cluster_submit(cluster, 0, FRAME_AGREED, 0), 0);
	}
	/* Not a timer tick for each visit: all at once. */
	assert_true(cluster_run_until(cluster, cluster_settled, 2));
	assert_int_equal(cluster_status(cluster, 0).frames_delivered, TOTEM_BACKLOG_MAX);
	cluster_free(&cluster);
}

static void totem_step__backlog_full_is_visible(void **state)
{
	struct cluster *cluster = cluster_new_formed(2, 1);

	(void)state;
	cluster_pause(cluster, 1);
	for (uint32_t i = 0; i < 2 * TOTEM_BACKLOG_MAX; i++) {
		cluster_submit(cluster, 0, FRAME_AGREED, 0);
	}
	assert_int_equal(totem_backlog_free(cluster_totem(cluster, 0)), 0);
	cluster_resume(cluster, 1);
	assert_true(cluster_run_until(cluster, cluster_settled, 20000));
	cluster_free(&cluster);
}

static void totem_step__three_nodes_deliver_the_same_order(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 2);
	const struct cluster_event *log[3];
	uint32_t count[3];

	(void)state;
	for (uint32_t i = 0; i < 300; i++) {
		assert_int_not_equal(cluster_submit(cluster, i % 3, FRAME_AGREED, 0), 0);
		cluster_run_us(cluster, i % 7 == 0 ? 300 : 0);
	}
	assert_true(cluster_run_until(cluster, cluster_settled, 1000));
	for (uint32_t i = 0; i < 3; i++) {
		log[i] = cluster_log(cluster, i, &count[i]);
	}
	assert_int_equal(count[0], 302);
	for (uint32_t i = 0; i < 302; i++) {
		assert_int_equal(log[0][i].message, log[1][i].message);
		assert_int_equal(log[0][i].message, log[2][i].message);
	}
	assert_int_equal(log[0][0].kind, TOTEM_ACT_TRANSITIONAL);
	assert_int_equal(log[0][1].kind, TOTEM_ACT_REGULAR);
	assert_int_equal(log[0][1].members.count, 3);
	cluster_free(&cluster);
}

static void totem_step__messages_of_one_sender_keep_their_order(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 3);
	const struct cluster_event *log;
	uint32_t count;
	uint32_t last = 0;

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		cluster_submit(cluster, 1, i % 3 == 0 ? FRAME_SAFE : FRAME_AGREED,
			       i % 5 == 0 ? 700 : 0);
	}
	assert_true(cluster_run_until(cluster, cluster_settled, 2000));
	log = cluster_log(cluster, 2, &count);
	for (uint32_t i = 0; i < count; i++) {
		if (log[i].kind == TOTEM_ACT_DELIVER) {
			assert_true(log[i].message > last);
			last = log[i].message;
		}
	}
	assert_int_equal(last, 200);
	cluster_free(&cluster);
}

static void totem_step__agreed_does_not_wait_for_others(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 4);
	uint32_t agreed;

	(void)state;
	cluster_slow_bulk(cluster, 0, 2, 30000);
	agreed = cluster_submit(cluster, 0, FRAME_AGREED, 0);
	cluster_run_ms(cluster, 4);
	assert_true(cluster_delivered(cluster, 0, agreed));
	assert_true(cluster_delivered(cluster, 1, agreed));
	assert_false(cluster_delivered(cluster, 2, agreed));
	cluster_free(&cluster);
}

static bool log_has(struct cluster *cluster, uint32_t node, enum totem_action_kind kind,
		    uint32_t message)
{
	uint32_t count;
	const struct cluster_event *log = cluster_log(cluster, node, &count);

	for (uint32_t i = 0; i < count; i++) {
		if (log[i].kind == kind && log[i].message == message) {
			return true;
		}
	}
	return false;
}

static void totem_step__unordered_overtakes_a_gap_once(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 5);
	uint32_t unordered;
	uint32_t first;

	(void)state;
	cluster_slow_bulk(cluster, 0, 2, 20000);
	first = cluster_submit(cluster, 0, FRAME_AGREED, 0);
	cluster_run_ms(cluster, 2);
	unordered = cluster_submit(cluster, 1, FRAME_UNORDERED, 0);
	cluster_run_ms(cluster, 2);
	assert_false(cluster_delivered(cluster, 2, first));
	assert_true(log_has(cluster, 2, TOTEM_ACT_DELIVER_EARLY, unordered));
	assert_false(cluster_delivered(cluster, 2, unordered));
	assert_true(cluster_run_until(cluster, cluster_settled, 1000));
	assert_true(log_has(cluster, 2, TOTEM_ACT_DELIVER, unordered));
	cluster_free(&cluster);
}

static void totem_step__lost_frames_are_requested_and_resent(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 6);

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		cluster_submit(cluster, 0, FRAME_AGREED, 0);
	}
	for (uint32_t i = 0; i < 10; i++) {
		cluster_run_us(cluster, 60);
		cluster_lose_bulk(cluster, 0, 2);
	}
	assert_true(cluster_run_until(cluster, cluster_settled, 100));
	assert_true(cluster_status(cluster, 2).requested > 0);
	assert_true(cluster_status(cluster, 0).retransmitted +
			    cluster_status(cluster, 1).retransmitted >=
		    cluster_status(cluster, 2).requested);
	/* No change of membership. */
	assert_int_equal(cluster_status(cluster, 2).configurations, 1);
	cluster_free(&cluster);
}

static void totem_step__late_frames_are_not_requested(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 7);

	(void)state;
	cluster_slow_bulk(cluster, 0, 2, 3000);
	for (uint32_t i = 0; i < 100; i++) {
		cluster_submit(cluster, 0, FRAME_AGREED, 0);
	}
	assert_true(cluster_run_until(cluster, cluster_settled, 1000));
	assert_int_equal(cluster_status(cluster, 2).requested, 0);
	cluster_free(&cluster);
}

static void totem_step__pending_pull_is_not_requested(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 8);
	uint32_t large = cluster_submit(cluster, 0, FRAME_AGREED, 200000);
	uint32_t small = cluster_submit(cluster, 1, FRAME_AGREED, 0);

	(void)state;
	cluster_run_ms(cluster, 150);
	assert_false(cluster_delivered(cluster, 1, large) || cluster_delivered(cluster, 1, small));
	assert_true(cluster_run_until(cluster, cluster_settled, 1000));
	assert_true(cluster_delivered_by_all(cluster, 3, large) &&
		    cluster_delivered_by_all(cluster, 3, small));
	assert_int_equal(cluster_status(cluster, 1).requested, 0);
	cluster_free(&cluster);
}

static void totem_step__failed_pull_is_requested_at_once(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 9);
	uint32_t large;

	(void)state;
	cluster_fail_pulls(cluster, 2, 2);
	large = cluster_submit(cluster, 0, FRAME_SAFE, 500);
	assert_true(cluster_run_until(cluster, cluster_settled, 20));
	assert_true(cluster_delivered_by_all(cluster, 3, large));
	assert_int_equal(cluster_status(cluster, 2).requested, 2);
	cluster_free(&cluster);
}

/* A pull that takes longer than the token loss timeout and many rotations: its node says that it
 * gets on. */
static void totem_step__slow_pull_with_progress_is_not_failed(void **state)
{
	struct cluster *cluster;
	struct cluster_options options = {.nodes = 3, .seed = 10};
	uint32_t large;

	(void)state;
	cluster = cluster_new(&options);
	cluster_config(cluster)->fail_recv_const = 50;
	cluster_config(cluster)->token_ms = 400;
	cluster_start_all(cluster);
	assert_true(cluster_run_until(cluster, cluster_formed, 5000));
	for (uint32_t i = 0; i < 4; i++) {
		large = cluster_submit(cluster, 0, FRAME_AGREED, 500000);
	}
	assert_true(cluster_run_until(cluster, cluster_settled, 10000));
	assert_true(cluster_delivered_by_all(cluster, 3, large));
	assert_int_equal(cluster_status(cluster, 0).configurations, 1);
	cluster_free(&cluster);
}

static void totem_step__idle_ring_rests_and_wakes(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 11);
	uint64_t steps;
	uint64_t wakes;
	uint32_t message;

	(void)state;
	cluster_run_ms(cluster, 500);
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(totem_resting(cluster_totem(cluster, i)));
	}
	steps = cluster_steps(cluster);
	cluster_run_ms(cluster, 10000);
	/* One rotation each hold_ms: 4 steps, 17 times a second. */
	assert_in_range(cluster_steps(cluster) - steps, 300, 800);
	message = cluster_submit(cluster, 2, FRAME_AGREED, 0);
	assert_false(totem_resting(cluster_totem(cluster, 2)));
	cluster_run_ms(cluster, 1);
	assert_true(cluster_delivered_by_all(cluster, 3, message));
	cluster_run_ms(cluster, 300);
	assert_true(totem_resting(cluster_totem(cluster, 2)));
	/* It rests with who sent last, who needs nobody to wake it. */
	wakes = cluster_control_count(cluster, CONTROL_WAKE);
	message = cluster_submit(cluster, 2, FRAME_AGREED, 0);
	cluster_run_ms(cluster, 1);
	assert_true(cluster_delivered_by_all(cluster, 3, message));
	assert_int_equal(cluster_control_count(cluster, CONTROL_WAKE), wakes);
	cluster_free(&cluster);
}

static void submit_each_100us(struct cluster *cluster, uint32_t node, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		cluster_submit(cluster, node, FRAME_AGREED, 0);
		cluster_run_us(cluster, 100);
	}
}

static void totem_step__token_stays_with_the_only_sender(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 31);
	uint64_t tokens;
	uint32_t message;

	(void)state;
	cluster_run_ms(cluster, 500);
	submit_each_100us(cluster, 1, 50);
	tokens = cluster_control_count(cluster, CONTROL_TOKEN);
	submit_each_100us(cluster, 1, 500);
	/* A rotation per part of the window, or per 10 ms, not per frame. */
	assert_in_range(cluster_control_count(cluster, CONTROL_TOKEN) - tokens, 3, 100);
	/* Everything is released soon after the last. */
	assert_true(cluster_run_until(cluster, cluster_settled, 20));
	/* Another one waits for a rotation only, not for the end of the stay; also when that began
	 * after a talk between the two. */
	submit_each_100us(cluster, 1, 5);
	for (uint32_t i = 0; i < 10; i++) {
		message = cluster_submit(cluster, 2 - i % 2, FRAME_AGREED, 0);
		cluster_run_ms(cluster, 1);
		assert_true(cluster_delivered_by_all(cluster, 3, message));
	}
	cluster_free(&cluster);
}

/* Who sends again and again on a ring that rests in between is not made to wait as if somebody
 * pulled. */
static void totem_step__rests_soon_after_an_own_message(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 33);

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		cluster_run_ms(cluster, 25);
		assert_true(i == 0 || cluster_status(cluster, 0).resting);
		cluster_submit(cluster, 0, FRAME_AGREED, 0);
	}
	cluster_free(&cluster);
}

/* Whoever calls a resting token gets it from where it rests, however far that is round the ring. */
static void wake_received__hands_the_token_over(void **state)
{
	struct cluster *cluster = cluster_new_formed(7, 35);
	uint64_t tokens;
	uint32_t message;

	(void)state;
	for (uint32_t caller = 3; caller != 0; caller = (caller + 3) % 7) {
		cluster_run_ms(cluster, 500);
		assert_true(totem_resting(cluster_totem(cluster, caller)));
		cluster_run_ms(cluster, 30);
		tokens = cluster_control_count(cluster, CONTROL_TOKEN);
		message = cluster_submit(cluster, caller, FRAME_AGREED, 0);
		for (uint32_t i = 0; i < 100 && !cluster_delivered(cluster, caller, message); i++) {
			cluster_run_us(cluster, 10);
		}
		assert_true(cluster_delivered(cluster, caller, message));
		assert_int_equal(cluster_control_count(cluster, CONTROL_TOKEN), tokens + 1);
		assert_true(cluster_run_until(cluster, cluster_settled, 1000));
		assert_int_equal(cluster_status(cluster, caller).configurations, 1);
		assert_int_equal(cluster_status(cluster, caller).rejected, 0);
	}
	cluster_free(&cluster);
}

/* A token that waits for somebody's pull is here for a frame that comes meanwhile, and says so. */
static void totem_resting__knows_a_token_that_is_held(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 34);
	uint64_t high;
	uint32_t i;

	(void)state;
	cluster_submit(cluster, 0, FRAME_AGREED, 200000);
	cluster_run_ms(cluster, 100);
	for (i = 0; i < 30 && !totem_resting(cluster_totem(cluster, 0)); i++) {
		cluster_run_us(cluster, 100);
	}
	assert_true(i < 30 && !cluster_status(cluster, 0).resting);
	high = cluster_status(cluster, 0).high_seq;
	cluster_submit(cluster, 0, FRAME_AGREED, 0);
	assert_int_equal(cluster_status(cluster, 0).high_seq, high + 1);
	cluster_free(&cluster);
}

static void totem_step__lost_wake_costs_a_hold_only(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 12);
	uint32_t message;

	(void)state;
	cluster_run_ms(cluster, 500);
	cluster_lose_control(cluster, 2, 0, 1);
	message = cluster_submit(cluster, 2, FRAME_AGREED, 0);
	cluster_run_ms(cluster, 65);
	assert_true(cluster_delivered_by_all(cluster, 3, message));
	cluster_free(&cluster);
}

static void totem_step__lost_token_is_sent_again(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 13);

	(void)state;
	for (uint32_t i = 0; i < 20; i++) {
		cluster_submit(cluster, i % 3, FRAME_AGREED, 0);
	}
	/* A WAKE may be among them. */
	cluster_lose_control(cluster, 1, 2, 2);
	assert_true(cluster_run_until(cluster, cluster_settled, 300));
	assert_true(cluster_status(cluster, 1).token_retransmits > 0);
	assert_int_equal(cluster_status(cluster, 1).configurations, 1);
	cluster_free(&cluster);
}

static void totem_step__token_lost_for_good_forms_the_ring_anew(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 14);

	(void)state;
	for (uint32_t i = 0; i < 20; i++) {
		cluster_submit(cluster, i % 3, FRAME_SAFE, 0);
	}
	/* ACKs and a WAKE are among them. */
	cluster_lose_control(cluster, 1, 2, 30);
	assert_true(cluster_run_until(cluster, cluster_settled, 10000));
	assert_true(cluster_status(cluster, 0).configurations > 1);
	cluster_free(&cluster);
}

/* The checker breaks the run when a frame arrives without a slot. Frames wait in receive queues
 * while tokens pass by, so that much is asked for that has long arrived. */
static void totem_step__slots_are_never_overrun(void **state)
{
	for (uint64_t seed = 1; seed < 40; seed++) {
		struct cluster_options options = {.nodes = 4,
						  .seed = seed,
						  .slots = 110 + 8 * (uint32_t)seed,
						  .lag_us = seed % 2 ? 30000 : 0};
		struct cluster *cluster = cluster_new(&options);

		(void)state;
		cluster_start_all(cluster);
		assert_true(cluster_run_until(cluster, cluster_formed, 5000));
		cluster_slow_bulk(cluster, 0, 3, seed % 3 ? 2000 : 40000);
		for (uint32_t i = 0; i < 1000; i++) {
			cluster_submit(cluster, i % 4, i % 2 ? FRAME_SAFE : FRAME_AGREED, 0);
			cluster_run_us(cluster, i % 10 == 0 ? 100 : 0);
		}
		assert_true(cluster_run_until(cluster, cluster_settled, 60000));
		cluster_free(&cluster);
	}
}

static void totem_step__no_capacity_stops_senders_until_there_is_some(void **state)
{
	struct cluster_options options = {.nodes = 2, .seed = 15, .slots = 16};
	struct cluster *cluster = cluster_new(&options);

	(void)state;
	/* All slots are kept for repetitions: nothing may be sent. */
	cluster_start_all(cluster);
	assert_true(cluster_run_until(cluster, cluster_formed, 5000));
	cluster_submit(cluster, 0, FRAME_AGREED, 0);
	cluster_run_ms(cluster, 2000);
	assert_int_equal(cluster_status(cluster, 0).frames_sent, 0);
	assert_int_equal(cluster_status(cluster, 0).backlog, 1);
	cluster_set_slots(cluster, 114);
	assert_true(cluster_run_until(cluster, cluster_settled, 1000));
	cluster_free(&cluster);
}

/* Everybody gets its share of the window. */
static void totem_step__senders_share_the_window(void **state)
{
	struct cluster *cluster = cluster_new_formed(4, 16);
	uint64_t low = UINT64_MAX;
	uint64_t high = 0;

	(void)state;
	for (uint32_t i = 0; i < 4000; i++) {
		cluster_submit(cluster, i % 4, FRAME_AGREED, 0);
	}
	while (cluster_status(cluster, 0).frames_delivered < 2000) {
		cluster_run_us(cluster, 100);
	}
	for (uint32_t i = 0; i < 4; i++) {
		uint64_t sent = cluster_status(cluster, i).frames_sent;

		low = sent < low ? sent : low;
		high = sent > high ? sent : high;
	}
	assert_true(high <= low + 100);
	assert_true(cluster_run_until(cluster, cluster_settled, 10000));
	cluster_free(&cluster);
}

static void totem_step__token_is_sent_before_the_last_frames(void **state)
{
	struct cluster_options options = {.nodes = 2, .seed = 17};
	struct cluster *cluster = cluster_new(&options);
	const uint8_t *bytes;

	(void)state;
	cluster_start_all(cluster);
	assert_true(cluster_run_until(cluster, cluster_formed, 5000));
	cluster_run_ms(cluster, 500);
	/* Not alone, so the token does not stay when it comes back. */
	cluster_submit(cluster, 1, FRAME_AGREED, 0);
	cluster_run_us(cluster, 130);
	for (uint32_t i = 0; i < 17; i++) {
		cluster_submit(cluster, 0, FRAME_AGREED, 0);
	}
	cluster_run_until(cluster, cluster_settled, 100);
	assert_true(cluster_last_control(cluster, 0, CONTROL_TOKEN, &bytes) > 0);
	assert_int_equal(cluster_frames_after_token(cluster, 0), 10);
	cluster_free(&cluster);
}

static void totem_status__tells_what_happened(void **state)
{
	struct cluster *cluster = cluster_new_formed(2, 18);
	struct totem_status status;

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		cluster_submit(cluster, 0, FRAME_AGREED, 0);
	}
	assert_true(cluster_run_until(cluster, cluster_settled, 100));
	status = cluster_status(cluster, 1);
	assert_int_equal(status.state, TOTEM_OPERATIONAL);
	assert_int_equal(status.reason, TOTEM_REASON_RECOVERED);
	assert_int_equal(status.members.count, 2);
	assert_int_equal(status.ring.rep, cluster_id(0));
	assert_int_equal(status.high_seq, 10);
	assert_int_equal(status.aru, 10);
	assert_int_equal(status.delivered, 10);
	assert_int_equal(status.released, 10);
	assert_int_equal(status.frames_delivered, 10);
	assert_int_equal(status.frames_sent, 0);
	assert_true(status.token_rotations > 3);
	assert_int_equal(status.rejected, 0);
	assert_null(status.rejected_reason);
	cluster_free(&cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(totem_step__one_node_forms_a_ring_and_rests),
		cmocka_unit_test(totem_step__one_node_sends_a_backlog_at_full_speed),
		cmocka_unit_test(totem_step__backlog_full_is_visible),
		cmocka_unit_test(totem_step__three_nodes_deliver_the_same_order),
		cmocka_unit_test(totem_step__messages_of_one_sender_keep_their_order),
		cmocka_unit_test(totem_step__agreed_does_not_wait_for_others),
		cmocka_unit_test(totem_step__unordered_overtakes_a_gap_once),
		cmocka_unit_test(totem_step__lost_frames_are_requested_and_resent),
		cmocka_unit_test(totem_step__late_frames_are_not_requested),
		cmocka_unit_test(totem_step__pending_pull_is_not_requested),
		cmocka_unit_test(totem_step__failed_pull_is_requested_at_once),
		cmocka_unit_test(totem_step__slow_pull_with_progress_is_not_failed),
		cmocka_unit_test(totem_step__idle_ring_rests_and_wakes),
		cmocka_unit_test(totem_step__token_stays_with_the_only_sender),
		cmocka_unit_test(wake_received__hands_the_token_over),
		cmocka_unit_test(totem_step__rests_soon_after_an_own_message),
		cmocka_unit_test(totem_resting__knows_a_token_that_is_held),
		cmocka_unit_test(totem_step__lost_wake_costs_a_hold_only),
		cmocka_unit_test(totem_step__lost_token_is_sent_again),
		cmocka_unit_test(totem_step__token_lost_for_good_forms_the_ring_anew),
		cmocka_unit_test(totem_step__slots_are_never_overrun),
		cmocka_unit_test(totem_step__no_capacity_stops_senders_until_there_is_some),
		cmocka_unit_test(totem_step__senders_share_the_window),
		cmocka_unit_test(totem_step__token_is_sent_before_the_last_frames),
		cmocka_unit_test(totem_status__tells_what_happened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
