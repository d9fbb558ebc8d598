/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames and READs; see bulk.h. */
#include "verbs/bulk.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "verbs/channel.h"
#include "verbs/log.h"
#include "verbs/peer.h"
#include "verbs/region.h"

/* A READ that was the first to fail on so many connections is given up: it is likely the cause. */
#define READ_TRIES_MAX 3

int verbs_bulk_init(struct verbs_peer *peer, uint32_t depth)
{
	peer->frame_fifo = (struct fifo){.depth = depth};
	peer->read_fifo = (struct fifo){.depth = READ_QUEUE_MAX};
	peer->frames = calloc(depth, sizeof(*peer->frames));
	peer->reads = calloc(READ_QUEUE_MAX, sizeof(*peer->reads));
	if (!peer->frames || !peer->reads) {
		verbs_bulk_fini(peer);
		return -ENOMEM;
	}
	return 0;
}

void verbs_bulk_fini(struct verbs_peer *peer)
{
	free(peer->frames);
	free(peer->reads);
	peer->frames = NULL;
	peer->reads = NULL;
}

static uint32_t fifo_index(const struct fifo *fifo, uint32_t i)
{
	return (fifo->head + i) % fifo->depth;
}

/* The oldest entry has ended. */
static uint32_t fifo_pop(struct fifo *fifo)
{
	uint32_t index = fifo->head;

	assert(fifo->count > 0);
	fifo->head = fifo_index(fifo, 1);
	fifo->count--;
	if (fifo->posted > 0) {
		fifo->posted--;
	}
	return index;
}

static bool bulk_usable(const struct verbs_peer *peer)
{
	return peer->bulk.state == CHANNEL_READY && peer->bulk.broken == BREAK_NONE;
}

/* Empty pieces are left out: a zero length means 2 GiB to some adapters. */
static int frame_gather(const struct transport *t, const struct transport_seg *segs, int count,
			struct frame *frame)
{
	uint64_t total = 0;
	int error;

	frame->count = 0;
	for (int i = 0; i < count; i++) {
		if (segs[i].size_bytes == 0) {
			continue;
		}
		error = verbs_region_sge(t, &segs[i], &frame->sge[frame->count]);
		if (error < 0) {
			return error;
		}
		frame->count++;
		total += segs[i].size_bytes;
	}
	if (total == 0 || total > t->config.slot_size_bytes) {
		return -EMSGSIZE;
	}
	frame->size_bytes = (uint32_t)total;
	return 0;
}

int verbs_bulk_send(struct verbs_peer *peer, const struct transport_seg *segs, int count,
		    uint64_t cookie)
{
	struct transport *t = peer->bulk.t;
	struct fifo *fifo = &peer->frame_fifo;
	struct frame *frame = &peer->frames[fifo_index(fifo, fifo->count)];
	int error;

	if (!verbs_peer_usable(peer)) {
		return -ENOTCONN;
	}
	if (count < 1 || count > t->segs_max) {
		return -EMSGSIZE;
	}
	if (fifo->count == fifo->depth) {
		return -ENOBUFS;
	}
	error = frame_gather(t, segs, count, frame);
	if (error < 0) {
		return error;
	}
	if (verbs_queue_promise(&t->queue) < 0) {
		return -ENOBUFS;
	}
	frame->cookie = cookie;
	fifo->count++;
	verbs_bulk_pump(peer);
	return 0;
}

/* The key came over the wire, so the READ may be impossible; it then fails as if the peer's adapter
 * had said so. */
static bool read_possible(uint64_t key, uint64_t offset, uint32_t size, uint32_t *rkey)
{
	struct verbs_key parts;

	if (!verbs_key_unpack(key, &parts) || offset > parts.size_bytes ||
	    size > parts.size_bytes - offset) {
		return false;
	}
	*rkey = parts.rkey;
	return true;
}

static void read_refused(struct verbs_peer *peer, uint64_t cookie)
{
	struct transport_event event = {
		.kind = TRANSPORT_READ_DONE,
		.node = peer->node,
		.cookie = cookie,
		.status = -EACCES,
	};

	verbs_queue_fulfil(&peer->bulk.t->queue, &event);
	verbs_wake(peer->bulk.t);
}

