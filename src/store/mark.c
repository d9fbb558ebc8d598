/* SPDX-License-Identifier: BSD-3-Clause */
/* See mark.h. */
#include "store/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* One byte of the file each, far behind its end. */
static struct flock lock_of(short type, uint64_t mark)
{
	return (struct flock){.l_type = type,
			      .l_whence = SEEK_SET,
			      .l_start = (off_t)(mark & (INT64_MAX - 1)),
			      .l_len = 1};
}

static int mark_put(int fd, uint64_t mark)
{
	struct flock lock = lock_of(F_RDLCK, mark);

	return fcntl(fd, F_OFD_SETLK, &lock) ? -errno : 0;
}

int mark_open(int fd, uint64_t mark, int *out)
{
	char path[32];
	int opened;
	int err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	opened = open(path, O_RDONLY | O_CLOEXEC);
	if (opened < 0) {
		return -errno;
	}
	err = mark_put(opened, mark);
	if (err) {
		close(opened);
		return err;
	}
	*out = opened;
	return 0;
}

void mark_take_off(int fd)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	fcntl(fd, F_OFD_SETLK, &lock);
	close(fd);
}

bool mark_there(int fd, uint64_t mark)
{
	struct flock lock = lock_of(F_WRLCK, mark);

	return fcntl(fd, F_OFD_GETLK, &lock) || lock.l_type != F_UNLCK;
}
