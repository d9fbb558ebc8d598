/* SPDX-License-Identifier: BSD-3-Clause */
/* The dialled side: judging a hello, answering it. */
#ifndef CORONET_SHM_GREET_H
#define CORONET_SHM_GREET_H

#include "shm/shm_int.h"
#include "shm/shm_sock.h"

/* Answers the hello that came over fd. True: the socket now belongs to a link; false: the caller
 * closes it. */
bool shm_greet(struct transport *t, int fd, struct shm_packet *packet);

struct shm_peer *shm_peer_find(const struct transport *t, uint32_t node);

#endif
