/* SPDX-License-Identifier: BSD-3-Clause */
/* What peers may say and a correct one would not: old news, lies, noise. The ring refuses it by
 * name, or makes a new ring; it never breaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cluster.h"
#include "wire/control.h"

static struct cluster *resting_ring(uint32_t nodes, uint64_t seed)
{
	struct cluster *cluster = cluster_new_formed(nodes, seed);

	for (uint32_t i = 0; i < 10; i++) {
		cluster_submit(cluster, i % nodes, FRAME_SAFE, 0);
	}
	assert_true(cluster_run_until(cluster, cluster_settled, 1000));
	/* Who sent last has the token. */
	cluster_submit(cluster, 0, FRAME_SAFE, 0);
	cluster_run_ms(cluster, 300);
	return cluster;
}

/* The token that node 0 would get next, as node `nodes - 1` would send it; the caller spoils it. */
static struct control next_token(struct cluster *cluster, uint32_t from)
{
	struct control control;
	const uint8_t *bytes;
	size_t size = cluster_last_control(cluster, from, CONTROL_TOKEN, &bytes);

	assert_true(size > 0);
	assert_null(wire_control_decode(bytes, size, &control));
	control.token.token_seq += 100;
	return control;
}

static void inject(struct cluster *cluster, uint32_t from, uint32_t to,
		   const struct control *control)
{
	uint8_t bytes[CONTROL_SIZE_MAX];
	size_t size = wire_control_encode(control, bytes);

	cluster_inject(cluster, from, to, bytes, size);
}

/* Node 1 of a ring of three gets a token from node 0 that differs from a good one as `spoil`
 * says; it must be refused with this reason. */
static void refuse_token(void (*spoil)(struct control_token *token), const char *reason)
{
	struct cluster *cluster = resting_ring(3, 21);
	struct control control = next_token(cluster, 0);
	uint64_t rejected = cluster_status(cluster, 1).rejected;

	spoil(&control.token);
	inject(cluster, 0, 1, &control);
	assert_int_equal(cluster_status(cluster, 1).rejected, rejected + 1);
	assert_string_equal(cluster_status(cluster, 1).rejected_reason, reason);
	cluster_submit(cluster, 1, FRAME_SAFE, 0);
	assert_true(cluster_run_until(cluster, cluster_settled, 1000));
	assert_int_equal(cluster_status(cluster, 1).configurations, 1);
	cluster_free(&cluster);
}

static void seq_back(struct control_token *token)
{
	token->seq = 3;
	token->aru = 3;
}

static void seq_far(struct control_token *token)
{
	token->seq += 2 * TOTEM_WINDOW_MAX;
	token->aru_id = cluster_id(2);
}

static void aru_low(struct control_token *token)
{
	token->aru = 2;
	token->aru_id = cluster_id(2);
}

static void aru_stranger(struct control_token *token)
{
	token->seq++;
	token->aru_id = 77;
}

static void seat_stranger(struct control_token *token)
{
	token->seat = 3;
}

static void done_back(struct control_token *token)
{
	token->done = 1;
}

static void request_future(struct control_token *token)
{
	token->rtr_count = 1;
	token->rtr[0] = (struct control_range){token->seq + 1, token->seq + 9, 1};
}

static void request_stranger(struct control_token *token)
{
	token->rtr_count = 1;
	token->rtr[0] = (struct control_range){1, 2, 1ull << 40};
}

static void token_received__refuses_what_cannot_be(void **state)
{
	(void)state;
	refuse_token(seq_back, "token: number goes back, or beyond the window");
	refuse_token(seq_far, "token: number goes back, or beyond the window");
	refuse_token(aru_low, "token: aru below what all have received, or of no member");
	refuse_token(aru_stranger, "token: aru below what all have received, or of no member");
	refuse_token(seat_stranger, "token: seat of no member");
	refuse_token(done_back, "token: a member takes back that it has all");
	refuse_token(request_future, "token: asks for numbers that were never assigned");
	refuse_token(request_stranger, "token: names members that do not exist");
}

static void token_received__refuses_a_token_from_the_wrong_member(void **state)
{
	struct cluster *cluster = resting_ring(3, 22);
	struct control control = next_token(cluster, 1);

	(void)state;
	/* Node 0 gets its tokens from node 2; and it holds one already. */
	inject(cluster, 1, 0, &control);
	assert_int_equal(cluster_status(cluster, 0).rejected, 1);
	assert_string_equal(
		cluster_status(cluster, 0).rejected_reason,
		"token: not from the member before us or the one we called, or a second one");
	control.sender = cluster_id(2);
	inject(cluster, 2, 0, &control);
	assert_int_equal(cluster_status(cluster, 0).rejected, 2);
	cluster_free(&cluster);
}

