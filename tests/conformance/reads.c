/* SPDX-License-Identifier: BSD-3-Clause */
/* READs of a peer's memory: right bytes, no others, and errors that harm nobody. */
#include "tests/conformance/conformance.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "store/mark.h"
#include "tests/conformance/test.h"
#include "tests/conformance/traffic.h"

#define MEBIBYTE (1024u * 1024)
/* Destinations lie in the second half of the area. */
#define INTO (4u * MEBIBYTE)

static int read_now(struct pair *pair, uint64_t key, uint64_t offset, uint64_t into_at,
		    uint32_t size_bytes)
{
	uint32_t before = pair->a.read_count;
	int result = end_read(&pair->a, 2, key, offset, end_seg(into_at, size_bytes), before);

	assert_int_equal(result, 0);
	run_until(pair->a.read_count == before + 1, &pair->a, &pair->b);
	assert_int_equal(pair->a.reads[before].cookie, before);
	return pair->a.reads[before].status;
}

static void link_is_unharmed(struct pair *pair)
{
	struct transport_seg piece = end_seg(0, 100);
	uint32_t controls = pair->b.controls.count, frames = pair->b.frames.count;

	assert_int_equal(end_control(&pair->a, 2, "still", 5), 0);
	assert_int_equal(end_frame(&pair->a, 2, &piece, 1, 77), 0);
	run_until(pair->b.controls.count == controls + 1 && pair->b.frames.count > frames &&
			  pair->a.lent_count == 0,
		  &pair->a, &pair->b);
	assert_int_equal(pair->a.links[2].downs + pair->b.links[1].downs, 0);
	assert_int_equal(read_now(pair, pair->b.slab.key, END_AREA_OFFSET, INTO, 4096), 0);
}

static void read__of_any_size_at_any_offset(void **state)
{
	static const uint32_t sizes[] = {1,    2,    3,	   7,	  8,	 63,	  64,	   65,
					 4095, 4096, 4097, 65535, 65537, 1000003, MEBIBYTE};
	struct pair *pair = *state;
	uint8_t *source = end_area(&pair->b, 0);
	uint64_t random = 3;

	pattern_fill(source, 3 * MEBIBYTE, 9);
	for (uint32_t i = 0; i < 3 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t size_bytes = sizes[i / 3];
		uint64_t from = pattern_next(&random) % MEBIBYTE;
		uint64_t into = INTO + 64 + pattern_next(&random) % 4096;
		uint8_t *got = end_area(&pair->a, into);

		memset(got - 64, 0xcc, size_bytes + 128);
		assert_int_equal(read_now(pair, pair->b.slab.key, END_AREA_OFFSET + from, into,
					  size_bytes),
				 0);
		assert_memory_equal(got, source + from, size_bytes);
		for (uint32_t k = 0; k < 64; k++) {
			assert_int_equal(got[-1 - (int)k], 0xcc);
			assert_int_equal(got[size_bytes + k], 0xcc);
		}
	}
}

static void read__sees_the_first_and_the_last_byte(void **state)
{
	struct pair *pair = *state;
	uint64_t last = pair->b.slab.size_bytes - 1;

	pair->b.slab.base[0] = 0x5a;
	pair->b.slab.base[last] = 0xa5;
	assert_int_equal(read_now(pair, pair->b.slab.key, 0, INTO, 1), 0);
	assert_int_equal(*end_area(&pair->a, INTO), 0x5a);
	assert_int_equal(read_now(pair, pair->b.slab.key, last, INTO, 1), 0);
	assert_int_equal(*end_area(&pair->a, INTO), 0xa5);
}

/* As many as it takes, each done once; all the right bytes. */
static void read__many_at_once(void **state)
{
	struct pair *pair = *state;
	uint32_t issued = 0;
	int result = 0;

	pattern_fill(end_area(&pair->b, 0), MEBIBYTE, 21);
	while (issued < 200) {
		result = end_read(&pair->a, 2, pair->b.slab.key, END_AREA_OFFSET + issued * 4096u,
				  end_seg(INTO + issued * 4096u, 4096), issued);
		if (result == -ENOBUFS) {
			uint32_t before = pair->a.read_count;

			run_until(pair->a.read_count > before, &pair->a, &pair->b);
			continue;
		}
		assert_int_equal(result, 0);
		issued++;
	}
	run_until(pair->a.lent_count == 0, &pair->a, &pair->b);
	assert_int_equal(pair->a.read_count, 200);
	for (uint32_t i = 0; i < 200; i++) {
		assert_int_equal(pair->a.reads[i].status, 0);
	}
	assert_memory_equal(end_area(&pair->a, INTO), end_area(&pair->b, 0), 200 * 4096);
}

