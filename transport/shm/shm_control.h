/* SPDX-License-Identifier: BSD-3-Clause */
/* The control channel: messages inline in a ring. */
#ifndef CORONET_SHM_CONTROL_H
#define CORONET_SHM_CONTROL_H

#include "shm/shm_int.h"

int shm_control_send(struct shm_peer *peer, const void *bytes, size_t size_bytes);
/* Adds events until there are `limit` in the batch or nothing is left. */
void shm_control_take(struct shm_peer *peer, struct shm_batch *batch, int limit);
/* Whether shm_control_take would find something. */
bool shm_control_waiting(const struct shm_peer *peer);

#endif
