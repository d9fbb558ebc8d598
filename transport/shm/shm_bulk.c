/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames: lending, posting, returning, receiving. */
#include "shm/shm_bulk.h"

#include <errno.h>

#include "shm/shm_batch.h"
#include "shm/shm_bell.h"
#include "shm/shm_channel.h"
#include "shm/shm_link.h"
#include "shm/shm_region.h"

/* A frame on its way in, checked: where its pieces are in our address space. */
struct incoming {
	uint32_t count;
	uint32_t size_bytes;
	struct {
		const uint8_t *at;
		size_t size_bytes;
	} pieces[FRAME_SEGS_MAX];
};

/* A frame that the peer has taken is reported so late at most. */
#define SENT_LATE_MS 10

static struct shm_frame *frame_at(const struct shm_peer *peer, uint64_t number)
{
	return &peer->frames[number % peer->transport->config.bulk_depth];
}

static struct shm_bulk_entry *bulk_entry(const struct shm_map *map, uint64_t number,
					 uint32_t entries)
{
	return shm_channel_entry(map, number, entries, sizeof(struct shm_bulk_entry));
}

/* All that may be lent fits the ring, so the ring is never full. */
uint32_t shm_bulk_entries(const struct transport *t)
{
	uint32_t entries = 1;

	while (entries < t->config.bulk_depth) {
		entries *= 2;
	}
	return entries;
}

static int frame_describe(const struct transport *t, const struct transport_seg *segs, int count,
			  struct shm_frame *frame)
{
	uint64_t size_bytes = 0;

	for (int i = 0; i < count; i++) {
		const struct shm_region *region = shm_region_of(t, &segs[i]);

		if (!region) {
			return -EINVAL;
		}
		frame->pieces[i] = (struct shm_piece){.key = region->key,
						      .offset = segs[i].offset,
						      .size_bytes = segs[i].size_bytes};
		size_bytes += segs[i].size_bytes;
	}
	if (size_bytes == 0 || size_bytes > t->config.slot_size_bytes) {
		return -EMSGSIZE;
	}
	frame->count = (uint32_t)count;
	frame->size_bytes = (uint32_t)size_bytes;
	return 0;
}

int shm_frame_send(struct shm_peer *peer, const struct transport_seg *segs, int count,
		   uint64_t cookie)
{
	struct shm_frame *frame = frame_at(peer, peer->queued);
	int result;

	if (count < 1 || count > FRAME_SEGS_MAX) {
		return -EMSGSIZE;
	}
	if (!shm_link_usable(peer)) {
		return -ENOTCONN;
	}
	if (peer->queued - peer->done >= peer->transport->config.bulk_depth) {
		return -ENOBUFS;
	}
	result = frame_describe(peer->transport, segs, count, frame);
	if (result) {
		return result;
	}
	frame->cookie = cookie;
	peer->queued++;
	shm_frames_pump(peer);
	return 0;
}

static bool bulk_usable(const struct shm_peer *peer)
{
	return peer->state == SHM_UP && !peer->broken && shm_channel_works(&peer->bulk);
}

void shm_frames_pump(struct shm_peer *peer)
{
	struct shm_channel *channel = &peer->bulk;

	if (!bulk_usable(peer) || channel->hung || peer->posted == peer->queued) {
		return;
	}
	/* The peer must know of a region before a frame that lies in it. */
	if (peer->stale_count > 0) {
		shm_announce(peer);
		if (peer->stale_count > 0) {
			return;
		}
	}
	if (channel->produced == channel->acked) {
		peer->sent_look_ms = peer->transport->now_ms + SENT_LATE_MS;
	}
	for (; peer->posted != peer->queued; peer->posted++, channel->produced++) {
		const struct shm_frame *frame = frame_at(peer, peer->posted);
		struct shm_bulk_entry *entry =
			bulk_entry(&channel->own, channel->produced, channel->own_entries);

		memcpy(entry->pieces, frame->pieces, frame->count * sizeof(frame->pieces[0]));
		atomic_store_explicit(&entry->count, frame->count, memory_order_relaxed);
	}
	shm_channel_publish(channel);
	shm_bell_owe(peer);
}

