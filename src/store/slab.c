/* SPDX-License-Identifier: BSD-3-Clause */
/* One sealed memfd cut into slots and extents. */
#include "store/slab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/list.h"

#define PAGE_BYTES	4096u
#define HUGE_PAGE_BYTES (2u * 1024 * 1024)

/* A stretch of the extent area, used or free; neighbours in address order are neighbours in `all`.
 */
struct stretch {
	struct list all;
	struct list free; /* in slab.free_stretches while free */
	uint64_t offset;  /* from the start of the extent area */
	uint64_t size;
	bool used;
};

struct slab {
	struct slab_config config;
	uint8_t *base;
	size_t size;
	int fd;
	uint32_t *free_slots; /* a stack */
	uint32_t free_count;
	bool *slot_taken;
	uint64_t extents_at; /* offset of the extent area in the slab */
	uint64_t extents_free;
	struct list stretches;
	struct list free_stretches;
	struct stretch **starts; /* used stretch that starts at a page, by page number */
};

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

/* Maps a memfd of `size` bytes and seals it: nobody else will ever map it writable. */
static int map_sealed(struct slab *slab, size_t size, bool huge)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB : 0);
	int populate = slab->config.prefault ? MAP_POPULATE : 0;
	int fd = memfd_create("coronet-slab", flags);
	void *base;

	if (fd < 0) {
		return -errno;
	}
	if (ftruncate(fd, (off_t)size) < 0 || fchmod(fd, 0600) < 0) {
		goto fail;
	}
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | populate, fd, 0);
	if (base == MAP_FAILED) {
		goto fail;
	}
	if (fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0) {
		munmap(base, size);
		goto fail;
	}
	slab->base = base;
	slab->size = size;
	slab->fd = fd;
	return 0;
fail:
	close(fd);
	return errno ? -errno : -EIO;
}

static int map_memory(struct slab *slab, size_t size)
{
	if (slab->config.huge_pages &&
	    map_sealed(slab, round_up(size, HUGE_PAGE_BYTES), true) == 0) {
		return 0;
	}
	return map_sealed(slab, size, false);
}

static struct stretch *stretch_new(uint64_t offset, uint64_t size)
{
	struct stretch *stretch = calloc(1, sizeof(*stretch));

	if (stretch) {
		stretch->offset = offset;
		stretch->size = size;
		list_init(&stretch->all);
		list_init(&stretch->free);
	}
	return stretch;
}

static int init_extents(struct slab *slab)
{
	struct stretch *whole;

	list_init(&slab->stretches);
	list_init(&slab->free_stretches);
	if (slab->config.extent_bytes == 0) {
		return 0;
	}
	slab->starts = calloc(slab->config.extent_bytes / PAGE_BYTES, sizeof(struct stretch *));
	whole = stretch_new(0, slab->config.extent_bytes);
	if (!slab->starts || !whole) {
		free(whole);
		return -ENOMEM;
	}
	list_append(&slab->stretches, &whole->all);
	list_append(&slab->free_stretches, &whole->free);
	slab->extents_free = slab->config.extent_bytes;
	return 0;
}

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

int slab_new(const struct slab_config *config, struct slab **out)
{
	struct slab *slab;
	int err;

	if (config->slot_size_bytes % PAGE_BYTES != 0 || config->extent_bytes % PAGE_BYTES != 0 ||
	    config->slot_size_bytes == 0 || config->slot_count == 0) {
		return -EINVAL;
	}
	slab = calloc(1, sizeof(*slab));
	if (!slab) {
		return -ENOMEM;
	}
	slab->config = *config;
	slab->fd = -1;
	slab->extents_at = (uint64_t)config->slot_size_bytes * config->slot_count;
	err = init_extents(slab);
	err = err ? err : init_slots(slab);
	err = err ? err : map_memory(slab, slab->extents_at + config->extent_bytes);
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
	list_for_each_safe(it, after, &(*slab)->stretches)
	{
		free(list_entry(it, struct stretch, all));
	}
	if ((*slab)->base) {
		munmap((*slab)->base, (*slab)->size);
	}
	if ((*slab)->fd >= 0) {
		close((*slab)->fd);
	}
	free((*slab)->starts);
	free((*slab)->free_slots);
	free((*slab)->slot_taken);
	free(*slab);
	*slab = NULL;
}

