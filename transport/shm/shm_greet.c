/* SPDX-License-Identifier: BSD-3-Clause */
/* Judging and answering hellos. */
#include "shm/shm_greet.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "shm/shm_bell.h"
#include "shm/shm_bulk.h"
#include "shm/shm_channel.h"
#include "shm/shm_dial.h"
#include "shm/shm_io.h"
#include "shm/shm_link.h"
#include "shm/shm_log.h"

struct shm_peer *shm_peer_find(const struct transport *t, uint32_t node)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (t->peers[i] && t->peers[i]->node == node) {
			return t->peers[i];
		}
	}
	return NULL;
}

static enum shm_reason hello_judge(const struct transport *t, const struct shm_msg *msg,
				   const struct shm_peer *peer)
{
	if (msg->version != SHM_VERSION) {
		return SHM_REASON_VERSION;
	}
	if (strcmp(msg->cluster, t->cluster) != 0) {
		return SHM_REASON_CLUSTER;
	}
	if (msg->to != t->config.node) {
		return SHM_REASON_OTHER_NODE;
	}
	if (msg->from == t->config.node) {
		return SHM_REASON_SAME_NODE;
	}
	if (!peer) {
		return SHM_REASON_NOT_CONFIGURED;
	}
	if (msg->purpose != SHM_PROBE && peer->dialler) {
		return SHM_REASON_ROLE;
	}
	if (msg->purpose == SHM_CONTROL && msg->slot_size_bytes != t->config.slot_size_bytes) {
		return SHM_REASON_SLOT_SIZE;
	}
	if (msg->purpose == SHM_BULK && (peer->state < SHM_JOINING || msg->link != peer->link)) {
		return SHM_REASON_NO_LINK;
	}
	return SHM_REASON_NONE;
}

/* Sends WELCOME with our mail for the channel. */
static int welcome(struct shm_peer *peer, struct shm_channel *channel, enum shm_purpose purpose,
		   uint32_t entries, size_t entry_size)
{
	struct transport *t = peer->transport;
	struct shm_msg msg = shm_link_hello(t, SHM_WELCOME, purpose, peer->node);
	int fds[2] = {-1, t->board_fd};
	int result = shm_channel_offer(channel, entries, entry_size, &fds[0]);

	if (result) {
		return result;
	}
	msg.entries = entries;
	msg.link = peer->link;
	result = shm_sock_send(channel->fd, &msg, fds, purpose == SHM_BULK ? 1 : 2);
	close(fds[0]);
	return result;
}

/* On failure the socket stays the caller's. */
static enum shm_reason greet_control(struct shm_peer *peer, int fd, const struct shm_packet *packet)
{
	struct transport *t = peer->transport;
	int result = packet->fd_count == 2 ? 0 : -EPROTO;

	if (peer->state != SHM_DOWN) {
		/* It redialled before we saw it hang up. */
		shm_link_lost(peer);
	}
	shm_link_verdict(peer, packet->msg.incarnation != peer->lost_incarnation);
	shm_dial_probe_close(peer);
	peer->deadline_ms = SHM_NEVER;
	if (result == 0) {
		result = shm_channel_attach(&peer->control, packet->fds[0], packet->msg.entries,
					    sizeof(struct shm_control_entry));
	}
	if (result == 0) {
		result = shm_share_attach(packet->fds[1], sizeof(struct shm_board), &peer->board);
	}
	if (result == 0) {
		peer->control.fd = fd;
		peer->incarnation = packet->msg.incarnation;
		peer->link = t->next_link++;
		result = welcome(peer, &peer->control, SHM_CONTROL, SHM_CONTROL_ENTRIES,
				 sizeof(struct shm_control_entry));
	}
	if (result == 0) {
		result = shm_io_watch(t, fd, SHM_SOCKET_CONTROL, peer->index);
	}
	if (result) {
		peer->control.fd = -1;
		shm_link_cut(peer);
		return SHM_REASON_MEMORY;
	}
	shm_link_join(peer);
	return SHM_REASON_NONE;
}

static enum shm_reason greet_bulk(struct shm_peer *peer, int fd, const struct shm_packet *packet)
{
	struct transport *t = peer->transport;
	int result = packet->fd_count == 1 ? 0 : -EPROTO;

