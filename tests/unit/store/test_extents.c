/* SPDX-License-Identifier: BSD-3-Clause */
/* Extents: segments come when they are needed and go when they are idle, and the oldest message finds
 * its place in the end, whatever lies where for ever. */
#include "store/extents.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"

#define MIB   (1024ull * 1024)
#define LIMIT (192 * MIB)
#define STEP  (16 * MIB)

static struct {
	struct extents *extents;
	uint32_t there; /* segments */
	uint64_t bytes;
	uint64_t size[EXTENTS_SEGMENTS_MAX];
	int refuse; /* what add says */
	uint32_t adds;
	uint64_t now;
} world;

static int add(void *ctx, uint32_t segment, const struct sealed *memory)
{
	assert_ptr_equal(ctx, &world);
	assert_true(segment < EXTENTS_SEGMENTS_MAX);
	world.adds++;
	if (world.refuse) {
		return world.refuse;
	}
	assert_int_equal(world.size[segment], 0);
	world.size[segment] = memory->size;
	world.bytes += memory->size;
	world.there++;
	return 0;
}

static void gone(void *ctx, uint32_t segment)
{
	assert_ptr_equal(ctx, &world);
	assert_int_not_equal(world.size[segment], 0);
	world.bytes -= world.size[segment];
	world.size[segment] = 0;
	world.there--;
}

static int build(uint64_t limit, bool prefault)
{
	struct slab_config config = {.extent_bytes = limit, .numa_node = -1, .prefault = prefault};
	struct extents_host host = {.ctx = &world, .add = add, .remove = gone};

	return extents_new(&config, &host, &world.extents);
}

static int set_up(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	world.now = 1000;
	return build(LIMIT, false);
}

static int tear_down(void **state)
{
	(void)state;
	extents_free(&world.extents);
	return world.there == 0 && world.bytes == 0 ? 0 : -1;
}

static int take(uint64_t size, struct extent *out)
{
	return extents_take(world.extents, size, world.now, out);
}

static void pass(uint64_t ms);

/* More than one segment comes only to who has waited. */
static struct extent must_take(uint64_t size)
{
	struct extent extent;

	if (take(size, &extent) == -ENOSPC) {
		pass(EXTENTS_GROW_MS);
		assert_int_equal(take(size, &extent), 0);
	}
	assert_true(extent.offset + size <= world.size[extent.segment]);
	extent.bytes[0] = 1;
	extent.bytes[size - 1] = 1;
	return extent;
}

static void put(const struct extent *extent)
{
	extents_put(world.extents, extent->segment, extent->offset, world.now);
}

/* As the engine does: whenever the deadline says so. */
static void pass(uint64_t ms)
{
	uint64_t until = world.now + ms;

	while (extents_next_deadline_ms(world.extents) <= until) {
		assert_true(extents_next_deadline_ms(world.extents) >= world.now);
		world.now = extents_next_deadline_ms(world.extents);
		extents_turn(world.extents, world.now);
		assert_true(extents_next_deadline_ms(world.extents) > world.now);
	}
	world.now = until;
}

static void take__segments_come_as_they_are_needed(void **state)
{
	struct extent extent[5];

	(void)state;
	assert_int_equal(world.there, 0);
	for (int i = 0; i < 4; i++) {
		extent[i] = must_take(4 * MIB);
		assert_int_equal(world.bytes, STEP);
		assert_false(extent[i].spare);
	}
	assert_int_equal(take(1, &extent[4]), -ENOSPC);
	assert_int_equal(extents_next_deadline_ms(world.extents), world.now + EXTENTS_GROW_MS);
	pass(EXTENTS_GROW_MS - 1);
	assert_int_equal(take(1, &extent[4]), -ENOSPC);
	pass(1);
	assert_int_equal(take(1, &extent[4]), 0);
	assert_int_equal(world.bytes, 2 * STEP);
	put(&extent[4]);
	put(&extent[0]);
	extent[0] = must_take(3 * MIB);
	assert_int_equal(extent[0].segment, extent[1].segment);
	for (int i = 0; i < 4; i++) {
		put(&extent[i]);
	}
}

