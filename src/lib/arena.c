/* SPDX-License-Identifier: BSD-3-Clause */
/* Pieces of a region: segregated fits with boundary neighbours. */
#include "lib/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GRAIN 64u

static uint64_t rounded(uint64_t size)
{
	return size == 0 ? GRAIN : (size + GRAIN - 1) & ~(uint64_t)(GRAIN - 1);
}

static uint32_t bin_of(uint64_t size)
{
	uint32_t bin = 63 - (uint32_t)__builtin_clzll(size / GRAIN);

	return bin < ARENA_BINS ? bin : ARENA_BINS - 1;
}

static void bin_add(struct arena *arena, uint32_t index)
{
	struct arena_block *block = &arena->blocks[index];
	uint32_t *head = &arena->bins[bin_of(block->size)];

	block->free = true;
	block->prev = ARENA_NONE;
	block->next = *head;
	if (*head != ARENA_NONE) {
		arena->blocks[*head].prev = index;
	}
	*head = index;
}

static void bin_remove(struct arena *arena, uint32_t index)
{
	struct arena_block *block = &arena->blocks[index];

	block->free = false;
	if (block->prev != ARENA_NONE) {
		arena->blocks[block->prev].next = block->next;
	} else {
		arena->bins[bin_of(block->size)] = block->next;
	}
	if (block->next != ARENA_NONE) {
		arena->blocks[block->next].prev = block->prev;
	}
}

static bool reserve_block(struct arena *arena)
{
	uint32_t capacity = arena->capacity ? arena->capacity * 2 : 64;
	struct arena_block *blocks;

	if (arena->unused != ARENA_NONE || arena->count < arena->capacity) {
		return true;
	}
	blocks = realloc(arena->blocks, capacity * sizeof(*blocks));
	if (!blocks) {
		return false;
	}
	arena->blocks = blocks;
	arena->capacity = capacity;
	return true;
}

static uint32_t new_block(struct arena *arena)
{
	uint32_t index = arena->unused;

	if (index != ARENA_NONE) {
		arena->unused = arena->blocks[index].next;
		return index;
	}
	return arena->count++;
}

uint32_t arena_bin(uint64_t size)
{
	return bin_of(rounded(size));
}

int arena_init(struct arena *arena, uint64_t size)
{
	memset(arena, 0, sizeof(*arena));
	memset(arena->bins, 0xff, sizeof(arena->bins));
	arena->unused = ARENA_NONE;
	if (!reserve_block(arena)) {
		return -ENOMEM;
	}
	arena->blocks[new_block(arena)] =
		(struct arena_block){.size = size, .before = ARENA_NONE, .after = ARENA_NONE};
	bin_add(arena, 0);
	return 0;
}

void arena_fini(struct arena *arena)
{
	free(arena->blocks);
	arena->blocks = NULL;
}

/* In the bin of its own size a block may be too short; in any higher one the first will do. */
static uint32_t find(const struct arena *arena, uint64_t size)
{
	uint32_t bin = bin_of(size);
	uint32_t index = arena->bins[bin];

	while (index != ARENA_NONE && arena->blocks[index].size < size) {
		index = arena->blocks[index].next;
	}
	while (index == ARENA_NONE && ++bin < ARENA_BINS) {
		index = arena->bins[bin];
	}
	return index;
}

bool arena_has(const struct arena *arena, uint64_t size)
{
	return find(arena, rounded(size)) != ARENA_NONE;
}

static void split(struct arena *arena, uint32_t index, uint64_t size)
{
	uint32_t rest = new_block(arena);
	struct arena_block *block = &arena->blocks[index];

	arena->blocks[rest] = (struct arena_block){.offset = block->offset + size,
						   .size = block->size - size,
						   .before = index,
						   .after = block->after};
	if (block->after != ARENA_NONE) {
		arena->blocks[block->after].before = rest;
	}
	block->after = rest;
	block->size = size;
	bin_add(arena, rest);
}

uint32_t arena_take(struct arena *arena, uint64_t size)
{
	uint64_t whole = rounded(size);
	uint32_t index;

	if (whole < size || !reserve_block(arena)) {
		return ARENA_NONE;
	}
	index = find(arena, whole);
	if (index == ARENA_NONE) {
		return ARENA_NONE;
	}
	bin_remove(arena, index);
	if (arena->blocks[index].size > whole) {
		split(arena, index, whole);
	}
	return index;
}

/* `right` vanishes into its left neighbour; neither is in a bin. */
static void join(struct arena *arena, uint32_t left, uint32_t right)
{
	struct arena_block *into = &arena->blocks[left];
	struct arena_block *gone = &arena->blocks[right];

	into->size += gone->size;
	into->after = gone->after;
	if (gone->after != ARENA_NONE) {
		arena->blocks[gone->after].before = left;
	}
	gone->free = false;
	gone->next = arena->unused;
	arena->unused = right;
}

void arena_give(struct arena *arena, uint32_t index)
{
	uint32_t before = arena->blocks[index].before;
	uint32_t after = arena->blocks[index].after;

	if (after != ARENA_NONE && arena->blocks[after].free) {
		bin_remove(arena, after);
		join(arena, index, after);
	}
	if (before != ARENA_NONE && arena->blocks[before].free) {
		bin_remove(arena, before);
		join(arena, before, index);
		index = before;
	}
	bin_add(arena, index);
}

uint64_t arena_offset(const struct arena *arena, uint32_t block)
{
	return arena->blocks[block].offset;
}
