/* SPDX-License-Identifier: BSD-3-Clause */
/* See memory.h. */
#include "daemon/memory.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TEXT_MAX 4096

uint64_t memory_field(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0) {
			return strtoull(line + length, NULL, 10) * 1024;
		}
	}
	return 0;
}

static void read_text(const char *path, char text[TEXT_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? 0 : read(fd, text, TEXT_MAX - 1);

	text[size > 0 ? size : 0] = '\0';
	if (fd >= 0) {
		close(fd);
	}
}

void memory_facts(struct memory_facts *out)
{
	char text[TEXT_MAX];

	read_text("/proc/self/status", text);
	out->resident_bytes = memory_field(text, "VmRSS:");
	out->pinned_bytes = memory_field(text, "VmPin:");
	/* VmLck would count what is mapped and was never touched as well. */
	read_text("/proc/self/smaps_rollup", text);
	out->locked_bytes = memory_field(text, "Locked:");
}

static bool may_lock_all(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	return syscall(SYS_capget, &header, data) == 0 &&
	       (data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK));
}

bool memory_lock_limit(uint64_t *bytes)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur == RLIM_INFINITY ||
	    may_lock_all()) {
		return false;
	}
	*bytes = limit.rlim_cur;
	return true;
}

uint64_t memory_of_machine(void)
{
	long pages = sysconf(_SC_PHYS_PAGES);
	long page_bytes = sysconf(_SC_PAGESIZE);

	return pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 0;
}