static void turn__gives_back_what_was_idle_for_long(void **state)
{
	struct extent a = must_take(12 * MIB);
	struct extent b = must_take(12 * MIB);

	(void)state;
	put(&b);
	pass(EXTENTS_IDLE_MS - 1);
	assert_int_equal(world.there, 2);
	b = must_take(12 * MIB);
	put(&b);
	pass(EXTENTS_IDLE_MS - 1);
	assert_int_equal(world.there, 2);
	pass(1);
	assert_int_equal(world.there, 1);
	assert_int_equal(extents_next_deadline_ms(world.extents), UINT64_MAX);
	put(&a);
	pass(EXTENTS_IDLE_MS);
	assert_int_equal(world.there, 0);
}

static void turn__locked_memory_keeps_one_segment_ready(void **state)
{
	struct extent extent[2];

	(void)state;
	extents_free(&world.extents);
	assert_int_equal(build(LIMIT, true), 0);
	assert_int_equal(world.bytes, STEP);
	extent[0] = must_take(STEP);
	extent[1] = must_take(STEP);
	assert_int_equal(world.there, 2);
	put(&extent[0]);
	put(&extent[1]);
	pass(10 * EXTENTS_IDLE_MS);
	assert_int_equal(world.bytes, STEP);
	assert_int_equal(extents_next_deadline_ms(world.extents), UINT64_MAX);
}

/* What programs keep for ever can be scattered over all ordinary segments. The largest message still
 * finds room, and so does one that would have fitted them: after a while. */
static void take__oldest_finds_a_place_whatever_is_kept(void **state)
{
	struct extent kept[EXTENTS_SEGMENTS_MAX];
	struct extent fill[2 * EXTENTS_SEGMENTS_MAX];
	struct extent large;
	uint32_t count = 0;

	(void)state;
	while (extents_ordinary_max(LIMIT) - world.bytes > 0) {
		fill[2 * count] = must_take(8 * MIB - 4096);
		kept[count] = must_take(4096);
		fill[2 * count + 1] = must_take(8 * MIB);
		count++;
	}
	for (uint32_t i = 0; i < 2 * count; i++) {
		put(&fill[i]);
	}
	assert_int_equal(world.bytes, extents_ordinary_max(LIMIT));
	assert_int_equal(take(STEP, &large), -ENOSPC);
	assert_true(extents_short(world.extents));
	pass(EXTENTS_GROW_MS);
	assert_int_equal(take(STEP, &large), -ENOSPC);
	assert_int_equal(extents_next_deadline_ms(world.extents),
			 world.now + EXTENTS_PATIENCE_MS - EXTENTS_GROW_MS);
	pass(EXTENTS_PATIENCE_MS - EXTENTS_GROW_MS - 1);
	assert_int_equal(take(STEP, &large), -ENOSPC);
	pass(1);
	large = must_take(STEP);
	assert_true(large.spare);
	assert_false(extents_short(world.extents));
	put(&large);
	large = must_take(MESSAGE_SIZE_MAX);
	assert_true(large.spare);
	assert_true(world.bytes <= LIMIT);
	put(&large);
	for (uint32_t i = 0; i < count; i++) {
		put(&kept[i]);
	}
}

/* It may be that nothing helps: then nobody is woken for nothing. */
static void take__waits_without_being_woken_when_all_is_used(void **state)
{
	struct extent large[3];
	struct extent more;

	(void)state;
	for (int i = 0; i < 3; i++) {
		large[i] = must_take(MESSAGE_SIZE_MAX);
	}
	assert_int_equal(world.bytes, LIMIT);
	assert_int_equal(take(MESSAGE_SIZE_MAX, &more), -ENOSPC);
	pass(EXTENTS_PATIENCE_MS);
	assert_int_equal(take(MESSAGE_SIZE_MAX, &more), -ENOSPC);
	assert_int_equal(extents_next_deadline_ms(world.extents), UINT64_MAX);
	put(&large[1]);
	more = must_take(1);
	put(&more);
	put(&large[0]);
	put(&large[2]);
	extents_forget(world.extents);
	assert_false(extents_short(world.extents));
}

