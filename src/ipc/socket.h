/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets and descriptors over UNIX sockets. No call raises SIGPIPE; EINTR is retried.
 * Thread-safe. */
#ifndef CORONET_IPC_SOCKET_H
#define CORONET_IPC_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ipc/ipc.h"

struct ipc_fds {
	int count;
	int fd[IPC_FDS_MAX];
};

/* The address of the daemon's socket in `run_dir`. -ENAMETOOLONG. */
int ipc_address(const char *run_dir, struct sockaddr_un *out);
/* The run directory of this process: $CORONET_RUN_DIR unless it is set-user-id, else the built-in
 * one. Never NULL. */
const char *ipc_run_dir(void);

/* Connects to the daemon. The socket blocks and closes on exec. Negative errno: -ECONNREFUSED,
 * -ENOENT, -EAGAIN... */
int ipc_connect(const char *run_dir);

/* One packet, with copies of up to IPC_FDS_MAX descriptors (NULL for none). flags as send(2). 0
 * or negative errno. */
int ipc_send_packet(int fd, const void *head, size_t head_size, const void *data, size_t data_size,
		    const struct ipc_fds *fds, int flags);
/* One packet into buf. Returns its size (0: the other side has closed), -EMSGSIZE when it or its
 * descriptors did not fit, -EMFILE when this process has no room for its descriptors (the packet itself is in
 * buf), or another negative errno. Received descriptors are the caller's,
 * close on exec; fds may be NULL: none are expected, any are closed. */
int ipc_receive_packet(int fd, void *buf, size_t size, struct ipc_fds *fds, int flags);

/* Whether the next packet carries descriptors; it stays where it is. Whoever takes or drops it has them closed, which
 * may last as long as their sender likes (SO_LINGER, socket(7)). */
bool ipc_brings_fds(int fd);
/* Asks the kernel to refuse descriptors that are sent to this socket, or to those that are accepted on it
 * (SO_PASSRIGHTS, Linux 6.16); older kernels let them through. */
void ipc_refuse_fds(int fd);

void ipc_close_fds(struct ipc_fds *fds);
/* Closes *fd if it is not -1. */
void ipc_close(int *fd);

/* A request and its reply, for callers that have the socket to themselves. `buf` has
 * IPC_REPLY_MAX bytes and begins with the reply on return; sizes in it are checked. 0 or negative
 * errno; -EPIPE when the daemon is gone, -EBADMSG when it talks nonsense, -EMFILE when this process
 * has no room for the descriptors that came with the reply, which is in buf. */
int ipc_call(int fd, const struct ipc_request *request, void *buf, struct ipc_fds *fds);

#endif
