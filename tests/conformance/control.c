/* SPDX-License-Identifier: BSD-3-Clause */
/* The control channel: small messages, copied, in order, exactly once. */
#include "tests/conformance/conformance.h"

#include <errno.h>
#include <string.h>

#include "tests/conformance/test.h"

/* After a refusal the sender may have to hear first that the peer has taken what came before:
 * both ends turn until it does. */
static void control_insist(struct pair *pair, const void *bytes, size_t size_bytes)
{
	uint64_t until_ms = end_now_ms() + rig->patience_ms;
	int result;

	while ((result = end_control(&pair->a, 2, bytes, size_bytes)) == -ENOBUFS) {
		assert_true(ends_step(RUN_ENDS(&pair->a, &pair->b), 2, until_ms));
	}
	assert_int_equal(result, 0);
}

static void send_control__of_every_size_arrives_intact(void **state)
{
	struct pair *pair = *state;
	uint8_t bytes[CHANNEL_SIZE_MAX];
	uint32_t step = rig->load_frames < 5000 ? 61 : 1;
	uint32_t sent = 0;

	for (uint32_t size = 1; size <= CHANNEL_SIZE_MAX; size += step, sent++) {
		pattern_fill(bytes, size, size);
		control_insist(pair, bytes, size);
		/* Copied: the caller's bytes may change at once. */
		memset(bytes, 0xee, size);
	}
	run_until(pair->b.controls.count == sent, &pair->a, &pair->b);
	for (uint32_t i = 0; i < sent; i++) {
		const struct end_message *message = &pair->b.controls.items[i];

		assert_int_equal(message->size_bytes, 1 + i * step);
		assert_true(pattern_holds(message->bytes, message->size_bytes, 1 + i * step));
	}
}

static void send_control__refuses_impossible_sizes(void **state)
{
	struct pair *pair = *state;
	uint8_t bytes[CHANNEL_SIZE_MAX + 1] = {0};

	assert_int_equal(end_control(&pair->a, 2, bytes, 0), -EMSGSIZE);
	assert_int_equal(end_control(&pair->a, 2, bytes, CHANNEL_SIZE_MAX + 1), -EMSGSIZE);
	assert_int_equal(end_control(&pair->a, 2, bytes, SIZE_MAX), -EMSGSIZE);
	assert_int_equal(end_control(&pair->a, 2, bytes, CHANNEL_SIZE_MAX), 0);
	run_until(pair->b.controls.count == 1, &pair->a, &pair->b);
	run_for(20, &pair->a, &pair->b);
	assert_int_equal(pair->b.controls.count, 1);
}

static void send_control__needs_a_link(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(end_control(&pair->a, 9, "x", 1), -ENOTCONN);
	end_open(&pair->more[0]);
	assert_int_equal(end_peer_add(&pair->more[0], 5), 0);
	assert_int_equal(end_control(&pair->more[0], 5, "x", 1), -ENOTCONN);
}

/* Nobody takes them: the channel fills, says so, loses only what it refused, and goes on. */
static void send_control__refuses_more_than_the_peer_keeps_up_with(void **state)
{
	struct pair *pair = *state;
	uint32_t accepted = 0;
	uint8_t bytes[64];
	int result;

	while (accepted < 100000) {
		pattern_fill(bytes, sizeof(bytes), accepted);
		result = end_control(&pair->a, 2, bytes, sizeof(bytes));
		if (result) {
			break;
		}
		accepted++;
		if (rig->now_ms == NULL && accepted % 16 == 0) {
			/* Completions may have to be collected by the sender itself. */
			end_turn(&pair->a);
		}
	}
	assert_int_equal(result, -ENOBUFS);
	assert_true(accepted >= 8);
	run_until(pair->b.controls.count == accepted, &pair->a, &pair->b);
	for (uint32_t i = 0; i < accepted; i++) {
		assert_true(pattern_holds(pair->b.controls.items[i].bytes, sizeof(bytes), i));
	}
	control_insist(pair, "again", 5);
	run_until(pair->b.controls.count == accepted + 1, &pair->a, &pair->b);
	assert_int_equal(pair->a.links[2].downs + pair->b.links[1].downs, 0);
}

/* While a flood runs the other way and frames run along. */
static void send_control__keeps_its_order_in_company(void **state)
{
	struct pair *pair = *state;
	struct transport_seg piece = end_seg(0, 4000);
	uint32_t count = rig->load_frames / 10;
	uint32_t sent_a = 0, sent_b = 0;
	uint64_t cookie = 0;
	uint64_t until_ms = end_now_ms() + 4 * rig->patience_ms;

	while (pair->b.controls.count < count || pair->a.controls.count < count) {
		while (sent_a < count && end_control(&pair->a, 2, &sent_a, sizeof(sent_a)) == 0) {
			sent_a++;
		}
		while (sent_b < count && end_control(&pair->b, 1, &sent_b, sizeof(sent_b)) == 0) {
			sent_b++;
		}
		if (end_frame(&pair->a, 2, &piece, 1, cookie) == 0) {
			cookie++;
		}
		assert_true(ends_step(RUN_ENDS(&pair->a, &pair->b), 2, until_ms));
	}
	run_until(pair->a.lent_count == 0 && pair->b.frames.count == cookie, &pair->a, &pair->b);
	for (uint32_t i = 0; i < count; i++) {
		assert_memory_equal(pair->a.controls.items[i].bytes, &i, sizeof(i));
		assert_memory_equal(pair->b.controls.items[i].bytes, &i, sizeof(i));
	}
}

static void control_data__lasts_until_the_next_poll(void **state)
{
	struct pair *pair = *state;
	struct transport_event events[32];
	uint8_t bytes[2048];
	uint32_t have = 0;
	uint64_t until_ms = end_now_ms() + rig->patience_ms;

	for (uint32_t i = 0; i < 8; i++) {
		pattern_fill(bytes, sizeof(bytes), i);
		assert_int_equal(end_control(&pair->a, 2, bytes, sizeof(bytes)), 0);
	}
	while (have < 8 && end_now_ms() < until_ms) {
		int count = rig->ops->poll(pair->b.t, end_now_ms(), events, 32);

		end_turn(&pair->a);
		/* All of a batch at once: one message's bytes are not the next one's place. */
		for (int i = 0; i < count; i++) {
			assert_int_equal(events[i].kind, TRANSPORT_CONTROL);
			assert_true(pattern_holds(events[i].data, sizeof(bytes), have));
			have++;
		}
	}
	assert_int_equal(have, 8);
}

int conformance_control(void)
{
	const struct CMUnitTest tests[] = {
		pair_test(send_control__of_every_size_arrives_intact),
		pair_test(send_control__refuses_impossible_sizes),
		pair_test(send_control__needs_a_link),
		pair_test(send_control__refuses_more_than_the_peer_keeps_up_with),
		pair_test(send_control__keeps_its_order_in_company),
		pair_test(control_data__lasts_until_the_next_poll),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
