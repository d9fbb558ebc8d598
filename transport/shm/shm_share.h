/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory shared between two processes: memfds made and sealed here, or received and checked
 * here. */
#ifndef CORONET_SHM_SHARE_H
#define CORONET_SHM_SHARE_H

#include <stddef.h>

struct shm_map {
	void *base; /* NULL: nothing mapped */
	size_t size_bytes;
};

/* Zeroed memory that only this mapping can write: whoever gets *fd maps it read-only. The caller
 * owns both. -ENOMEM, -EMFILE and what else memfd_create(2), mmap(2) say. */
int shm_share_new(const char *name, size_t size_bytes, struct shm_map *map, int *fd);

/* Maps what a peer sent, read-only and whole. -EPERM: not a memfd sealed against shrinking (its
 * pages could vanish under our reads); -EMSGSIZE: smaller than needed; or what mmap(2) says. The
 * descriptor stays the caller's. */
int shm_share_attach(int fd, size_t needed_bytes, struct shm_map *map);

/* Harmless on an empty map. */
void shm_share_drop(struct shm_map *map);

#endif
