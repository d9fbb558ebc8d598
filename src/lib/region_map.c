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

static int map_announced(struct events *events, const struct ipc_side *announced, int fd)
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

static int note_move(struct events *events, const struct ipc_side *moved)
{
	struct payload_move *move = malloc(sizeof(*move));

	if (!move) {
		return -ENOMEM;
	}
	*move = (struct payload_move){
		.end = moved->end, .region = moved->region, .offset = moved->offset};
	list_append(&events->moves, &move->link);
	return 0;
}

/* The packet is looked at before it is taken: when this process has no descriptor or address space
 * left, it must not be lost. -EAGAIN: there is none. */
static int take_packet(struct instance *instance)
{
	struct ipc_side packet;
	struct ipc_fds fds = {0};
	int size = ipc_receive_packet(instance->side_fd, &packet, sizeof(packet), &fds,
				      MSG_PEEK | MSG_DONTWAIT);
	int err;

	if (size == -EMFILE) {
		return -ENOMEM;
	}
	if (size < 0) {
		return size;
	}
	if (size == 0) {
		return -EAGAIN;
	}
	if (size != (int)sizeof(packet) || fds.count > 1) {
		ipc_close_fds(&fds);
		return -EBADMSG;
	}
	err = fds.count == 1 ? map_announced(&instance->events, &packet, fds.fd[0])
			     : note_move(&instance->events, &packet);
	ipc_close_fds(&fds);
	if (!err) {
		ipc_receive_packet(instance->side_fd, &packet, sizeof(packet), &fds, MSG_DONTWAIT);
		ipc_close_fds(&fds);
	}
	return err;
}

static int take_packets(struct instance *instance)
{
	int err = 0;

	while (!err) {
		err = take_packet(instance);
	}
	return err == -ENOMEM ? err : 0;
}

int region_map_find(struct instance *instance, uint64_t region, uint64_t offset, uint64_t size,
		    const uint8_t **bytes)
{
	struct events *events = &instance->events;
	struct region_map slab = {.base = events->slab, .size = events->slab_size};
	struct region_map *map = region == IPC_REGION_SLAB ? &slab : lookup(events, region);

	while (!map) {
		int err = take_packet(instance);

		if (err) {
			return err == -ENOMEM ? err : -EBADMSG;
		}
		map = lookup(events, region);
	}
	if (offset > map->size || size > map->size - offset) {
		return -EBADMSG;
	}
	*bytes = map->base + offset;
	return 0;
}

int region_map_moved(struct instance *instance, uint64_t end, uint64_t size, const uint8_t **bytes)
{
	struct events *events = &instance->events;
	uint64_t moves = ipc_events_moved(instance->shared);
	int err = moves == events->moves_seen ? 0 : take_packets(instance);

	if (err) {
		return err;
	}
	events->moves_seen = moves;
	list_for_each(it, &events->moves) {
		struct payload_move *move = list_entry(it, struct payload_move, link);

		if (move->end == end) {
			err = region_map_find(instance, move->region, move->offset, size, bytes);
			return err ? err : 1;
		}
	}
	return moves == IPC_MOVED_END ? -EBADMSG : 0;
}

void region_map_forget_moves(struct events *events, uint64_t position)
{
	list_for_each_safe(it, after, &events->moves)
	{
		struct payload_move *move = list_entry(it, struct payload_move, link);

		if (move->end <= position) {
			list_remove(it);
			free(move);
		}
	}
}

void region_map_tidy(struct instance *instance)
{
	struct events *events = &instance->events;
	uint64_t moves = ipc_load(&ipc_indexes(instance->shared)->events_moved);

	if (moves != events->moves_seen && take_packets(instance) == 0) {
		events->moves_seen = moves;
		region_map_forget_moves(events, events->reader.read);
	}
}

static void drop(struct region_map *map)
{
	list_remove(&map->link);
	munmap((void *)map->base, map->size);
	free(map);
}

/* No record that we read may have named it: then its announcement is still in the socket. */
void region_map_drop(struct instance *instance, uint64_t region)
{
	struct region_map *map = lookup(&instance->events, region);

	if (!map && take_packets(instance) == 0) {
		map = lookup(&instance->events, region);
	}
	if (map) {
		drop(map);
	}
}

void region_map_fini(struct events *events)
{
	region_map_forget_moves(events, UINT64_MAX);
	list_for_each_safe(it, after, &events->regions)
	{
		drop(list_entry(it, struct region_map, link));
	}
	if (events->slab) {
		munmap((void *)events->slab, events->slab_size);
	}
}
