/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets and descriptors over UNIX sockets. */
#include "ipc/socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* <asm/socket.h> has it since Linux 6.16. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

union fd_message {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
};

const char *ipc_run_dir(void)
{
	const char *dir = secure_getenv("CORONET_RUN_DIR");

	return dir && *dir ? dir : CORONET_DEFAULT_RUN_DIR;
}

int ipc_address(const char *run_dir, struct sockaddr_un *out)
{
	int length;

	memset(out, 0, sizeof(*out));
	out->sun_family = AF_UNIX;
	length = snprintf(out->sun_path, sizeof(out->sun_path), "%s/%s", run_dir, IPC_SOCKET_NAME);
	return length < 0 || (size_t)length >= sizeof(out->sun_path) ? -ENAMETOOLONG : 0;
}

/* Non-blocking only for connect: a full backlog is an answer, not something to wait for. */
int ipc_connect(const char *run_dir)
{
	struct sockaddr_un address;
	int err = ipc_address(run_dir, &address);
	int fd;

	if (err) {
		return err;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -errno;
	}
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		err = -errno;
	} else {
		int blocking = 0;

		err = ioctl(fd, FIONBIO, &blocking) < 0 ? -errno : 0;
	}
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static void attach_fds(struct msghdr *message, union fd_message *room, const struct ipc_fds *fds)
{
	struct cmsghdr *header = &room->header;

	memset(room, 0, sizeof(*room));
	message->msg_control = room->bytes;
	message->msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)fds->count);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)fds->count);
	memcpy(CMSG_DATA(header), fds->fd, sizeof(int) * (size_t)fds->count);
}

int ipc_send_packet(int fd, const void *head, size_t head_size, const void *data, size_t data_size,
		    const struct ipc_fds *fds, int flags)
{
	struct iovec parts[2] = {{(void *)head, head_size}, {(void *)data, data_size}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = data_size ? 2 : 1};
	union fd_message room;
	ssize_t sent;

	if (fds && fds->count > 0) {
		attach_fds(&message, &room, fds);
	}
	do {
		sent = sendmsg(fd, &message, flags | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

static void collect_fds(struct msghdr *message, struct ipc_fds *fds)
{
	for (struct cmsghdr *it = CMSG_FIRSTHDR(message); it; it = CMSG_NXTHDR(message, it)) {
		size_t count;

		if (it->cmsg_level != SOL_SOCKET || it->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		count = (it->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count && fds->count < IPC_FDS_MAX; i++) {
			memcpy(&fds->fd[fds->count++], CMSG_DATA(it) + i * sizeof(int),
			       sizeof(int));
		}
	}
}

int ipc_receive_packet(int fd, void *buf, size_t size, struct ipc_fds *fds, int flags)
{
	struct iovec part = {buf, size};
	union fd_message room;
	struct ipc_fds got = {0};
	struct msghdr message;
	ssize_t received;
	bool again;
	bool reset = false;

	do {
		message = (struct msghdr){.msg_iov = &part,
					  .msg_iovlen = 1,
					  .msg_control = room.bytes,
					  .msg_controllen = sizeof(room.bytes)};
		received = recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC);
		/* Who ends without having read all: that is told first, once, and then what it sent. */
		again = received < 0 && (errno == EINTR || (errno == ECONNRESET && !reset));
		reset = reset || (again && errno == ECONNRESET);
	} while (again);
	if (received < 0) {
		return -errno;
	}
	collect_fds(&message, &got);
	if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || (got.count > 0 && !fds)) {
		ipc_close_fds(&got);
		return fds && !(message.msg_flags & MSG_TRUNC) ? -EMFILE : -EMSGSIZE;
	}
	if (fds) {
		*fds = got;
	}
	return (int)received;
}

bool ipc_brings_fds(int fd)
{
	char byte;
	struct iovec part = {&byte, sizeof(byte)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	/* There is no room for any. */
	return recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT) >= 0 &&
	       (message.msg_flags & MSG_CTRUNC);
}

void ipc_refuse_fds(int fd)
{
	const int no = 0;

	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
}

void ipc_close_fds(struct ipc_fds *fds)
{
	while (fds->count > 0) {
		close(fds->fd[--fds->count]);
	}
}

void ipc_close(int *fd)
{
	if (*fd != -1) {
		close(*fd);
		*fd = -1;
	}
}

static int gone(int err)
{
	return err == -ECONNRESET || err == -ENOTCONN ? -EPIPE : err;
}

static int check_reply(const struct ipc_request *request, const struct ipc_reply *reply, int size)
{
	uint64_t data = (uint64_t)size - sizeof(*reply);

	if (size < (int)sizeof(*reply) || reply->kind != request->kind) {
		return -EBADMSG;
	}
	return reply->flags & IPC_IN_MEMFD || reply->data_size == data ? 0 : -EBADMSG;
}

/* A daemon that refuses a connection answers before it was asked and closes: a failed send does
 * not mean that there is no answer. */
int ipc_call(int fd, const struct ipc_request *request, void *buf, struct ipc_fds *fds)
{
	struct ipc_fds none = {0};
	struct ipc_fds *into = fds ? fds : &none;
	int sent = ipc_send_packet(fd, request, sizeof(*request), NULL, 0, NULL, 0);
	int received;
	int err;

	into->count = 0;
	received = ipc_receive_packet(fd, buf, IPC_REPLY_MAX, into, sent ? MSG_DONTWAIT : 0);
	if (received <= 0) {
		return received == 0 || sent ? -EPIPE : gone(received);
	}
	err = check_reply(request, buf, received);
	if (err || !fds) {
		ipc_close_fds(into);
	}
	return err;
}
