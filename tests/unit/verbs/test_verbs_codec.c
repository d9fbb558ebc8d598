/* SPDX-License-Identifier: BSD-3-Clause */
/* The small pure parts of the RDMA transport: ids of work requests, private data, hello, keys,
 * timings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "verbs/control.h"
#include "verbs/handshake.h"
#include "verbs/region.h"
#include "verbs/timing.h"
#include "verbs/wrid.h"

static void wrid__survives_packing(void **state)
{
	const struct wrid ids[] = {
		{WR_CONTROL_SEND, 0, 0, 0},
		{WR_FRAME_RECV, 0, 0, UINT32_MAX},
		{WR_READ, 63, UINT16_MAX, 12345},
		{WR_KEEPALIVE, 255, 1, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct wrid out;

		assert_true(verbs_wrid_unpack(verbs_wrid_pack(ids[i]), &out));
		assert_int_equal(out.kind, ids[i].kind);
		assert_int_equal(out.peer, ids[i].peer);
		assert_int_equal(out.generation, ids[i].generation);
		assert_int_equal(out.slot, ids[i].slot);
	}
}

static void wrid__of_no_kind_is_refused(void **state)
{
	struct wrid out = {.slot = 77};

	(void)state;
	assert_false(verbs_wrid_unpack(0, &out));
	assert_false(verbs_wrid_unpack((uint64_t)(WR_KINDS + 1) << 56, &out));
	assert_false(verbs_wrid_unpack(UINT64_MAX, &out));
	assert_int_equal(out.slot, 77);
}

static const struct handshake_request sample = {
	.class = CHANNEL_BULK,
	.cluster = 0x1122334455667788,
	.node = 3,
	.to = 9,
	.incarnation = 0xfedcba9876543210,
	.attempt = 7,
	.session = 6,
	.slot_size_bytes = 8192,
};

static void request__survives_padding(void **state)
{
	uint8_t bytes[HANDSHAKE_REQUEST_MAX + 8] = {0};
	size_t size = verbs_handshake_put_request(&sample, bytes);
	struct handshake_request out;

	(void)state;
	assert_true(size <= HANDSHAKE_REQUEST_MAX);
	assert_int_equal(bytes[0], size);
	assert_int_equal(verbs_handshake_get_request(bytes, sizeof(bytes), &out), REJECT_NONE);
	assert_int_equal(out.class, sample.class);
	assert_true(out.cluster == sample.cluster);
	assert_int_equal(out.node, sample.node);
	assert_int_equal(out.to, sample.to);
	assert_true(out.incarnation == sample.incarnation);
	assert_int_equal(out.attempt, sample.attempt);
	assert_int_equal(out.session, sample.session);
	assert_int_equal(out.slot_size_bytes, sample.slot_size_bytes);
}

static void request__cut_short_is_garbled(void **state)
{
	uint8_t bytes[HANDSHAKE_REQUEST_MAX];
	size_t size = verbs_handshake_put_request(&sample, bytes);
	struct handshake_request out = {.node = 42};

	(void)state;
	for (size_t i = 0; i < size; i++) {
		assert_int_equal(verbs_handshake_get_request(bytes, i, &out), REJECT_GARBLED);
	}
	assert_int_equal(out.node, 42);
}

static void request__of_strangers_is_told_apart(void **state)
{
	uint8_t bytes[HANDSHAKE_REQUEST_MAX];
	uint8_t zeros[HANDSHAKE_REQUEST_MAX] = {0};
	struct handshake_request out;

	(void)state;
	assert_int_equal(verbs_handshake_get_request(zeros, sizeof(zeros), &out), REJECT_GARBLED);
	verbs_handshake_put_request(&sample, bytes);
	bytes[2]++;
	assert_int_equal(verbs_handshake_get_request(bytes, sizeof(bytes), &out), REJECT_VERSION);
	assert_int_equal(out.node, sample.node); /* for the log */
	assert_int_equal(verbs_handshake_get_request(bytes, 12, &out), REJECT_VERSION);
	assert_int_equal(out.node, 0);
	verbs_handshake_put_request(&sample, bytes);
	bytes[4] ^= 1;
	assert_int_equal(verbs_handshake_get_request(bytes, sizeof(bytes), &out), REJECT_GARBLED);
	for (int class = 0; class < 256; class ++) {
		bool known = class >= CHANNEL_CONTROL && class <= CHANNEL_CLASSES;

		verbs_handshake_put_request(&sample, bytes);
		bytes[1] = (uint8_t) class;
		assert_int_equal(verbs_handshake_get_request(bytes, sizeof(bytes), &out),
				 known ? REJECT_NONE : REJECT_GARBLED);
	}
	verbs_handshake_put_request(&sample, bytes);
	bytes[0] = 3;
	assert_int_equal(verbs_handshake_get_request(bytes, sizeof(bytes), &out), REJECT_GARBLED);
}

