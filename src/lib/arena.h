/* SPDX-License-Identifier: BSD-3-Clause */
/* Allocates pieces of a region that is not this process's to write notes into: all bookkeeping is
 * outside of it. Pieces are multiples of 64 bytes, freed in any order, and neighbours that are
 * free grow together. Not thread-safe. */
#ifndef CORONET_LIB_ARENA_H
#define CORONET_LIB_ARENA_H

#include <stdbool.h>
#include <stdint.h>

#define ARENA_NONE UINT32_MAX
#define ARENA_BINS 32

struct arena_block {
	uint64_t offset;
	uint64_t size;
	uint32_t before, after; /* neighbours in the region */
	uint32_t prev, next;	/* in its bin, or in the list of unused blocks */
	bool free;
};

struct arena {
	struct arena_block *blocks;
	uint32_t count, capacity;
	uint32_t unused;	   /* blocks that stand for nothing now */
	uint32_t bins[ARENA_BINS]; /* free blocks of 64 << n to less than 64 << (n + 1) bytes */
};

/* -ENOMEM. size is a multiple of 64. */
int arena_init(struct arena *arena, uint64_t size);
void arena_fini(struct arena *arena);

/* A block of at least `size` bytes (0 counts as 1), or ARENA_NONE when none is free or there is
 * no memory for the bookkeeping. */
uint32_t arena_take(struct arena *arena, uint64_t size);
void arena_give(struct arena *arena, uint32_t block);
uint64_t arena_offset(const struct arena *arena, uint32_t block);
/* Below ARENA_BINS: blocks of 64 << n to less than 128 << n bytes. */
uint32_t arena_bin(uint64_t size);
/* Whether arena_take would find one. */
bool arena_has(const struct arena *arena, uint64_t size);

#endif
