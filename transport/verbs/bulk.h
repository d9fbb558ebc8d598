/* SPDX-License-Identifier: BSD-3-Clause */
/* The bulk channel: frames gathered from our regions into the peer's slots, and READs of the peer's
 * regions. Both wait in a queue of the peer's until their completion, so that a connection that
 * breaks costs nothing but a resend in the same order. */
#ifndef CORONET_VERBS_BULK_H
#define CORONET_VERBS_BULK_H

#include "verbs/verbs_int.h"

/* -ENOMEM. */
int verbs_bulk_init(struct verbs_peer *peer, uint32_t depth);
void verbs_bulk_fini(struct verbs_peer *peer);

int verbs_bulk_send(struct verbs_peer *peer, const struct transport_seg *segs, int count,
		    uint64_t cookie);
int verbs_bulk_read(struct verbs_peer *peer, uint64_t key, uint64_t remote_offset,
		    const struct transport_seg *into, uint64_t cookie);

/* Gives the adapter what waits, as far as it takes it. */
void verbs_bulk_pump(struct verbs_peer *peer);
/* The connection is gone: everything unacknowledged waits again. */
void verbs_bulk_rewind(struct verbs_peer *peer);
/* The link is gone: everything goes back to the owner as FAILED, or READ_DONE with this status. */
void verbs_bulk_fail(struct verbs_peer *peer, int status);

/* Completions, oldest first. */
void verbs_bulk_frame_sent(struct verbs_peer *peer);
void verbs_bulk_read_done(struct verbs_peer *peer);
/* The oldest READ has failed with this completion status: it ends, or is tried again on the next
 * connection. */
void verbs_bulk_read_failed(struct verbs_peer *peer, enum ibv_wc_status status);

int verbs_bulk_slot_post(struct transport *t, uint32_t slot);
/* A frame has arrived. channel NULL: from a queue pair that is gone; its slot is posted again. */
void verbs_bulk_arrived(struct transport *t, struct verbs_channel *channel, uint32_t slot,
			uint32_t size);
/* A receive ended without a frame. */
void verbs_bulk_slot_unused(struct transport *t, uint32_t slot);

#endif
