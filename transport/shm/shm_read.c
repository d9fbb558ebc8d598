/* SPDX-License-Identifier: BSD-3-Clause */
/* READs, in the order in which they were asked for. */
#include "shm/shm_read.h"

#include <errno.h>

#include "shm/shm_batch.h"
#include "shm/shm_channel.h"
#include "shm/shm_link.h"
#include "shm/shm_region.h"

#define SHM_READ_RETRY_MS 20

int shm_read_queue(struct shm_peer *peer, const struct shm_read *read)
{
	if (!shm_link_usable(peer)) {
		return -ENOTCONN;
	}
	if (peer->reads_queued - peer->reads_done >= SHM_READS_MAX) {
		return -ENOBUFS;
	}
	peer->reads[peer->reads_queued++ % SHM_READS_MAX] = *read;
	return 0;
}

int shm_read_start(struct shm_peer *peer, uint64_t key, uint64_t remote_offset,
		   const struct transport_seg *into, uint64_t cookie)
{
	const struct shm_region *region = shm_region_of(peer->transport, into);

	if (!region || into->size_bytes == 0 || into->size_bytes > READ_SIZE_MAX) {
		return -EINVAL;
	}
	return shm_read_queue(
		peer, &(struct shm_read){.cookie = cookie,
					 .key = key,
					 .offset = remote_offset,
					 .into = (uint8_t *)region->memory.base + into->offset,
					 .size_bytes = into->size_bytes});
}

void shm_reads_fail(struct shm_peer *peer)
{
	peer->reads_fail_until = peer->reads_queued;
	peer->read_retry_ms = SHM_NEVER;
}

static struct transport_event *read_finish(struct shm_peer *peer, struct shm_batch *batch,
					   int status)
{
	const struct shm_read *read = &peer->reads[peer->reads_done++ % SHM_READS_MAX];
	struct transport_event *event = shm_batch_add(batch, TRANSPORT_READ_DONE, peer->node);

	event->cookie = read->cookie;
	event->status = status;
	if (status == 0) {
		peer->stats.reads++;
		peer->stats.read_bytes += read->size_bytes;
	}
	return event;
}

void shm_reads_failed(struct shm_peer *peer, struct shm_batch *batch)
{
	while (peer->reads_done < peer->reads_fail_until && !shm_batch_full(batch)) {
		read_finish(peer, batch, -ECONNRESET);
	}
}

static int read_find(struct shm_peer *peer, const struct shm_read *read,
		     const struct shm_remote **out)
{
	const struct shm_remote *remote;
	int result = shm_remote_usable(peer, read->key, &remote);

	if (result) {
		return result;
	}
	if (read->offset > remote->size_bytes ||
	    read->size_bytes > remote->size_bytes - read->offset) {
		return -EACCES;
	}
	*out = remote;
	return 0;
}

/* Whoever asked to look is about to read it all: that is what the budget is for. */
static void show(struct shm_peer *peer, struct shm_batch *batch, const struct shm_remote *remote)
{
	const struct shm_read *look = &peer->reads[peer->reads_done % SHM_READS_MAX];
	struct transport_event *event = read_finish(peer, batch, 0);

	event->data = (const uint8_t *)remote->map.base + look->offset;
	event->size_bytes = look->size_bytes;
	batch->read_budget_bytes -= look->size_bytes < batch->read_budget_bytes
					    ? look->size_bytes
					    : batch->read_budget_bytes;
}

static void copy_slice(struct shm_read *read, struct shm_batch *batch,
		       const struct shm_remote *remote)
{
	size_t left_bytes = read->size_bytes - read->done_bytes;
	size_t slice_bytes =
		left_bytes < batch->read_budget_bytes ? left_bytes : batch->read_budget_bytes;

	memcpy(read->into + read->done_bytes,
	       (const uint8_t *)remote->map.base + read->offset + read->done_bytes, slice_bytes);
	batch->read_budget_bytes -= slice_bytes;
	read->done_bytes += (uint32_t)slice_bytes;
}

/* One slice of the oldest READ; returns false when it cannot get on now. */
static bool read_step(struct shm_peer *peer, struct shm_batch *batch)
{
	struct shm_read *read = &peer->reads[peer->reads_done % SHM_READS_MAX];
	const struct shm_remote *remote = NULL;
	int result = read_find(peer, read, &remote);

	if (result == -EAGAIN) {
		peer->read_retry_ms = peer->transport->now_ms + SHM_READ_RETRY_MS;
		return false;
	}
	if (result == 0 && read->into) {
		copy_slice(read, batch, remote);
	}
	if (result == 0 && shm_channel_closed(&peer->bulk)) {
		/* Begin again on the next channel, or fail with the link. */
		read->done_bytes = 0;
		return false;
	}
	if (result == 0 && !shm_remote_live(peer, read->key)) {
		result = -EACCES;
	}
	if (result == 0 && !read->into) {
		show(peer, batch, remote);
	} else if (result || read->done_bytes == read->size_bytes) {
		read_finish(peer, batch, result);
	}
	return true;
}

static bool reads_can_run(const struct shm_peer *peer)
{
	return peer->state == SHM_UP && peer->reads_done != peer->reads_queued && !peer->broken &&
	       shm_channel_works(&peer->bulk) && !shm_channel_closed(&peer->bulk) &&
	       (peer->read_retry_ms == SHM_NEVER || peer->read_retry_ms <= peer->transport->now_ms);
}

void shm_reads_run(struct shm_peer *peer, struct shm_batch *batch)
{
	if (!reads_can_run(peer) || peer->reads_done < peer->reads_fail_until) {
		return;
	}
	peer->read_retry_ms = SHM_NEVER;
	while (peer->reads_done != peer->reads_queued && batch->read_budget_bytes > 0 &&
	       !shm_batch_full(batch) && !peer->broken && read_step(peer, batch)) {
	}
}

bool shm_reads_waiting(const struct shm_peer *peer)
{
	return peer->reads_done < peer->reads_fail_until || reads_can_run(peer);
}
