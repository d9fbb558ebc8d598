/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that is passed as a descriptor. Pages cannot be taken away under the reader: made sealed
 * against resizing, and refused when not. */
#ifndef CORONET_IPC_MEMORY_H
#define CORONET_IPC_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct ipc_memory {
	void *base;
	size_t size; /* bytes, whole pages */
	int fd;	     /* writable */
};

/* New zeroed memory, mapped writable, mode 0600, sealed against resizing. Negative errno of
 * memfd_create(2), ftruncate(2), mmap(2). */
int ipc_memory_new(const char *name, uint64_t size, struct ipc_memory *out);
void ipc_memory_free(struct ipc_memory *memory);

/* A descriptor of the same memory that can only be read and mapped read-only. The reader must not
 * own it (mode 0600) to be unable to open it anew. Negative errno of open(2). */
int ipc_memory_open_readonly(const struct ipc_memory *memory);

/* Maps `size` bytes of a received descriptor. -EBADMSG when it is smaller or could shrink, or
 * what mmap(2) said. */
int ipc_memory_map(int fd, uint64_t size, int protection, void **base);

uint64_t ipc_round_to_pages(uint64_t size);

#endif
