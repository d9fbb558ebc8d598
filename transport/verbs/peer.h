/* SPDX-License-Identifier: BSD-3-Clause */
/* A peer's link: when its two channels are dialled, when it is up, when it is given up and what the
 * owner hears of that. */
#ifndef CORONET_VERBS_PEER_H
#define CORONET_VERBS_PEER_H

#include "verbs/control.h"
#include "verbs/verbs_int.h"

int verbs_peer_add(struct transport *t, const struct transport_peer *config);
void verbs_peer_remove(struct transport *t, uint32_t node);
void verbs_peer_fence(struct transport *t, uint32_t node);
/* NULL when the node is no peer of ours. */
struct verbs_peer *verbs_peer_find(const struct transport *t, uint32_t node);

/* Takes down what has been marked broken. Not from inside a loop over completions. */
void verbs_reap(struct transport *t);
/* Ends both channels and gives everything lent back. `gone`: the process certainly ended. */
void verbs_peer_end(struct verbs_peer *peer, enum break_reason reason, bool gone);
/* Ends the bulk channel; it will be dialled again. */
void verbs_peer_end_bulk(struct verbs_peer *peer, enum break_reason reason);

/* Dials, keeps alive, gives up: whatever is due. */
void verbs_peer_tick(struct verbs_peer *peer);
uint64_t verbs_peer_deadline_ms(const struct verbs_peer *peer);

/* The channel's queue pair can send. */
void verbs_peer_connected(struct verbs_channel *channel);
/* Something has arrived on the channel, so it is connected even if the connection manager has not
 * said so. */
void verbs_peer_heard(struct verbs_channel *channel);
/* False: that is not whom we mean to talk to. */
bool verbs_peer_greeted(struct verbs_peer *peer, const struct control_hello *hello);
/* The dialler's first READ has come back. */
void verbs_peer_bulk_proved(struct verbs_peer *peer);
/* The dialler says so. */
void verbs_peer_bulk_ready(struct verbs_peer *peer, uint32_t attempt);
/* The acceptor asks for a new connection in place of that attempt. */
void verbs_peer_bulk_reset(struct verbs_peer *peer, uint32_t attempt);
/* It is known whether the process that we lost is still there. */
void verbs_peer_fate(struct verbs_peer *peer, bool gone);

/* Makes the descriptor readable: poll has something to do. */
void verbs_wake(struct transport *t);

/* Whether the owner may send and read: it has heard of this link, not only of one before. */
bool verbs_peer_usable(const struct verbs_peer *peer);

#endif
