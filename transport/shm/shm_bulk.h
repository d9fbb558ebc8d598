/* SPDX-License-Identifier: BSD-3-Clause */
/* The bulk channel's frames: the sender describes pieces of its regions, the receiver fetches
 * them into a slot, once, as an adapter would. */
#ifndef CORONET_SHM_BULK_H
#define CORONET_SHM_BULK_H

#include "shm/shm_int.h"

int shm_frame_send(struct shm_peer *peer, const struct transport_seg *segs, int count,
		   uint64_t cookie);
/* Puts into the ring what is lent and can go. */
void shm_frames_pump(struct shm_peer *peer);
/* A new bulk channel: everything not known to be taken goes again. */
void shm_frames_rewind(struct shm_peer *peer);
/* The link was cut: everything lent comes back as FAILED. */
void shm_frames_fail(struct shm_peer *peer);

/* Add events until the batch is full or nothing is left. */
void shm_frames_failed(struct shm_peer *peer, struct shm_batch *batch);
void shm_frames_sent(struct shm_peer *peer, struct shm_batch *batch);
void shm_frames_take(struct shm_peer *peer, struct shm_batch *batch);

/* Whether the three would find something now. */
bool shm_frames_waiting(const struct shm_peer *peer);

/* Before falling asleep: says when the peer is to wake us because of frames that it has taken. */
void shm_frames_rest(struct shm_peer *peer);
uint64_t shm_frames_deadline_ms(const struct shm_peer *peer);
/* Whether the peer's ring holds frames that we have room for, or has acknowledged some. */
bool shm_bulk_waiting(const struct shm_peer *peer);

uint32_t shm_bulk_entries(const struct transport *t);

#endif
