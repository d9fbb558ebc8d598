/* SPDX-License-Identifier: BSD-3-Clause */
/* Waking: ourselves, so that the transport's descriptor is readable while a poll would find
 * something, and a sleeping peer. A peer is woken by a message on the control socket. An eventfd
 * of the peer's would be cheaper, but what a peer passes need not be an eventfd, and writing to
 * it could block. */
#ifndef CORONET_SHM_BELL_H
#define CORONET_SHM_BELL_H

#include "shm/shm_int.h"

void shm_bell_ring(struct transport *t);
/* Unrings our own bell and tells peers that they must ring. The caller looks for work once more
 * after it: what a peer did before it could see us asleep would else be missed. */
void shm_bell_sleep(struct transport *t);
void shm_bell_wake(struct transport *t);
/* After something was published: the peer is to be woken by the next flush. */
void shm_bell_owe(struct shm_peer *peer);
/* Wakes each peer that is owed it, if it sleeps and has not been rung since it fell asleep. */
void shm_bell_flush(struct transport *t);

#endif
