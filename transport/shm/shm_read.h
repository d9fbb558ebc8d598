/* SPDX-License-Identifier: BSD-3-Clause */
/* READs: copying from a peer's mapped region, in slices, inside poll. */
#ifndef CORONET_SHM_READ_H
#define CORONET_SHM_READ_H

#include "shm/shm_int.h"

int shm_read_start(struct shm_peer *peer, uint64_t key, uint64_t remote_offset,
		   const struct transport_seg *into, uint64_t cookie);
/* Nothing is copied when it says no `into`: the event tells where it is. */
int shm_read_queue(struct shm_peer *peer, const struct shm_read *read);
/* The link was cut: everything under way comes back with an error. */
void shm_reads_fail(struct shm_peer *peer);
/* Add events until the batch is full or nothing is left. */
void shm_reads_failed(struct shm_peer *peer, struct shm_batch *batch);
void shm_reads_run(struct shm_peer *peer, struct shm_batch *batch);
/* Whether the two would get on now. */
bool shm_reads_waiting(const struct shm_peer *peer);

#endif
