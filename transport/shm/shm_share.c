/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory shared between two processes. */
#include "shm/shm_share.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

int shm_share_new(const char *name, size_t size_bytes, struct shm_map *map, int *fd)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
	struct shm_map made = {.size_bytes = size_bytes};
	int memory = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int result;

	if (memory < 0) {
		return -errno;
	}
	if (ftruncate(memory, (off_t)size_bytes)) {
		goto fail;
	}
	made.base = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (made.base == MAP_FAILED) {
		goto fail;
	}
	if (fcntl(memory, F_ADD_SEALS, seals)) {
		result = -errno;
		shm_share_drop(&made);
		close(memory);
		return result;
	}
	*map = made;
	*fd = memory;
	return 0;
fail:
	result = -errno;
	close(memory);
	return result;
}

/* Whoever may write to huge pages can take them away (FALLOC_FL_PUNCH_HOLE), and there may be no
 * others. */
static bool stays(int fd, int seals)
{
	struct statfs system;

	if (!(seals & F_SEAL_SHRINK) || fstatfs(fd, &system)) {
		return false;
	}
	return system.f_type != HUGETLBFS_MAGIC || (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
}

int shm_share_attach(int fd, size_t needed_bytes, struct shm_map *map)
{
	struct stat status;
	int seals = fcntl(fd, F_GET_SEALS);
	void *base;

	if (seals < 0 || !stays(fd, seals)) {
		return -EPERM;
	}
	if (fstat(fd, &status)) {
		return -errno;
	}
	if (status.st_size <= 0 || (uint64_t)status.st_size < needed_bytes) {
		return -EMSGSIZE;
	}
	/* The whole file: memory of huge pages can be mapped and unmapped in no other length. */
	base = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED) {
		return -errno;
	}
	*map = (struct shm_map){.base = base, .size_bytes = (size_t)status.st_size};
	return 0;
}

void shm_share_drop(struct shm_map *map)
{
	if (map->base) {
		munmap(map->base, map->size_bytes);
	}
	*map = (struct shm_map){.base = NULL};
}
