/* SPDX-License-Identifier: BSD-3-Clause */
/* What tsearch(3) finds by the address of a program's memory: structs that begin with it. */
#ifndef CORONET_LIB_ADDRESS_H
#define CORONET_LIB_ADDRESS_H

#include <search.h>
#include <stddef.h>
#include <stdint.h>

static inline int address_compare(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a;
	uintptr_t y = *(const uintptr_t *)b;

	return (x > y) - (x < y);
}

/* NULL: nothing is known by this address. */
static inline void *address_find(void *const *tree, const void *memory)
{
	uintptr_t key = (uintptr_t)memory;
	void **node = tfind(&key, tree, address_compare);

	return node ? *node : NULL;
}

#endif
