/* SPDX-License-Identifier: BSD-3-Clause */
/* SAFE frames and the ACKs that answer them: what they cost, what happens when they are lost, and
 * which are believed. That nobody delivers too early is checked with every action (checker.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cluster.h"
#include "wire/control.h"

/* The token rests with node 0, and nothing is under way. */
static struct cluster *resting_ring(uint32_t nodes, uint64_t seed)
{
	struct cluster *cluster = cluster_new_formed(nodes, seed);

	cluster_submit(cluster, 0, FRAME_AGREED, 0);
	assert_true(cluster_run_until(cluster, cluster_settled, 1000));
	cluster_run_ms(cluster, 500);
	return cluster;
}

static void safe__costs_a_frame_and_its_answers(void **state)
{
	struct cluster *cluster = resting_ring(5, 1);
	uint64_t tokens = cluster_control_count(cluster, CONTROL_TOKEN);
	uint32_t message = cluster_submit(cluster, 0, FRAME_SAFE, 0);

	(void)state;
	/* A message takes 20 to 120 us here. */
	cluster_run_us(cluster, 240);
	assert_true(cluster_delivered_by_all(cluster, 5, message));
	assert_int_equal(cluster_control_count(cluster, CONTROL_TOKEN), tokens);
	assert_int_equal(cluster_control_count(cluster, CONTROL_ACK), 5 * 4);
	/* And its memory is free, here and there. */
	assert_true(cluster_settled(cluster));
	cluster_free(&cluster);
}

static void safe__waits_for_the_last_member(void **state)
{
	struct cluster *cluster = resting_ring(3, 2);
	uint32_t safe;
	uint32_t behind;

	(void)state;
	cluster_slow_bulk(cluster, 0, 2, 30000);
	safe = cluster_submit(cluster, 0, FRAME_SAFE, 0);
	behind = cluster_submit(cluster, 0, FRAME_AGREED, 0);
	cluster_run_ms(cluster, 29);
	assert_false(cluster_delivered(cluster, 0, safe));
	assert_false(cluster_delivered(cluster, 1, safe));
	assert_false(cluster_delivered(cluster, 0, behind));
	/* The late frame, and the answer to it. */
	cluster_run_us(cluster, 1250);
	assert_true(cluster_delivered_by_all(cluster, 3, safe) &&
		    cluster_delivered_by_all(cluster, 3, behind));
	cluster_free(&cluster);
}

static void agreed__is_not_acknowledged(void **state)
{
	struct cluster *cluster = cluster_new_formed(3, 3);

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		cluster_submit(cluster, i % 3, i % 2 ? FRAME_AGREED : FRAME_UNORDERED,
			       i % 9 ? 0 : 300);
		cluster_run_us(cluster, 50);
	}
	assert_true(cluster_run_until(cluster, cluster_settled, 1000));
	assert_int_equal(cluster_control_count(cluster, CONTROL_ACK), 0);
	cluster_free(&cluster);
}

/* An ACK answers all that has come while the last one was on its way. */
static void safe__many_at_once_share_acks(void **state)
{
	struct cluster *cluster = resting_ring(3, 4);
	uint32_t last = 0;

	(void)state;
	for (uint32_t i = 0; i < 400; i++) {
		last = cluster_submit(cluster, 0, FRAME_SAFE, 0);
		cluster_run_us(cluster, 10);
	}
	assert_true(cluster_run_until(cluster, cluster_settled, 100));
	assert_true(cluster_delivered_by_all(cluster, 3, last));
	/* 4 ms, 40 us or more for an answer, three members with two others. */
	assert_in_range(cluster_control_count(cluster, CONTROL_ACK), 6 * 10, 6 * 100);
	cluster_free(&cluster);
}

static void stay__goes_on_with_safe_frames(void **state)
{
	struct cluster *cluster = resting_ring(3, 5);
	uint64_t tokens = cluster_control_count(cluster, CONTROL_TOKEN);
	uint32_t message;

	(void)state;
	for (uint32_t i = 0; i < 30; i++) {
		message = cluster_submit(cluster, 0, i % 3 ? FRAME_SAFE : FRAME_AGREED, 0);
		cluster_run_us(cluster, 500);
		assert_true(cluster_delivered_by_all(cluster, 3, message));
	}
	assert_int_equal(cluster_control_count(cluster, CONTROL_TOKEN), tokens);
	cluster_free(&cluster);
}

