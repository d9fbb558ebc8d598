/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes and any mode as a key file: whole or refused with a reason. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first two bytes are the mode, and how often the rest is repeated. */
static size_t fill(int fd, const uint8_t *data, size_t size)
{
	size_t all = 0;

	for (int i = 0; i <= data[1]; i++) {
		if (write(fd, data + 2, size - 2) != (ssize_t)(size - 2)) {
			abort();
		}
		all += size - 2;
	}
	fchmod(fd, data[0] & 0777);
	return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[KEYFILE_WHY_SIZE] = "";
	struct keyfile key;
	char path[64];
	size_t all;
	bool good;
	int fd;

	if (size < 2) {
		return 0;
	}
	fd = memfd_create("key", MFD_CLOEXEC);
	all = fill(fd, data, size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	good = all >= KEYFILE_SIZE_MIN && all <= KEYFILE_SIZE_MAX && (data[0] & 0027) == 0;
	memset(&key, 0xee, sizeof(key));
	if ((keyfile_read(path, &key, why) == 0) != good || (why[0] == '\0') != good ||
	    key.size != (good ? all : 0)) {
		abort();
	}
	if (good && (size > 2 && memcmp(key.bytes, data + 2, size - 2) != 0)) {
		abort();
	}
	close(fd);
	return 0;
}
