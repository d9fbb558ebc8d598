/* SPDX-License-Identifier: BSD-3-Clause */
/* Dialling: control, then bulk; and the probe by which the dialled side asks whether a lost
 * peer's process ended, or tells a peer that it is there now. A refused dial means that nobody
 * holds the peer's name: its process is gone. While a process dies its listener may outlive its
 * links for an instant: a dial that is hung up without an answer is repeated at once. */
#include "shm/shm_dial.h"

#include <errno.h>
#include <unistd.h>

#include "shm/shm_bulk.h"
#include "shm/shm_channel.h"
#include "shm/shm_io.h"
#include "shm/shm_link.h"
#include "shm/shm_log.h"
#include "shm/shm_sock.h"

/* A daemon that starts later says so by itself; this is for when that was missed. */
#define SHM_ABSENT_REDIAL_MS 250
#define SHM_DYING_REDIAL_MS  2
#define SHM_BACKOFF_MS	     50
#define SHM_BACKOFF_MAX_MS   1000

static void redial_in(struct shm_peer *peer, uint64_t delay_ms)
{
	peer->deadline_ms = peer->transport->now_ms + delay_ms;
}

static void redial_later(struct shm_peer *peer)
{
	uint64_t delay_ms = (uint64_t)SHM_BACKOFF_MS << (peer->attempts < 5 ? peer->attempts : 5);

	peer->attempts++;
	redial_in(peer, delay_ms < SHM_BACKOFF_MAX_MS ? delay_ms : SHM_BACKOFF_MAX_MS);
}

/* No socket came out of it. */
static void dial_failed(struct shm_peer *peer, int result)
{
	if (result == -ECONNREFUSED) {
		shm_link_verdict(peer, true);
		redial_in(peer, SHM_ABSENT_REDIAL_MS);
		return;
	}
	if (result == -EAGAIN) {
		/* Its queue is full: it is stopped, or very busy. */
		redial_later(peer);
		return;
	}
	if (result == -EPERM) {
		shm_log_peer(peer, LOG_ERR, "cannot be dialled:",
			     "a program of another user holds its socket name");
		shm_link_verdict(peer, true);
	} else {
		shm_log_peer(peer, LOG_ERR, "cannot be dialled:", strerrordesc_np(-result));
	}
	redial_later(peer);
}

static int dial(const struct shm_peer *peer, int *fd)
{
	struct transport *t = peer->transport;
	int result = shm_sock_dial(t->uid, t->cluster, peer->node, fd);

	if (result == -EPERM) {
		shm_io_discard(t, *fd);
		*fd = -1;
	}
	return result;
}

/* Dials, makes our mail for the channel and says hello with it. */
static int dial_channel(struct shm_peer *peer, struct shm_channel *channel, struct shm_msg *hello,
			size_t entry_size, enum shm_socket which)
{
	struct transport *t = peer->transport;
	int fds[2] = {-1, t->board_fd};
	int result = dial(peer, &channel->fd);

	if (result) {
		return result;
	}
	result = shm_channel_offer(channel, hello->entries, entry_size, &fds[0]);
	if (result == 0) {
		result = shm_sock_send(channel->fd, hello, fds, which == SHM_SOCKET_BULK ? 1 : 2);
		close(fds[0]);
	}
	if (result == 0) {
		result = shm_io_watch(t, channel->fd, which, peer->index);
	}
	if (result) {
		shm_channel_close(channel);
	}
	return result;
}

static void dial_control(struct shm_peer *peer)
{
	struct transport *t = peer->transport;
	struct shm_msg hello = shm_link_hello(t, SHM_HELLO, SHM_CONTROL, peer->node);
	uint64_t wait_ms;
	int result;

	if (!shm_link_allowed(peer, &wait_ms)) {
		redial_in(peer, wait_ms);
		return;
	}
	hello.entries = SHM_CONTROL_ENTRIES;
	result = dial_channel(peer, &peer->control, &hello, sizeof(struct shm_control_entry),
			      SHM_SOCKET_CONTROL);
	if (result) {
		dial_failed(peer, result);
		return;
	}
	peer->state = SHM_GREETING;
	redial_in(peer, t->config.connect_timeout_ms);
}