int verbs_bulk_read(struct verbs_peer *peer, uint64_t key, uint64_t remote_offset,
		    const struct transport_seg *into, uint64_t cookie)
{
	struct transport *t = peer->bulk.t;
	struct fifo *fifo = &peer->read_fifo;
	struct read_op read = {.cookie = cookie, .remote_offset = remote_offset};

	if (!verbs_peer_usable(peer)) {
		return -ENOTCONN;
	}
	if (into->size_bytes < 1 || into->size_bytes > READ_SIZE_MAX ||
	    verbs_region_sge(t, into, &read.sge) < 0) {
		return -EINVAL;
	}
	if (fifo->count == fifo->depth || verbs_queue_promise(&t->queue) < 0) {
		return -ENOBUFS;
	}
	if (!read_possible(key, remote_offset, into->size_bytes, &read.rkey)) {
		read_refused(peer, cookie);
		return 0;
	}
	peer->reads[fifo_index(fifo, fifo->count)] = read;
	fifo->count++;
	verbs_bulk_pump(peer);
	return 0;
}

static bool post_frame(struct verbs_peer *peer)
{
	uint32_t index = fifo_index(&peer->frame_fifo, peer->frame_fifo.posted);
	struct frame *frame = &peer->frames[index];
	struct ibv_send_wr wr = {
		.sg_list = frame->sge,
		.num_sge = frame->count,
		.opcode = IBV_WR_SEND,
	};

	if (verbs_channel_post(&peer->bulk, &wr, WR_FRAME_SEND, index) < 0) {
		return false;
	}
	peer->frame_fifo.posted++;
	return true;
}

static bool post_read(struct verbs_peer *peer)
{
	uint32_t index = fifo_index(&peer->read_fifo, peer->read_fifo.posted);
	struct read_op *op = &peer->reads[index];
	struct ibv_send_wr wr = {
		.sg_list = &op->sge,
		.num_sge = 1,
		.opcode = IBV_WR_RDMA_READ,
		.wr.rdma = {.remote_addr = op->remote_offset, .rkey = op->rkey},
	};

	if (verbs_channel_post(&peer->bulk, &wr, WR_READ, index) < 0) {
		return false;
	}
	peer->read_fifo.posted++;
	return true;
}

void verbs_bulk_pump(struct verbs_peer *peer)
{
	const struct fifo *frames = &peer->frame_fifo;
	const struct fifo *reads = &peer->read_fifo;

	while (bulk_usable(peer) && frames->posted < frames->count && post_frame(peer)) {
	}
	/* More READs than the depth agreed on would hold up the frames behind them. */
	while (bulk_usable(peer) && reads->posted < reads->count &&
	       reads->posted < peer->bulk.read_depth && post_read(peer)) {
	}
	if (peer->bulk.broken != BREAK_NONE) {
		verbs_wake(peer->bulk.t);
	}
}

static void frame_end(struct verbs_peer *peer, enum transport_event_kind kind)
{
	const struct frame *frame = &peer->frames[fifo_pop(&peer->frame_fifo)];
	struct transport_event event = {
		.kind = kind,
		.node = peer->node,
		.cookie = frame->cookie,
	};

	if (kind == TRANSPORT_SENT) {
		peer->stats.frames_sent++;
		peer->stats.bytes_sent += frame->size_bytes;
	}
	verbs_queue_fulfil(&peer->bulk.t->queue, &event);
}

static void read_end(struct verbs_peer *peer, int status)
{
	const struct read_op *op = &peer->reads[fifo_pop(&peer->read_fifo)];
	struct transport_event event = {
		.kind = TRANSPORT_READ_DONE,
		.node = peer->node,
		.cookie = op->cookie,
		.status = status,
	};

	if (status == 0) {
		peer->stats.reads++;
		peer->stats.read_bytes += op->sge.length;
	}
	verbs_queue_fulfil(&peer->bulk.t->queue, &event);
}

static void bulk_carried(struct verbs_channel *bulk)
{
	bulk->breaks = 0;
	bulk->carried = true;
}

void verbs_bulk_frame_sent(struct verbs_peer *peer)
{
	bulk_carried(&peer->bulk);
	frame_end(peer, TRANSPORT_SENT);
}

void verbs_bulk_read_done(struct verbs_peer *peer)
{
	bulk_carried(&peer->bulk);
	read_end(peer, 0);
}

/* 0: the READ need not be at fault. */
static int read_fault(enum ibv_wc_status status)
{
	if (status == IBV_WC_REM_ACCESS_ERR) {
		return -EACCES;
	}
	if (status == IBV_WC_LOC_PROT_ERR || status == IBV_WC_LOC_LEN_ERR ||
	    status == IBV_WC_LOC_ACCESS_ERR) {
		return -EIO;
	}
	return 0;
}

