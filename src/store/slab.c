/* SPDX-License-Identifier: BSD-3-Clause */
/* One sealed memfd cut into slots. */
#include "store/slab.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"

#define PAGE_BYTES 4096u

struct slab {
	struct slab_config config;
	struct sealed memory;
	uint32_t *free_slots; /* a stack */
	uint32_t free_count;
	bool *slot_taken;
};

static int init_slots(struct slab *slab)
{
	uint32_t count = slab->config.slot_count;

	slab->free_slots = calloc(count ? count : 1, sizeof(*slab->free_slots));
	slab->slot_taken = calloc(count ? count : 1, sizeof(*slab->slot_taken));
	if (!slab->free_slots || !slab->slot_taken) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++) {
		slab->free_slots[i] = count - 1 - i;
	}
	slab->free_count = count;
	return 0;
}

static int map_memory(struct slab *slab)
{
	const struct slab_config *config = &slab->config;
	struct sealed_want want = {.name = "coronet-slab",
				   .size = (size_t)config->slot_size_bytes * config->slot_count,
				   .huge_pages = config->huge_pages,
				   .numa_node = config->numa_node,
				   .prefault = config->prefault};

	return sealed_new(&want, &slab->memory);
}

int slab_new(const struct slab_config *config, struct slab **out)
{
	struct slab *slab;
	int err;

	if (config->slot_size_bytes % PAGE_BYTES != 0 || config->slot_size_bytes == 0 ||
	    config->slot_count == 0) {
		return -EINVAL;
	}
	slab = calloc(1, sizeof(*slab));
	if (!slab) {
		return -ENOMEM;
	}
	slab->config = *config;
	err = init_slots(slab);
	err = err ? err : map_memory(slab);
	if (err) {
		slab_free(&slab);
		return err;
	}
	*out = slab;
	return 0;
}

void slab_free(struct slab **slab)
{
	if (!*slab) {
		return;
	}
	sealed_free(&(*slab)->memory);
	free((*slab)->free_slots);
	free((*slab)->slot_taken);
	free(*slab);
	*slab = NULL;
}

void *slab_base(const struct slab *slab)
{
	return slab->memory.base;
}

size_t slab_size(const struct slab *slab)
{
	return slab->memory.size;
}

int slab_fd(const struct slab *slab)
{
	return slab->memory.fd;
}

const struct sealed *slab_memory(const struct slab *slab)
{
	return &slab->memory;
}

int64_t slab_slot_take(struct slab *slab)
{
	uint32_t slot;

	if (slab->free_count == 0) {
		return -1;
	}
	slot = slab->free_slots[--slab->free_count];
	slab->slot_taken[slot] = true;
	return slot;
}

void slab_slot_put(struct slab *slab, uint32_t slot)
{
	check(slot < slab->config.slot_count);
	check(slab->slot_taken[slot]);
	slab->slot_taken[slot] = false;
	slab->free_slots[slab->free_count++] = slot;
}

uint32_t slab_slots_free(const struct slab *slab)
{
	return slab->free_count;
}

uint64_t slab_slot_offset(const struct slab *slab, uint32_t slot)
{
	check(slot < slab->config.slot_count);
	return (uint64_t)slot * slab->config.slot_size_bytes;
}
