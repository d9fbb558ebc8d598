/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers that are handed over to the service and come back: what --in-place sends from. With Coronet's libcpg only,
 * which is found when the program runs, so that it measures corosync's as well. */
#ifndef CORONET_BENCH_POOL_H
#define CORONET_BENCH_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "bench/link.h"

enum {
	POOL_BUFFERS_MAX = 1024
};

struct pool {
	size_t size; /* of each; 0: there is no pool */
	uint32_t count;
	uint32_t idle_count;
	void *buffers[POOL_BUFFERS_MAX];
	void *idle[POOL_BUFFERS_MAX];
};

/* As many as the service grants of a few mebibytes, filled. LINK_SENT, or why there is none. */
enum link_sent pool_open(struct pool *pool, struct link *link, size_t size);
void pool_close(struct pool *pool, struct link *link);
/* One to write into, or NULL when all are on their way. The next call gives the same until it is sent. */
void *pool_next(const struct pool *pool);
enum link_sent pool_send(struct pool *pool, struct link *link, cpg_guarantee_t guarantee);
void pool_back(struct pool *pool, void *buffer);

#endif