static void reject__survives_padding(void **state)
{
	uint8_t bytes[HANDSHAKE_REJECT_MAX] = {0};
	struct handshake_reject in = {REJECT_SLOT_SIZE, 5, 0x0102030405060708};
	struct handshake_reject out;
	size_t size = verbs_handshake_put_reject(&in, bytes);

	(void)state;
	assert_true(verbs_handshake_get_reject(bytes, sizeof(bytes), &out));
	assert_int_equal(out.reason, REJECT_SLOT_SIZE);
	assert_int_equal(out.node, 5);
	assert_true(out.incarnation == in.incarnation);
	for (size_t i = 0; i < size; i++) {
		assert_false(verbs_handshake_get_reject(bytes, i, &out));
	}
	for (int reason = 0; reason < 256; reason++) {
		bytes[1] = (uint8_t)reason;
		assert_int_equal(verbs_handshake_get_reject(bytes, sizeof(bytes), &out),
				 reason > REJECT_NONE && reason < REJECT_REASONS);
	}
}

static void reasons__all_have_a_text(void **state)
{
	(void)state;
	for (int reason = 0; reason < REJECT_REASONS; reason++) {
		assert_string_not_equal(verbs_reject_text((enum reject_reason)reason),
					"unknown reason");
	}
}

static void cluster__tells_names_apart(void **state)
{
	(void)state;
	assert_true(verbs_handshake_cluster("a") != verbs_handshake_cluster("b"));
	assert_true(verbs_handshake_cluster("ab") != verbs_handshake_cluster("ba"));
	assert_true(verbs_handshake_cluster("prod") == verbs_handshake_cluster("prod"));
}

static void hello__survives_and_may_grow(void **state)
{
	struct control_hello in = {7, 0x99aabbccddeeff00, 13, 0x4711, CONTROL_QUOTA};
	struct control_hello out = {0};
	uint8_t bytes[64] = {0};
	size_t size = verbs_control_put_hello(&in, bytes, sizeof(bytes));

	(void)state;
	assert_true(size > 0);
	assert_true(verbs_control_get_hello(bytes, size, &out));
	assert_memory_equal(&out.node, &in.node, sizeof(in.node));
	assert_true(out.incarnation == in.incarnation);
	assert_int_equal(out.attempt, 13);
	assert_int_equal(out.alive_rkey, 0x4711);
	assert_int_equal(out.quota, CONTROL_QUOTA);
	assert_true(verbs_control_get_hello(bytes, size + 10, &out));
	for (size_t i = 0; i < size; i++) {
		assert_false(verbs_control_get_hello(bytes, i, &out));
	}
	assert_int_equal(verbs_control_put_hello(&in, bytes, size - 1), 0);
}

static void hello__without_room_for_the_handshake_is_refused(void **state)
{
	struct control_hello in = {.quota = CONTROL_RESERVE};
	struct control_hello out;
	uint8_t bytes[64];
	size_t size = verbs_control_put_hello(&in, bytes, sizeof(bytes));

	(void)state;
	assert_false(verbs_control_get_hello(bytes, size, &out));
}

static void key__survives_and_knows_its_size(void **state)
{
	const struct verbs_key keys[] = {
		{0, 4096}, {0x12345678, 64u << 20}, {UINT32_MAX, 4096ull * 0xfffffe}};
	struct verbs_key out;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		assert_true(verbs_key_unpack(verbs_key_pack(keys[i]), &out));
		assert_int_equal(out.rkey, keys[i].rkey);
		assert_true(out.size_bytes == keys[i].size_bytes);
	}
	/* Larger than it can say: no bound, the adapter's check remains. */
	assert_true(verbs_key_unpack(verbs_key_pack((struct verbs_key){1, 1ull << 40}), &out));
	assert_true(out.size_bytes == UINT64_MAX);
}

