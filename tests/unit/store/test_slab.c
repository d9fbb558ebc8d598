/* SPDX-License-Identifier: BSD-3-Clause */
/* The slab: slots in any order, and a descriptor that nobody else can write through. */
#include "store/slab.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define SLOTS 8

static const struct slab_config config = {
	.slot_size_bytes = 4096, .slot_count = SLOTS, .numa_node = -1};

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
	odd.slot_count = 0;
	assert_int_equal(slab_new(&odd, &slab), -EINVAL);
	assert_null(slab);
}

static long huge_pages_free(void)
{
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	long count = 0;

	if (file) {
		if (fscanf(file, "%ld", &count) != 1) {
			count = 0;
		}
		fclose(file);
	}
	return count;
}

static void new__huge_pages_fall_back_to_small_ones(void **state)
{
	struct slab_config huge = config;
	struct slab *slab = NULL;

	(void)state;
	huge.slot_count = 512; /* 2 MiB */
	huge.huge_pages = true;
	huge.prefault = true;
	assert_int_equal(slab_new(&huge, &slab), 0);
	assert_int_equal(slab_memory(slab)->huge, huge_pages_free() > 0);
	memset(slab_base(slab), 1, slab_size(slab));
	slab_free(&slab);
}

static size_t pages_there(struct slab *slab)
{
	unsigned char there[SLOTS] = {0};
	size_t count = 0;

	assert_int_equal(mincore(slab_base(slab), slab_size(slab), there), 0);
	for (size_t i = 0; i < SLOTS; i++) {
		count += there[i] & 1;
	}
	return count;
}

static void new__pages_are_there_only_when_wanted(void **state)
{
	struct slab_config with = config;
	struct slab *slab = new_slab();

	(void)state;
	assert_int_equal(pages_there(slab), 0);
	slab_free(&slab);
	with.prefault = true;
	assert_int_equal(slab_new(&with, &slab), 0);
	assert_int_equal(pages_there(slab), SLOTS);
	slab_free(&slab);
}

/* Every machine has node 0. Where the kernel knows no nodes it does not say. */
static void new__memory_is_near_the_node_that_is_wanted(void **state)
{
	struct slab_config near = config;
	struct slab *slab = NULL;

	(void)state;
	near.prefault = true;
	near.numa_node = 0;
	assert_int_equal(slab_new(&near, &slab), 0);
	assert_int_equal(slab_memory(slab)->node,
			 access("/sys/devices/system/node/node0", F_OK) == 0 ? 0 : -1);
	slab_free(&slab);
	near.numa_node = 1000; /* nowhere: taken from anywhere */
	assert_int_equal(slab_new(&near, &slab), 0);
	assert_int_equal(pages_there(slab), SLOTS);
	slab_free(&slab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots__each_once_and_back_in_any_order),
		cmocka_unit_test(descriptor__maps_read_only_and_no_other_way),
		cmocka_unit_test(new__refuses_sizes_that_are_not_pages),
		cmocka_unit_test(new__huge_pages_fall_back_to_small_ones),
		cmocka_unit_test(new__pages_are_there_only_when_wanted),
		cmocka_unit_test(new__memory_is_near_the_node_that_is_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
