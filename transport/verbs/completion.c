/* SPDX-License-Identifier: BSD-3-Clause */
/* Polling, and what each completion means; see completion.h. */
#include "verbs/completion.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "verbs/bulk.h"
#include "verbs/channel.h"
#include "verbs/control.h"
#include "verbs/device.h"
#include "verbs/log.h"
#include "verbs/peer.h"

#define BATCH	  16
#define ACK_BATCH 64 /* acknowledging takes a lock */

int verbs_cq_init(struct transport *t, struct verbs_cq *cq, uint32_t entries)
{
	cq->channel = ibv_create_comp_channel(t->verbs);
	if (!cq->channel) {
		return -errno;
	}
	cq->cq = ibv_create_cq(t->verbs, (int)entries, cq, cq->channel, 0);
	if (!cq->cq) {
		return errno > 0 ? -errno : -ENOMEM;
	}
	return 0;
}

void verbs_cq_fini(struct verbs_cq *cq)
{
	if (cq->cq) {
		/* Destroying waits for unacknowledged events. */
		ibv_ack_cq_events(cq->cq, cq->unacked);
		ibv_destroy_cq(cq->cq);
	}
	if (cq->channel) {
		ibv_destroy_comp_channel(cq->channel);
	}
	memset(cq, 0, sizeof(*cq));
}

void verbs_cq_event(struct verbs_cq *cq)
{
	struct ibv_cq *which;
	void *context;

	while (ibv_get_cq_event(cq->channel, &which, &context) == 0) {
		cq->armed = false;
		cq->unacked++;
	}
	if (cq->unacked >= ACK_BATCH) {
		ibv_ack_cq_events(cq->cq, cq->unacked);
		cq->unacked = 0;
	}
}

static void log_failure(const struct verbs_channel *channel, const struct ibv_wc *wc,
			enum wr_kind kind)
{
	static const char *const names[] = {
		[WR_CONTROL_SEND] = "control message",
		[WR_CONTROL_RECV] = "control receive",
		[WR_FRAME_SEND] = "frame",
		[WR_FRAME_RECV] = "frame receive",
		[WR_READ] = "READ",
		[WR_KEEPALIVE] = "keepalive",
	};

	verbs_log(channel->t, LOG_INFO, "%s: %s failed: %s (vendor error 0x%x)",
		  channel->peer->text, names[kind], ibv_wc_status_str(wc->status), wc->vendor_err);
}

static void channel_failed(struct verbs_channel *channel, const struct ibv_wc *wc,
			   enum wr_kind kind)
{
	if (channel->broken != BREAK_NONE || channel->state == CHANNEL_IDLE) {
		return;
	}
	if (wc->status != IBV_WC_WR_FLUSH_ERR) {
		log_failure(channel, wc, kind);
	}
	verbs_channel_break(channel,
			    wc->status == IBV_WC_RETRY_EXC_ERR ? BREAK_SILENT : BREAK_COMPLETION);
}

/* A live channel, or NULL: the completion is a dead queue pair's. */
static struct verbs_channel *sender_of(struct transport *t, struct wrid id)
{
	struct verbs_peer *peer = id.peer < NODES_MAX ? t->peers[id.peer] : NULL;
	struct verbs_channel *channel;

	if (!peer) {
		return NULL;
	}
	if (id.kind == WR_CONTROL_SEND || (id.kind == WR_KEEPALIVE && id.slot == CHANNEL_CONTROL)) {
		channel = &peer->control;
	} else {
		channel = &peer->bulk;
	}
	return channel->state != CHANNEL_IDLE && channel->generation == id.generation ? channel
										      : NULL;
}

static void sender_failed(struct verbs_channel *channel, const struct ibv_wc *wc, struct wrid id)
{
	const struct sq_entry *oldest = &channel->sq[channel->sq_head];
	bool first = wc->status != IBV_WC_WR_FLUSH_ERR;

	/* Only the first failure has a cause; a READ may be it. */
	if (first && id.kind == WR_READ && channel->sq_count > 0 && oldest->kind == WR_READ &&
	    oldest->slot == id.slot) {
		verbs_bulk_read_failed(channel->peer, wc->status);
	}
	channel_failed(channel, wc, id.kind);
}

static void sender_done(struct verbs_channel *channel, struct wrid id)
{
	struct verbs_peer *peer = channel->peer;

	channel->progress_ms = channel->t->now_ms;
	switch (id.kind) {
	case WR_CONTROL_SEND:
		verbs_control_sent(peer);
		channel->carried = channel->carried || peer->up;
		break;
	case WR_FRAME_SEND:
		verbs_bulk_frame_sent(peer);
		verbs_bulk_pump(peer);
		break;
	case WR_READ:
		verbs_bulk_read_done(peer);
		verbs_bulk_pump(peer);
		break;
	case WR_KEEPALIVE:
		if (channel->class == CHANNEL_BULK && channel->broken == BREAK_NONE) {
			verbs_peer_bulk_proved(peer);
		}
		break;
	case WR_CONTROL_RECV:
	case WR_FRAME_RECV:
		break;
	}
}

