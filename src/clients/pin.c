/* SPDX-License-Identifier: BSD-3-Clause */
/* Pins: a program that is given messages in place reads them in the ring's own memory, for as long
 * as it likes. A record comes with a pin only when the ring can do without that memory: nothing
 * else stops us from moving a payload. Together clients may pin
 *
 * slots     a quarter, each of them an eighth
 * extents   likewise
 * send      half of what may be kept of a region at all (hold.c); of all large regions of one
 *           sender 16 MiB, half of what its library works with
 *
 * What has no pin is copied by the program's own library. */
#include "clients/keep.h"

#include "base/check.h"

#define PINS_SHARE	 4
#define CLIENT_SHARE	 2
#define LARGE_PINS_BYTES (16ull * 1024 * 1024)

static bool fits(uint64_t pinned, uint64_t more, uint64_t max)
{
	return more <= max && pinned <= max - more;
}

static bool is_large(const struct region *region)
{
	return region->memory.size > CLIENTS_COMMON_REGION_BYTES;
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

static bool affordable(const struct client *client, const struct event *event)
{
	const struct clients *clients = client->clients;
	const struct slab_config *slab = &clients->config.slab_config;
	uint64_t size = event->head.length;
	uint64_t max;

	switch (event->body->home) {
	case BODY_SLOT:
		max = slab->slot_count / PINS_SHARE;
		return fits(clients->granted.slots, 1, max) &&
		       fits(client->granted.slots, 1, max / CLIENT_SHARE);
	case BODY_EXTENT:
		max = slab->extent_bytes / PINS_SHARE;
		return fits(clients->granted.extent_bytes, size, max) &&
		       fits(client->granted.extent_bytes, size, max / CLIENT_SHARE);
	case BODY_SEND:
		return fits_sender(clients, clients->regions[event->body->region], size);
	}
	return false;
}

static void count(struct client *client, const struct event *event, bool more)
{
	struct clients *clients = client->clients;
	uint64_t bytes = more ? event->head.length : 0 - event->head.length;
	uint32_t slots = more ? 1u : 0u - 1u;

	switch (event->body->home) {
	case BODY_SLOT:
		clients->granted.slots += slots;
		client->granted.slots += slots;
		return;
	case BODY_EXTENT:
		clients->granted.extent_bytes += bytes;
		client->granted.extent_bytes += bytes;
		return;
	case BODY_SEND:
		clients->regions[event->body->region]->granted_bytes += bytes;
		return;
	}
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
			event->granted = true;
			count(client, event, true);
		}
	}
	return event->head.pin != 0;
}

bool client_pinned(const struct client *client, const struct event *event)
{
	return event->head.pin != 0 && ipc_pin_get(client->shared.base, event->head.pin);
}

void client_pin_uncount(struct client *client, struct event *event)
{
	if (event->granted) {
		check(event->body);
		event->granted = false;
		count(client, event, false);
	}
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
