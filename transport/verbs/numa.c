/* SPDX-License-Identifier: BSD-3-Clause */
/* The adapter's NUMA node, from sysfs. */
#include "verbs/numa.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NUMA_NODES_MAX 1024

static int parse(const char *text)
{
	char *end;
	long node;

	errno = 0;
	node = strtol(text, &end, 10);
	if (end == text || errno != 0 || (*end != '\n' && *end != '\0')) {
		return -1;
	}
	return node >= 0 && node < NUMA_NODES_MAX ? (int)node : -1;
}

int verbs_numa_node(const char *device_dir)
{
	char path[PATH_MAX];
	char text[32];
	ssize_t size;
	int fd;

	if (snprintf(path, sizeof(path), "%s/device/numa_node", device_dir) >= (int)sizeof(path)) {
		return -1;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return -1;
	}
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (size <= 0) {
		return -1;
	}
	text[size] = '\0';
	return parse(text);
}
