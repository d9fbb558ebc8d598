/* SPDX-License-Identifier: BSD-3-Clause */
/* See ring_id_file.h. A new file is written and synced beside the old one, then takes its name, then the directory is synced: at any
 * moment a crash leaves one of the two, whole. */
#include "daemon/ring_id_file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "config/exit_code.h"
#include "daemon/run_dir.h"

#define NAME_BYTES_MAX 32

struct ring_id_file {
	char path[PATH_MAX];
	char name[NAME_BYTES_MAX];
	char new_name[NAME_BYTES_MAX];
	int directory;
	uint64_t last;
};

static int read_number(struct ring_id_file *file)
{
	uint64_t bytes[2];
	int fd = openat(file->directory, file->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t got;

	if (fd < 0) {
		return -errno;
	}
	got = read(fd, bytes, sizeof(bytes));
	close(fd);
	if (got < 0) {
		return -errno;
	}
	if (got != sizeof(bytes[0])) {
		return -EBADMSG;
	}
	file->last = le64toh(bytes[0]);
	return 0;
}

static int write_synced(int fd, uint64_t ring_seq)
{
	uint64_t bytes = htole64(ring_seq);

	if (write(fd, &bytes, sizeof(bytes)) != sizeof(bytes)) {
		return errno ? -errno : -EIO;
	}
	return fsync(fd) ? -errno : 0;
}

int ring_id_file_store(struct ring_id_file *file, uint64_t ring_seq)
{
	int fd = openat(file->directory, file->new_name,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err;

	if (fd < 0) {
		return -errno;
	}
	errno = 0;
	err = write_synced(fd, ring_seq);
	if (close(fd) && !err) {
		err = -errno;
	}
	if (!err && renameat(file->directory, file->new_name, file->directory, file->name)) {
		err = -errno;
	}
	if (!err && fsync(file->directory)) {
		err = -errno;
	}
	if (!err) {
		file->last = ring_seq;
	}
	return err;
}

/* Milliseconds: rings are not formed that often, so the clock stays ahead of what was used before. */
static uint64_t clock_floor(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* There is no telling whether this node has run before: the directory may be emptied by every reboot, the disk may be new. Others
 * may still be on a ring that it named then. */
static int first_number(struct ring_id_file *file, struct messages *messages)
{
	file->last = clock_floor();
	messages_add(messages, LOG_INFO,
		     "%s: no ring number is stored: numbers go on from the clock", file->path);
	return 0;
}

static int fail(const struct ring_id_file *file, struct messages *messages, const char *what,
		int err)
{
	messages_add(messages, LOG_ERR, "%s: %s: %s", file->path, what, strerror(err));
	return EXIT_RING_ID;
}

static int load(struct ring_id_file *file, struct messages *messages)
{
	int err = read_number(file);

	if (err == -EBADMSG) {
		messages_add(
			messages, LOG_ERR,
			"%s: not a ring number, which has 8 bytes. Remove the file, if no node of "
			"this ring is running",
			file->path);
		return EXIT_RING_ID;
	}
	err = err == -ENOENT ? first_number(file, messages) : err;
	if (err) {
		return fail(file, messages, "the ring's number cannot be read", -err);
	}
	err = ring_id_file_store(file, file->last);
	return err ? fail(file, messages, "the ring's number cannot be stored", -err) : EXIT_OK;
}

int ring_id_file_new(const char *directory, uint32_t node, struct messages *messages,
		     struct ring_id_file **out)
{
	struct ring_id_file *file = calloc(1, sizeof(*file));
	int err = file ? directory_make(directory) : -ENOMEM;
	int code;

	if (err) {
		messages_add(messages, LOG_ERR, "%s: the state directory cannot be made: %s",
			     directory, strerror(-err));
		free(file);
		return EXIT_DIRECTORY;
	}
	snprintf(file->name, sizeof(file->name), "ringid_%" PRIu32, node);
	snprintf(file->new_name, sizeof(file->new_name), "ringid_%" PRIu32 ".new", node);
	snprintf(file->path, sizeof(file->path), "%s/%s", directory, file->name);
	file->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	code = file->directory < 0 ? fail(file, messages, "the directory cannot be opened", errno)
				   : load(file, messages);
	if (code) {
		ring_id_file_free(&file);
		return code;
	}
	*out = file;
	return EXIT_OK;
}

void ring_id_file_free(struct ring_id_file **file_ptr)
{
	struct ring_id_file *file = *file_ptr;

	if (!file) {
		return;
	}
	if (file->directory >= 0) {
		close(file->directory);
	}
	free(file);
	*file_ptr = NULL;
}

uint64_t ring_id_file_last(const struct ring_id_file *file)
{
	return file->last;
}

const char *ring_id_file_path(const struct ring_id_file *file)
{
	return file->path;
}
