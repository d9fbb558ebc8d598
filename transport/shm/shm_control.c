/* SPDX-License-Identifier: BSD-3-Clause */
/* Sending and taking control messages. */
#include "shm/shm_control.h"

#include <errno.h>

#include "shm/shm_batch.h"
#include "shm/shm_bell.h"
#include "shm/shm_link.h"
#include "shm/shm_channel.h"

static struct shm_control_entry *control_entry(const struct shm_map *map, uint64_t number,
					       uint32_t entries)
{
	return shm_channel_entry(map, number, entries, sizeof(struct shm_control_entry));
}

/* Looks at the other side's count only when the ring seems full. */
static bool control_has_room(struct shm_peer *peer)
{
	struct shm_channel *channel = &peer->control;
	uint64_t taken;

	if (channel->produced - channel->acked < channel->own_entries) {
		return true;
	}
	taken = shm_channel_taken(channel);
	if (taken > channel->produced - channel->acked) {
		peer->broken = "took more control messages than there were";
		shm_bell_ring(peer->transport);
		return false;
	}
	channel->acked += taken;
	return taken > 0;
}

int shm_control_send(struct shm_peer *peer, const void *bytes, size_t size_bytes)
{
	struct shm_channel *channel = &peer->control;
	struct shm_control_entry *entry;

	if (size_bytes == 0 || size_bytes > CHANNEL_SIZE_MAX) {
		return -EMSGSIZE;
	}
	if (!shm_link_usable(peer)) {
		return -ENOTCONN;
	}
	if (!control_has_room(peer)) {
		return peer->broken ? -ENOTCONN : -ENOBUFS;
	}
	entry = control_entry(&channel->own, channel->produced, channel->own_entries);
	memcpy(entry->bytes, bytes, size_bytes);
	atomic_store_explicit(&entry->size_bytes, (uint32_t)size_bytes, memory_order_relaxed);
	channel->produced++;
	shm_channel_publish(channel);
	shm_bell_owe(peer);
	peer->stats.control_sent++;
	peer->stats.bytes_sent += size_bytes;
	return 0;
}

bool shm_control_waiting(const struct shm_peer *peer)
{
	return shm_channel_works(&peer->control) && shm_channel_ready(&peer->control) > 0;
}

static bool control_take_one(struct shm_peer *peer, struct shm_batch *batch)
{
	struct shm_channel *channel = &peer->control;
	struct shm_control_entry *entry =
		control_entry(&channel->theirs, channel->taken, channel->their_entries);
	uint32_t size_bytes = atomic_load_explicit(&entry->size_bytes, memory_order_relaxed);
	uint8_t *copy = peer->transport->arena + batch->arena_used_bytes;
	struct transport_event *event;

	if (size_bytes == 0 || size_bytes > CHANNEL_SIZE_MAX) {
		peer->broken = "sent a control message of impossible size";
		return false;
	}
	shm_copy_in(copy, entry->bytes, size_bytes);
	batch->arena_used_bytes += (size_bytes + 7u) & ~(size_t)7;
	event = shm_batch_add(batch, TRANSPORT_CONTROL, peer->node);
	event->data = copy;
	event->size_bytes = size_bytes;
	channel->taken++;
	peer->stats.control_received++;
	peer->stats.bytes_received += size_bytes;
	return true;
}

void shm_control_take(struct shm_peer *peer, struct shm_batch *batch, int limit)
{
	struct shm_channel *channel = &peer->control;
	uint64_t ready = shm_channel_ready(channel);
	uint64_t before = channel->taken;

	if (ready > channel->their_entries) {
		peer->broken = "claims more control messages than its ring holds";
		return;
	}
	while (ready-- > 0 && batch->count < limit &&
	       batch->arena_used_bytes <= SHM_ARENA_BYTES - CHANNEL_SIZE_MAX) {
		if (!control_take_one(peer, batch)) {
			break;
		}
	}
	if (channel->taken != before) {
		shm_channel_consume(channel);
	}
}
