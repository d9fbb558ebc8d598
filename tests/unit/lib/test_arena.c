/* SPDX-License-Identifier: BSD-3-Clause */
/* Send memory's allocator against a map of who owns which byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/arena.h"

#define SIZE (1024u * 1024)

static struct arena arena;

static int fresh(void **state)
{
	(void)state;
	return arena_init(&arena, SIZE);
}

static int done(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static void take__whole_and_nothing(void **state)
{
	uint32_t block = arena_take(&arena, SIZE);

	(void)state;
	assert_int_not_equal(block, ARENA_NONE);
	assert_int_equal(arena_offset(&arena, block), 0);
	assert_int_equal(arena_take(&arena, 0), ARENA_NONE);
	assert_false(arena_has(&arena, 1));
	arena_give(&arena, block);
	assert_true(arena_has(&arena, SIZE));
	assert_int_equal(arena_take(&arena, SIZE + 1), ARENA_NONE);
	assert_int_equal(arena_take(&arena, UINT64_MAX), ARENA_NONE);
	assert_int_equal(arena_take(&arena, UINT64_MAX - 64), ARENA_NONE);
}

/* A block in the bin of the right size may still be too short. */
static void take__looks_through_its_bin(void **state)
{
	uint32_t all[16];
	uint32_t block;

	(void)state;
	for (int i = 0; i < 16; i++) {
		all[i] = arena_take(&arena, SIZE / 16);
	}
	assert_int_equal(arena_take(&arena, 1), ARENA_NONE);
	arena_give(&arena, all[3]);
	arena_give(&arena, all[7]);
	arena_give(&arena, all[8]);
	assert_true(arena_has(&arena, SIZE / 8));
	assert_false(arena_has(&arena, SIZE / 8 + 1));
	block = arena_take(&arena, SIZE / 16 + 1);
	assert_int_equal(arena_offset(&arena, block), 7 * (SIZE / 16));
}

static void give__neighbours_grow_together(void **state)
{
	static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					{1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	(void)state;
	for (int i = 0; i < 6; i++) {
		uint32_t three[3];

		for (int j = 0; j < 3; j++) {
			three[j] = arena_take(&arena, SIZE / 4);
		}
		for (int j = 0; j < 3; j++) {
			arena_give(&arena, three[orders[i][j]]);
		}
		assert_true(arena_has(&arena, SIZE));
	}
}

static uint32_t seed;

static uint32_t next_random(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

struct piece {
	uint32_t block;
	uint64_t offset, size;
};

static void random__nothing_overlaps_nothing_is_lost(void **state)
{
	static uint8_t owned[SIZE / 64];
	static struct piece pieces[600];
	int count = 0;

	(void)state;
	memset(owned, 0, sizeof(owned));
	seed = 11;
	for (int step = 0; step < 200000; step++) {
		if (next_random() % 2 && count < 600) {
			struct piece piece = {.size = next_random() %
						      (next_random() % 10 ? 3000 : 60000)};

			piece.block = arena_take(&arena, piece.size);
			if (piece.block == ARENA_NONE) {
				continue;
			}
			piece.offset = arena_offset(&arena, piece.block);
			assert_int_equal(piece.offset % 64, 0);
			assert_true(piece.offset + piece.size <= SIZE);
			for (uint64_t at = piece.offset / 64;
			     at * 64 < piece.offset + (piece.size ? piece.size : 1); at++) {
				assert_int_equal(owned[at], 0);
				owned[at] = 1;
			}
			pieces[count++] = piece;
		} else if (count > 0) {
			int victim = (int)(next_random() % (uint32_t)count);
			struct piece piece = pieces[victim];

			for (uint64_t at = piece.offset / 64;
			     at * 64 < piece.offset + (piece.size ? piece.size : 1); at++) {
				owned[at] = 0;
			}
			arena_give(&arena, piece.block);
			pieces[victim] = pieces[--count];
		}
	}
	while (count > 0) {
		arena_give(&arena, pieces[--count].block);
	}
	assert_true(arena_has(&arena, SIZE));
	assert_true(arena.capacity <= 2048); /* bookkeeping is used again */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(take__whole_and_nothing, fresh, done),
		cmocka_unit_test_setup_teardown(take__looks_through_its_bin, fresh, done),
		cmocka_unit_test_setup_teardown(give__neighbours_grow_together, fresh, done),
		cmocka_unit_test_setup_teardown(random__nothing_overlaps_nothing_is_lost, fresh,
						done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
