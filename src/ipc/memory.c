/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that is passed as a descriptor. */
#include "ipc/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t ipc_round_to_pages(uint64_t size)
{
	return (size + 4095) & ~4095ull;
}

static int seal(int fd, uint64_t size)
{
	if (fchmod(fd, 0600) < 0 || ftruncate(fd, (off_t)size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		return -errno;
	}
	return 0;
}

int ipc_memory_new(const char *name, uint64_t size, struct ipc_memory *out)
{
	uint64_t whole = ipc_round_to_pages(size ? size : 1);
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *base = MAP_FAILED;
	int err;

	if (fd < 0) {
		return -errno;
	}
	err = seal(fd, whole);
	if (!err) {
		base = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		err = base == MAP_FAILED ? -errno : 0;
	}
	if (err) {
		close(fd);
		return err;
	}
	*out = (struct ipc_memory){.base = base, .size = whole, .fd = fd};
	return 0;
}

void ipc_memory_free(struct ipc_memory *memory)
{
	if (memory->base) {
		munmap(memory->base, memory->size);
		if (memory->fd != -1) {
			close(memory->fd);
		}
		*memory = (struct ipc_memory){.fd = -1};
	}
}

int ipc_memory_open_readonly(const struct ipc_memory *memory)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int ipc_memory_map(int fd, uint64_t size, int protection, void **base)
{
	struct stat facts;
	void *mapped;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &facts) < 0 || size == 0 ||
	    facts.st_size < 0 || (uint64_t)facts.st_size < size) {
		return -EBADMSG;
	}
	mapped = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED) {
		return -errno;
	}
	*base = mapped;
	return 0;
}