void *slab_base(const struct slab *slab)
{
	return slab->base;
}

size_t slab_size(const struct slab *slab)
{
	return slab->size;
}

int slab_fd(const struct slab *slab)
{
	return slab->fd;
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

static struct stretch *first_fit(const struct slab *slab, uint64_t size)
{
	list_for_each(it, &slab->free_stretches) {
		struct stretch *stretch = list_entry(it, struct stretch, free);

		if (stretch->size >= size) {
			return stretch;
		}
	}
	return NULL;
}

/* Leaves `size` bytes in the stretch and makes a free one of the rest. */
static int split(struct slab *slab, struct stretch *stretch, uint64_t size)
{
	struct stretch *rest;

	if (stretch->size == size) {
		return 0;
	}
	rest = stretch_new(stretch->offset + size, stretch->size - size);
	if (!rest) {
		return -ENOMEM;
	}
	stretch->size = size;
	list_append(stretch->all.next, &rest->all);
	list_append(&slab->free_stretches, &rest->free);
	return 0;
}

int slab_extent_take(struct slab *slab, uint64_t size_bytes, uint64_t *offset)
{
	struct stretch *stretch;

	if (size_bytes > slab->config.extent_bytes || size_bytes == 0) {
		return -EMSGSIZE;
	}
	size_bytes = round_up(size_bytes, PAGE_BYTES);
	stretch = first_fit(slab, size_bytes);
	if (!stretch || split(slab, stretch, size_bytes) < 0) {
		return -ENOSPC;
	}
	list_remove(&stretch->free);
	stretch->used = true;
	slab->starts[stretch->offset / PAGE_BYTES] = stretch;
	slab->extents_free -= size_bytes;
	*offset = slab->extents_at + stretch->offset;
	return 0;
}

/* Appends the free neighbour behind `stretch` to it. */
static void absorb_next(struct slab *slab, struct stretch *stretch)
{
	struct stretch *next = list_entry(stretch->all.next, struct stretch, all);

	if (stretch->all.next == &slab->stretches || next->used) {
		return;
	}
	stretch->size += next->size;
	list_remove(&next->all);
	list_remove(&next->free);
	free(next);
}

void slab_extent_put(struct slab *slab, uint64_t offset)
{
	uint64_t page = (offset - slab->extents_at) / PAGE_BYTES;
	struct stretch *stretch;
	struct stretch *before;

	check(offset >= slab->extents_at && offset % PAGE_BYTES == 0);
	check(offset < slab->extents_at + slab->config.extent_bytes);
	stretch = slab->starts[page];
	check(stretch && stretch->used);
	slab->starts[page] = NULL;
	slab->extents_free += stretch->size;
	stretch->used = false;
	list_append(&slab->free_stretches, &stretch->free);
	absorb_next(slab, stretch);
	before = list_entry(stretch->all.prev, struct stretch, all);
	if (stretch->all.prev != &slab->stretches && !before->used) {
		absorb_next(slab, before);
	}
}

bool slab_extent_taken(const struct slab *slab, uint64_t offset, uint64_t size_bytes)
{
	list_for_each(it, &slab->stretches) {
		const struct stretch *stretch = list_entry(it, struct stretch, all);
		uint64_t start = slab->extents_at + stretch->offset;

		if (stretch->used && offset >= start && offset - start < stretch->size) {
			return size_bytes <= stretch->size - (offset - start);
		}
	}
	return false;
}

uint64_t slab_extents_free(const struct slab *slab)
{
	return slab->extents_free;
}