static void take__idle_segments_make_room_at_once(void **state)
{
	struct extent extent;

	(void)state;
	for (int i = 0; i < 3; i++) {
		extent = must_take((uint64_t)(40 + i * 12) * MIB);
		put(&extent);
	}
	assert_int_equal(world.bytes, (40 + 52 + 64) * MIB);
	extent = must_take(1); /* fits beside them */
	put(&extent);
	extent = must_take(64 * MIB); /* in the idle one */
	assert_int_equal(world.there, 4);
	put(&extent);
}

static void take__a_failure_is_tried_again_with_growing_pauses(void **state)
{
	struct extents_stats stats;
	struct extent extent;
	uint32_t tries;

	(void)state;
	world.refuse = -ENOMEM;
	assert_int_equal(take(1, &extent), -ENOMEM);
	assert_true(extents_short(world.extents));
	for (uint64_t pause = EXTENTS_RETRY_MS; pause < EXTENTS_RETRY_MAX_MS; pause *= 2) {
		tries = world.adds;
		pass(pause - 1);
		assert_int_equal(take(1, &extent), -ENOMEM);
		assert_int_equal(world.adds, tries);
		pass(1);
		assert_int_equal(take(1, &extent), -ENOMEM);
		assert_int_equal(world.adds, tries + 1);
	}
	extents_stats(world.extents, &stats);
	assert_int_equal(stats.failed, world.adds);
	assert_int_equal(stats.segments, 0);
	assert_int_equal(stats.used_bytes, 0);
	world.refuse = 0;
	pass(EXTENTS_RETRY_MAX_MS);
	extent = must_take(1);
	assert_false(extents_short(world.extents));
	put(&extent);
}

static void take__a_failure_gives_back_what_is_idle(void **state)
{
	struct extent a = must_take(STEP);
	struct extent large;

	(void)state;
	put(&a);
	world.refuse = -ENOMEM;
	assert_int_equal(take(MESSAGE_SIZE_MAX, &large), -ENOMEM);
	assert_int_equal(world.there, 0);
	world.refuse = 0;
}

static void take__refuses_what_never_fits(void **state)
{
	struct extent extent;

	(void)state;
	assert_int_equal(take(0, &extent), -EMSGSIZE);
	assert_int_equal(take(LIMIT + 1, &extent), -EMSGSIZE);
	assert_false(extents_short(world.extents));
}

/* The smallest limit that the configuration allows, and one of a terabyte. */
static void limits__every_size_works(void **state)
{
	static const uint64_t limits[] = {MESSAGE_SIZE_MAX, MESSAGE_SIZE_MAX + 4096, 128 * MIB,
					  1024 * MIB, 1024 * 1024 * MIB};

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct slab_config config = {.extent_bytes = limits[i]};
		struct extent extent;

		extents_free(&world.extents);
		assert_int_equal(build(limits[i], false), 0);
		assert_true(extents_step(&config) >= STEP);
		assert_true(extents_ordinary_max(limits[i]) / extents_step(&config) <=
			    EXTENTS_SEGMENTS_MAX / 2);
		extent = must_take(1);
		put(&extent);
		extent = must_take(MESSAGE_SIZE_MAX);
		assert_true(world.bytes <= limits[i]);
		put(&extent);
	}
	extents_free(&world.extents);
	assert_int_equal(build(LIMIT + 1, false), -EINVAL);
	world.refuse = -ENOMEM;
	assert_int_equal(build(LIMIT, true), -ENOMEM);
	assert_null(world.extents);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(take__segments_come_as_they_are_needed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(turn__gives_back_what_was_idle_for_long, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(turn__locked_memory_keeps_one_segment_ready, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(take__oldest_finds_a_place_whatever_is_kept, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(take__waits_without_being_woken_when_all_is_used,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(take__idle_segments_make_room_at_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(take__a_failure_is_tried_again_with_growing_pauses,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(take__a_failure_gives_back_what_is_idle, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(take__refuses_what_never_fits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(limits__every_size_works, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