void shm_frames_rewind(struct shm_peer *peer)
{
	peer->posted = peer->done > peer->fail_until ? peer->done : peer->fail_until;
}

void shm_frames_fail(struct shm_peer *peer)
{
	peer->fail_until = peer->queued;
	peer->posted = peer->queued;
}

void shm_frames_failed(struct shm_peer *peer, struct shm_batch *batch)
{
	while (peer->done < peer->fail_until && !shm_batch_full(batch)) {
		struct transport_event *event = shm_batch_add(batch, TRANSPORT_FAILED, peer->node);

		event->cookie = frame_at(peer, peer->done)->cookie;
		peer->done++;
	}
}

void shm_frames_sent(struct shm_peer *peer, struct shm_batch *batch)
{
	struct shm_channel *channel = &peer->bulk;
	uint64_t taken;

	if (!bulk_usable(peer) || peer->done < peer->fail_until) {
		return;
	}
	taken = shm_channel_taken(channel);
	if (taken > channel->produced - channel->acked) {
		peer->broken = "took more frames than there were";
		return;
	}
	if (taken > 0 || peer->transport->now_ms >= peer->sent_look_ms) {
		peer->sent_look_ms = peer->transport->now_ms + SENT_LATE_MS;
	}
	for (; taken > 0 && !shm_batch_full(batch); taken--) {
		const struct shm_frame *frame = frame_at(peer, peer->done);
		struct transport_event *event = shm_batch_add(batch, TRANSPORT_SENT, peer->node);

		event->cookie = frame->cookie;
		peer->stats.frames_sent++;
		peer->stats.bytes_sent += frame->size_bytes;
		peer->done++;
		channel->acked++;
	}
}

/* Reads the entry once and checks what it says. -EAGAIN: a region in it is not known (yet). */
static int incoming_describe(struct shm_peer *peer, struct incoming *in)
{
	const struct shm_channel *channel = &peer->bulk;
	const struct shm_bulk_entry *entry =
		bulk_entry(&channel->theirs, channel->taken, channel->their_entries);
	struct shm_piece pieces[FRAME_SEGS_MAX];
	uint64_t count = atomic_load_explicit(&entry->count, memory_order_relaxed);
	uint64_t total_bytes = 0;

	if (count == 0 || count > FRAME_SEGS_MAX) {
		return -EPROTO;
	}
	shm_copy_in(pieces, entry->pieces, count * sizeof(pieces[0]));
	for (uint64_t i = 0; i < count; i++) {
		const struct shm_remote *remote = shm_remote_find(peer, pieces[i].key);

		if (!remote) {
			return -EAGAIN;
		}
		if (pieces[i].offset > remote->size_bytes ||
		    pieces[i].size_bytes > remote->size_bytes - pieces[i].offset ||
		    pieces[i].size_bytes > peer->transport->config.slot_size_bytes) {
			return -EPROTO;
		}
		in->pieces[i].at = (const uint8_t *)remote->map.base + pieces[i].offset;
		in->pieces[i].size_bytes = (size_t)pieces[i].size_bytes;
		total_bytes += pieces[i].size_bytes;
	}
	if (total_bytes == 0 || total_bytes > peer->transport->config.slot_size_bytes) {
		return -EPROTO;
	}
	in->count = (uint32_t)count;
	in->size_bytes = (uint32_t)total_bytes;
	return 0;
}

static bool incoming_find(struct shm_peer *peer, struct incoming *in)
{
	int result = incoming_describe(peer, in);
	bool all = true;

	if (result == -EAGAIN) {
		/* It was announced before the frame was shown: it is in the socket, or nowhere. */
		all = shm_link_listen(peer);
		result = peer->broken ? -EPROTO : incoming_describe(peer, in);
	}
	if (result == -EAGAIN && !all) {
		return false;
	}
	if (result && !peer->broken) {
		peer->broken = result == -EAGAIN ? "sent a frame from a region it has not announced"
						 : "described a frame that cannot be";
	}
	return result == 0;
}

