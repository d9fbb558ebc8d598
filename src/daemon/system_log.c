/* SPDX-License-Identifier: BSD-3-Clause */
/* See system_log.h. */
#include "daemon/system_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PACKET_MAX (2048 + 64)

static int fd = -1;

void system_log_close(void)
{
	if (fd >= 0) {
		close(fd);
		fd = -1;
	}
}

static int reach(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int err;

	if (strlen(path) >= sizeof(address.sun_path)) {
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path));
	system_log_close();
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -errno;
	}
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address))) {
		err = -errno;
		system_log_close();
		return err;
	}
	return 0;
}

static int hand_over(const char *packet, size_t size)
{
	if (fd < 0) {
		return -ENOTCONN;
	}
	return send(fd, packet, size, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static size_t compose(int priority, const char *text, char packet[PACKET_MAX])
{
	char when[32] = "";
	time_t now = time(NULL);
	struct tm local;
	int size;

	if (localtime_r(&now, &local)) {
		strftime(when, sizeof(when), "%b %e %H:%M:%S", &local);
	}
	size = snprintf(packet, PACKET_MAX, "<%d>%s coronetd[%d]: %s", priority, when,
			(int)getpid(), text);
	return size < PACKET_MAX ? (size_t)size : PACKET_MAX - 1;
}

int system_log_write(const char *path, int priority, const char *text)
{
	char packet[PACKET_MAX];
	size_t size = compose(priority, text, packet);
	int err = hand_over(packet, size);

	/* Its reader has been started anew, or for the first time. */
	if (err && err != -EAGAIN) {
		err = reach(path);
		err = err ? err : hand_over(packet, size);
	}
	return err;
}