static void dial_bulk(struct shm_peer *peer)
{
	struct transport *t = peer->transport;
	struct shm_msg hello = shm_link_hello(t, SHM_HELLO, SHM_BULK, peer->node);
	int result;

	hello.entries = shm_bulk_entries(t);
	hello.link = peer->link;
	result = dial_channel(peer, &peer->bulk, &hello, sizeof(struct shm_bulk_entry),
			      SHM_SOCKET_BULK);
	if (result == -ECONNREFUSED) {
		shm_link_lost(peer);
	} else if (result == -EAGAIN) {
		redial_later(peer);
	} else if (result) {
		shm_log_peer(peer, LOG_ERR, "cannot be dialled:", strerrordesc_np(-result));
		redial_later(peer);
	} else {
		peer->bulk_greeting = true;
		redial_in(peer, t->config.connect_timeout_ms);
	}
}

/* A packet from the peer we dialled; or -EAGAIN, -ENOTCONN hung up, -EPROTO nonsense, -EMFILE. */
static int answer(const struct shm_peer *peer, int fd, enum shm_purpose purpose,
		  struct shm_packet *packet)
{
	const struct shm_msg *msg = &packet->msg;
	int result = shm_sock_recv(fd, packet);

	if (result) {
		return result;
	}
	if ((msg->kind != SHM_WELCOME && msg->kind != SHM_REJECT) ||
	    (msg->kind == SHM_WELCOME && msg->version != SHM_VERSION) ||
	    (msg->kind == SHM_WELCOME && (msg->from != peer->node || msg->purpose != purpose))) {
		shm_packet_drop(packet);
		return -EPROTO;
	}
	return 0;
}

/* For the log; NULL when it just hung up. */
static const char *answer_fault(int result)
{
	if (result == -EPROTO) {
		return "in no known way";
	}
	return result == -EMFILE ? "with descriptors that found no room here (open files limit)"
				 : NULL;
}

/* Why, if it is the peer's fault; NULL: it hung up, and may be about to end. */
static void control_failed(struct shm_peer *peer, const char *what, const char *why)
{
	if (why) {
		shm_log_peer(peer, LOG_WARNING, what, why);
	}
	shm_channel_close(&peer->control);
	shm_share_drop(&peer->board);
	peer->state = SHM_DOWN;
	if (peer->lost && !why) {
		redial_in(peer, SHM_DYING_REDIAL_MS);
	} else {
		redial_later(peer);
	}
}

static int control_attach(struct shm_peer *peer, const struct shm_packet *packet)
{
	int result;

	if (packet->fd_count != 2) {
		return -EPROTO;
	}
	result = shm_channel_attach(&peer->control, packet->fds[0], packet->msg.entries,
				    sizeof(struct shm_control_entry));
	if (result) {
		return result;
	}
	return shm_share_attach(packet->fds[1], sizeof(struct shm_board), &peer->board);
}

void shm_dial_control_answer(struct shm_peer *peer)
{
	struct shm_packet packet;
	int result = answer(peer, peer->control.fd, SHM_CONTROL, &packet);

	if (result == -EAGAIN) {
		return;
	}
	if (result) {
		control_failed(peer, "answers", answer_fault(result));
		return;
	}
	/* An answer at all: alive, as the daemon we knew or as another one. */
	shm_link_verdict(peer, packet.msg.incarnation != peer->lost_incarnation);
	if (packet.msg.kind == SHM_REJECT) {
		control_failed(peer, "refuses us:", shm_reason_name(packet.msg.reason));
	} else if (control_attach(peer, &packet)) {
		control_failed(peer, "answers with", "shared memory that cannot be used");
	} else {
		peer->incarnation = packet.msg.incarnation;
		peer->link = packet.msg.link;
		shm_link_join(peer);
		dial_bulk(peer);
	}
	shm_packet_drop(&packet);
}

static void bulk_failed(struct shm_peer *peer, const char *why)
{
	if (why) {
		shm_log_peer(peer, LOG_WARNING, "answers our bulk connection", why);
		shm_link_lost(peer);
		return;
	}
	peer->bulk_greeting = false;
	shm_channel_close(&peer->bulk);
	redial_later(peer);
}