static void read__without_end_is_refused(void **state)
{
	struct pair *pair = *state;
	uint32_t issued = 0;
	int result = 0;

	while (issued < 100000 && result == 0) {
		result = end_read(&pair->a, 2, pair->b.slab.key, 0, end_seg(INTO, 8), issued);
		issued += result == 0;
	}
	assert_int_equal(result, -ENOBUFS);
	assert_true(issued >= 4);
	run_until(pair->a.lent_count == 0, &pair->a, &pair->b);
	assert_int_equal(pair->a.read_count, issued);
}

static void read__refuses_what_cannot_be(void **state)
{
	struct pair *pair = *state;
	uint64_t key = pair->b.slab.key;
	uint64_t end_offset = pair->a.slab.size_bytes;
	struct transport_seg unknown = {.region = 17, .size_bytes = 8};
	struct transport_seg outside = {.size_bytes = 8, .offset = end_offset - 7};
	struct transport_seg wraps = {.size_bytes = 16, .offset = UINT64_MAX - 8};

	assert_int_equal(end_read(&pair->a, 2, key, 0, end_seg(INTO, 0), 1), -EINVAL);
	assert_int_equal(end_read(&pair->a, 2, key, 0, end_seg(INTO, READ_SIZE_MAX + 1), 1),
			 -EINVAL);
	assert_int_equal(end_read(&pair->a, 2, key, 0, unknown, 1), -EINVAL);
	assert_int_equal(end_read(&pair->a, 2, key, 0, outside, 1), -EINVAL);
	assert_int_equal(end_read(&pair->a, 2, key, 0, wraps, 1), -EINVAL);
	assert_int_equal(end_read(&pair->a, 9, key, 0, end_seg(INTO, 8), 1), -ENOTCONN);
	link_is_unharmed(pair);
}

/* Behind the end of the peer's region, wholly or by one byte, or so far that the sum wraps
 * around. */
static void read__outside_the_region_fails_alone(void **state)
{
	struct pair *pair = *state;
	uint64_t size = pair->b.slab.size_bytes;
	const uint64_t offsets[] = {size - 99, size, size + 4096, UINT64_MAX - 50};

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		assert_true(read_now(pair, pair->b.slab.key, offsets[i], INTO, 100) < 0);
		link_is_unharmed(pair);
	}
}

static void read__with_a_wrong_key_fails_alone(void **state)
{
	struct pair *pair = *state;
	const uint64_t keys[] = {0, pair->b.slab.key ^ 1, pair->b.slab.key ^ (1u << 20),
				 UINT64_MAX};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		assert_true(read_now(pair, keys[i], 0, INTO, 100) < 0);
		link_is_unharmed(pair);
	}
}

static void read__of_a_private_region_fails_alone(void **state)
{
	struct pair *pair = *state;
	struct end_memory memory = end_memory_new(8192);

	assert_int_equal(end_region_add(&pair->b, 4, &memory, false), 0);
	assert_true(read_now(pair, memory.key, 0, INTO, 100) < 0);
	link_is_unharmed(pair);
	rig->ops->region_remove(pair->b.t, 4);
	end_memory_free(&memory);
}

static void read__of_a_region_added_while_up(void **state)
{
	struct pair *pair = *state;
	struct end_memory memory = end_memory_new(MEBIBYTE);

	pattern_fill(memory.base, MEBIBYTE, 31);
	assert_int_equal(end_region_add(&pair->b, 4, &memory, true), 0);
	assert_int_equal(read_now(pair, memory.key, 0, INTO, MEBIBYTE), 0);
	assert_true(pattern_holds(end_area(&pair->a, INTO), MEBIBYTE, 31));
	rig->ops->region_remove(pair->b.t, 4);
	end_memory_free(&memory);
}

/* Also when another region has taken its id: the old key stays dead. */
static void read__of_a_removed_region_fails_alone(void **state)
{
	struct pair *pair = *state;
	struct end_memory memory = end_memory_new(8192);
	uint64_t old_key;

	assert_int_equal(end_region_add(&pair->b, 4, &memory, true), 0);
	old_key = memory.key;
	assert_int_equal(read_now(pair, old_key, 0, INTO, 100), 0);
	rig->ops->region_remove(pair->b.t, 4);
	assert_true(read_now(pair, old_key, 0, INTO, 100) < 0);
	link_is_unharmed(pair);
	assert_int_equal(end_region_add(&pair->b, 4, &memory, true), 0);
	assert_true(read_now(pair, old_key, 0, INTO, 100) < 0);
	link_is_unharmed(pair);
	assert_int_equal(read_now(pair, memory.key, 0, INTO, 100), 0);
	rig->ops->region_remove(pair->b.t, 4);
	end_memory_free(&memory);
}

