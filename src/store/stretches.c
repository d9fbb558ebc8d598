/* SPDX-License-Identifier: BSD-3-Clause */
/* Pieces of an area, first fit, neighbours that are free grow together. */
#include "store/stretches.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/list.h"

#define PAGE_BYTES 4096u

/* Neighbours in address order are neighbours in `all`. */
struct stretch {
	struct list all;
	struct list free; /* in area.free in address order, while it is free */
	uint64_t offset;
	uint64_t size;
	bool used;
};

struct stretches {
	uint64_t size;
	uint64_t used;
	struct list all;
	struct list free;
	struct stretch **starts; /* the used one that starts at a page, by page number */
};

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

int stretches_new(uint64_t size_bytes, struct stretches **out)
{
	struct stretches *area;
	struct stretch *whole;

	if (size_bytes == 0 || size_bytes % PAGE_BYTES != 0) {
		return -EINVAL;
	}
	area = calloc(1, sizeof(*area));
	if (!area) {
		return -ENOMEM;
	}
	list_init(&area->all);
	list_init(&area->free);
	area->size = size_bytes;
	area->starts = calloc(size_bytes / PAGE_BYTES, sizeof(struct stretch *));
	whole = stretch_new(0, size_bytes);
	if (!area->starts || !whole) {
		free(whole);
		stretches_free(&area);
		return -ENOMEM;
	}
	list_append(&area->all, &whole->all);
	list_append(&area->free, &whole->free);
	*out = area;
	return 0;
}

void stretches_free(struct stretches **area)
{
	if (!*area) {
		return;
	}
	list_for_each_safe(it, after, &(*area)->all)
	{
		free(list_entry(it, struct stretch, all));
	}
	free((*area)->starts);
	free(*area);
	*area = NULL;
}

static struct stretch *first_fit(const struct stretches *area, uint64_t size)
{
	list_for_each(it, &area->free) {
		struct stretch *stretch = list_entry(it, struct stretch, free);

		if (stretch->size >= size) {
			return stretch;
		}
	}
	return NULL;
}

/* Leaves `size` bytes in the stretch and makes a free one of the rest. */
static int split(struct stretch *stretch, uint64_t size)
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
	/* list_append puts before what it is given: behind this one. */
	list_append(stretch->all.next, &rest->all);
	list_append(stretch->free.next, &rest->free);
	return 0;
}

int stretches_take(struct stretches *area, uint64_t size_bytes, uint64_t *offset)
{
	struct stretch *stretch;

	if (size_bytes == 0) {
		return -EINVAL;
	}
	if (size_bytes > area->size) {
		return -ENOSPC;
	}
	size_bytes = (size_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	stretch = first_fit(area, size_bytes);
	if (!stretch || split(stretch, size_bytes) < 0) {
		return -ENOSPC;
	}
	list_remove(&stretch->free);
	stretch->used = true;
	area->starts[stretch->offset / PAGE_BYTES] = stretch;
	area->used += size_bytes;
	*offset = stretch->offset;
	return 0;
}

/* Appends the free neighbour behind `stretch` to it. */
static void absorb_next(struct stretches *area, struct stretch *stretch)
{
	struct stretch *next = list_entry(stretch->all.next, struct stretch, all);

	if (stretch->all.next == &area->all || next->used) {
		return;
	}
	stretch->size += next->size;
	list_remove(&next->all);
	list_remove(&next->free);
	free(next);
}

/* Where the next free one in address order is, or the list's head. */
static struct list *free_behind(struct stretches *area, const struct stretch *stretch)
{
	struct list *it = area->free.next;

	while (it != &area->free &&
	       list_entry(it, struct stretch, free)->offset < stretch->offset) {
		it = it->next;
	}
	return it;
}

uint64_t stretches_put(struct stretches *area, uint64_t offset)
{
	struct stretch *stretch;
	struct stretch *before;
	uint64_t size;

	check(offset < area->size && offset % PAGE_BYTES == 0);
	stretch = area->starts[offset / PAGE_BYTES];
	check(stretch && stretch->used);
	size = stretch->size;
	area->starts[offset / PAGE_BYTES] = NULL;
	area->used -= size;
	stretch->used = false;
	list_append(free_behind(area, stretch), &stretch->free);
	absorb_next(area, stretch);
	before = list_entry(stretch->all.prev, struct stretch, all);
	if (stretch->all.prev != &area->all && !before->used) {
		absorb_next(area, before);
	}
	return size;
}

uint64_t stretches_used(const struct stretches *area)
{
	return area->used;
}

bool stretches_taken(const struct stretches *area, uint64_t offset, uint64_t size_bytes)
{
	list_for_each(it, &area->all) {
		const struct stretch *stretch = list_entry(it, struct stretch, all);

		if (stretch->used && offset >= stretch->offset &&
		    offset - stretch->offset < stretch->size) {
			return size_bytes <= stretch->size - (offset - stretch->offset);
		}
	}
	return false;
}
