/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames: gathered, delivered into slots, lent and given back. */
#include "tests/conformance/conformance.h"

#include <errno.h>
#include <string.h>

#include "tests/conformance/test.h"
#include "tests/conformance/traffic.h"

#define EXTRA_REGIONS 3
#define EXTRA_BYTES   (256u * 1024)

/* A frame of one to segs_max pieces from up to four regions, at odd places, `size_bytes`
 * in all. */
static int gather(struct transport_seg *segs, int segs_max, uint32_t size_bytes, uint64_t *random)
{
	int count = 1 + (int)(pattern_next(random) % (uint32_t)segs_max);
	uint32_t left = size_bytes;

	for (int i = 0; i < count; i++) {
		uint32_t share =
			i == count - 1 ? left : (uint32_t)(pattern_next(random) % (left + 1));

		share = share == 0 && left > 0 ? 1 : share;
		if (share == 0) {
			return i;
		}
		segs[i].region = (uint32_t)(pattern_next(random) % (EXTRA_REGIONS + 1));
		segs[i].size_bytes = share;
		segs[i].offset = pattern_next(random) % (EXTRA_BYTES - share + 1);
		left -= share;
	}
	return count;
}

static uint32_t expect(const struct end_memory *memory, const struct transport_seg *segs, int count,
		       uint8_t *bytes)
{
	uint32_t size_bytes = 0;

	for (int i = 0; i < count; i++) {
		memcpy(bytes + size_bytes, memory[segs[i].region].base + segs[i].offset,
		       segs[i].size_bytes);
		size_bytes += segs[i].size_bytes;
	}
	return size_bytes;
}

static void send_frame__gathers_pieces_of_several_regions(void **state)
{
	static const uint32_t sizes[] = {1,    2,    7,	   8,	 9,    63,   64,  65,
					 1000, 4095, 4096, 4097, 8000, 8191, 8192};
	struct pair *pair = *state;
	struct end_memory memory[EXTRA_REGIONS + 1];
	uint8_t bytes[END_SLOT_BYTES];
	uint64_t random = 7;

	memory[0] = pair->a.slab;
	pattern_fill(memory[0].base, EXTRA_BYTES, 100);
	for (uint32_t i = 1; i <= EXTRA_REGIONS; i++) {
		memory[i] = end_memory_new(EXTRA_BYTES);
		pattern_fill(memory[i].base, EXTRA_BYTES, 100 + i);
		/* What a frame is gathered from need not be readable by READs. */
		assert_int_equal(end_region_add(&pair->a, i, &memory[i], false), 0);
	}
	for (uint32_t i = 0; i < 8 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct transport_seg segs[FRAME_SEGS_MAX];
		uint32_t size_bytes = sizes[i / 8];
		int count = gather(segs, rig->ops->segs_max(pair->a.t), size_bytes, &random);

		assert_int_equal(end_frame(&pair->a, 2, segs, count, i), 0);
		run_until(pair->a.lent_count == 0 && pair->b.frames.count == i + 1, &pair->a,
			  &pair->b);
		assert_int_equal(expect(memory, segs, count, bytes), size_bytes);
		assert_int_equal(pair->b.frames.items[i].size_bytes, size_bytes);
		assert_memory_equal(pair->b.frames.items[i].bytes, bytes, size_bytes);
	}
	for (uint32_t i = 1; i <= EXTRA_REGIONS; i++) {
		rig->ops->region_remove(pair->a.t, i);
		end_memory_free(&memory[i]);
	}
}

static void send_frame__refuses_what_cannot_be(void **state)
{
	struct pair *pair = *state;
	struct transport_seg many[FRAME_SEGS_MAX + 1];
	struct transport_seg two[2] = {end_seg(0, END_SLOT_BYTES), end_seg(0, 1)};
	int max = rig->ops->segs_max(pair->a.t);

	assert_in_range(max, FRAME_SEGS_MIN, FRAME_SEGS_MAX);
	for (int i = 0; i <= FRAME_SEGS_MAX; i++) {
		many[i] = end_seg((uint64_t)i * 64, 64);
	}
	assert_int_equal(end_frame(&pair->a, 2, many, 0, 1), -EMSGSIZE);
	assert_int_equal(end_frame(&pair->a, 2, many, max + 1, 1), -EMSGSIZE);
	assert_int_equal(end_frame(&pair->a, 2, two, 2, 1), -EMSGSIZE);
	assert_int_equal(end_frame(&pair->a, 9, many, 1, 1), -ENOTCONN);
	assert_int_equal(end_frame(&pair->a, 2, many, max, 1), 0);
	run_until(pair->a.lent_count == 0 && pair->b.frames.count == 1, &pair->a, &pair->b);
	assert_int_equal(pair->a.sent, 1);
}

/* Until it is polled no frame comes back: bulk_depth can be lent, not one more. */
static void send_frame__lends_bulk_depth_at_most(void **state)
{
	struct pair *pair = *state;
	struct transport_seg piece = end_seg(0, 100);

	for (uint32_t round = 0; round < 3; round++) {
		uint32_t accepted = 0;
		int result = 0;

		while (accepted <= END_DEPTH && result == 0) {
			result = end_frame(&pair->a, 2, &piece, 1, round * 1000 + accepted);
			accepted += result == 0;
		}
		assert_int_equal(result, -ENOBUFS);
		assert_int_equal(accepted, END_DEPTH);
		run_until(pair->a.lent_count == 0, &pair->a, &pair->b);
		assert_int_equal(pair->a.sent, (round + 1) * END_DEPTH);
	}
	run_until(pair->b.frames.count == 3 * END_DEPTH, &pair->a, &pair->b);
	assert_int_equal(pair->a.failed, 0);
}

