/* SPDX-License-Identifier: BSD-3-Clause */
/* Pins: a program that is given messages in place reads them in the ring's own memory, for as long
 * as it likes. A record comes with a pin only when the ring can do without that memory: nothing
 * else stops us from moving a payload. Together clients may pin
 *
 * slots     a quarter, each of them an eighth
 * extents   likewise, and none of those that the ring cannot do without (extents.h)
 * send      half of what may be kept of a region at all (hold.c); of all large regions of one
 *           sender 16 MiB, half of what its library works with
 * peers'    divided by the number of other nodes, so that all together pin no more than that: half of a
 *           common region, and 16 MiB of large ones
 *
 * What has no pin is copied by the program's own library. */
#include "clients/keep.h"

#define PINS_SHARE	 4
#define CLIENT_SHARE	 2
#define LARGE_PINS_BYTES (IPC_LARGE_REGIONS_BYTES / 2)
#define PEERS_SHARE	 2

static bool fits(uint64_t pinned, uint64_t more, uint64_t max)
{
	return more <= max && pinned <= max - more;
}

static bool is_large(const struct region *region)
{
	return region->memory.size > IPC_COMMON_REGION_BYTES;
}

static uint64_t granted_of_large(const struct region *region)
{
	uint64_t granted = 0;

	if (!region->client) {
		return region->granted_bytes;
	}
	list_for_each(it, &region->client->regions) {
		const struct region *other = list_entry(it, struct region, link);

		granted += is_large(other) ? other->granted_bytes : 0;
	}
	return granted;
}

static bool fits_sender(const struct clients *clients, const struct region *region, uint64_t size)
{
	return is_large(region)
		       ? fits(granted_of_large(region), size, LARGE_PINS_BYTES)
		       : fits(region->granted_bytes, size, clients_region_max(clients, region) / 2);
}

static bool fits_peer(const struct clients *clients, const struct region *region, uint64_t size)
{
	uint32_t others = clients->config.nodes > 1 ? clients->config.nodes - 1 : 1;

	return is_large(region) ? fits(clients->granted.peer_bytes, size, LARGE_PINS_BYTES / others)
				: fits(region->granted_bytes, size,
				       region->memory.size / PEERS_SHARE / others);
}

/* A body that somebody may pin already costs nothing more. */
static bool affordable_to_all(const struct clients *clients, const struct body *body)
{
	const struct slab_config *slab = &clients->config.slab_config;

	if (body->holds[HOLD_PIN] > 0) {
		return true;
	}
	switch (body->home) {
	case BODY_SLOT:
		return fits(clients->granted.slots, 1, slab->slot_count / PINS_SHARE);
	case BODY_EXTENT:
		return !body->spare && fits(clients->granted.extent_bytes, body->size,
					    slab->extent_bytes / PINS_SHARE);
	case BODY_SEND:
		return fits_sender(clients, clients->regions[body->region], body->size);
	case BODY_PEER:
		return fits_peer(clients, clients->regions[body->region], body->size);
	}
	return false;
}

static bool affordable(const struct client *client, const struct event *event)
{
	const struct slab_config *slab = &client->clients->config.slab_config;
	const struct body *body = event->body;

	return affordable_to_all(client->clients, body) &&
	       (body->home != BODY_SLOT ||
		fits(client->granted.slots, 1, slab->slot_count / PINS_SHARE / CLIENT_SHARE)) &&
	       (body->home != BODY_EXTENT || fits(client->granted.extent_bytes, event->head.length,
						  slab->extent_bytes / PINS_SHARE / CLIENT_SHARE));
}

static void count(struct granted *granted, const struct body *body, uint64_t bytes, bool more)
{
	if (body->home == BODY_SLOT) {
		granted->slots += more ? 1u : 0u - 1u;
	} else if (body->home == BODY_EXTENT) {
		granted->extent_bytes += more ? bytes : 0 - bytes;
	}
}

static void count_once(struct clients *clients, const struct body *body, bool more)
{
	if (body->home == BODY_SEND || body->home == BODY_PEER) {
		struct region *region = clients->regions[body->region];
		uint64_t bytes = more ? body->size : 0 - body->size;

		region->granted_bytes += bytes;
		clients->granted.peer_bytes += region->foreign && is_large(region) ? bytes : 0;
	} else {
		count(&clients->granted, body, body->size, more);
	}
}

static void pin_body(struct client *client, const struct event *event)
{
	struct body *body = event->body;

	count(&client->granted, body, event->head.length, true);
	if (body->holds[HOLD_PIN] == 0) {
		count_once(client->clients, body, true);
	}
	body_hold(body, HOLD_PIN);
}

static uint16_t take_pin(struct client *client)
{
	for (uint32_t i = 0; i < IPC_PINS / 64; i++) {
		uint32_t word = (client->pin_hint + i) % (IPC_PINS / 64);
		uint64_t unused = ~client->pins[word];

		if (unused != 0) {
			uint32_t bit = (uint32_t)__builtin_ctzll(unused);

			client->pins[word] |= 1ull << bit;
			client->pin_hint = word;
			return (uint16_t)(word * 64 + bit + 1);
		}
	}
	return 0;
}

bool client_pin_grant(struct client *client, struct event *event)
{
	if (event->head.pin == 0 && affordable(client, event)) {
		event->head.pin = take_pin(client);
		if (event->head.pin != 0) {
			ipc_pin_put(client->shared.base, event->head.pin, false);
			pin_body(client, event);
		}
	}
	return event->head.pin != 0;
}

bool client_pinned(const struct client *client, const struct event *event)
{
	return event->head.pin != 0 && ipc_pin_get(client->shared.base, event->head.pin);
}

/* Before the client's own hold is dropped: the body is still there afterwards. */
void client_pin_uncount(struct client *client, const struct event *event)
{
	struct body *body = event->body;

	if (event->head.pin == 0) {
		return;
	}
	count(&client->granted, body, event->head.length, false);
	if (body->holds[HOLD_PIN] == 1) {
		count_once(client->clients, body, false);
	}
	body_drop(body, HOLD_PIN);
}

void client_pin_free(struct client *client, struct event *event)
{
	uint32_t index = event->head.pin - 1u;

	if (event->head.pin != 0) {
		client->pins[index / 64] &= ~(1ull << (index % 64));
		event->head.pin = 0;
	}
}

void client_keep(struct client *client, struct event *event)
{
	list_remove(&event->link);
	list_append(&client->kept, &event->link);
	client->referred_bytes -= event->referred_bytes;
	event->referred_bytes = 0;
}

bool client_kept_look(struct client *client)
{
	uint64_t cleared = ipc_load_ordered(&ipc_indexes(client->shared.base)->pins_cleared);
	bool some = false;

	if (list_empty(&client->kept) || cleared == client->pins_cleared) {
		return false;
	}
	client->pins_cleared = cleared;
	list_for_each_safe(it, after, &client->kept)
	{
		struct event *event = list_entry(it, struct event, link);

		if (!client_pinned(client, event)) {
			client_event_free(client, event);
			some = true;
		}
	}
	return some;
}

bool client_kept_arm(struct client *client)
{
	if (list_empty(&client->kept)) {
		return false;
	}
	ipc_exchange(&ipc_indexes(client->shared.base)->pins_wanted, 1);
	return client_kept_look(client);
}
