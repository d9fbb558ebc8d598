/* SPDX-License-Identifier: BSD-3-Clause */
/* See pool.h. */
#include "bench/pool.h"

#include "bench/message.h"

enum {
	POOL_BYTES = 16 * 1024 * 1024,
	POOL_BUFFERS_MIN = 4
};

static uint32_t wanted(size_t size)
{
	size_t fits = POOL_BYTES / size;

	return fits < POOL_BUFFERS_MIN	 ? POOL_BUFFERS_MIN
	       : fits > POOL_BUFFERS_MAX ? POOL_BUFFERS_MAX
					 : (uint32_t)fits;
}

enum link_sent pool_open(struct pool *pool, struct link *link, size_t size)
{
	enum link_sent got = LINK_SENT;

	*pool = (struct pool){.size = size};
	while (pool->count < wanted(size) && got == LINK_SENT) {
		void *buffer;

		got = link_judge(link, link->own.alloc(link->handle, size, &buffer));
		if (got == LINK_SENT) {
			message_fill(buffer, size);
			pool->buffers[pool->count++] = buffer;
			pool_back(pool, buffer);
		}
	}
	return pool->count > 0 ? LINK_SENT : got;
}

void pool_close(struct pool *pool, struct link *link)
{
	for (uint32_t i = 0; i < pool->count; i++) {
		link->own.free(link->handle, pool->buffers[i]);
	}
	*pool = (struct pool){0};
}

void *pool_next(const struct pool *pool)
{
	return pool->idle_count > 0 ? pool->idle[pool->idle_count - 1] : NULL;
}

enum link_sent pool_send(struct pool *pool, struct link *link, cpg_guarantee_t guarantee)
{
	enum link_sent sent = link_judge(link, link->own.mcast(link->handle, guarantee,
							       pool_next(pool), pool->size));

	pool->idle_count -= sent == LINK_SENT;
	return sent;
}

void pool_back(struct pool *pool, void *buffer)
{
	if (pool->idle_count < pool->count) {
		pool->idle[pool->idle_count++] = buffer;
	}
}
