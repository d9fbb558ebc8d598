/* SPDX-License-Identifier: BSD-3-Clause */
/* Fencing: everything lent comes back, nobody touches it any more, and the link returns. */
#include "tests/conformance/conformance.h"

#include <errno.h>
#include <string.h>

#include "tests/conformance/test.h"
#include "tests/conformance/traffic.h"

static void fence__returns_everything_lent(void **state)
{
	struct pair *pair = *state;

	/* No slots: frames stay lent, whatever the transport buffers. */
	pair->b.no_slots = true;
	ends_pair(&pair->a, &pair->b);
	for (uint32_t i = 0; i < 20; i++) {
		struct transport_seg piece = end_seg(i * 100u, 100);

		assert_int_equal(end_frame(&pair->a, 2, &piece, 1, i), 0);
	}
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(
			end_read(&pair->a, 2, pair->b.slab.key, 0, end_seg(1u << 20, 4096), i), 0);
	}
	end_fence(&pair->a, 2);
	run_until(pair->a.lent_count == 0, &pair->a);
	assert_int_equal(pair->a.sent + pair->a.failed, 20);
	assert_true(pair->a.failed > 0);
	assert_int_equal(pair->a.read_count, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_true(pair->a.reads[i].status <= 0);
	}
	assert_int_equal(pair->a.links[2].downs, 0);
}

static void fence__is_not_reported_to_the_fencer(void **state)
{
	struct pair *pair = *state;

	end_fence(&pair->a, 2);
	assert_int_equal(end_control(&pair->a, 2, "x", 1), -ENOTCONN);
	run_until(pair->a.links[2].ups == 2 && pair->b.links[1].ups == 2, &pair->a, &pair->b);
	assert_int_equal(pair->a.links[2].downs, 0);
	/* The other side sees a lost link, and a process that lives. */
	assert_int_equal(pair->b.links[1].downs, 1);
	assert_int_equal(pair->b.links[1].gones, 0);
}

static void works_again(struct pair *pair, struct end *fencer, struct end *other)
{
	struct traffic there, back;
	uint64_t until_ms = end_now_ms() + 4 * rig->patience_ms;

	for (uint32_t round = 1; round <= 3; round++) {
		end_fence(fencer, other->node);
		run_until(fencer->links[other->node].ups == round + 1 &&
				  other->links[fencer->node].ups == round + 1,
			  &pair->a, &pair->b);
	}
	traffic_begin(&there, &pair->a, 2, 200);
	traffic_begin(&back, &pair->b, 1, 200);
	while (!traffic_done(&there, 200) || !traffic_done(&back, 200)) {
		traffic_pump(&there);
		traffic_pump(&back);
		assert_true(ends_step(RUN_ENDS(&pair->a, &pair->b), 2, until_ms));
	}
	assert_false(there.broken || back.broken);
	assert_int_equal(fencer->links[other->node].downs, 0);
}

static void fence__by_the_lower_id_relinks(void **state)
{
	struct pair *pair = *state;

	works_again(pair, &pair->a, &pair->b);
}

static void fence__by_the_higher_id_relinks(void **state)
{
	struct pair *pair = *state;

	works_again(pair, &pair->b, &pair->a);
}

/* Whatever the peer delivers afterwards, it is not what was written into the returned memory. */
static void fence__keeps_the_peer_from_memory_used_again(void **state)
{
	struct pair *pair = *state;

	for (uint32_t i = 0; i < END_DEPTH; i++) {
		struct transport_seg piece = end_seg(i * END_SLOT_BYTES, END_SLOT_BYTES);

		pattern_fill(end_area(&pair->a, i * END_SLOT_BYTES), END_SLOT_BYTES, i);
		assert_int_equal(end_frame(&pair->a, 2, &piece, 1, i), 0);
	}
	end_fence(&pair->a, 2);
	memset(end_area(&pair->a, 0), 0xbb, END_DEPTH * END_SLOT_BYTES);
	run_until(pair->b.links[1].ups == 2, &pair->a, &pair->b);
	for (uint32_t i = 0; i < pair->b.frames.count; i++) {
		assert_true(pattern_holds(pair->b.frames.items[i].bytes, END_SLOT_BYTES, i));
	}
	assert_int_equal(pair->a.lent_count, 0);
}

