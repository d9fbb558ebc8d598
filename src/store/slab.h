/* SPDX-License-Identifier: BSD-3-Clause */
/* The slab: the daemon's memory for frames, one memfd, mapped once, sealed, and shown to clients
 * read-only. It is cut into slots, which hold one frame each and are freed in any order. Large
 * messages have memory of their own (extents.h). Not thread-safe. */
#ifndef CORONET_STORE_SLAB_H
#define CORONET_STORE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/sealed.h"

struct slab;

struct slab_config {
	uint32_t slot_size_bytes; /* a multiple of 4096 */
	uint32_t slot_count;
	uint64_t extent_bytes; /* for extents.h: at most so much, a multiple of 4096 */
	/* of one segment of it, a multiple of 4096; 0: 16 MiB, or more if there would be too many */
	uint64_t extent_step_bytes;
	bool huge_pages; /* wanted, if there are any to spare */
	int numa_node;	 /* wanted; -1: any */
	/* Memory that will be locked: touched as soon as it is there, since registration of pages that
	 * are there is 65 times faster. */
	bool prefault;
};

/* -ENOMEM, -EINVAL or what memfd_create(2), mmap(2) said. */
int slab_new(const struct slab_config *config, struct slab **out);
void slab_free(struct slab **slab);

void *slab_base(const struct slab *slab);
size_t slab_size(const struct slab *slab);
/* Sealed memfd: whoever gets it can map it read-only and no other way. Owned by the slab. */
int slab_fd(const struct slab *slab);
/* What kind of memory it came to be. */
const struct sealed *slab_memory(const struct slab *slab);

/* -1 when none is free. */
int64_t slab_slot_take(struct slab *slab);
void slab_slot_put(struct slab *slab, uint32_t slot);
uint32_t slab_slots_free(const struct slab *slab);
uint64_t slab_slot_offset(const struct slab *slab, uint32_t slot);

#endif
