/* SPDX-License-Identifier: BSD-3-Clause */
/* One turn: sockets, timers, rings. */
#ifndef CORONET_SHM_POLL_H
#define CORONET_SHM_POLL_H

#include "shm/shm_int.h"

int shm_poll(struct transport *t, uint64_t now_ms, struct transport_event *events, int max);
void shm_stay_awake(struct transport *t, bool on);
uint64_t shm_next_deadline_ms(const struct transport *t);
/* Ends the peer at once, forgetting what is not reported; nulls the pointer. */
void shm_peer_free(struct shm_peer **peer);

#endif
