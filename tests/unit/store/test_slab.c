/* SPDX-License-Identifier: BSD-3-Clause */
/* The slab: slots and extents in any order, and a descriptor that nobody else can write through. */
#include "store/slab.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define SLOTS	8
#define EXTENTS (64 * 4096ull)

static const struct slab_config config = {
	.slot_size_bytes = 4096, .slot_count = SLOTS, .extent_bytes = EXTENTS};

static struct slab *new_slab(void)
{
	struct slab *slab = NULL;

	assert_int_equal(slab_new(&config, &slab), 0);
	return slab;
}

static void slots__each_once_and_back_in_any_order(void **state)
{
	struct slab *slab = new_slab();
	bool taken[SLOTS] = {false};

	(void)state;
	for (int i = 0; i < SLOTS; i++) {
		int64_t slot = slab_slot_take(slab);

		assert_in_range(slot, 0, SLOTS - 1);
		assert_false(taken[slot]);
		taken[slot] = true;
		memset((uint8_t *)slab_base(slab) + slab_slot_offset(slab, (uint32_t)slot),
		       (int)slot, 4096);
	}
	assert_int_equal(slab_slot_take(slab), -1);
	slab_slot_put(slab, 5);
	slab_slot_put(slab, 2);
	assert_int_equal(slab_slots_free(slab), 2);
	assert_int_equal(slab_slot_take(slab), 2);
	slab_free(&slab);
	assert_null(slab);
}

static void extents__know_what_is_taken(void **state)
{
	struct slab *slab;
	uint64_t a, b;

	(void)state;
	assert_int_equal(slab_new(&config, &slab), 0);
	assert_int_equal(slab_extent_take(slab, 5000, &a), 0);
	assert_int_equal(slab_extent_take(slab, 4096, &b), 0);
	assert_true(slab_extent_taken(slab, a, 8192));
	assert_true(slab_extent_taken(slab, a + 8191, 1));
	assert_false(slab_extent_taken(slab, a, 8193)); /* runs into b */
	assert_false(slab_extent_taken(slab, 0, 1));	/* a slot */
	assert_false(slab_extent_taken(slab, a + 4096, UINT64_MAX));
	slab_extent_put(slab, a);
	assert_false(slab_extent_taken(slab, a, 1));
	assert_true(slab_extent_taken(slab, b, 4096));
	slab_extent_put(slab, b);
	slab_free(&slab);
}

static void extents__random_use_never_overlaps_and_coalesces(void **state)
{
	struct slab *slab = new_slab();
	uint64_t offset[16] = {0};
	uint64_t size[16] = {0};
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		int i;

		seed = seed * 1664525u + 1013904223u;
		i = (int)(seed >> 28);
		if (size[i]) {
			slab_extent_put(slab, offset[i]);
			size[i] = 0;
			continue;
		}
		if (slab_extent_take(slab, 1 + (seed >> 8) % (20 * 4096), &offset[i])) {
			continue;
		}
		size[i] = 1 + (seed >> 8) % (20 * 4096);
		assert_true(offset[i] >= SLOTS * 4096);
		assert_true(offset[i] + size[i] <= SLOTS * 4096 + EXTENTS);
		for (int j = 0; j < 16; j++) {
			assert_true(j == i || !size[j] || offset[j] + size[j] <= offset[i] ||
				    offset[i] + size[i] <= offset[j]);
		}
	}
	for (int i = 0; i < 16; i++) {
		if (size[i]) {
			slab_extent_put(slab, offset[i]);
		}
	}
	assert_int_equal(slab_extents_free(slab), EXTENTS);
	assert_int_equal(slab_extent_take(slab, EXTENTS, &offset[0]), 0);
	assert_int_equal(slab_extent_take(slab, 1, &offset[1]), -ENOSPC);
	assert_int_equal(slab_extent_take(slab, EXTENTS + 1, &offset[1]), -EMSGSIZE);
	slab_free(&slab);
}

static void descriptor__maps_read_only_and_no_other_way(void **state)
{
	struct slab *slab = new_slab();
	int fd = slab_fd(slab);
	void *view;

	(void)state;
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	view = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(view, MAP_FAILED);
	assert_int_equal(mprotect(view, 4096, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
	memset(slab_base(slab), 0x5a, 16);
	assert_int_equal(*(uint8_t *)view, 0x5a);
	munmap(view, 4096);
	slab_free(&slab);
}

static void new__refuses_sizes_that_are_not_pages(void **state)
{
	struct slab_config odd = config;
	struct slab *slab = NULL;

	(void)state;
	odd.slot_size_bytes = 5000;
	assert_int_equal(slab_new(&odd, &slab), -EINVAL);
	odd = config;
	odd.extent_bytes = 1;
	assert_int_equal(slab_new(&odd, &slab), -EINVAL);
	odd = config;
	odd.slot_count = 0;
	assert_int_equal(slab_new(&odd, &slab), -EINVAL);
	assert_null(slab);
}

static void new__huge_pages_fall_back_to_small_ones(void **state)
{
	struct slab_config huge = config;
	struct slab *slab = NULL;

	(void)state;
	huge.huge_pages = true;
	huge.prefault = true;
	assert_int_equal(slab_new(&huge, &slab), 0);
	memset(slab_base(slab), 1, slab_size(slab));
	slab_free(&slab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots__each_once_and_back_in_any_order),
		cmocka_unit_test(extents__know_what_is_taken),
		cmocka_unit_test(extents__random_use_never_overlaps_and_coalesces),
		cmocka_unit_test(descriptor__maps_read_only_and_no_other_way),
		cmocka_unit_test(new__refuses_sizes_that_are_not_pages),
		cmocka_unit_test(new__huge_pages_fall_back_to_small_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