void shm_dial_bulk_answer(struct shm_peer *peer)
{
	struct shm_packet packet;
	int result = answer(peer, peer->bulk.fd, SHM_BULK, &packet);

	if (result == -EAGAIN) {
		return;
	}
	if (result) {
		bulk_failed(peer, answer_fault(result));
		return;
	}
	if (packet.msg.kind == SHM_REJECT) {
		/* The other side has lost the link; a new one is made from the start. */
		shm_link_lost(peer);
	} else if (packet.fd_count != 1 ||
		   shm_channel_attach(&peer->bulk, packet.fds[0], packet.msg.entries,
				      sizeof(struct shm_bulk_entry))) {
		bulk_failed(peer, "with shared memory that cannot be used");
	} else {
		shm_link_bulk_up(peer);
	}
	shm_packet_drop(&packet);
}

void shm_dial_probe_close(struct shm_peer *peer)
{
	if (peer->probe_fd >= 0) {
		close(peer->probe_fd);
		peer->probe_fd = -1;
	}
}

/* Not the dialler. Deadline: give up waiting for an answer. */
static void dial_probe(struct shm_peer *peer)
{
	struct transport *t = peer->transport;
	struct shm_msg hello = shm_link_hello(t, SHM_HELLO, SHM_PROBE, peer->node);
	int result = dial(peer, &peer->probe_fd);

	if (result == 0) {
		result = shm_sock_send(peer->probe_fd, &hello, NULL, 0);
		if (result == 0) {
			result = shm_io_watch(t, peer->probe_fd, SHM_SOCKET_PROBE, peer->index);
		}
		if (result) {
			/* Hung up already. */
			shm_dial_probe_close(peer);
			result = -EAGAIN;
		}
	}
	if (result == 0) {
		redial_in(peer, t->config.connect_timeout_ms);
	} else if (result == -EAGAIN) {
		redial_in(peer, SHM_DYING_REDIAL_MS);
	} else {
		dial_failed(peer, result);
		peer->deadline_ms = SHM_NEVER;
	}
}

void shm_dial_probe_answer(struct shm_peer *peer)
{
	struct shm_packet packet;
	int result =
		peer->probe_fd < 0 ? -EAGAIN : answer(peer, peer->probe_fd, SHM_PROBE, &packet);

	if (result == -EAGAIN) {
		return;
	}
	shm_dial_probe_close(peer);
	if (peer->state == SHM_DOWN) {
		peer->deadline_ms = SHM_NEVER;
	}
	if (result == 0) {
		shm_link_verdict(peer, packet.msg.incarnation != peer->lost_incarnation);
		shm_packet_drop(&packet);
	} else if (peer->lost) {
		redial_in(peer, SHM_DYING_REDIAL_MS);
	}
}

static void dialler_due(struct shm_peer *peer)
{
	switch (peer->state) {
	case SHM_DOWN:
		dial_control(peer);
		break;
	case SHM_GREETING:
		control_failed(peer, "does", "not answer");
		break;
	case SHM_JOINING:
	case SHM_UP:
		if (peer->bulk_greeting) {
			shm_link_bulk_lost(peer);
			redial_later(peer);
		} else if (!shm_channel_works(&peer->bulk)) {
			dial_bulk(peer);
		} else {
			peer->deadline_ms = SHM_NEVER;
		}
		break;
	}
}

static void dialled_due(struct shm_peer *peer)
{
	bool probing = peer->probe_fd >= 0;

	shm_dial_probe_close(peer);
	switch (peer->state) {
	case SHM_DOWN:
		if (probing) {
			peer->deadline_ms = SHM_NEVER;
		} else {
			dial_probe(peer);
		}
		break;
	case SHM_JOINING:
		shm_log_peer(peer, LOG_WARNING, "opened", "no bulk channel in time");
		shm_link_lost(peer);
		break;
	case SHM_GREETING:
	case SHM_UP:
		peer->deadline_ms = SHM_NEVER;
		break;
	}
}

void shm_dial_due(struct shm_peer *peer)
{
	if (peer->dialler) {
		dialler_due(peer);
	} else {
		dialled_due(peer);
	}
}
