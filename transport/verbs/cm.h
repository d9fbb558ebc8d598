/* SPDX-License-Identifier: BSD-3-Clause */
/* The connection manager's side: dialling, accepting, rejecting. Its own time-outs take minutes;
 * ours rule. */
#ifndef CORONET_VERBS_CM_H
#define CORONET_VERBS_CM_H

#include "verbs/verbs_int.h"

/* A copy of one event of the connection manager; the original has been acknowledged. */
struct cm_event {
	enum rdma_cm_event_type type;
	int status;
	struct rdma_cm_id *id;
	uint8_t responder_resources;
	uint8_t initiator_depth;
	uint8_t private_size;
	uint8_t private_data[UINT8_MAX];
};

/* Handles what the connection manager has to say, a bounded number of events. */
void verbs_cm_turn(struct transport *t);

/* Starts to dial the channel, or with `probe` only to ask whether anybody listens. Failure marks
 * the channel. */
void verbs_dial(struct verbs_channel *channel, bool probe);
/* The next step of a dial under way. */
void verbs_dial_event(struct verbs_channel *channel, const struct cm_event *event);

/* Accepts or rejects a connection request; event->id is taken over. */
void verbs_accept(struct transport *t, const struct cm_event *event);

/* Sets the ack timeout; not every adapter can. */
void verbs_cm_ack_timeout(struct transport *t, struct rdma_cm_id *id, enum channel_class class);

#endif
