/* SPDX-License-Identifier: BSD-3-Clause */
/* Spill: messages that a slow client has not read are copied into memory of its own, chunk by chunk, so that the slab and the senders get
 * theirs back. A client that leaves too much there is disconnected. */
#include "daemon/clients_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE_BYTES (1024u * 1024)

static uint64_t aligned(uint64_t size)
{
	return (size + 63) & ~63ull;
}

static int chunk_new(struct client *client, uint64_t size, struct chunk **out)
{
	uint64_t whole = size > CHUNK_SIZE_BYTES ? size : CHUNK_SIZE_BYTES;
	struct chunk *chunk = calloc(1, sizeof(*chunk));
	int err;

	if (!chunk) {
		return -ENOMEM;
	}
	err = ipc_memory_new("coronet-spill", whole, &chunk->memory);
	if (err) {
		free(chunk);
		return err;
	}
	chunk->client = client;
	chunk->serial = ++client->clients->region_serial;
	list_append(&client->chunks, &chunk->link);
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
	ipc_memory_free(&chunk->memory);
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

void chunk_drop(struct chunk *chunk)
{
	struct client *client = chunk->client;
	bool announced = chunk->announced;
	uint64_t serial = chunk->serial;

	if (--chunk->live > 0 || client->state == CLIENT_CLOSED) {
		return;
	}
	chunk_free(chunk);
	if (announced) {
		tell_gone(client, serial);
	}
}

static void count(struct client *client, uint64_t size)
{
	client->spilled_bytes += size;
	client->clients->stats.spilled++;
	client->clients->stats.spilled_bytes += size;
	if (client->spilled_bytes + client->queued_bytes >
	    client->clients->config.queue_max_bytes) {
		client_doom(client, "it does not read its messages: client_queue_max is exceeded");
	}
}

int client_spill(struct client *client, struct event *event, const void *payload)
{
	uint64_t size = event->head.length;
	struct chunk *chunk;
	int err = chunk_take(client, size, &chunk);

	if (err) {
		client_doom(client, "no memory for the messages that it does not read");
		return err;
	}
	memcpy((uint8_t *)chunk->memory.base + chunk->used, payload, size);
	client_release(client, event);
	event->chunk = chunk;
	event->head.region = chunk->serial;
	event->head.offset = chunk->used;
	chunk->used += aligned(size);
	if (chunk->used > chunk->memory.size) {
		chunk->used = chunk->memory.size;
	}
	chunk->live++;
	count(client, size);
	return 0;
}

void client_chunks_close(struct client *client)
{
	while (!list_empty(&client->chunks)) {
		chunk_free(list_entry(client->chunks.next, struct chunk, link));
	}
}
