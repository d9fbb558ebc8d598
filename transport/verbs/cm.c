/* SPDX-License-Identifier: BSD-3-Clause */
/* Takes the connection manager's events off its channel and hands them to whom they concern; see
 * cm.h. */
#include "verbs/cm.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "verbs/channel.h"
#include "verbs/device.h"
#include "verbs/log.h"
#include "verbs/peer.h"

#define CM_EVENTS_PER_TURN 32

/* False when there is none. The copy comes first: acknowledging frees the private data, and an id
 * cannot be destroyed before. */
static bool cm_next(struct transport *t, struct cm_event *out)
{
	struct rdma_cm_event *event;

	if (rdma_get_cm_event(t->cm, &event) != 0) {
		if (errno != EAGAIN && errno != EINTR) {
			verbs_log(t, LOG_ERR, "cannot read connection events: %s", strerror(errno));
		}
		return false;
	}
	out->type = event->event;
	out->status = event->status;
	out->id = event->id;
	out->responder_resources = event->param.conn.responder_resources;
	out->initiator_depth = event->param.conn.initiator_depth;
	out->private_size = 0;
	if (event->param.conn.private_data) {
		out->private_size = event->param.conn.private_data_len;
		memcpy(out->private_data, event->param.conn.private_data, out->private_size);
	}
	rdma_ack_cm_event(event);
	return true;
}

static void cm_channel_event(struct verbs_channel *channel, const struct cm_event *event)
{
	switch (event->type) {
	case RDMA_CM_EVENT_ESTABLISHED:
		if (channel->state == CHANNEL_ACCEPTED) {
			verbs_peer_connected(channel);
			return;
		}
		break;
	case RDMA_CM_EVENT_DISCONNECTED:
		verbs_channel_break(channel, BREAK_DISCONNECTED);
		return;
	case RDMA_CM_EVENT_ADDR_ERROR:
	case RDMA_CM_EVENT_ROUTE_ERROR:
	case RDMA_CM_EVENT_CONNECT_ERROR:
	case RDMA_CM_EVENT_UNREACHABLE:
		verbs_channel_break(channel, BREAK_UNREACHABLE);
		return;
	case RDMA_CM_EVENT_REJECTED:
		/* Hung up before our confirmation had come. */
		if (channel->state >= CHANNEL_GREETING) {
			verbs_channel_break(channel, BREAK_DISCONNECTED);
			return;
		}
		break;
	case RDMA_CM_EVENT_ADDR_RESOLVED:
	case RDMA_CM_EVENT_ROUTE_RESOLVED:
	case RDMA_CM_EVENT_CONNECT_RESPONSE:
		break;
	case RDMA_CM_EVENT_CONNECT_REQUEST:
	case RDMA_CM_EVENT_DEVICE_REMOVAL:
	case RDMA_CM_EVENT_MULTICAST_JOIN:
	case RDMA_CM_EVENT_MULTICAST_ERROR:
	case RDMA_CM_EVENT_ADDR_CHANGE:
	case RDMA_CM_EVENT_TIMEWAIT_EXIT:
		return;
	}
	if (channel->initiator) {
		verbs_dial_event(channel, event);
	} else if (event->type == RDMA_CM_EVENT_REJECTED) {
		/* The dialler gave up between our answer and its confirmation. */
		verbs_channel_break(channel, BREAK_REJECTED);
	}
}

static void cm_handle(struct transport *t, const struct cm_event *event)
{
	struct verbs_channel *channel;

	if (event->type == RDMA_CM_EVENT_DEVICE_REMOVAL) {
		verbs_device_lost(t, "the adapter has been removed");
		return;
	}
	if (event->type == RDMA_CM_EVENT_CONNECT_REQUEST) {
		verbs_accept(t, event);
		return;
	}
	channel = event->id->context;
	if (channel && channel->id == event->id) {
		cm_channel_event(channel, event);
	}
}

void verbs_cm_turn(struct transport *t)
{
	struct cm_event event;

	for (int i = 0; i < CM_EVENTS_PER_TURN && cm_next(t, &event); i++) {
		cm_handle(t, &event);
		verbs_reap(t);
	}
}

void verbs_cm_ack_timeout(struct transport *t, struct rdma_cm_id *id, enum channel_class class)
{
	uint8_t timeout = class == CHANNEL_BULK ? t->bulk_ack_timeout : t->control_ack_timeout;

	if (rdma_set_option(id, RDMA_OPTION_ID, RDMA_OPTION_ID_ACK_TIMEOUT, &timeout,
			    sizeof(timeout)) != 0) {
		verbs_log(t, LOG_DEBUG, "cannot set the ack timeout: %s", strerror(errno));
	}
}
