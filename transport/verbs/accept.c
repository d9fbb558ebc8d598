/* SPDX-License-Identifier: BSD-3-Clause */
/* The listening side of connection management: who may connect, and what takes the place of what;
 * see cm.h. */
#include "verbs/cm.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "verbs/channel.h"
#include "verbs/control.h"
#include "verbs/log.h"
#include "verbs/peer.h"
#include "verbs/timing.h"

/* An accepted connection may take longer than a step of the dialler's, who starts anew when it
 * loses patience. */
#define ACCEPT_STEPS 4

/* No request is on its way for longer. */
#define OVERTAKE_MS 5000

/* The same complaint about the same node is not repeated for this long. */
#define COMPLAIN_AGAIN_MS 10000
/* Of all that anybody can cause, a minute. */
#define COMPLAINTS 10

static void complain(struct transport *t, const struct handshake_request *request,
		     const struct rdma_cm_id *id, enum reject_reason reason)
{
	uint32_t unlogged;
	char from[64];

	if (reason == REJECT_ALIVE || reason == REJECT_OLD || reason == REJECT_NO_SESSION ||
	    (reason == t->complaint && request->node == t->complaint_node &&
	     t->now_ms < t->complaint_ms + COMPLAIN_AGAIN_MS) ||
	    !seldom_due(&t->complaints, COMPLAINTS, t->now_ms, &unlogged)) {
		return;
	}
	t->complaint = reason;
	t->complaint_node = request->node;
	t->complaint_ms = t->now_ms;
	verbs_addr_text(&id->route.addr.dst_storage, from, sizeof(from));
	verbs_log(t, LOG_WARNING, "refused a connection of node %u from %s: %s" SELDOM_MORE,
		  request->node, from, verbs_reject_text(reason), unlogged);
}

static void reject(struct transport *t, struct rdma_cm_id *id, enum reject_reason reason)
{
	struct handshake_reject record = {
		.reason = reason,
		.node = t->config.node,
		.incarnation = t->config.incarnation,
	};
	uint8_t bytes[HANDSHAKE_REJECT_MAX];
	size_t size = verbs_handshake_put_reject(&record, bytes);

	(void)rdma_reject(id, bytes, (uint8_t)size);
	rdma_destroy_id(id);
}

/* What can be said before the peer is looked at. */
static enum reject_reason check_request(const struct transport *t,
					const struct handshake_request *request)
{
	if (request->cluster != t->cluster) {
		return REJECT_CLUSTER;
	}
	if (request->to != t->config.node) {
		return REJECT_WRONG_NODE;
	}
	return REJECT_NONE;
}

static enum reject_reason check_peer(const struct transport *t, const struct verbs_peer *peer,
				     const struct handshake_request *request,
				     const struct rdma_cm_id *id)
{
	if (!peer) {
		return REJECT_UNKNOWN_NODE;
	}
	if (!verbs_addr_same_host(&id->route.addr.dst_storage, &peer->addr)) {
		return REJECT_ADDRESS;
	}
	if (request->class == CHANNEL_PROBE) {
		return REJECT_ALIVE;
	}
	if (peer->dialler) {
		return REJECT_DIRECTION;
	}
	if (request->slot_size_bytes != t->config.slot_size_bytes) {
		return REJECT_SLOT_SIZE;
	}
	/* Requests of one incarnation may overtake each other; an attempt that was given up must
	 * not win. But not for long: nobody has proven who he is yet, and the number may be a lie. */
	if (request->incarnation == peer->incarnation && t->now_ms < peer->overtake_until_ms &&
	    (int32_t)(request->attempt - peer->last_attempt) <= 0) {
		return REJECT_OLD;
	}
	if (request->class == CHANNEL_BULK &&
	    (peer->control.state != CHANNEL_READY || peer->control.broken != BREAK_NONE ||
	     request->incarnation != peer->incarnation ||
	     request->session != peer->control.attempt)) {
		return REJECT_NO_SESSION;
	}
	return REJECT_NONE;
}

/* The dialler only dials what it has lost, so a new connection always takes the old one's place. */
static void make_room(struct verbs_peer *peer, const struct handshake_request *request)
{
	bool reborn = request->incarnation != peer->incarnation;

	if (request->class == CHANNEL_BULK) {
		if (peer->bulk.state != CHANNEL_IDLE) {
			verbs_peer_end_bulk(peer, BREAK_REPLACED);
		}
		return;
	}
	verbs_peer_fate(peer, reborn);
	if (peer->control.state != CHANNEL_IDLE || peer->bulk.state != CHANNEL_IDLE) {
		verbs_peer_end(peer, BREAK_REPLACED, reborn);
	}
	peer->incarnation = request->incarnation;
	verbs_control_reset(peer);
}

static uint8_t at_most(int a, int b, int c)
{
	int least = a < b ? a : b;

	return (uint8_t)(least < c ? least : c);
}

static int accept_on(struct verbs_channel *channel, const struct cm_event *event)
{
	struct transport *t = channel->t;
	int reads = channel->class == CHANNEL_BULK ? READ_DEPTH_MAX : 1;
	struct rdma_conn_param param = {
		.responder_resources =
			at_most(event->responder_resources, t->attr.max_qp_rd_atom, reads),
		.initiator_depth =
			at_most(event->initiator_depth, t->attr.max_qp_init_rd_atom, reads),
		.retry_count = VERBS_RETRY_COUNT,
		.rnr_retry_count = VERBS_RNR_RETRY,
	};
	int error = verbs_channel_create_qp(channel);

	if (error < 0) {
		return error;
	}
	verbs_cm_ack_timeout(t, channel->id, channel->class);
	if (rdma_accept(channel->id, &param) != 0) {
		verbs_log(t, LOG_INFO, "%s: cannot accept its %s channel: %s", channel->peer->text,
			  verbs_class_name(channel->class), strerror(errno));
		return -errno;
	}
	return verbs_channel_tune(channel);
}

static void accept_for(struct verbs_peer *peer, const struct handshake_request *request,
		       const struct cm_event *event)
{
	struct verbs_channel *channel =
		request->class == CHANNEL_BULK ? &peer->bulk : &peer->control;
	struct transport *t = channel->t;

	make_room(peer, request);
	channel->id = event->id;
	channel->id->context = channel;
	channel->initiator = false;
	channel->attempt = request->attempt;
	channel->state = CHANNEL_ACCEPTED;
	channel->progress_ms = t->now_ms;
	channel->deadline_ms = t->now_ms + (uint64_t)t->config.connect_timeout_ms * ACCEPT_STEPS;
	peer->last_attempt = request->attempt;
	peer->overtake_until_ms = t->now_ms + OVERTAKE_MS;
	if (peer->was_up) {
		peer->stats.redials++;
	}
	if (channel->class == CHANNEL_BULK) {
		peer->flow.owe_reset = false;
	}
	if (accept_on(channel, event) < 0) {
		verbs_channel_break(channel, BREAK_RESOURCES);
	}
}

void verbs_accept(struct transport *t, const struct cm_event *event)
{
	struct handshake_request request = {0};
	struct verbs_peer *peer = NULL;
	enum reject_reason reason;

	reason = verbs_handshake_get_request(event->private_data, event->private_size, &request);
	if (reason == REJECT_NONE) {
		reason = check_request(t, &request);
	}
	if (reason == REJECT_NONE) {
		peer = verbs_peer_find(t, request.node);
		reason = check_peer(t, peer, &request, event->id);
	}
	if (reason != REJECT_NONE) {
		complain(t, &request, event->id, reason);
		reject(t, event->id, reason);
		return;
	}
	accept_for(peer, &request, event);
}