static void send_completed(struct transport *t, const struct ibv_wc *wc, struct wrid id)
{
	struct verbs_channel *channel = sender_of(t, id);

	if (!channel) {
		return;
	}
	if (wc->status != IBV_WC_SUCCESS) {
		sender_failed(channel, wc, id);
		return;
	}
	if (!verbs_channel_retire(channel, id)) {
		verbs_log(t, LOG_ERR, "%s: the adapter completed work that was not the oldest",
			  channel->peer->text);
		verbs_channel_break(channel, BREAK_RESOURCES);
		return;
	}
	sender_done(channel, id);
}

static void receive_failed(struct transport *t, const struct ibv_wc *wc, enum wr_kind kind)
{
	struct verbs_channel *channel = verbs_channel_by_qp(t, wc->qp_num);

	if (channel) {
		channel_failed(channel, wc, kind);
	}
}

static void control_received(struct transport *t, const struct ibv_wc *wc, uint32_t slot)
{
	if (slot >= CONTROL_SLOTS_MAX || !t->control_slots[slot].posted) {
		verbs_log(t, LOG_ERR, "the adapter used a control place that it did not have");
		return;
	}
	t->control_slots[slot].posted = false;
	if (wc->status != IBV_WC_SUCCESS) {
		receive_failed(t, wc, WR_CONTROL_RECV);
		verbs_control_arrived(t, NULL, slot, 0);
		return;
	}
	verbs_control_arrived(t, verbs_channel_by_qp(t, wc->qp_num), slot, wc->byte_len);
}

static void frame_received(struct transport *t, const struct ibv_wc *wc, uint32_t slot)
{
	if (slot >= t->config.slot_count || !t->slot_posted[slot]) {
		verbs_log(t, LOG_ERR, "the adapter used a slot that it did not have");
		return;
	}
	t->slot_posted[slot] = false;
	t->slots_posted--;
	if (wc->status != IBV_WC_SUCCESS) {
		receive_failed(t, wc, WR_FRAME_RECV);
		verbs_bulk_slot_unused(t, slot);
		return;
	}
	verbs_bulk_arrived(t, verbs_channel_by_qp(t, wc->qp_num), slot, wc->byte_len);
}

static void completed(struct transport *t, const struct ibv_wc *wc)
{
	struct wrid id;

	if (!verbs_wrid_unpack(wc->wr_id, &id)) {
		verbs_log(t, LOG_ERR, "the adapter completed work that nobody asked for");
		return;
	}
	switch (id.kind) {
	case WR_CONTROL_RECV:
		control_received(t, wc, id.slot);
		break;
	case WR_FRAME_RECV:
		frame_received(t, wc, id.slot);
		break;
	case WR_CONTROL_SEND:
	case WR_FRAME_SEND:
	case WR_READ:
	case WR_KEEPALIVE:
		send_completed(t, wc, id);
		break;
	}
}

/* Returns how many were there, at most max. */
static int poll_batch(struct transport *t, struct verbs_cq *cq, int max)
{
	struct ibv_wc wc[BATCH];
	int count = ibv_poll_cq(cq->cq, max < BATCH ? max : BATCH, wc);

	if (count < 0) {
		verbs_device_lost(t, "its completion queue cannot be read");
		return 0;
	}
	for (int i = 0; i < count; i++) {
		completed(t, &wc[i]);
	}
	return count;
}

void verbs_cq_turn(struct transport *t, struct verbs_cq *cq, size_t room)
{
	size_t before = t->queue.count;

	while (!t->dead) {
		size_t used = t->queue.count - before;

		if (used >= room) {
			t->leftover = true;
			return;
		}
		if (poll_batch(t, cq, room - used < BATCH ? (int)(room - used) : BATCH) > 0) {
			continue;
		}
		if (cq->armed || t->stay_awake) {
			return;
		}
		if (ibv_req_notify_cq(cq->cq, 0) != 0) {
			verbs_device_lost(t, "its completion queue cannot be armed");
			return;
		}
		cq->armed = true;
	}
}

void verbs_drain(struct transport *t)
{
	while (!t->dead && poll_batch(t, &t->control_cq, BATCH) > 0) {
	}
	while (!t->dead && poll_batch(t, &t->bulk_cq, BATCH) > 0) {
	}
}
