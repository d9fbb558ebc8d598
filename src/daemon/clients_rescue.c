/* SPDX-License-Identifier: BSD-3-Clause */
/* The end of a connection that the daemon wants to end: what stands in the client's ring is still
 * the client's to read, but the memory that it points at goes back to its owners. So it is copied,
 * the copy is given to the client, and only then the memory is let go. */
#include "daemon/clients_int.h"

#include <string.h>

static uint64_t aligned(uint64_t size)
{
	return (size + 63) & ~63ull;
}

static uint64_t head_size(uint64_t count)
{
	return aligned(sizeof(struct ipc_rescue) + count * sizeof(struct ipc_rescued));
}

/* Bytes of payload, and how many they are. */
static uint64_t measure(const struct client *client, uint64_t *count)
{
	uint64_t size = 0;

	*count = 0;
	list_for_each(it, &client->in_ring) {
		const struct event *event = list_entry(it, struct event, link);

		if (event->body) {
			(*count)++;
			size += aligned(event->head.length);
		}
	}
	return size;
}

static void fill(const struct client *client, uint8_t *base, uint64_t count)
{
	struct ipc_rescue *rescue = (struct ipc_rescue *)(void *)base;
	struct ipc_rescued *place = (struct ipc_rescued *)(void *)(rescue + 1);
	uint64_t offset = head_size(count);

	rescue->count = count;
	list_for_each(it, &client->in_ring) {
		const struct event *event = list_entry(it, struct event, link);

		if (event->body) {
			*place++ = (struct ipc_rescued){.end = event->end, .offset = offset};
			memcpy(base + offset, client_payload(event), event->head.length);
			offset += aligned(event->head.length);
		}
	}
}

void client_rescue(struct client *client)
{
	struct ipc_memory memory;
	uint64_t count;
	uint64_t size;

	if (ipc_events_look(&client->writer)) {
		client_take_back(client);
	}
	size = measure(client, &count);
	if (count > 0 && !ipc_memory_new("coronet-rescue", head_size(count) + size, &memory)) {
		fill(client, memory.base, count);
		client_announce(client, IPC_REGION_RESCUE, &memory);
		ipc_memory_free(&memory);
	}
	ipc_exchange(&ipc_indexes(client->shared.base)->events_closed, 1);
}