static void token_received__ignores_repetitions_and_other_rings(void **state)
{
	struct cluster *cluster = resting_ring(3, 23);
	struct control control = next_token(cluster, 0);
	uint64_t rotations = cluster_status(cluster, 1).token_rotations;

	(void)state;
	control.token.token_seq -= 100;
	inject(cluster, 0, 1, &control);
	control.token.token_seq += 100;
	control.token.ring.seq += 4;
	inject(cluster, 0, 1, &control);
	assert_int_equal(cluster_status(cluster, 1).token_rotations, rotations);
	assert_int_equal(cluster_status(cluster, 1).rejected, 0);
	cluster_free(&cluster);
}

/* A frame in a number that nobody assigned: the ring notices with the next token and is formed
 * anew. */
static void frame_received__forged_number_makes_a_new_ring(void **state)
{
	struct cluster *cluster = resting_ring(3, 24);

	(void)state;
	cluster_forge_frame(cluster, 2, 0, 3);
	assert_true(cluster_run_until(cluster, cluster_settled, 5000));
	cluster_run_ms(cluster, 2000);
	assert_true(cluster_status(cluster, 0).rejected > 0);
	assert_string_equal(cluster_status(cluster, 0).rejected_reason,
			    "frame with a number that nobody has assigned");
	assert_true(cluster_status(cluster, 0).configurations > 1);
	cluster_free(&cluster);
}

static void control_received__refuses_a_false_sender(void **state)
{
	struct cluster *cluster = resting_ring(3, 25);
	struct control control = {.kind = CONTROL_LEAVE, .sender = cluster_id(1)};

	(void)state;
	control.ring = cluster_status(cluster, 0).ring;
	inject(cluster, 2, 0, &control);
	assert_string_equal(cluster_status(cluster, 0).rejected_reason,
			    "sender is not who the link is to");
	cluster_run_ms(cluster, 100);
	assert_int_equal(cluster_status(cluster, 0).configurations, 1);
	cluster_free(&cluster);
}

static void control_received__refuses_nodes_without_a_link(void **state)
{
	struct cluster *cluster = resting_ring(3, 26);
	struct control control = {.kind = CONTROL_LEAVE, .sender = cluster_id(6)};

	(void)state;
	inject(cluster, 6, 0, &control);
	assert_string_equal(cluster_status(cluster, 0).rejected_reason,
			    "from a node without a link");
	cluster_free(&cluster);
}

/* What was said before the ring came about must not end it. */
static void join_received__ignores_old_news(void **state)
{
	struct cluster *cluster = resting_ring(3, 27);

	(void)state;
	for (uint32_t from = 0; from < 3; from++) {
		const uint8_t *bytes;
		size_t size = cluster_last_control(cluster, from, CONTROL_JOIN, &bytes);

		assert_true(size > 0);
		cluster_inject(cluster, from, (from + 1) % 3, bytes, size);
		size = cluster_last_control(cluster, from, CONTROL_COMMIT, &bytes);
		cluster_inject(cluster, from, (from + 1) % 3, bytes, size);
	}
	cluster_run_ms(cluster, 100);
	for (uint32_t node = 0; node < 3; node++) {
		assert_int_equal(cluster_state_entries(cluster, node, TOTEM_GATHER), 1);
		assert_int_equal(cluster_status(cluster, node).rejected, 0);
	}
	cluster_free(&cluster);
}

static void merge_received__ignores_its_own_ring_and_older_ones(void **state)
{
	struct cluster *cluster = resting_ring(3, 28);
	struct control control = {.kind = CONTROL_MERGE, .sender = cluster_id(2)};

	(void)state;
	control.ring = cluster_status(cluster, 0).ring;
	inject(cluster, 2, 0, &control);
	control.ring.seq -= 1;
	inject(cluster, 2, 0, &control);
	assert_int_equal(cluster_state_entries(cluster, 0, TOTEM_GATHER), 1);
	/* A member that is in a newer ring has left us. */
	control.ring.seq += 5;
	inject(cluster, 2, 0, &control);
	assert_int_equal(cluster_state_entries(cluster, 0, TOTEM_GATHER), 2);
	assert_true(cluster_run_until(cluster, cluster_settled, 10000));
	cluster_free(&cluster);
}

static void wake_received__harms_nothing_where_no_token_is(void **state)
{
	struct cluster *cluster = resting_ring(3, 29);
	struct control control = {.kind = CONTROL_WAKE, .sender = cluster_id(0)};

	(void)state;
	control.ring = cluster_status(cluster, 0).ring;
	inject(cluster, 0, 1, &control);
	assert_int_equal(cluster_status(cluster, 1).rejected, 0);
	cluster_submit(cluster, 1, FRAME_AGREED, 0);
	assert_true(cluster_run_until(cluster, cluster_settled, 1000));
	assert_int_equal(cluster_status(cluster, 1).configurations, 1);
	cluster_free(&cluster);
}

/* Bytes flipped, cut and swapped in what was really said, at any time, to anybody, in every
 * state. */