/* Nobody hears of node 1 and 2 that they have it: the stay ends, and the token says it. */
static void safe__lost_acks_cost_a_moment(void **state)
{
	struct cluster *cluster = resting_ring(3, 6);
	uint32_t first;
	uint32_t message;

	(void)state;
	for (uint32_t from = 1; from < 3; from++) {
		cluster_lose_control(cluster, from, 0, 1);
		cluster_lose_control(cluster, from, 3 - from, 1);
	}
	first = cluster_submit(cluster, 0, FRAME_SAFE, 0);
	cluster_run_us(cluster, 900);
	assert_false(cluster_delivered(cluster, 0, first));
	/* More of them do not prolong the stay. */
	message = cluster_submit(cluster, 0, FRAME_SAFE, 0);
	cluster_run_us(cluster, 2500);
	assert_true(cluster_delivered_by_all(cluster, 3, first) &&
		    cluster_delivered_by_all(cluster, 3, message));
	cluster_free(&cluster);
}

/* One ACK is lost; the next one says what it said. */
static void safe__a_later_ack_makes_good(void **state)
{
	struct cluster *cluster = resting_ring(3, 7);
	uint64_t tokens = cluster_control_count(cluster, CONTROL_TOKEN);
	uint32_t first;
	uint32_t message;

	(void)state;
	cluster_lose_control(cluster, 2, 0, 1);
	first = cluster_submit(cluster, 0, FRAME_SAFE, 0);
	cluster_run_us(cluster, 400);
	assert_false(cluster_delivered(cluster, 0, first));
	assert_true(cluster_delivered(cluster, 1, first) && cluster_delivered(cluster, 2, first));
	message = cluster_submit(cluster, 0, FRAME_SAFE, 0);
	cluster_run_us(cluster, 400);
	assert_true(cluster_delivered_by_all(cluster, 3, first) &&
		    cluster_delivered_by_all(cluster, 3, message));
	assert_int_equal(cluster_control_count(cluster, CONTROL_TOKEN), tokens);
	cluster_free(&cluster);
}

/* A member asks for frames that are only late, gets them late, and says so: they are let go before
 * its request comes to anybody. It is not missed by those who count what they asked for. */
static void safe__released_frames_are_not_asked_for(void **state)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct cluster_options options = {.nodes = 4, .seed = seed, .lag_us = 8000};
		struct cluster *cluster = cluster_new(&options);

		(void)state;
		cluster_start_all(cluster);
		assert_true(cluster_run_until(cluster, cluster_formed, 5000));
		cluster_slow_bulk(cluster, 0, 3, 6000);
		for (uint32_t i = 0; i < 600; i++) {
			cluster_submit(cluster, i % 8 ? 0 : i % 4, FRAME_SAFE, 0);
			cluster_run_us(cluster, cluster_random(cluster, 200));
			if (i % 100 == 50) {
				cluster_lose_bulk(cluster, 1, 3);
			}
		}
		assert_true(cluster_run_until(cluster, cluster_settled, 5000));
		for (uint32_t i = 0; i < 4; i++) {
			assert_int_equal(cluster_status(cluster, i).configurations, 1);
		}
		cluster_free(&cluster);
	}
}

static void inject_ack(struct cluster *cluster, uint32_t from, uint32_t to, uint64_t aru)
{
	struct control control = {.kind = CONTROL_ACK, .sender = cluster_id(from)};
	uint8_t bytes[CONTROL_SIZE_MAX];
	size_t size;

	control.ack.ring = cluster_status(cluster, 0).ring;
	control.ack.aru = aru;
	size = wire_control_encode(&control, bytes);
	cluster_inject(cluster, from, to, bytes, size);
}

static void refused(struct cluster *cluster, uint32_t node, const char *reason)
{
	assert_int_equal(cluster_status(cluster, node).rejected, 1);
	assert_string_equal(cluster_status(cluster, node).rejected_reason, reason);
	assert_int_equal(cluster_status(cluster, node).configurations, 1);
}