void verbs_bulk_read_failed(struct verbs_peer *peer, enum ibv_wc_status status)
{
	const struct fifo *fifo = &peer->read_fifo;
	struct read_op *op = &peer->reads[fifo->head];

	op->tries++;
	op->doom = read_fault(status);
	if (op->doom == 0 && op->tries >= READ_TRIES_MAX) {
		op->doom = -EREMOTEIO;
	}
	/* The peer has withdrawn the region: the others that want it would cost a connection
	 * each. */
	for (uint32_t i = 1; i < fifo->count && op->doom == -EACCES; i++) {
		struct read_op *other = &peer->reads[fifo_index(fifo, i)];

		other->doom = other->rkey == op->rkey ? -EACCES : other->doom;
	}
}

/* Ends the doomed READs; the others keep their order. */
static void reads_sift(struct verbs_peer *peer)
{
	struct fifo *fifo = &peer->read_fifo;

	for (uint32_t left = fifo->count; left > 0; left--) {
		struct read_op op = peer->reads[fifo->head];

		if (op.doom != 0) {
			read_end(peer, op.doom);
		} else {
			(void)fifo_pop(fifo);
			peer->reads[fifo_index(fifo, fifo->count)] = op;
			fifo->count++;
		}
	}
}

void verbs_bulk_rewind(struct verbs_peer *peer)
{
	peer->frame_fifo.posted = 0;
	peer->read_fifo.posted = 0;
	reads_sift(peer);
}

void verbs_bulk_fail(struct verbs_peer *peer, int status)
{
	verbs_bulk_rewind(peer);
	while (peer->frame_fifo.count > 0) {
		frame_end(peer, TRANSPORT_FAILED);
	}
	while (peer->read_fifo.count > 0) {
		read_end(peer, status);
	}
}

static int slot_receive(struct transport *t, uint32_t slot)
{
	struct ibv_sge sge = {
		.addr = (uint64_t)slot * t->config.slot_size_bytes,
		.length = t->config.slot_size_bytes,
		.lkey = t->regions[TRANSPORT_REGION_SLAB].mr->lkey,
	};
	struct ibv_recv_wr *bad;
	struct ibv_recv_wr wr = {
		.wr_id = verbs_wrid_pack((struct wrid){.kind = WR_FRAME_RECV, .slot = slot}),
		.sg_list = &sge,
		.num_sge = 1,
	};
	int error = ibv_post_srq_recv(t->bulk_srq, &wr, &bad);

	if (error != 0) {
		verbs_log(t, LOG_ERR, "cannot post slot %u: %s", slot,
			  strerror(error < 0 ? -error : error));
		return -EIO;
	}
	t->slot_posted[slot] = true;
	t->slots_posted++;
	return 0;
}

int verbs_bulk_slot_post(struct transport *t, uint32_t slot)
{
	int error;

	if (slot >= t->config.slot_count || !t->regions[TRANSPORT_REGION_SLAB].mr) {
		return -EINVAL;
	}
	if (t->slot_posted[slot]) {
		return -EEXIST;
	}
	if (t->dead) {
		return -ENODEV;
	}
	if (verbs_queue_promise(&t->queue) < 0) {
		return -ENOMEM;
	}
	error = slot_receive(t, slot);
	if (error < 0) {
		verbs_queue_unpromise(&t->queue);
	}
	return error;
}

void verbs_bulk_slot_unused(struct transport *t, uint32_t slot)
{
	if (!t->dead) {
		(void)slot_receive(t, slot);
	}
}

void verbs_bulk_arrived(struct transport *t, struct verbs_channel *channel, uint32_t slot,
			uint32_t size)
{
	struct transport_event event = {
		.kind = TRANSPORT_FRAME,
		.slot = slot,
		.size_bytes = size,
	};

	if (channel && channel->class == CHANNEL_BULK) {
		channel->progress_ms = t->now_ms;
		verbs_peer_heard(channel);
	}
	if (!channel || channel->class != CHANNEL_BULK || !channel->peer->up) {
		verbs_bulk_slot_unused(t, slot);
		return;
	}
	event.node = channel->peer->node;
	channel->peer->stats.frames_received++;
	channel->peer->stats.bytes_received += size;
	if (t->slots_posted == 0) {
		/* The next frame finds no slot: flow control has failed. */
		channel->peer->stats.receiver_not_ready++;
	}
	verbs_queue_fulfil(&t->queue, &event);
}
