/* SPDX-License-Identifier: BSD-3-Clause */
/* The slab: the daemon's receive memory, one memfd, mapped once, sealed, and shown to clients
 * read-only.
 *
 *   | slot 0 | slot 1 | ... | slot n-1 |            extents             |
 *
 * Slots hold one frame each. Extents hold one large message each, contiguous, first fit with
 * coalescing. Both are freed in any order. Not thread-safe. */
#ifndef CORONET_STORE_SLAB_H
#define CORONET_STORE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slab;

struct slab_config {
	uint32_t slot_size_bytes; /* a multiple of 4096 */
	uint32_t slot_count;
	uint64_t extent_bytes; /* a multiple of 4096 */
	bool huge_pages;       /* try hugetlb pages first */
	/* touch every page now: registration is 65 times faster and never fails later */
	bool prefault;
};

/* -ENOMEM, -EINVAL or what memfd_create(2), mmap(2) said. */
int slab_new(const struct slab_config *config, struct slab **out);
void slab_free(struct slab **slab);

void *slab_base(const struct slab *slab);
size_t slab_size(const struct slab *slab);
/* Sealed memfd: whoever gets it can map it read-only and no other way. Owned by the slab. */
int slab_fd(const struct slab *slab);

/* -1 when none is free. */
int64_t slab_slot_take(struct slab *slab);
void slab_slot_put(struct slab *slab, uint32_t slot);
uint32_t slab_slots_free(const struct slab *slab);
uint64_t slab_slot_offset(const struct slab *slab, uint32_t slot);

/* Offset of a free stretch of size bytes, page-aligned; -ENOSPC when none is long enough now,
 * -EMSGSIZE when it could never be. */
int slab_extent_take(struct slab *slab, uint64_t size_bytes, uint64_t *offset);
void slab_extent_put(struct slab *slab, uint64_t offset);
/* Whether all of these bytes are in one extent that is taken. */
bool slab_extent_taken(const struct slab *slab, uint64_t offset, uint64_t size_bytes);
uint64_t slab_extents_free(const struct slab *slab);

#endif