static void key__with_one_bit_changed_is_none(void **state)
{
	uint64_t key = verbs_key_pack((struct verbs_key){0xabcdef, 1u << 20});
	struct verbs_key out;
	int found = 0;

	(void)state;
	for (int bit = 0; bit < 64; bit++) {
		found += verbs_key_unpack(key ^ 1ull << bit, &out);
	}
	/* Eight bits of check cannot find everything, but nearly. */
	assert_true(found <= 2);
	assert_false(verbs_key_unpack(0, &out));
	assert_false(verbs_key_unpack(UINT64_MAX, &out));
}

static uint64_t silence_ms(uint8_t timeout)
{
	return 7 * (4096ull << timeout) / 1000000;
}

static void ack_timeout__reports_about_when_wanted(void **state)
{
	(void)state;
	assert_int_equal(verbs_ack_timeout_control(1000), 15);
	assert_true(silence_ms(verbs_ack_timeout_control(1000)) <= 1000);
	assert_int_equal(verbs_ack_timeout_control(1), 14);
	assert_int_equal(verbs_ack_timeout_control(UINT32_MAX), 16);
	assert_int_equal(verbs_ack_timeout_bulk(1), 16);
	assert_int_equal(verbs_ack_timeout_bulk(1000), 16);
	assert_int_equal(verbs_ack_timeout_bulk(3000), 17);
	assert_int_equal(verbs_ack_timeout_bulk(UINT32_MAX), 18);
	for (uint32_t ms = 1; ms < 20000; ms += 13) {
		assert_true(verbs_ack_timeout_bulk(ms) >= verbs_ack_timeout_control(ms));
	}
}

static void retry_count__is_not_for_ever(void **state)
{
	(void)state;
	/* soft-RoCE never reports a vanished peer with 7. */
	assert_true(VERBS_RETRY_COUNT < 7);
}

static void backoff__doubles_within_bounds(void **state)
{
	(void)state;
	assert_int_equal(verbs_backoff_ms(0, 12345), 0);
	for (uint32_t failures = 1; failures < 40; failures++) {
		uint32_t full = failures > 5 ? 1000 : 50u << (failures - 1);

		full = full > 1000 ? 1000 : full;
		for (uint32_t random = 0; random < 3000; random += 7) {
			uint32_t ms = verbs_backoff_ms(failures, random);

			assert_true(ms >= full / 2 && ms <= full);
		}
	}
	assert_int_equal(verbs_backoff_ms(UINT32_MAX, 0), 500);
}

static void step__is_longer_now_and_then(void **state)
{
	uint32_t longest = 0;

	(void)state;
	assert_int_equal(verbs_step_ms(300, 0), 300);
	for (uint32_t timeouts = 0; timeouts < 100; timeouts++) {
		uint32_t ms = verbs_step_ms(300, timeouts);

		assert_true(ms >= 300 && ms <= 1200);
		longest = ms > longest ? ms : longest;
		/* And soon short again. */
		assert_true(ms == 300 || verbs_step_ms(300, timeouts + 1) == 300);
	}
	assert_int_equal(longest, 1200);
	assert_true(verbs_step_ms(UINT32_MAX, 3) == UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrid__survives_packing),
		cmocka_unit_test(wrid__of_no_kind_is_refused),
		cmocka_unit_test(request__survives_padding),
		cmocka_unit_test(request__cut_short_is_garbled),
		cmocka_unit_test(request__of_strangers_is_told_apart),
		cmocka_unit_test(reject__survives_padding),
		cmocka_unit_test(reasons__all_have_a_text),
		cmocka_unit_test(cluster__tells_names_apart),
		cmocka_unit_test(hello__survives_and_may_grow),
		cmocka_unit_test(hello__without_room_for_the_handshake_is_refused),
		cmocka_unit_test(key__survives_and_knows_its_size),
		cmocka_unit_test(key__with_one_bit_changed_is_none),
		cmocka_unit_test(ack_timeout__reports_about_when_wanted),
		cmocka_unit_test(retry_count__is_not_for_ever),
		cmocka_unit_test(backoff__doubles_within_bounds),
		cmocka_unit_test(step__is_longer_now_and_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
