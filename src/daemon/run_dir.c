/* SPDX-License-Identifier: BSD-3-Clause */
/* See run_dir.h. The lock is a record lock of fcntl(2): the kernel drops it with the process, however that ends, and tells who holds it. */
#include "daemon/run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "config/exit_code.h"
#include "ipc/socket.h"

#define LOCK_NAME      "coronetd.pid"
#define LOCK_TRIES_MAX 8

struct run_dir {
	char path[PATH_MAX];
	char lock_path[PATH_MAX + sizeof(LOCK_NAME) + 1];
	int lock_fd;
};

int directory_make(const char *path)
{
	char part[PATH_MAX];
	size_t size = strlen(path);

	if (size >= sizeof(part)) {
		return -ENAMETOOLONG;
	}
	for (size_t i = 1; i <= size; i++) {
		if (path[i] != '/' && path[i] != '\0') {
			continue;
		}
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) == 0) {
			/* Whatever the umask: clients have to get in. */
			(void)chmod(part, 0755);
		} else if (errno != EEXIST) {
			return -errno;
		}
	}
	return 0;
}

static int fail(struct messages *messages, int code, const char *path, const char *what, int err,
		const char *advice)
{
	messages_add(messages, LOG_ERR, "%s: %s: %s%s", path, what, strerror(err), advice);
	return code;
}

static int check_directory(const char *path, struct messages *messages)
{
	struct sockaddr_un address;
	struct stat status;
	int err = directory_make(path);

	if (err) {
		return fail(messages, EXIT_DIRECTORY, path, "the run directory cannot be made",
			    -err, "; name another one with --run-dir");
	}
	if (stat(path, &status) || !S_ISDIR(status.st_mode)) {
		return fail(messages, EXIT_DIRECTORY, path, "not usable as run directory", ENOTDIR,
			    "; name another one with --run-dir");
	}
	if (access(path, R_OK | W_OK | X_OK)) {
		return fail(messages, EXIT_DIRECTORY, path, "not usable as run directory", errno,
			    "; an ordinary user names one of its own with --run-dir");
	}
	if (ipc_address(path, &address)) {
		messages_add(
			messages, LOG_ERR,
			"%s: the name of the run directory is too long: with that of the socket "
			"in it, %zu characters are allowed",
			path, sizeof(address.sun_path) - 1);
		return EXIT_DIRECTORY;
	}
	return EXIT_OK;
}

/* Whether the locked file is still the one under this name: its owner removes it when it ends. */
static bool is_current(int fd, const char *path)
{
	struct stat ours;
	struct stat named;

	return fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_ino == named.st_ino &&
	       ours.st_dev == named.st_dev;
}

static int say_owner(const struct run_dir *dir, int fd, struct messages *messages)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) {
		messages_add(
			messages, LOG_ERR,
			"%s: a daemon runs here already, process %d; each needs a run directory "
			"of its own (--run-dir)",
			dir->path, (int)lock.l_pid);
	} else {
		messages_add(messages, LOG_ERR, "%s: a daemon runs here already", dir->path);
	}
	return EXIT_RUNNING;
}

/* 0 with dir->lock_fd set or still -1 (try again), or the exit code. */
static int try_lock(struct run_dir *dir, struct messages *messages)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(dir->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	int code = EXIT_OK;

	if (fd < 0) {
		return fail(messages, EXIT_LOCK, dir->lock_path, "the lock file cannot be opened",
			    errno, "");
	}
	if (fcntl(fd, F_SETLK, &lock) == 0) {
		if (is_current(fd, dir->lock_path)) {
			dir->lock_fd = fd;
			return EXIT_OK;
		}
	} else if (errno == EACCES || errno == EAGAIN) {
		code = say_owner(dir, fd, messages);
	} else {
		code = fail(messages, EXIT_LOCK, dir->lock_path, "the lock cannot be taken", errno,
			    "");
	}
	close(fd);
	return code;
}

static int write_pid(const struct run_dir *dir)
{
	char text[32];
	int size = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(dir->lock_fd, 0) || pwrite(dir->lock_fd, text, (size_t)size, 0) != size) {
		return errno ? -errno : -EIO;
	}
	return 0;
}

static int lock(struct run_dir *dir, struct messages *messages)
{
	int code = EXIT_OK;
	int err;

	for (int i = 0; i < LOCK_TRIES_MAX && code == EXIT_OK && dir->lock_fd < 0; i++) {
		code = try_lock(dir, messages);
	}
	if (code) {
		return code;
	}
	err = dir->lock_fd < 0 ? -EAGAIN : write_pid(dir);
	if (err) {
		return fail(messages, EXIT_LOCK, dir->lock_path, "the lock cannot be taken", -err,
			    "");
	}
	return EXIT_OK;
}

int run_dir_new(const char *path, struct messages *messages, struct run_dir **out)
{
	struct run_dir *dir;
	int code = check_directory(path, messages);

	if (code) {
		return code;
	}
	dir = calloc(1, sizeof(*dir));
	if (!dir) {
		return fail(messages, EXIT_FATAL, path, "no memory", ENOMEM, "");
	}
	dir->lock_fd = -1;
	snprintf(dir->path, sizeof(dir->path), "%s", path);
	snprintf(dir->lock_path, sizeof(dir->lock_path), "%s/" LOCK_NAME, path);
	code = lock(dir, messages);
	if (code) {
		/* Not ours: it must not be removed. */
		if (dir->lock_fd >= 0) {
			close(dir->lock_fd);
		}
		free(dir);
		return code;
	}
	*out = dir;
	return EXIT_OK;
}

void run_dir_free(struct run_dir **dir_ptr)
{
	struct run_dir *dir = *dir_ptr;

	if (!dir) {
		return;
	}
	unlink(dir->lock_path);
	close(dir->lock_fd);
	free(dir);
	*dir_ptr = NULL;
}

const char *run_dir_path(const struct run_dir *dir)
{
	return dir->path;
}
