/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of others that events refer to. */
#include "lib/region_map.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "ipc/memory.h"

static struct region_map *lookup(struct events *events, uint64_t region)
{
	list_for_each(it, &events->regions) {
		struct region_map *map = list_entry(it, struct region_map, link);

		if (map->region == region) {
			return map;
		}
	}
	return NULL;
}

static int map_announced(struct events *events, const struct ipc_region *announced, int fd)
{
	struct region_map *map = malloc(sizeof(*map));
	void *base;
	int err;

	if (!map) {
		return -ENOMEM;
	}
	err = ipc_memory_map(fd, announced->size, PROT_READ, &base);
	if (err) {
		free(map);
		return err;
	}
	*map = (struct region_map){
		.region = announced->region, .base = base, .size = announced->size};
	list_append(&events->regions, &map->link);
	return 0;
}

/* The packet is looked at before it is taken: when this process has no descriptor or address space left, it must not be lost. */
static int map_next(struct instance *instance)
{
	struct ipc_region announced;
	struct ipc_fds fds = {0};
	int size = ipc_receive_packet(instance->side_fd, &announced, sizeof(announced), &fds,
				      MSG_PEEK | MSG_DONTWAIT);
	int err;

	if (size == -EMSGSIZE) {
		return -ENOMEM;
	}
	if (size != (int)sizeof(announced) || fds.count != 1) {
		ipc_close_fds(&fds);
		return -EBADMSG;
	}
	err = map_announced(&instance->events, &announced, fds.fd[0]);
	ipc_close_fds(&fds);
	if (!err) {
		ipc_receive_packet(instance->side_fd, &announced, sizeof(announced), NULL,
				   MSG_DONTWAIT);
	}
	return err;
}

int region_map_find(struct instance *instance, uint64_t region, uint64_t offset, uint64_t size,
		    const uint8_t **bytes)
{
	struct events *events = &instance->events;
	struct region_map slab = {.base = events->slab, .size = events->slab_size};
	struct region_map *map = region == IPC_REGION_SLAB ? &slab : lookup(events, region);

	while (!map) {
		int err = map_next(instance);

		if (err) {
			return err;
		}
		map = lookup(events, region);
	}
	if (offset > map->size || size > map->size - offset) {
		return -EBADMSG;
	}
	*bytes = map->base + offset;
	return 0;
}

int region_map_rescued(struct instance *instance, uint64_t end, uint64_t size,
		       const uint8_t **bytes)
{
	const struct ipc_rescue *rescue;
	const struct ipc_rescued *places;
	const uint8_t *start;
	int err = region_map_find(instance, IPC_REGION_RESCUE, 0, sizeof(*rescue), &start);

	if (err) {
		return err;
	}
	rescue = (const struct ipc_rescue *)(const void *)start;
	if (rescue->count > IPC_EVENT_BYTES) {
		return -EBADMSG;
	}
	err = region_map_find(instance, IPC_REGION_RESCUE, sizeof(*rescue),
			      rescue->count * sizeof(*places), &start);
	if (err) {
		return err;
	}
	places = (const struct ipc_rescued *)(const void *)start;
	for (uint64_t i = 0; i < rescue->count; i++) {
		if (places[i].end == end) {
			return region_map_find(instance, IPC_REGION_RESCUE, places[i].offset, size,
					       bytes);
		}
	}
	return -EBADMSG;
}

static void drop(struct region_map *map)
{
	list_remove(&map->link);
	munmap((void *)map->base, map->size);
	free(map);
}

void region_map_drop(struct instance *instance, uint64_t region)
{
	struct region_map *map = lookup(&instance->events, region);

	if (map) {
		drop(map);
	}
}

void region_map_fini(struct events *events)
{
	list_for_each_safe(it, after, &events->regions)
	{
		drop(list_entry(it, struct region_map, link));
	}
	if (events->slab) {
		munmap((void *)events->slab, events->slab_size);
	}
}
