/* SPDX-License-Identifier: BSD-3-Clause */
/* See give.h. */
#include "tests/system/hostile/give.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connected(int listener, int fd, int *other)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);

	if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &size) ||
	    connect(fd, (struct sockaddr *)&address, size)) {
		return -1;
	}
	*other = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return *other < 0 ? -1 : 0;
}

int given_linger(int *other)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = GIVEN_LINGER_S};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char bytes[4096] = {0};
	const int small = 4096;
	int err;

	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	err = connected(listener, fd, other);

	close(listener);
	while (!err && send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
	}
	if (err || setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger))) {
		close(fd);
		return -1;
	}
	return fd;
}

bool give(int over, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} room = {{0}};
	char byte = 'x';
	const struct linger none = {0};
	struct iovec part = {&byte, sizeof(byte)};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = room.bytes,
				 .msg_controllen = sizeof(room.bytes)};
	bool taken;

	room.header.cmsg_level = SOL_SOCKET;
	room.header.cmsg_type = SCM_RIGHTS;
	room.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&room.header), &fd, sizeof(int));
	taken = sendmsg(over, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
	if (!taken) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	}
	close(fd);
	return taken;
}
