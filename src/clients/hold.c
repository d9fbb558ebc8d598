/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients keep bodies until they have read them, but never so many that the ring could run out of
 * memory. Their share:
 *
 * slots     as many as there are, for a client that reads: when few are left the ring waits; an
 *           eighth for clients that lag (pace.c)
 * extents   half, as long as no message waits for a place
 * send      half of each region, or for large messages half of what a client may have
 * peers'    likewise, and never for long: their senders are not ours to ask how urgent it is
 *
 * Bodies that several clients keep, or one keeps for several messages, count once. Beyond the share
 * small payloads are copied at once, large ones after a while (relieve.c). */
#include "clients/keep.h"

#include <string.h>

#include "base/check.h"

#define SLOTS_SHARE	    8
#define SLOTS_PRESSED_SHARE 2
#define EXTENTS_SHARE	    2

static uint32_t slots_share(const struct clients *clients)
{
	return clients->config.slab_config.slot_count / SLOTS_SHARE;
}

uint32_t client_slots_share(const struct client *client)
{
	return slots_share(client->clients);
}

static uint64_t extents_max(const struct clients *clients)
{
	return clients->config.slab_config.extent_bytes / EXTENTS_SHARE;
}

/* Larger regions are those of large messages, where half of a region is never enough. */
uint64_t clients_region_max(const struct clients *clients, const struct region *region)
{
	return region->memory.size > IPC_COMMON_REGION_BYTES ? clients->config.send_max_bytes / 2
							     : region->memory.size / 2;
}

static bool region_pressed(const struct clients *clients, const struct region *region)
{
	return region->pinned_bytes > clients_region_max(clients, region);
}

bool client_may_hold(const struct client *client, const struct body *body)
{
	const struct clients *clients = client->clients;
	const struct region *region;

	if (body->holds[HOLD_CLIENT] > 0) {
		return true;
	}
	switch (body->home) {
	case BODY_SLOT:
		return !client->pace.lagging || clients->pinned_slots < slots_share(clients);
	case BODY_EXTENT:
		return clients->pinned_extent_bytes + body->size <= extents_max(clients);
	case BODY_SEND:
	case BODY_PEER:
		region = clients->regions[body->region];
		return region->pinned_bytes + body->size <= clients_region_max(clients, region);
	}
	return false;
}

static void count_region(struct clients *clients, struct region *region, uint64_t bytes)
{
	bool before = region_pressed(clients, region);

	if (region->foreign) {
		clients->pinned_peer_bytes += bytes;
	} else {
		clients->pinned_send_bytes += bytes;
	}
	region->pinned_bytes += bytes;
	clients->pressed_regions += region_pressed(clients, region);
	clients->pressed_regions -= before;
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
	case BODY_PEER:
		count_region(clients, clients->regions[body->region], bytes);
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
	list_append(body->home == BODY_SLOT ? &client->held_slots : &client->held, &event->held);
}

void client_let_go(struct client *client, struct event *event)
{
	struct body *body = event->body;

	if (!body) {
		return;
	}
	client_pin_uncount(client, event);
	event->body = NULL;
	list_remove(&event->held);
	if (body->holds[HOLD_CLIENT] == 1) {
		count(client->clients, body, false);
	}
	body_drop(body, HOLD_CLIENT);
}

const uint8_t *client_payload(const struct event *event)
{
	const struct body *body = event->body;

	check(event->head.offset >= body->offset &&
	      event->head.length <= body->size - (event->head.offset - body->offset));
	return body->bytes + (event->head.offset - body->offset);
}

static bool slots_pressed(const struct clients *clients)
{
	return clients->pinned_slots >
		       clients->config.slab_config.slot_count / SLOTS_PRESSED_SHARE ||
	       (clients->pinned_slots > 0 && engine_slots_short(clients->engine));
}

static bool extents_pressed(const struct clients *clients)
{
	return clients->pinned_extent_bytes > extents_max(clients) ||
	       (clients->pinned_extent_bytes > 0 && engine_extents_short(clients->engine));
}

/* Who says it has none left may be right although less than its share is kept: it may lie badly. */
static bool send_pressed(const struct clients *clients, const struct region *region)
{
	return region_pressed(clients, region) || (region->client && region->client->hungry);
}

bool clients_pressed_by(const struct clients *clients, const struct body *body)
{
	switch (body->home) {
	case BODY_SLOT:
		return slots_pressed(clients);
	case BODY_EXTENT:
		return extents_pressed(clients);
	case BODY_SEND:
		return send_pressed(clients, clients->regions[body->region]);
	case BODY_PEER:
		return true;
	}
	return false;
}

bool clients_pressed(const struct clients *clients)
{
	return slots_pressed(clients) || extents_pressed(clients) || clients->pressed_regions > 0 ||
	       clients->hungry > 0 || clients->pinned_peer_bytes > 0;
}

bool clients_short(const struct clients *clients)
{
	return clients->pinned_slots > slots_share(clients) / 2 ||
	       clients->pinned_extent_bytes > extents_max(clients) / 2 ||
	       clients->pinned_send_bytes > IPC_COMMON_REGION_BYTES / 4;
}
