/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of a configuration: the one that is named, and those in uidgid.d next to it. */
#include "config/config_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define FILE_SIZE_MAX (1u << 20)

/* Reads until the end or FILE_SIZE_MAX; the buffer has one byte more. */
static int read_all(int fd, char *buffer, size_t *size)
{
	*size = 0;
	while (*size <= FILE_SIZE_MAX) {
		ssize_t got = read(fd, buffer + *size, FILE_SIZE_MAX + 1 - *size);

		if (got == 0) {
			return 0;
		}
		if (got < 0 && errno != EINTR) {
			return -errno;
		}
		*size += got > 0 ? (size_t)got : 0;
	}
	return -EFBIG;
}

int config_file_read(const char *path, char **text, size_t *size)
{
	/* A named pipe must not hold the daemon. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *buffer;
	int err;

	if (fd < 0) {
		return -errno;
	}
	buffer = malloc(FILE_SIZE_MAX + 2);
	err = buffer ? read_all(fd, buffer, size) : -ENOMEM;
	close(fd);
	if (err) {
		free(buffer);
		return err;
	}
	buffer[*size] = '\0';
	*text = buffer;
	return 0;
}

/* What editors and package managers leave behind is not configuration. */
static int is_config_name(const struct dirent *entry)
{
	const char *name = entry->d_name;

	return name[0] != '.' && name[strlen(name) - 1] != '~';
}

static int read_uidgid_file(struct config *config, const char *path, struct messages *messages)
{
	struct config_parser parser = {
		.path = path, .messages = messages, .config = config, .uidgid_only = true};
	char *text = NULL;
	size_t size = 0;
	int err = config_file_read(path, &text, &size);

	if (err) {
		config_say(messages, LOG_WARNING, path, 0, "cannot be read and is passed over: %s",
			   strerror(-err));
		return 0;
	}
	err = config_parse_text(&parser, text, size);
	free(text);
	return err;
}

/* What cannot be looked at is read all the same, which then says why not. */
static bool is_to_be_read(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 ? S_ISREG(status.st_mode) : errno != ENOENT;
}

int config_read_uidgid_d(struct config *config, struct messages *messages)
{
	const char *slash = strrchr(config->path, '/');
	char directory[PATH_MAX + sizeof("uidgid.d")];
	char path[PATH_MAX + 512];
	struct dirent **entries = NULL;
	int count;
	int err = 0;

	snprintf(directory, sizeof(directory), "%.*suidgid.d",
		 slash ? (int)(slash + 1 - config->path) : 0, config->path);
	count = scandir(directory, &entries, is_config_name, alphasort);
	/* No such directory is the usual case. */
	if (count < 0 && errno != ENOENT) {
		config_say(messages, LOG_ERR, directory, 0,
			   "cannot be read: %s; who may use the service stands there",
			   strerror(errno));
		return -EINVAL;
	}
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
		if (err == 0 && is_to_be_read(path)) {
			err = read_uidgid_file(config, path, messages);
		}
		free(entries[i]);
	}
	free(entries);
	return err;
}