static void spoil_one(struct cluster *cluster, uint32_t nodes)
{
	uint8_t bytes[CONTROL_SIZE_MAX];
	uint32_t from = (uint32_t)cluster_random(cluster, nodes);
	uint32_t to = (from + 1 + (uint32_t)cluster_random(cluster, nodes - 1)) % nodes;
	int kind = 1 + (int)cluster_random(cluster, CONTROL_KINDS - 1);
	const uint8_t *said;
	size_t size = cluster_last_control(cluster, from, kind, &said);

	if (size == 0 || !cluster_alive(cluster, to)) {
		return;
	}
	memcpy(bytes, said, size);
	for (uint64_t i = cluster_random(cluster, 4); i > 0; i--) {
		/* Behind the header, where it hurts. */
		size_t at = CONTROL_HEADER_SIZE +
			    (size_t)cluster_random(cluster, size - CONTROL_HEADER_SIZE);

		bytes[at] = (uint8_t)(cluster_random(cluster, 3) == 0
					      ? cluster_random(cluster, 256)
					      : bytes[at] + cluster_random(cluster, 3));
	}
	cluster_inject(cluster, from, to, bytes, size);
}

static void totem_step__noise_breaks_nothing(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct cluster_options options = {.nodes = 3, .seed = seed, .no_checks = true};
		struct cluster *cluster = cluster_new(&options);

		cluster_start_all(cluster);
		for (uint32_t i = 0; i < 600; i++) {
			cluster_submit(cluster, i % 3, i % 2 ? FRAME_AGREED : FRAME_SAFE,
				       i % 11 ? 0 : 300);
			if (i % 100 == 99) {
				cluster_flap(cluster, i % 2, 2);
			}
			cluster_run_us(cluster, cluster_random(cluster, 300));
			spoil_one(cluster, 3);
			if (cluster_random(cluster, 20) == 0) {
				cluster_forge_frame(cluster, i % 3, (i + 1) % 3,
						    cluster_random(cluster, 20));
			}
		}
		assert_true(cluster_run_until(cluster, cluster_formed, 600000));
		cluster_free(&cluster);
	}
}

static void totem_new__refuses_a_configuration_that_cannot_work(void **state)
{
	const struct totem_config good = {.node = 1,
					  .token_ms = 1000,
					  .token_retransmit_ms = 100,
					  .hold_ms = 80,
					  .join_ms = 50,
					  .consensus_ms = 1200,
					  .merge_ms = 200,
					  .fail_recv_const = 100,
					  .seqno_unchanged_const = 30,
					  .window_size = 50,
					  .max_messages = 17,
					  .accelerated_window = 10,
					  .miss_count_const = 5};
	struct totem_config bad = good;
	struct totem *t = NULL;

	(void)state;
	bad.node = 0;
	assert_int_not_equal(totem_new(&bad, 0, &t), 0);
	bad = good;
	bad.window_size = TOTEM_WINDOW_MAX / 4 + 1;
	assert_int_not_equal(totem_new(&bad, 0, &t), 0);
	bad = good;
	bad.token_ms = 0;
	assert_int_not_equal(totem_new(&bad, 0, &t), 0);
	assert_int_not_equal(totem_new(&good, UINT64_MAX, &t), 0);
	assert_null(t);
	assert_int_equal(totem_new(&good, 8, &t), 0);
	bad = good;
	bad.node = 2;
	assert_int_not_equal(totem_reconfigure(t, &bad), 0);
	bad = good;
	bad.token_ms = 2000;
	assert_int_equal(totem_reconfigure(t, &bad), 0);
	totem_free(&t);
	assert_null(t);
	totem_free(&t);
}

static void totem_names__are_complete(void **state)
{
	(void)state;
	for (int i = 0; i < TOTEM_STATES; i++) {
		assert_non_null(totem_state_name((enum totem_state)i));
	}
	for (int i = 0; i < TOTEM_REASONS; i++) {
		assert_non_null(totem_reason_name((enum totem_reason)i));
		for (int j = 0; j < i; j++) {
			assert_string_not_equal(totem_reason_name((enum totem_reason)i),
						totem_reason_name((enum totem_reason)j));
		}
	}
	assert_string_equal(totem_state_name((enum totem_state)99), "unknown");
	assert_string_equal(totem_reason_name((enum totem_reason)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(token_received__refuses_what_cannot_be),
		cmocka_unit_test(token_received__refuses_a_token_from_the_wrong_member),
		cmocka_unit_test(token_received__ignores_repetitions_and_other_rings),
		cmocka_unit_test(frame_received__forged_number_makes_a_new_ring),
		cmocka_unit_test(control_received__refuses_a_false_sender),
		cmocka_unit_test(control_received__refuses_nodes_without_a_link),
		cmocka_unit_test(join_received__ignores_old_news),
		cmocka_unit_test(merge_received__ignores_its_own_ring_and_older_ones),
		cmocka_unit_test(wake_received__harms_nothing_where_no_token_is),
		cmocka_unit_test(totem_step__noise_breaks_nothing),
		cmocka_unit_test(totem_new__refuses_a_configuration_that_cannot_work),
		cmocka_unit_test(totem_names__are_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
