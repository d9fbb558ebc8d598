/* SPDX-License-Identifier: BSD-3-Clause */
/* See keyfile.h. */
#include "crypto/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/secret.h"

__attribute__((format(printf, 3, 4))) static int because(char *why, int err, const char *format,
							 ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, KEYFILE_WHY_SIZE, format, args);
	va_end(args);
	return err;
}

/* --- Reading -------------------------------------------------------------------------------------- */

static int check_owner(const char *path, const struct stat *st, char *why)
{
	if (!S_ISREG(st->st_mode)) {
		return because(why, -EINVAL, "key file %s is not a regular file", path);
	}
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		return because(
			why, -EPERM,
			"key file %s belongs to user %u: it has to be root's, or of the user "
			"who runs this (%u): chown it",
			path, st->st_uid, geteuid());
	}
	if (st->st_mode & (S_IRWXO | S_IWGRP)) {
		return because(
			why, -EPERM,
			"key file %s has mode %04o: others could read or change it: chmod 0400 "
			"it, and make a new key if it was so for long",
			path, st->st_mode & 07777);
	}
	return 0;
}

static int check_size(const char *path, uint64_t size, char *why)
{
	if (size >= KEYFILE_SIZE_MIN && size <= KEYFILE_SIZE_MAX) {
		return 0;
	}
	return because(
		why, -EINVAL,
		"key file %s has %llu bytes: a key has %d to %d; coronet-keygen(8) makes one", path,
		(unsigned long long)size, KEYFILE_SIZE_MIN, KEYFILE_SIZE_MAX);
}

/* Until the end of the file: -EIO when that is not after `size` bytes, because somebody writes it. */
static int read_whole(int fd, size_t size, struct keyfile *out)
{
	uint8_t more;

	for (out->size = 0; out->size < size;) {
		ssize_t got = read(fd, out->bytes + out->size, size - out->size);

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0) {
			return got < 0 ? -errno : -EIO;
		}
		out->size += (size_t)got;
	}
	return read(fd, &more, sizeof(more)) == 0 ? 0 : -EIO;
}

static int read_open(int fd, const char *path, struct keyfile *out, char *why)
{
	struct stat st;
	int err = fstat(fd, &st) < 0
			  ? because(why, -errno, "key file %s: %s", path, strerror(errno))
			  : check_owner(path, &st, why);

	err = err ? err : check_size(path, (uint64_t)st.st_size, why);
	if (err) {
		return err;
	}
	err = read_whole(fd, (size_t)st.st_size, out);
	return err ? because(why, err, "key file %s cannot be read: %s", path, strerror(-err)) : 0;
}

int keyfile_read(const char *path, struct keyfile *out, char why[KEYFILE_WHY_SIZE])
{
	/* A FIFO would make the open wait. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int err;

	if (fd < 0) {
		return because(
			why, -errno,
			"key file %s cannot be opened: %s; coronet-keygen(8) makes one, which "
			"is copied to all nodes",
			path, strerror(errno));
	}
	err = read_open(fd, path, out, why);
	close(fd);
	if (err) {
		secret_wipe(out, sizeof(*out));
	}
	return err;
}

/* --- Writing -------------------------------------------------------------------------------------- */

static int write_all(int fd, const uint8_t *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t put = write(fd, bytes + done, size - done);

		if (put < 0 && errno != EINTR) {
			return -errno;
		}
		done += put > 0 ? (size_t)put : 0;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int keyfile_write(const char *path, size_t size, char why[KEYFILE_WHY_SIZE])
{
	uint8_t key[KEYFILE_SIZE_MAX];
	int err;
	int fd;

	if (size < KEYFILE_SIZE_MIN || size > KEYFILE_SIZE_MAX) {
		return because(why, -EINVAL, "%zu bytes: a key has %d to %d", size,
			       KEYFILE_SIZE_MIN, KEYFILE_SIZE_MAX);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (fd < 0) {
		return because(why, -errno, "%s: %s%s", path, strerror(errno),
			       errno == EEXIST ? ": it would be overwritten; move it away first"
					       : "");
	}
	err = secret_random(key, size);
	err = err ? err : write_all(fd, key, size);
	secret_wipe(key, sizeof(key));
	if (close(fd) < 0 && !err) {
		err = -errno;
	}
	if (err) {
		unlink(path);
		return because(why, err, "%s: %s", path, strerror(-err));
	}
	return 0;
}
