/* SPDX-License-Identifier: BSD-3-Clause */
/* Sealed memory; see sealed.h. The two calls about NUMA are made without libnuma: they have no
 * wrapper in libc. */
#include "store/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE_BYTES	4096u
#define HUGE_PAGE_BYTES (2u * 1024 * 1024)

/* set_mempolicy(2), as numbers: <numaif.h> comes with libnuma. */
#define PREFER_NODE   1
#define QUERY_NODE    (1u << 0)
#define QUERY_ADDRESS (1u << 1)
#define NODES_KNOWN   1024u
#define WORD_BITS     (sizeof(unsigned long) * CHAR_BIT)

/* Before the first page is touched. Where it is refused, pages come from anywhere. */
static void prefer_node(void *base, size_t size, int node)
{
	unsigned long mask[NODES_KNOWN / WORD_BITS] = {0};

	if (node < 0 || (unsigned int)node >= NODES_KNOWN) {
		return;
	}
	mask[(unsigned int)node / WORD_BITS] = 1ul << ((unsigned int)node % WORD_BITS);
	(void)syscall(SYS_mbind, base, size, PREFER_NODE, mask, (unsigned long)NODES_KNOWN, 0u);
}

static int node_of(void *base)
{
	int node = -1;

	if (syscall(SYS_get_mempolicy, &node, NULL, 0ul, base, QUERY_NODE | QUERY_ADDRESS) < 0) {
		return -1;
	}
	return node;
}

/* Kernels before 5.14 cannot do it in one call. */
static void touch(void *base, size_t size)
{
	if (madvise(base, size, MADV_POPULATE_WRITE) == 0) {
		return;
	}
	for (size_t at = 0; at < size; at += PAGE_BYTES) {
		((volatile uint8_t *)base)[at] = 0;
	}
}

static int map(int fd, const struct sealed_want *want, struct sealed *out)
{
	void *base;

	if (ftruncate(fd, (off_t)want->size) < 0 || fchmod(fd, 0600) < 0) {
		return -errno;
	}
	base = mmap(NULL, want->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED) {
		return -errno;
	}
	if (fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0) {
		int error = errno;

		munmap(base, want->size);
		return -error;
	}
	out->base = base;
	return 0;
}

static int make(const struct sealed_want *want, bool huge, struct sealed *out)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB : 0);
	int fd = memfd_create(want->name, flags);
	int err;

	if (fd < 0) {
		return -errno;
	}
	err = map(fd, want, out);
	if (err) {
		close(fd);
		return err;
	}
	out->size = want->size;
	out->fd = fd;
	out->huge = huge;
	prefer_node(out->base, out->size, want->numa_node);
	if (want->prefault) {
		touch(out->base, out->size);
	}
	out->node = want->prefault ? node_of(out->base) : -1;
	return 0;
}

int sealed_new(const struct sealed_want *want, struct sealed *out)
{
	if (want->huge_pages && want->size % HUGE_PAGE_BYTES == 0 && make(want, true, out) == 0) {
		return 0;
	}
	return make(want, false, out);
}

void sealed_free(struct sealed *memory)
{
	if (memory->base) {
		munmap(memory->base, memory->size);
		close(memory->fd);
	}
	memset(memory, 0, sizeof(*memory));
}
