/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of the daemon's that others may map read-only and no other way: a memfd, mapped once, then
 * sealed against resizing and against every later writable mapping. Not thread-safe. */
#ifndef CORONET_STORE_SEALED_H
#define CORONET_STORE_SEALED_H

#include <stdbool.h>
#include <stddef.h>

struct sealed {
	void *base;
	size_t size; /* bytes */
	int fd;	     /* whoever gets it can map it for reading */
	bool huge;   /* of huge pages */
	int node;    /* the NUMA node its first page lies on; -1: not known */
};

struct sealed_want {
	const char *name;
	size_t size;	 /* bytes, whole pages */
	bool huge_pages; /* if there are any to spare, and the size is a multiple of theirs */
	int numa_node;	 /* preferred; -1: any */
	bool prefault; /* touch every page now: registration is 65 times faster, and cannot fail later for lack of them */
};

/* -ENOMEM or what memfd_create(2), ftruncate(2), mmap(2) said. Wishes that cannot be granted are no
 * error: `out` says what came of them. */
int sealed_new(const struct sealed_want *want, struct sealed *out);
/* Accepts memory that is zeroed. */
void sealed_free(struct sealed *memory);

#endif
