/* SPDX-License-Identifier: BSD-3-Clause */
/* The dialling side of connection management: address, route, connect, each under a timer of our
 * own; see cm.h. */
#include "verbs/cm.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "verbs/channel.h"
#include "verbs/control.h"
#include "verbs/log.h"
#include "verbs/peer.h"
#include "verbs/timing.h"

/* What the kernel is told; our own timers are shorter. */
#define RESOLVE_TIMEOUT_MS 5000

/* Reasons of the InfiniBand connection manager, InfiniBand specification volume 1, 12.6.7.2. */
#define CM_REJECT_STALE	   10
#define CM_REJECT_NOBODY   8
#define CM_REJECT_CONSUMER 28

static void next_step(struct verbs_channel *channel, enum channel_state state)
{
	channel->state = state;
	channel->deadline_ms =
		channel->t->now_ms +
		verbs_step_ms(channel->t->config.connect_timeout_ms, channel->timeouts);
}

static void step_failed(struct verbs_channel *channel, const char *what)
{
	verbs_log(channel->t, LOG_DEBUG, "%s: %s: %s", channel->peer->text, what, strerror(errno));
	verbs_channel_break(channel, errno == ENOMEM ? BREAK_RESOURCES : BREAK_UNREACHABLE);
}

void verbs_dial(struct verbs_channel *channel, bool probe)
{
	struct transport *t = channel->t;
	struct verbs_peer *peer = channel->peer;
	struct sockaddr_storage from = t->config.addr;
	struct sockaddr_storage to = peer->addr;

	channel->initiator = true;
	channel->probing = probe;
	channel->attempt = ++t->attempts;
	next_step(channel, CHANNEL_RESOLVING);
	if (channel->class == CHANNEL_CONTROL) {
		verbs_control_reset(peer);
	}
	if (peer->was_up && !probe) {
		peer->stats.redials++;
	}
	if (rdma_create_id(t->cm, &channel->id, channel, RDMA_PS_TCP) != 0) {
		channel->id = NULL;
		step_failed(channel, "cannot make a connection id");
		return;
	}
	verbs_cm_ack_timeout(t, channel->id, channel->class);
	/* Our own address: on a host with several adapters it says which one is meant. */
	verbs_addr_set_port(&from, 0);
	if (rdma_resolve_addr(channel->id, (struct sockaddr *)&from, (struct sockaddr *)&to,
			      RESOLVE_TIMEOUT_MS) != 0) {
		step_failed(channel, "cannot resolve its address");
	}
}

static void dial_route(struct verbs_channel *channel)
{
	next_step(channel, CHANNEL_ROUTING);
	if (rdma_resolve_route(channel->id, RESOLVE_TIMEOUT_MS) != 0) {
		step_failed(channel, "cannot resolve the route");
	}
}

static size_t dial_request(const struct verbs_channel *channel, uint8_t *bytes)
{
	const struct transport *t = channel->t;
	struct handshake_request request = {
		.class = channel->probing ? CHANNEL_PROBE : channel->class,
		.cluster = t->cluster,
		.node = t->config.node,
		.to = channel->peer->node,
		.incarnation = t->config.incarnation,
		.attempt = channel->attempt,
		.session = channel->peer->control.attempt,
		.slot_size_bytes = t->config.slot_size_bytes,
	};

	return verbs_handshake_put_request(&request, bytes);
}

static uint8_t at_most(int device, int wish)
{
	return (uint8_t)(device < wish ? device : wish);
}

static void dial_connect(struct verbs_channel *channel)
{
	struct transport *t = channel->t;
	uint8_t bytes[HANDSHAKE_REQUEST_MAX];
	int reads = channel->class == CHANNEL_BULK ? READ_DEPTH_MAX : 1;
	struct rdma_conn_param param = {
		.private_data = bytes,
		.private_data_len = (uint8_t)dial_request(channel, bytes),
		.responder_resources = at_most(t->attr.max_qp_rd_atom, reads),
		.initiator_depth = at_most(t->attr.max_qp_init_rd_atom, reads),
		.retry_count = VERBS_RETRY_COUNT,
		.rnr_retry_count = VERBS_RNR_RETRY,
	};

	next_step(channel, CHANNEL_CONNECTING);
	if (channel->probing) {
		/* A probe is always rejected and needs no queue pair, only a number that no other
		 * has. */
		param.qp_num = 0x800000 | (channel->attempt * 64 + channel->peer->index) % 0x7fffff;
	} else if (verbs_channel_create_qp(channel) < 0) {
		verbs_channel_break(channel, BREAK_RESOURCES);
		return;
	}
	if (rdma_connect(channel->id, &param) != 0) {
		step_failed(channel, "cannot connect");
	}
}

/* What the other side's transport has to say. */
static void rejected_by_peer(struct verbs_channel *channel, const struct handshake_reject *reject)
{
	struct verbs_peer *peer = channel->peer;

	verbs_channel_break(channel, BREAK_REJECTED);
	if (reject->node == peer->node) {
		verbs_peer_fate(peer, reject->incarnation != peer->incarnation);
	}
	if (reject->reason == REJECT_NO_SESSION && channel->class == CHANNEL_BULK) {
		verbs_channel_break(&peer->control, BREAK_REJECTED);
	}
	if (reject->reason == REJECT_ALIVE || reject->reason == peer->logged_reject) {
		return;
	}
	peer->logged_reject = reject->reason;
	verbs_log(channel->t,
		  reject->reason == REJECT_OLD || reject->reason == REJECT_NO_SESSION ? LOG_INFO
										      : LOG_ERR,
		  "%s rejects our %s channel: %s", peer->text, verbs_class_name(channel->class),
		  verbs_reject_text(reject->reason));
}

static void dial_rejected(struct verbs_channel *channel, const struct cm_event *event)
{
	struct handshake_reject reject;

	if (event->status == CM_REJECT_NOBODY || event->status == -ECONNREFUSED) {
		verbs_channel_break(channel, BREAK_REFUSED);
		verbs_peer_fate(channel->peer, true);
	} else if (event->status == CM_REJECT_STALE) {
		verbs_channel_break(channel, BREAK_STALE);
	} else if (event->status == CM_REJECT_CONSUMER &&
		   verbs_handshake_get_reject(event->private_data, event->private_size, &reject)) {
		rejected_by_peer(channel, &reject);
	} else {
		verbs_log(channel->t, LOG_DEBUG, "%s: rejected with status %d", channel->peer->text,
			  event->status);
		verbs_channel_break(channel, BREAK_REJECTED);
	}
}

void verbs_dial_event(struct verbs_channel *channel, const struct cm_event *event)
{
	if (channel->broken != BREAK_NONE) {
		return;
	}
	if (event->type == RDMA_CM_EVENT_ADDR_RESOLVED && channel->state == CHANNEL_RESOLVING) {
		dial_route(channel);
	} else if (event->type == RDMA_CM_EVENT_ROUTE_RESOLVED &&
		   channel->state == CHANNEL_ROUTING) {
		dial_connect(channel);
	} else if (event->type == RDMA_CM_EVENT_ESTABLISHED &&
		   channel->state == CHANNEL_CONNECTING) {
		verbs_peer_connected(channel);
	} else if (event->type == RDMA_CM_EVENT_REJECTED) {
		dial_rejected(channel, event);
	} else if (event->type == RDMA_CM_EVENT_CONNECT_RESPONSE) {
		/* Only for an id without a queue pair: somebody accepts probes, so it is not our
		 * kind. */
		verbs_channel_break(channel, BREAK_PROTOCOL);
	}
}
