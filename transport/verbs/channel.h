/* SPDX-License-Identifier: BSD-3-Clause */
/* One reliable connection: its queue pair, the account of its send queue, its breaking and its
 * end. */
#ifndef CORONET_VERBS_CHANNEL_H
#define CORONET_VERBS_CHANNEL_H

#include "verbs/verbs_int.h"

/* -ENOMEM. */
int verbs_channel_init(struct verbs_channel *channel, struct transport *t, struct verbs_peer *peer,
		       enum channel_class class);
void verbs_channel_fini(struct verbs_channel *channel);

/* Makes the queue pair of channel->id. Negative errno. */
int verbs_channel_create_qp(struct verbs_channel *channel);
/* What the connection manager has no words for: RNR timer, access, the READ depth agreed on. The
 * queue pair can send. Negative errno: it permits more than it should, and must not be used. */
int verbs_channel_tune(struct verbs_channel *channel);

/* Posts one signalled request and books it. -ENOBUFS: the send queue is full. Any other failure
 * breaks the channel. */
int verbs_channel_post(struct verbs_channel *channel, struct ibv_send_wr *wr, enum wr_kind kind,
		       uint32_t slot);
/* A READ of a few bytes: proves path and queue pair without taking a receive place. */
int verbs_channel_keepalive(struct verbs_channel *channel);
/* The oldest request has completed; false if that is not what the account says. */
bool verbs_channel_retire(struct verbs_channel *channel, struct wrid id);

/* Marks the channel; verbs_reap does the rest. The first reason stays. */
void verbs_channel_break(struct verbs_channel *channel, enum break_reason reason);
/* Queue pair to error: nothing is received or sent from here on. */
void verbs_channel_silence(struct verbs_channel *channel);
/* Queue pair and id are gone when it returns; the channel is idle. Completions must have been
 * drained. */
void verbs_channel_destroy(struct verbs_channel *channel);

/* NULL when no live queue pair has the number. */
struct verbs_channel *verbs_channel_by_qp(const struct transport *t, uint32_t qp_num);

const char *verbs_break_text(enum break_reason reason);
const char *verbs_state_name(enum channel_state state);

#endif