	if (peer->bulk.fd >= 0) {
		shm_link_bulk_lost(peer);
	}
	if (result == 0) {
		result = shm_channel_attach(&peer->bulk, packet->fds[0], packet->msg.entries,
					    sizeof(struct shm_bulk_entry));
	}
	if (result == 0) {
		peer->bulk.fd = fd;
		result = welcome(peer, &peer->bulk, SHM_BULK, shm_bulk_entries(t),
				 sizeof(struct shm_bulk_entry));
	}
	if (result == 0) {
		result = shm_io_watch(t, fd, SHM_SOCKET_BULK, peer->index);
	}
	if (result) {
		peer->bulk.fd = -1;
		shm_channel_close(&peer->bulk);
		return SHM_REASON_MEMORY;
	}
	shm_link_bulk_up(peer);
	return SHM_REASON_NONE;
}

/* Somebody asks whether we are there, because it lost us or because it has just started. */
static void greet_probe(struct shm_peer *peer, int fd)
{
	struct shm_msg msg = shm_link_hello(peer->transport, SHM_WELCOME, SHM_PROBE, peer->node);

	shm_sock_send(fd, &msg, NULL, 0);
	if (peer->dialler && peer->state == SHM_DOWN) {
		peer->attempts = 0;
		peer->deadline_ms = peer->transport->now_ms;
	}
}

static void reject(const struct transport *t, int fd, const struct shm_msg *hello,
		   enum shm_reason reason)
{
	struct shm_msg msg = shm_link_hello(t, SHM_REJECT, SHM_PROBE, hello->from);

	msg.reason = reason;
	shm_sock_send(fd, &msg, NULL, 0);
}

static void reject_log(struct transport *t, const struct shm_msg *hello, struct shm_peer *peer,
		       enum shm_reason reason)
{
	/* A link that is gone is part of an ordinary race, and so is a peer that we learn of
	 * soon. */
	if (reason == SHM_REASON_NO_LINK || reason == SHM_REASON_NOT_CONFIGURED) {
		return;
	}
	if (peer) {
		shm_log_peer(peer, LOG_WARNING, "connection refused:", shm_reason_name(reason));
	} else if (shm_log_guest(t)) {
		shm_log(&t->config, LOG_WARNING, "shm: refused a connection from node %u: %s",
			hello->from, shm_reason_name(reason));
	}
}

/* A peer closes what it had before it dials again. So whoever comes while the other end of its link is open is
 * another process, which must not be able to end that link. Nor may one that links and loses its link again and
 * again keep us busy with that. */
static bool welcome_now(const struct shm_peer *peer)
{
	if (peer->state != SHM_DOWN && !peer->control.hung && shm_sock_alive(peer->control.fd)) {
		return false;
	}
	return shm_link_allowed(peer, NULL);
}

/* It must be the process to which the link is. */
static bool same_process(const struct shm_peer *peer, int fd)
{
	return shm_sock_same_process(fd, peer->control.fd);
}

/* False: it is hung up on without a word, so that it tries again, if it is our peer. */
static bool credible(struct shm_peer *peer, int fd, enum shm_purpose purpose)
{
	switch (purpose) {
	case SHM_CONTROL:
		if (!welcome_now(peer)) {
			shm_log_peer(peer, LOG_WARNING, "connection refused:",
				     "it has a link, or had too many of late");
			return false;
		}
		return true;
	case SHM_BULK:
		if (!same_process(peer, fd)) {
			shm_log_peer(peer, LOG_WARNING, "bulk connection refused:",
				     "it comes from another process than its link");
			return false;
		}
		return true;
	case SHM_PROBE:
		break;
	}
	return true;
}

bool shm_greet(struct transport *t, int fd, struct shm_packet *packet)
{
	const struct shm_msg *msg = &packet->msg;
	struct shm_peer *peer = NULL;
	enum shm_reason reason;

	if (msg->kind != SHM_HELLO) {
		return false;
	}
	peer = shm_peer_find(t, msg->from);
	reason = hello_judge(t, msg, peer);
	if (reason == SHM_REASON_NONE && !credible(peer, fd, msg->purpose)) {
		return false;
	}
	if (reason == SHM_REASON_NONE) {
		switch (msg->purpose) {
		case SHM_CONTROL:
			reason = greet_control(peer, fd, packet);
			break;
		case SHM_BULK:
			reason = greet_bulk(peer, fd, packet);
			break;
		case SHM_PROBE:
			greet_probe(peer, fd);
			return false;
		}
	}
	if (reason != SHM_REASON_NONE) {
		reject(t, fd, msg, reason);
		reject_log(t, msg, peer, reason);
		return false;
	}
	return true;
}
