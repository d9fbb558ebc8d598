/* SPDX-License-Identifier: BSD-3-Clause */
/* Rendezvous and messages over abstract UNIX sockets. */
#include "shm/shm_sock.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/limits.h"

/* FNV-1a: tells names apart that the readable part, cut to fit sun_path, does not. */
static uint64_t name_hash(const char *name)
{
	uint64_t hash = 14695981039346656037u;

	for (; *name; name++) {
		hash = (hash ^ (uint8_t)*name) * 1099511628211u;
	}
	return hash;
}

static socklen_t sock_address(struct sockaddr_un *address, uid_t uid, const char *cluster,
			      uint32_t node)
{
	int length;

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	/* The leading NUL makes it abstract. */
	length = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1,
			  "coronet/shm/%u/%.32s-%016" PRIx64 "/%u", (unsigned)uid, cluster,
			  name_hash(cluster), node);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

static int sock_new(int *fd)
{
	*fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return *fd < 0 ? -errno : 0;
}

int shm_sock_listen(uid_t uid, const char *cluster, uint32_t node, int *fd)
{
	struct sockaddr_un address;
	socklen_t length = sock_address(&address, uid, cluster, node);
	int sock;
	int result = sock_new(&sock);

	if (result) {
		return result;
	}
	if (bind(sock, (struct sockaddr *)&address, length) || listen(sock, 4 * NODES_MAX)) {
		result = -errno;
		close(sock);
		return result;
	}
	*fd = sock;
	return 0;
}

int shm_sock_dial(uid_t uid, const char *cluster, uint32_t node, int *fd)
{
	struct sockaddr_un address;
	socklen_t length = sock_address(&address, uid, cluster, node);
	int sock;
	int result = sock_new(&sock);

	if (result) {
		return result;
	}
	if (connect(sock, (struct sockaddr *)&address, length)) {
		result = -errno;
		close(sock);
		return result;
	}
	*fd = sock;
	return shm_sock_trusted(sock) ? 0 : -EPERM;
}

static bool sock_peer(int fd, struct ucred *peer)
{
	socklen_t length = sizeof(*peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &length) == 0 &&
	       length == sizeof(*peer);
}

bool shm_sock_trusted(int fd)
{
	struct ucred peer;

	return sock_peer(fd, &peer) && (peer.uid == geteuid() || peer.uid == 0);
}

bool shm_sock_same_process(int fd, int other_fd)
{
	struct ucred peer, other;

	return sock_peer(fd, &peer) && sock_peer(other_fd, &other) && peer.pid == other.pid;
}

pid_t shm_sock_holder(uid_t uid, const char *cluster, uint32_t node, uid_t *holder_uid)
{
	struct sockaddr_un address;
	socklen_t length = sock_address(&address, uid, cluster, node);
	struct ucred peer = {.pid = 0};
	int sock;

	if (sock_new(&sock)) {
		return 0;
	}
	if (connect(sock, (struct sockaddr *)&address, length) || !sock_peer(sock, &peer)) {
		peer.pid = 0;
	}
	close(sock);
	*holder_uid = peer.uid;
	return peer.pid;
}

bool shm_sock_alive(int fd)
{
	struct pollfd hangup = {.fd = fd, .events = POLLRDHUP};

	return poll(&hangup, 1, 0) == 0;
}

int shm_sock_send(int fd, const struct shm_msg *msg, const int *fds, int fd_count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(SHM_PACKET_FDS_MAX * sizeof(int))];
	uint8_t bytes[SHM_MSG_SIZE_MAX];
	struct iovec iov = {.iov_base = bytes, .iov_len = shm_msg_encode(msg, bytes)};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd_count > 0) {
		struct cmsghdr *rights;

		memset(control, 0, sizeof(control));
		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE((size_t)fd_count * sizeof(int));
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN((size_t)fd_count * sizeof(int));
		memcpy(CMSG_DATA(rights), fds, (size_t)fd_count * sizeof(int));
	}
	return sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void packet_take_fds(struct shm_packet *packet, struct msghdr *header)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		packet->fd_count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		if (packet->fd_count > SHM_PACKET_FDS_MAX) {
			packet->fd_count = SHM_PACKET_FDS_MAX;
		}
		memcpy(packet->fds, CMSG_DATA(c), (size_t)packet->fd_count * sizeof(int));
	}
}

int shm_sock_recv(int fd, struct shm_packet *packet)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(SHM_PACKET_FDS_MAX * sizeof(int))];
	uint8_t bytes[SHM_MSG_SIZE_MAX];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	ssize_t size = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	packet->fd_count = 0;
	if (size < 0) {
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -ENOTCONN;
	}
	packet_take_fds(packet, &header);
	if (size == 0) {
		shm_packet_drop(packet);
		return -ENOTCONN;
	}
	if (header.msg_flags & MSG_CTRUNC) {
		shm_packet_drop(packet);
		return -EMFILE;
	}
	if ((header.msg_flags & MSG_TRUNC) || shm_msg_decode(bytes, (size_t)size, &packet->msg)) {
		shm_packet_drop(packet);
		return -EPROTO;
	}
	return 0;
}

void shm_packet_drop(struct shm_packet *packet)
{
	for (int i = 0; i < packet->fd_count; i++) {
		if (packet->fds[i] >= 0) {
			close(packet->fds[i]);
		}
	}
	packet->fd_count = 0;
}