static void fence__keeps_reads_from_memory_used_again(void **state)
{
	struct pair *pair = *state;
	const uint32_t size_bytes = 1u << 20;

	pattern_fill(end_area(&pair->a, 0), size_bytes, 61);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(end_read(&pair->b, 1, pair->a.slab.key, END_AREA_OFFSET,
					  end_seg((i + 1) * size_bytes, size_bytes), i),
				 0);
	}
	/* One turn: some of it may be under way. */
	end_turn(&pair->b);
	end_fence(&pair->a, 2);
	memset(end_area(&pair->a, 0), 0xbb, size_bytes);
	run_until(pair->b.lent_count == 0, &pair->a, &pair->b);
	for (uint32_t i = 0; i < 4; i++) {
		const struct end_read *read = &pair->b.reads[i];

		if (read->status == 0) {
			assert_true(
				pattern_holds(end_area(&pair->b, (read->cookie + 1) * size_bytes),
					      size_bytes, 61));
		}
	}
}

/* What the fencer READs into is its own again: nothing is written there later. */
static void fence__frees_the_destinations_of_reads(void **state)
{
	struct pair *pair = *state;
	const uint32_t size_bytes = 1u << 20;

	memset(end_area(&pair->b, 0), 0x77, size_bytes);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(end_read(&pair->a, 2, pair->b.slab.key, END_AREA_OFFSET,
					  end_seg((i + 1) * size_bytes, size_bytes), i),
				 0);
	}
	end_turn(&pair->a);
	end_fence(&pair->a, 2);
	memset(end_area(&pair->a, size_bytes), 0x11, 3 * size_bytes);
	run_until(pair->a.lent_count == 0 && pair->a.links[2].ups == 2, &pair->a, &pair->b);
	for (uint32_t i = 0; i < 3 * size_bytes; i++) {
		assert_int_equal(*end_area(&pair->a, size_bytes + i), 0x11);
	}
}

static void fence__of_an_unknown_or_absent_peer_does_nothing(void **state)
{
	struct pair *pair = *state;

	rig->ops->peer_fence(pair->a.t, 9);
	assert_int_equal(end_peer_add(&pair->a, 5), 0);
	rig->ops->peer_fence(pair->a.t, 5);
	run_for(50, &pair->a, &pair->b);
	assert_int_equal(pair->a.links[2].downs + pair->b.links[1].downs, 0);
}

/* The peer is gone and its end is not reported yet: after a fence it never is. */
static void fence__silences_a_loss_not_reported(void **state)
{
	struct pair *pair = *state;

	end_close(&pair->b);
	end_fence(&pair->a, 2);
	run_for(400, &pair->a);
	assert_int_equal(pair->a.links[2].downs, 0);
	pair->b.incarnation++;
	end_open(&pair->b);
	assert_int_equal(end_peer_add(&pair->b, 1), 0);
	run_until(pair->a.links[2].ups == 2, &pair->a, &pair->b);
	assert_int_equal(pair->a.links[2].incarnation, pair->b.incarnation);
}

int conformance_fence(void)
{
	const struct CMUnitTest tests[] = {
		closed_test(fence__returns_everything_lent),
		pair_test(fence__is_not_reported_to_the_fencer),
		pair_test(fence__by_the_lower_id_relinks),
		pair_test(fence__by_the_higher_id_relinks),
		pair_test(fence__keeps_the_peer_from_memory_used_again),
		pair_test(fence__keeps_reads_from_memory_used_again),
		pair_test(fence__frees_the_destinations_of_reads),
		pair_test(fence__of_an_unknown_or_absent_peer_does_nothing),
		pair_test(fence__silences_a_loss_not_reported),
	};

	return cmocka_run_group_tests_name("fence", tests, NULL, NULL);
}
