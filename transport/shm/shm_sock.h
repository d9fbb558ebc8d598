/* SPDX-License-Identifier: BSD-3-Clause */
/* The sockets by which daemons of one host find each other: SOCK_SEQPACKET, abstract names
 * (unix(7)), so that nothing is left behind. */
#ifndef CORONET_SHM_SOCK_H
#define CORONET_SHM_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/shm_msg.h"

/* The kernel rounds up to what CMSG_SPACE has room for; four fill it exactly. */
#define SHM_PACKET_FDS_MAX 4

/* One received message. Descriptors not taken (set to -1) are closed by shm_packet_drop. */
struct shm_packet {
	struct shm_msg msg;
	int fds[SHM_PACKET_FDS_MAX];
	int fd_count;
};

/* Non-blocking listener for this node. -EADDRINUSE: another daemon, or another user's program,
 * has the name. */
int shm_sock_listen(uid_t uid, const char *cluster, uint32_t node, int *fd);

/* Connects without blocking. -ECONNREFUSED: nobody holds the name; -EAGAIN: its queue is full;
 * -EPERM: the holder runs under another user id, *fd is open all the same and to be discarded. */
int shm_sock_dial(uid_t uid, const char *cluster, uint32_t node, int *fd);

/* True when the process at the other end ran under our effective user id, or root's, when it
 * connected or listened. */
bool shm_sock_trusted(int fd);

/* Whether the same process is at the other ends of both. */
bool shm_sock_same_process(int fd, int other_fd);

/* The process that holds a name or is connected; 0 when it cannot be known. For messages to
 * people. */
pid_t shm_sock_holder(uid_t uid, const char *cluster, uint32_t node, uid_t *holder_uid);

/* False when the other side has hung up already, whatever it said before. */
bool shm_sock_alive(int fd);

/* Never blocks. 0, -EAGAIN (queue full), -EPIPE and the like. */
int shm_sock_send(int fd, const struct shm_msg *msg, const int *fds, int fd_count);

/* 0 with a packet to drop, -EAGAIN, -ENOTCONN when the other side hung up, -EPROTO when it sent
 * what cannot be, -EMFILE when descriptors that it passed were lost: too many for a message, or
 * for this process. */
int shm_sock_recv(int fd, struct shm_packet *packet);
void shm_packet_drop(struct shm_packet *packet);

#endif
