/* SPDX-License-Identifier: BSD-3-Clause */
/* Spill: memory of a slow client's own, chunk by chunk, where messages go that it has not read,
 * so that the slab and the senders get theirs back. A client that leaves too much there is
 * disconnected. */
#include "clients/keep.h"
#include "clients/region.h"
#include "clients/user.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_SIZE_BYTES (1024u * 1024)

static uint64_t aligned(uint64_t size)
{
	return (size + 63) & ~63ull;
}

/* The more there is, the larger they get: every chunk takes a packet in the side socket. */
static uint64_t chunk_size(const struct client *client, uint64_t size)
{
	uint64_t whole = client->spilled_bytes / 4;

	whole = whole > CHUNK_SIZE_BYTES ? whole : CHUNK_SIZE_BYTES;
	return whole > size ? whole : size;
}

static int chunk_new(struct client *client, uint64_t size, struct chunk **out)
{
	uint64_t whole = chunk_size(client, size);
	struct chunk *chunk = calloc(1, sizeof(*chunk));
	int err;

	if (!chunk) {
		return -ENOMEM;
	}
	err = clients_memory_new("coronet-spill", whole, &chunk->memory, &chunk->shown_fd);
	if (err) {
		free(chunk);
		return err;
	}
	chunk->client = client;
	chunk->serial = ++client->clients->region_serial;
	list_append(&client->chunks, &chunk->link);
	client->user->queued_bytes += chunk->memory.size;
	*out = chunk;
	return 0;
}

static int chunk_take(struct client *client, uint64_t size, struct chunk **out)
{
	struct chunk *last;

	if (!list_empty(&client->chunks)) {
		last = list_entry(client->chunks.prev, struct chunk, link);
		if (size <= last->memory.size - last->used) {
			*out = last;
			return 0;
		}
	}
	return chunk_new(client, size, out);
}

static void chunk_free(struct chunk *chunk)
{
	list_remove(&chunk->link);
	chunk->client->user->queued_bytes -= chunk->memory.size;
	ipc_memory_free(&chunk->memory);
	close(chunk->shown_fd);
	free(chunk);
}

/* The program lets go of its mapping when it comes to this. */
static void tell_gone(struct client *client, uint64_t serial)
{
	struct event *event = client_event_new(client, IPC_EVENT_GONE, 0);

	if (event) {
		event->head.region = serial;
		client_event_queue(client, event);
	}
}

static void chunk_drop(struct chunk *chunk)
{
	struct client *client = chunk->client;
	bool announced = chunk->announced;
	uint64_t serial = chunk->serial;

	if (--chunk->live > 0) {
		return;
	}
	chunk_free(chunk);
	if (announced && client->state != CLIENT_CLOSED) {
		tell_gone(client, serial);
	}
}

void client_unspill(struct client *client, struct event *event)
{
	if (event->chunk) {
		client->spilled_bytes -= event->head.length;
		chunk_drop(event->chunk);
		event->chunk = NULL;
	}
}

bool client_spill_begin(struct client *client, struct event *event)
{
	const struct clients *clients = client->clients;
	uint64_t size = event->head.length;
	struct chunk *chunk;

	if (chunk_take(client, size, &chunk)) {
		client_doom(client, "no memory for the messages that it does not read");
		return false;
	}
	event->chunk = chunk;
	event->chunk_offset = chunk->used;
	event->copied = 0;
	chunk->used += aligned(size);
	if (chunk->used > chunk->memory.size) {
		chunk->used = chunk->memory.size;
	}
	chunk->live++;
	client->spilled_bytes += size;
	if (client->spilled_bytes + client->queued_bytes > clients->config.queue_max_bytes) {
		client_doom_slow(client,
				 "it does not read its messages: clients.queue_max is exceeded");
	} else {
		user_check(clients, client->user);
	}
	return true;
}

void client_spill_done(struct client *client, struct event *event)
{
	client_let_go(client, event);
	event->head.region = event->chunk->serial;
	event->head.offset = event->chunk_offset;
	event->head.flags |= IPC_EVENT_STAYS;
	client->clients->stats.spilled++;
	client->clients->stats.spilled_bytes += event->head.length;
}

bool client_spill(struct client *client, struct event *event, const void *payload)
{
	if (!client_spill_begin(client, event)) {
		return false;
	}
	memcpy((uint8_t *)event->chunk->memory.base + event->chunk_offset, payload,
	       event->head.length);
	event->copied = event->head.length;
	client_spill_done(client, event);
	return true;
}

void client_chunks_close(struct client *client)
{
	while (!list_empty(&client->chunks)) {
		chunk_free(list_entry(client->chunks.next, struct chunk, link));
	}
}