/* Removed while READs of it are under way: each gets what was there, or an error. */
static void read__under_way_when_the_region_goes(void **state)
{
	struct pair *pair = *state;
	struct end_memory memory = end_memory_new(MEBIBYTE);

	pattern_fill(memory.base, MEBIBYTE, 41);
	assert_int_equal(end_region_add(&pair->b, 4, &memory, true), 0);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(end_read(&pair->a, 2, memory.key, 0,
					  end_seg(INTO + i * MEBIBYTE, MEBIBYTE), i),
				 0);
	}
	end_turn(&pair->a);
	rig->ops->region_remove(pair->b.t, 4);
	memset(memory.base, 0xdd, MEBIBYTE);
	run_until(pair->a.lent_count == 0, &pair->a, &pair->b);
	for (uint32_t i = 0; i < 4; i++) {
		const struct end_read *read = &pair->a.reads[i];

		if (read->status == 0) {
			assert_true(pattern_holds(
				end_area(&pair->a, INTO + read->cookie * MEBIBYTE), MEBIBYTE, 41));
		}
	}
	link_is_unharmed(pair);
	end_memory_free(&memory);
}

/* Nothing is copied, in one piece whatever its size, in the order of the READs around it; what may not be
 * READ may not be looked at. */
static void look__shows_where_it_is(void **state)
{
	struct pair *pair = *state;
	struct end_memory memory = end_memory_new(4 * MEBIBYTE);

	assert_int_equal(end_region_add(&pair->b, 4, &memory, true), 0);
	if (!rig->ops->maps(pair->a.t)) {
		assert_int_equal(rig->ops->look(pair->a.t, 2, memory.key, 0, 1, 0), -EOPNOTSUPP);
		rig->ops->region_remove(pair->b.t, 4);
		end_memory_free(&memory);
		return;
	}
	pattern_fill(memory.base, 4 * MEBIBYTE, 61);
	assert_int_equal(end_look(&pair->a, 2, memory.key, 4096, 4 * MEBIBYTE - 4096, 0), 0);
	assert_int_equal(end_read(&pair->a, 2, memory.key, 0, end_seg(INTO, 100), 1), 0);
	assert_int_equal(end_look(&pair->a, 2, memory.key, 4 * MEBIBYTE - 1, 2, 2), 0);
	assert_int_equal(end_look(&pair->a, 2, memory.key, 4 * MEBIBYTE - 1, 1, 3), 0);
	run_until(pair->a.read_count == 4, &pair->a, &pair->b);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(pair->a.reads[i].cookie, i);
		assert_int_equal(pair->a.reads[i].status, i == 2 ? -EACCES : 0);
	}
	assert_int_equal(pair->a.reads[0].looked, 4 * MEBIBYTE - 4096);
	assert_int_equal(pair->a.reads[0].crc, crc32c(memory.base + 4096, 4 * MEBIBYTE - 4096));
	assert_int_equal(pair->a.reads[1].looked, 0);
	assert_memory_equal(end_area(&pair->a, INTO), memory.base, 100);
	assert_int_equal(pair->a.reads[3].crc, crc32c(memory.base + 4 * MEBIBYTE - 1, 1));
	assert_true(rig->ops->still_there(pair->a.t, 2, memory.key));
	rig->ops->region_remove(pair->b.t, 4);
	assert_false(rig->ops->still_there(pair->a.t, 2, memory.key));
	end_turn(&pair->a);
	assert_int_equal(end_look(&pair->a, 2, memory.key, 0, 1, 4), 0);
	run_until(pair->a.read_count == 5, &pair->a, &pair->b);
	assert_int_equal(pair->a.reads[4].status, -EACCES);
	link_is_unharmed(pair);
	assert_true(rig->ops->still_there(pair->a.t, 2, pair->b.slab.key));
	end_fence(&pair->b, 1);
	assert_false(rig->ops->still_there(pair->a.t, 2, pair->b.slab.key));
	end_memory_free(&memory);
}

