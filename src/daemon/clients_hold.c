/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients keep bodies until they have read them, but never so many that the ring could run out of memory. What is beyond is copied out.
 *
 * slots     together at most an eighth of all: the engine builds its own frames in a quarter
 * extents   together at most half
 * send      of each region at most half, or for large messages half of what a client may have
 * and one client at most half of the slots' share. Bodies that several clients keep count once. */
#include "daemon/clients_int.h"

#include <string.h>

#include "base/check.h"

#define SLOTS_SHARE   8
#define EXTENTS_SHARE 2
/* Large messages have regions of their own, where half of the region is never enough. */
#define COMMON_REGION_MAX_BYTES (4u * 1024 * 1024)
#define RELIEF_PER_TURN_BYTES	(8u * 1024 * 1024)

static uint32_t slots_max(const struct clients *clients)
{
	return clients->config.slab_config.slot_count / SLOTS_SHARE;
}

static uint64_t extents_max(const struct clients *clients)
{
	return clients->config.slab_config.extent_bytes / EXTENTS_SHARE;
}

static bool region_has_room(const struct clients *clients, const struct body *body)
{
	const struct region *region = clients->regions[body->region];
	uint64_t room = region->memory.size / 2;

	if (region->memory.size > COMMON_REGION_MAX_BYTES) {
		room = clients->config.send_max_bytes / 2;
	}
	return region->pinned_bytes + body->size <= room;
}

bool client_may_hold(const struct client *client, const struct body *body)
{
	const struct clients *clients = client->clients;

	if (client->held >= slots_max(clients) / 2 + 1) {
		return false;
	}
	if (body->holds[HOLD_CLIENT] > 0) {
		return true;
	}
	switch (body->home) {
	case BODY_SLOT:
		return clients->pinned_slots < slots_max(clients);
	case BODY_EXTENT:
		return clients->pinned_extent_bytes + body->size <= extents_max(clients);
	case BODY_SEND:
		return region_has_room(clients, body);
	}
	return false;
}

static void count(struct clients *clients, const struct body *body, bool more)
{
	uint64_t bytes = more ? body->size : 0 - body->size;

	switch (body->home) {
	case BODY_SLOT:
		clients->pinned_slots += more ? 1u : 0u - 1u;
		return;
	case BODY_EXTENT:
		clients->pinned_extent_bytes += bytes;
		return;
	case BODY_SEND:
		clients->pinned_send_bytes += bytes;
		clients->regions[body->region]->pinned_bytes += bytes;
		return;
	}
}

void client_hold(struct client *client, struct event *event, struct body *body)
{
	if (body->holds[HOLD_CLIENT] == 0) {
		count(client->clients, body, true);
	}
	body_hold(body, HOLD_CLIENT);
	event->body = body;
	client->held++;
}

void client_release(struct client *client, struct event *event)
{
	struct body *body = event->body;

	if (event->chunk) {
		client->spilled_bytes -= event->head.length;
		chunk_drop(event->chunk);
		event->chunk = NULL;
	}
	if (!body) {
		return;
	}
	event->body = NULL;
	client->held--;
	if (body->holds[HOLD_CLIENT] == 1) {
		count(client->clients, body, false);
	}
	body_drop(body, HOLD_CLIENT);
}

bool clients_pressed(const struct clients *clients)
{
	return clients->pinned_slots > slots_max(clients) / 4 * 3 ||
	       clients->pinned_extent_bytes > extents_max(clients) / 4 * 3;
}

bool clients_short(const struct clients *clients)
{
	return clients->pinned_slots > slots_max(clients) / 2 ||
	       clients->pinned_extent_bytes > extents_max(clients) / 2 ||
	       clients->pinned_send_bytes > COMMON_REGION_MAX_BYTES / 4;
}

const uint8_t *client_payload(const struct event *event)
{
	const struct body *body = event->body;

	check(event->head.offset >= body->offset &&
	      event->head.length <= body->size - (event->head.offset - body->offset));
	return body->bytes + (event->head.offset - body->offset);
}

/* Oldest first. What is in the ring stays: the client may be reading it. */
static uint64_t relieve(struct client *client, uint64_t budget)
{
	uint64_t copied = 0;

	list_for_each(it, &client->queue) {
		struct event *event = list_entry(it, struct event, link);

		if (copied >= budget || client->doom) {
			break;
		}
		if (event->body && !client_spill(client, event, client_payload(event))) {
			copied += event->head.length;
		}
	}
	return copied;
}

bool clients_relieve(struct clients *clients)
{
	uint64_t budget = RELIEF_PER_TURN_BYTES;

	if (!clients_pressed(clients)) {
		return false;
	}
	list_for_each(it, &clients->active) {
		uint64_t copied = relieve(list_entry(it, struct client, active), budget);

		if (copied >= budget) {
			return true;
		}
		budget -= copied;
	}
	return false;
}