/* False when the frame is not to be delivered. */
static bool frame_fetch(struct shm_peer *peer, struct shm_batch *batch)
{
	struct transport *t = peer->transport;
	struct transport_event *event;
	struct incoming in;
	uint32_t slot = t->slots[t->slot_count - 1];
	uint8_t *to = (uint8_t *)t->regions[TRANSPORT_REGION_SLAB].memory.base +
		      (size_t)slot * t->config.slot_size_bytes;

	if (!incoming_find(peer, &in)) {
		return false;
	}
	for (uint32_t i = 0; i < in.count; i++) {
		memcpy(to, in.pieces[i].at, in.pieces[i].size_bytes);
		to += in.pieces[i].size_bytes;
	}
	if (shm_channel_closed(&peer->bulk)) {
		return false;
	}
	t->slot_count--;
	t->slot_posted[slot] = false;
	event = shm_batch_add(batch, TRANSPORT_FRAME, peer->node);
	event->slot = slot;
	event->size_bytes = in.size_bytes;
	peer->bulk.taken++;
	peer->starved = false;
	peer->stats.frames_received++;
	peer->stats.bytes_received += in.size_bytes;
	batch->frame_budget_bytes -= in.size_bytes < batch->frame_budget_bytes
					     ? in.size_bytes
					     : batch->frame_budget_bytes;
	return true;
}

static void starve(struct shm_peer *peer)
{
	if (!peer->starved) {
		peer->starved = true;
		peer->stats.receiver_not_ready++;
	}
}

void shm_frames_take(struct shm_peer *peer, struct shm_batch *batch)
{
	struct shm_channel *channel = &peer->bulk;
	uint64_t before = channel->taken;
	uint64_t ready;

	if (!bulk_usable(peer)) {
		return;
	}
	ready = shm_channel_ready(channel);
	if (ready > channel->their_entries) {
		peer->broken = "claims more frames than its ring holds";
		return;
	}
	for (; ready > 0 && batch->frame_budget_bytes > 0 && !shm_batch_full(batch); ready--) {
		if (peer->transport->slot_count == 0) {
			starve(peer);
			break;
		}
		if (!frame_fetch(peer, batch)) {
			break;
		}
	}
	if (channel->taken != before) {
		shm_channel_consume(channel);
		if (channel->taken >= shm_channel_wake_at(channel)) {
			shm_bell_owe(peer);
		}
	}
}

bool shm_bulk_waiting(const struct shm_peer *peer)
{
	const struct shm_channel *channel = &peer->bulk;

	if (!bulk_usable(peer)) {
		return false;
	}
	return shm_channel_taken(channel) > 0 ||
	       (peer->transport->slot_count > 0 && shm_channel_ready(channel) > 0 &&
		!shm_channel_closed(channel));
}

/* Which frames the peer has taken is no reason to wake: something else soon will. Only who will
 * soon be out of frames is in a hurry. */
void shm_frames_rest(struct shm_peer *peer)
{
	struct shm_channel *channel = &peer->bulk;
	uint64_t out = channel->produced - channel->acked;
	bool many = out > peer->transport->config.bulk_depth / 2;

	if (bulk_usable(peer)) {
		shm_channel_wake_when(channel, many ? channel->acked + out / 2 : UINT64_MAX);
	}
}

uint64_t shm_frames_deadline_ms(const struct shm_peer *peer)
{
	return bulk_usable(peer) && peer->bulk.produced != peer->bulk.acked ? peer->sent_look_ms
									    : SHM_NEVER;
}

bool shm_frames_waiting(const struct shm_peer *peer)
{
	return peer->done < peer->fail_until || shm_bulk_waiting(peer);
}
