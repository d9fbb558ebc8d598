/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools of equal items: one allocation each, touched only as far as it was ever used. */
#include "pg/pg_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

int pg_pool_init(struct pg_pool *pool, size_t item_size, uint32_t capacity)
{
	check(item_size >= sizeof(void *));
	*pool = (struct pg_pool){.item_size = item_size, .capacity = capacity};
	pool->items = calloc(capacity, item_size);
	return pool->items ? 0 : -ENOMEM;
}

void pg_pool_fini(struct pg_pool *pool)
{
	free(pool->items);
	*pool = (struct pg_pool){0};
}

void *pg_pool_take(struct pg_pool *pool)
{
	uint8_t *item = pool->free;

	if (item) {
		memcpy(&pool->free, item, sizeof(pool->free));
		memset(item, 0, pool->item_size);
	} else if (pool->used < pool->capacity) {
		item = pool->items + (size_t)pool->used * pool->item_size;
		pool->used++;
	}
	return item;
}

void pg_pool_give(struct pg_pool *pool, void *item)
{
	check((uint8_t *)item >= pool->items);
	check((uint8_t *)item < pool->items + (size_t)pool->used * pool->item_size);
	memcpy(item, &pool->free, sizeof(pool->free));
	pool->free = item;
}