/* What is mapped is the region, read-only, and stays when region and link are gone. */
static void map__shows_what_may_be_read(void **state)
{
	struct pair *pair = *state;
	struct end_memory memory = end_memory_new(MEBIBYTE);
	struct transport_map map;

	pattern_fill(memory.base, MEBIBYTE, 51);
	assert_int_equal(end_region_add(&pair->b, 4, &memory, true), 0);
	if (!rig->ops->maps(pair->a.t)) {
		assert_int_equal(rig->ops->map(pair->a.t, 2, memory.key, 7, &map), -EOPNOTSUPP);
		rig->ops->region_remove(pair->b.t, 4);
		end_memory_free(&memory);
		return;
	}
	assert_int_equal(rig->ops->map(pair->a.t, 2, memory.key, 7, &map), 0);
	assert_true(mark_there(memory.fd, 7));
	assert_int_equal(map.size_bytes, MEBIBYTE);
	assert_true(pattern_holds(map.base, MEBIBYTE, 51));
	assert_int_equal(fcntl(map.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	rig->ops->region_remove(pair->b.t, 4);
	end_turn(&pair->a);
	assert_int_equal(rig->ops->map(pair->a.t, 2, memory.key, 7, &(struct transport_map){0}),
			 -EACCES);
	end_fence(&pair->a, 2);
	assert_int_equal(rig->ops->map(pair->a.t, 2, pair->b.slab.key, 7,
				       &(struct transport_map){0}),
			 -ENOTCONN);
	assert_true(pattern_holds(map.base, MEBIBYTE, 51));
	munmap((void *)(uintptr_t)map.base, map.size_bytes);
	assert_true(mark_there(memory.fd, 7));
	close(map.fd);
	assert_false(mark_there(memory.fd, 7));
	end_memory_free(&memory);
}

static void map__of_what_may_not_be_read_is_refused(void **state)
{
	struct pair *pair = *state;
	struct end_memory memory = end_memory_new(8192);
	struct transport_map map;
	int refusal = rig->ops->maps(pair->a.t) ? -EACCES : -EOPNOTSUPP;

	assert_int_equal(end_region_add(&pair->b, 4, &memory, false), 0);
	assert_int_equal(rig->ops->map(pair->a.t, 2, memory.key, 7, &map), refusal);
	assert_int_equal(rig->ops->map(pair->a.t, 2, memory.key + TRANSPORT_REGIONS_MAX, 7, &map),
			 refusal);
	assert_int_equal(rig->ops->map(pair->a.t, 2, 0, 7, &map), refusal);
	link_is_unharmed(pair);
	rig->ops->region_remove(pair->b.t, 4);
	end_memory_free(&memory);
}

static void read__and_frames_share_the_channel(void **state)
{
	struct pair *pair = *state;
	uint64_t count = rig->load_frames / 4;
	uint64_t until_ms = end_now_ms() + 4 * rig->patience_ms;
	uint32_t reads = rig->load_frames < 5000 ? 10 : 100;
	uint32_t issued = 0;
	struct traffic there, back;

	traffic_begin(&there, &pair->a, 2, count);
	traffic_begin(&back, &pair->b, 1, count);
	pattern_fill(end_area(&pair->b, 2 * MEBIBYTE), MEBIBYTE, 51);
	while (!traffic_done(&there, count) || !traffic_done(&back, count) ||
	       pair->a.read_count < reads) {
		traffic_pump(&there);
		traffic_pump(&back);
		if (issued < reads && issued - pair->a.read_count < 2 &&
		    end_read(&pair->a, 2, pair->b.slab.key, END_AREA_OFFSET + 2 * MEBIBYTE,
			     end_seg(INTO + issued % 2 * MEBIBYTE, MEBIBYTE), issued) == 0) {
			issued++;
		}
		assert_true(ends_step(RUN_ENDS(&pair->a, &pair->b), 2, until_ms));
	}
	assert_false(there.broken || back.broken);
	assert_int_equal(pair->a.read_count, reads);
	for (uint32_t i = 0; i < reads; i++) {
		assert_int_equal(pair->a.reads[i].status, 0);
	}
	assert_true(pattern_holds(end_area(&pair->a, INTO), MEBIBYTE, 51));
	assert_true(pattern_holds(end_area(&pair->a, INTO + MEBIBYTE), MEBIBYTE, 51));
}

int conformance_reads(void)
{
	const struct CMUnitTest tests[] = {
		pair_test(read__of_any_size_at_any_offset),
		pair_test(read__sees_the_first_and_the_last_byte),
		pair_test(read__many_at_once),
		pair_test(read__without_end_is_refused),
		pair_test(read__refuses_what_cannot_be),
		pair_test(read__outside_the_region_fails_alone),
		pair_test(read__with_a_wrong_key_fails_alone),
		pair_test(read__of_a_private_region_fails_alone),
		pair_test(read__of_a_region_added_while_up),
		pair_test(read__of_a_removed_region_fails_alone),
		pair_test(read__under_way_when_the_region_goes),
		pair_test(read__and_frames_share_the_channel),
		pair_test(look__shows_where_it_is),
		pair_test(map__shows_what_may_be_read),
		pair_test(map__of_what_may_not_be_read_is_refused),
	};

	return cmocka_run_group_tests_name("reads", tests, NULL, NULL);
}
