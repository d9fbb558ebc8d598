/* SPDX-License-Identifier: BSD-3-Clause */
/* Our registered memory, what peers know of it, and what we know of theirs. */
#ifndef CORONET_SHM_REGION_H
#define CORONET_SHM_REGION_H

#include "shm/shm_int.h"
#include "shm/shm_sock.h"

int shm_region_add(struct transport *t, uint32_t id, const struct transport_region *region,
		   uint64_t *key);
void shm_region_remove(struct transport *t, uint32_t id);
/* The region that the piece lies in, wholly; NULL when there is none. */
const struct shm_region *shm_region_of(const struct transport *t, const struct transport_seg *seg);

/* A fresh link: the peer knows none of our regions. */
void shm_announce_all(struct shm_peer *peer);
/* Tells the peer what changed; what its socket has no room for is tried again at
 * announce_retry_ms. */
void shm_announce(struct shm_peer *peer);

/* The peer's region with this key, or NULL. */
const struct shm_remote *shm_remote_find(const struct shm_peer *peer, uint64_t key);
/* Whether the peer says that READs may use the key at this moment. */
bool shm_remote_live(const struct shm_peer *peer, uint64_t key);
/* An announcement; the peer is marked broken when it cannot be. */
void shm_remote_change(struct shm_peer *peer, struct shm_packet *packet);
/* The peer's region, if READs may use it now: 0; -EACCES; -EAGAIN when the peer says that it is there but its announcement is
 * still to come. */
int shm_remote_usable(struct shm_peer *peer, uint64_t key, const struct shm_remote **out);
/* Not mapped any more from the next poll on. */
void shm_remotes_drop(struct shm_peer *peer);
void shm_dropped_unmap(struct transport *t);
/* As transport_ops.map, on a link that is up. */
int shm_remote_map(struct shm_peer *peer, uint64_t key, uint64_t mark, struct transport_map *out);

#endif