/* Frames without a slot wait; control does not wait with them. */
static void frames__wait_for_slots(void **state)
{
	struct pair *pair = *state;

	pair->b.no_slots = true;
	ends_pair(&pair->a, &pair->b);
	for (uint32_t i = 0; i < 10; i++) {
		struct transport_seg piece = end_seg(i * 16u, 16);

		pattern_fill(end_area(&pair->a, piece.offset - END_AREA_OFFSET), 16, i);
		assert_int_equal(end_frame(&pair->a, 2, &piece, 1, i), 0);
	}
	assert_int_equal(end_control(&pair->a, 2, "ctl", 3), 0);
	run_until(pair->b.controls.count == 1, &pair->a, &pair->b);
	run_for(100, &pair->a, &pair->b);
	assert_int_equal(pair->b.frames.count, 0);
	assert_int_equal(pair->a.failed, 0);
	end_post_slots(&pair->b);
	run_until(pair->a.lent_count == 0 && pair->b.frames.count >= 10, &pair->a, &pair->b);
	for (uint32_t i = 0; i < 10; i++) {
		assert_true(pattern_holds(pair->b.frames.items[i].bytes, 16, i));
	}
	assert_int_equal(pair->a.links[2].downs + pair->b.links[1].downs, 0);
}

/* As many slots as are posted are used, no other, and one more frame needs one more slot. */
static void frames__use_posted_slots_only(void **state)
{
	struct pair *pair = *state;
	struct transport_seg piece = end_seg(0, 50);
	uint64_t cookie = 0;

	pair->b.no_slots = true;
	pair->b.keep_slots = true;
	ends_pair(&pair->a, &pair->b);
	for (uint32_t slot = 3; slot < 30; slot += 9) {
		assert_int_equal(rig->ops->slot_post(pair->b.t, slot), 0);
		pair->b.slot_posted[slot] = true;
	}
	for (; cookie < 5; cookie++) {
		assert_int_equal(end_frame(&pair->a, 2, &piece, 1, cookie), 0);
	}
	run_until(pair->b.frames.count == 3, &pair->a, &pair->b);
	run_for(50, &pair->a, &pair->b);
	assert_int_equal(pair->b.frames.count, 3);
	for (uint32_t slot = 40; slot < 42; slot++) {
		assert_int_equal(rig->ops->slot_post(pair->b.t, slot), 0);
		pair->b.slot_posted[slot] = true;
	}
	run_until(pair->b.frames.count == 5 && pair->a.lent_count == 0, &pair->a, &pair->b);
}

/* A region that is registered while links are up can be sent from at once. */
static void send_frame__from_a_region_just_added(void **state)
{
	struct pair *pair = *state;

	for (uint32_t id = 1; id <= 40; id++) {
		struct end_memory memory = end_memory_new(4096);
		struct transport_seg piece = {.region = 1 + id % 5, .size_bytes = 4096};

		pattern_fill(memory.base, 4096, id);
		assert_int_equal(end_region_add(&pair->a, piece.region, &memory, false), 0);
		assert_int_equal(end_frame(&pair->a, 2, &piece, 1, id), 0);
		run_until(pair->a.lent_count == 0 && pair->b.frames.count == id, &pair->a,
			  &pair->b);
		assert_true(pattern_holds(pair->b.frames.items[id - 1].bytes, 4096, id));
		rig->ops->region_remove(pair->a.t, piece.region);
		end_memory_free(&memory);
	}
}

static void region_add__refuses_a_taken_id(void **state)
{
	struct pair *pair = *state;
	struct end_memory memory = end_memory_new(4096);

	assert_int_equal(end_region_add(&pair->a, 0, &memory, true), -EEXIST);
	assert_int_equal(end_region_add(&pair->a, TRANSPORT_REGIONS_MAX, &memory, true), -EINVAL);
	assert_int_equal(end_region_add(&pair->a, TRANSPORT_REGIONS_MAX - 1, &memory, true), 0);
	rig->ops->region_remove(pair->a.t, TRANSPORT_REGIONS_MAX - 1);
	assert_int_equal(end_region_add(&pair->a, TRANSPORT_REGIONS_MAX - 1, &memory, true), 0);
	rig->ops->region_remove(pair->a.t, TRANSPORT_REGIONS_MAX - 1);
	end_memory_free(&memory);
}

static void frames__both_ways_under_load(void **state)
{
	struct pair *pair = *state;
	struct traffic there, back;
	uint64_t until_ms = end_now_ms() + 4 * rig->patience_ms;

	traffic_begin(&there, &pair->a, 2, rig->load_frames);
	traffic_begin(&back, &pair->b, 1, rig->load_frames);
	while (!traffic_done(&there, rig->load_frames) || !traffic_done(&back, rig->load_frames)) {
		traffic_pump(&there);
		traffic_pump(&back);
		assert_true(ends_step(RUN_ENDS(&pair->a, &pair->b), 2, until_ms));
	}
	assert_false(there.broken || back.broken);
	assert_int_equal(there.repeated + back.repeated, 0);
	assert_int_equal(pair->a.failed + pair->b.failed, 0);
}

int conformance_frames(void)
{
	const struct CMUnitTest tests[] = {
		pair_test(send_frame__gathers_pieces_of_several_regions),
		pair_test(send_frame__refuses_what_cannot_be),
		pair_test(send_frame__lends_bulk_depth_at_most),
		closed_test(frames__wait_for_slots),
		closed_test(frames__use_posted_slots_only),
		pair_test(send_frame__from_a_region_just_added),
		pair_test(region_add__refuses_a_taken_id),
		pair_test(frames__both_ways_under_load),
	};

	return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