static void ack_received__refuses_what_cannot_be(void **state)
{
	struct cluster *cluster = resting_ring(3, 8);
	uint64_t high = cluster_status(cluster, 1).high_seq;

	(void)state;
	inject_ack(cluster, 2, 1, high + TOTEM_WINDOW_MAX + 1);
	refused(cluster, 1, "ack: of a number that nobody can have assigned");
	/* Node 0 has the token, and knows better. */
	inject_ack(cluster, 2, 0, high + 1);
	refused(cluster, 0, "ack: of a number that nobody can have assigned");
	assert_true(cluster_run_until(cluster, cluster_settled, 1000));
	cluster_free(&cluster);
}

static void ack_received__refuses_strangers(void **state)
{
	struct cluster_options options = {.nodes = 3, .seed = 9};
	struct cluster *cluster = cluster_new(&options);
	const char *reason = NULL;

	(void)state;
	cluster_start(cluster, 0);
	cluster_start(cluster, 1);
	cluster_run_ms(cluster, 1000);
	assert_int_equal(cluster_status(cluster, 0).members.count, 2);
	cluster_start(cluster, 2);
	/* Its link comes up, and for a moment it is linked and no member. */
	for (uint32_t i = 0; i < 5000; i++) {
		inject_ack(cluster, 2, 1, 1);
		reason = cluster_status(cluster, 1).rejected_reason;
		if (reason && strcmp(reason, "ack: not from a member") == 0) {
			break;
		}
		cluster_run_us(cluster, 10);
	}
	assert_non_null(reason);
	assert_string_equal(reason, "ack: not from a member");
	assert_true(cluster_run_until(cluster, cluster_settled, 5000));
	cluster_free(&cluster);
}

/* What nobody has assigned yet, but might have: the token brings it to light. */
static void ack_received__of_the_future_makes_a_new_ring(void **state)
{
	struct cluster *cluster = resting_ring(3, 10);
	uint64_t high = cluster_status(cluster, 1).high_seq;

	(void)state;
	inject_ack(cluster, 2, 1, high + 5);
	assert_int_equal(cluster_status(cluster, 1).rejected, 0);
	cluster_run_ms(cluster, 200);
	assert_string_equal(cluster_status(cluster, 1).rejected_reason,
			    "ack of a number that nobody has assigned");
	assert_true(cluster_run_until(cluster, cluster_settled, 5000));
	assert_true(cluster_status(cluster, 1).configurations > 1);
	cluster_free(&cluster);
}

static void ack_received__ignores_repetitions_and_other_rings(void **state)
{
	struct cluster *cluster = resting_ring(3, 11);
	struct control control = {.kind = CONTROL_ACK, .sender = cluster_id(2)};
	uint8_t bytes[CONTROL_SIZE_MAX];
	size_t size;

	(void)state;
	inject_ack(cluster, 2, 1, 1);
	inject_ack(cluster, 2, 1, 1);
	control.ack.ring = cluster_status(cluster, 1).ring;
	control.ack.ring.seq += 4;
	control.ack.aru = 1000000;
	size = wire_control_encode(&control, bytes);
	cluster_inject(cluster, 2, 1, bytes, size);
	assert_int_equal(cluster_status(cluster, 1).rejected, 0);
	cluster_submit(cluster, 1, FRAME_SAFE, 0);
	assert_true(cluster_run_until(cluster, cluster_settled, 100));
	assert_int_equal(cluster_status(cluster, 1).configurations, 1);
	cluster_free(&cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(safe__costs_a_frame_and_its_answers),
		cmocka_unit_test(safe__waits_for_the_last_member),
		cmocka_unit_test(agreed__is_not_acknowledged),
		cmocka_unit_test(safe__many_at_once_share_acks),
		cmocka_unit_test(stay__goes_on_with_safe_frames),
		cmocka_unit_test(safe__lost_acks_cost_a_moment),
		cmocka_unit_test(safe__a_later_ack_makes_good),
		cmocka_unit_test(safe__released_frames_are_not_asked_for),
		cmocka_unit_test(ack_received__refuses_what_cannot_be),
		cmocka_unit_test(ack_received__refuses_strangers),
		cmocka_unit_test(ack_received__of_the_future_makes_a_new_ring),
		cmocka_unit_test(ack_received__ignores_repetitions_and_other_rings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
