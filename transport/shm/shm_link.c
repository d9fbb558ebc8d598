/* SPDX-License-Identifier: BSD-3-Clause */
/* One link: what happens to it, and what is done about it. */
#include "shm/shm_link.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "shm/shm_bell.h"
#include "shm/shm_bulk.h"
#include "shm/shm_channel.h"
#include "shm/shm_control.h"
#include "shm/shm_dial.h"
#include "shm/shm_log.h"
#include "shm/shm_read.h"
#include "shm/shm_region.h"

/* What a peer that hung up had put into its rings is delivered, if that takes no longer than
 * this. */
#define SHM_DRAIN_MS 100
/* A peer that broke a rule is left alone for a while. */
#define SHM_BROKEN_REDIAL_MS 1000
/* Each link that breaks is work and lines in the log: one whose links break at once gets so many, and then one
 * in a while. */
#define SHM_LINKS_AT_ONCE 30
#define SHM_LINK_EVERY_MS 2000
/* Messages taken from a control socket in one go: whoever sends as fast as we take must not keep us there. */
#define SHM_LISTEN_MAX 64

struct shm_msg shm_link_hello(const struct transport *t, enum shm_msg_kind kind,
			      enum shm_purpose purpose, uint32_t to)
{
	struct shm_msg hello = {.kind = kind,
				.version = SHM_VERSION,
				.purpose = purpose,
				.from = t->config.node,
				.to = to,
				.slot_size_bytes = t->config.slot_size_bytes,
				.incarnation = t->config.incarnation};

	memcpy(hello.cluster, t->cluster, sizeof(hello.cluster));
	return hello;
}

void shm_link_cut(struct shm_peer *peer)
{
	/* First of all the flags that make the peer throw away what it is copying from us. */
	shm_channel_close(&peer->control);
	shm_channel_close(&peer->bulk);
	shm_share_drop(&peer->board);
	shm_remotes_drop(peer);
	shm_frames_fail(peer);
	shm_reads_fail(peer);
	peer->state = SHM_DOWN;
	peer->bulk_greeting = false;
	peer->broken = NULL;
	peer->starved = false;
	peer->report_bulk_down = false;
	peer->report_bulk_up = false;
	peer->stale_count = 0;
	peer->announce_retry_ms = SHM_NEVER;
	peer->stats.up = false;
	shm_bell_ring(peer->transport);
}

void shm_link_lost(struct shm_peer *peer)
{
	struct transport *t = peer->transport;
	bool known = peer->state == SHM_UP && !peer->report_up;

	shm_link_cut(peer);
	peer->report_up = false;
	if (known) {
		peer->lost = true;
		peer->lost_incarnation = peer->incarnation;
		peer->lost_deadline_ms = t->now_ms + t->config.connect_timeout_ms;
	}
	/* Dialling, or probing, is what finds out whether the process ended: at once. */
	peer->deadline_ms = peer->dialler || peer->lost ? t->now_ms : SHM_NEVER;
}

void shm_link_verdict(struct shm_peer *peer, bool gone)
{
	if (!peer->lost) {
		return;
	}
	peer->lost = false;
	peer->report_down = true;
	peer->report_gone = gone;
	shm_bell_ring(peer->transport);
}

bool shm_link_allowed(const struct shm_peer *peer, uint64_t *wait_ms)
{
	return shm_pace_may(&peer->link_pace, peer->transport->now_ms, SHM_LINK_EVERY_MS,
			    SHM_LINKS_AT_ONCE, wait_ms);
}

void shm_link_join(struct shm_peer *peer)
{
	shm_pace_take(&peer->link_pace, peer->transport->now_ms, SHM_LINK_EVERY_MS);
	peer->state = SHM_JOINING;
	peer->deadline_ms = peer->transport->now_ms + peer->transport->config.connect_timeout_ms;
	peer->rang_at = 0;
	shm_announce_all(peer);
}

void shm_link_bulk_up(struct shm_peer *peer)
{
	peer->bulk_greeting = false;
	peer->attempts = 0;
	peer->deadline_ms = SHM_NEVER;
	if (peer->state == SHM_UP) {
		peer->report_bulk_up = true;
	} else {
		peer->state = SHM_UP;
		peer->report_up = true;
		peer->stats.up = true;
		peer->last_error = NULL;
	}
	shm_frames_rewind(peer);
	shm_frames_pump(peer);
	shm_bell_ring(peer->transport);
}

void shm_link_bulk_lost(struct shm_peer *peer)
{
	struct transport *t = peer->transport;

	shm_channel_close(&peer->bulk);
	peer->bulk_greeting = false;
	peer->starved = false;
	peer->read_retry_ms = SHM_NEVER;
	if (peer->state != SHM_UP) {
		return;
	}
	if (peer->report_bulk_up) {
		peer->report_bulk_up = false;
	} else {
		peer->report_bulk_down = true;
	}
	peer->stats.redials++;
	peer->deadline_ms = peer->dialler ? t->now_ms : SHM_NEVER;
	shm_bell_ring(t);
}

static void control_packet(struct shm_peer *peer, struct shm_packet *packet)
{
	switch (packet->msg.kind) {
	case SHM_REGION_ADD:
	case SHM_REGION_REMOVE:
		shm_remote_change(peer, packet);
		break;
	case SHM_WAKE:
		break;
	case SHM_HELLO:
	case SHM_WELCOME:
	case SHM_REJECT:
		peer->broken = "sent a greeting on an established link";
		break;
	}
}

static void control_hung(struct shm_peer *peer)
{
	if (!peer->control.hung) {
		peer->control.hung = true;
		peer->lost_deadline_ms = peer->transport->now_ms + SHM_DRAIN_MS;
	}
}

enum heard {
	HEARD_NOTHING,
	HEARD_WAKE,
	HEARD_NEWS
};

static enum heard listen_once(struct shm_peer *peer)
{
	struct shm_packet packet;
	enum heard heard = HEARD_NOTHING;
	int result;

	if (peer->state < SHM_JOINING || peer->control.hung || peer->broken) {
		return HEARD_NOTHING;
	}
	result = shm_sock_recv(peer->control.fd, &packet);
	if (result == 0) {
		heard = packet.msg.kind == SHM_WAKE ? HEARD_WAKE : HEARD_NEWS;
		control_packet(peer, &packet);
		shm_packet_drop(&packet);
	} else if (result == -EPROTO) {
		peer->broken = "sent a malformed message on the control socket";
	} else if (result == -EMFILE) {
		peer->broken = "passed descriptors that found no room here (open files limit)";
	} else if (result != -EAGAIN) {
		control_hung(peer);
	}
	return heard;
}

bool shm_link_listen(struct shm_peer *peer)
{
	for (int i = 0; i < SHM_LISTEN_MAX; i++) {
		if (listen_once(peer) == HEARD_NOTHING) {
			return true;
		}
	}
	return false;
}

/* One WAKE comes for each of our sleeps, and mostly nothing else: what may stand behind it leaves the socket
 * readable. */
static void listen_when_woken(struct shm_peer *peer)
{
	for (int i = 0; i < SHM_LISTEN_MAX && listen_once(peer) == HEARD_NEWS; i++) {
	}
}

/* The bulk socket is silent once greeted: it says by its end that the channel broke. */
static void bulk_listen(struct shm_peer *peer)
{
	struct shm_packet packet;
	int result = shm_sock_recv(peer->bulk.fd, &packet);

	if (result == 0) {
		shm_packet_drop(&packet);
		peer->broken = "spoke on the bulk socket";
	} else if (result == -EPROTO || result == -EMFILE) {
		peer->broken = "sent a malformed message on the bulk socket";
	} else if (result != -EAGAIN) {
		peer->bulk.hung = true;
	}
}

void shm_link_socket(struct shm_peer *peer, enum shm_socket which)
{
	if (which == SHM_SOCKET_PROBE) {
		shm_dial_probe_answer(peer);
	} else if (which == SHM_SOCKET_CONTROL && peer->state == SHM_GREETING) {
		shm_dial_control_answer(peer);
	} else if (which == SHM_SOCKET_CONTROL) {
		listen_when_woken(peer);
	} else if (peer->bulk_greeting) {
		shm_dial_bulk_answer(peer);
	} else if (peer->bulk.fd >= 0 && !peer->bulk.hung) {
		bulk_listen(peer);
	}
}

bool shm_link_dying(const struct shm_peer *peer)
{
	return peer->broken || peer->control.hung || peer->bulk.hung;
}

static bool link_drained(const struct shm_peer *peer)
{
	if (peer->state != SHM_UP || peer->transport->now_ms >= peer->lost_deadline_ms) {
		return true;
	}
	return !shm_control_waiting(peer) && !shm_bulk_waiting(peer);
}

static void link_check(struct shm_peer *peer)
{
	const char *broken = peer->broken;

	if (broken) {
		shm_log(&peer->transport->config, LOG_ERR, "shm: node %u %s: link cut", peer->node,
			broken);
		shm_link_lost(peer);
		/* It misbehaves, so it lives. */
		shm_link_verdict(peer, false);
		peer->deadline_ms =
			peer->dialler ? peer->transport->now_ms + SHM_BROKEN_REDIAL_MS : SHM_NEVER;
		return;
	}
	if (peer->control.hung && link_drained(peer)) {
		shm_link_lost(peer);
		return;
	}
	if (peer->bulk.hung && !peer->control.hung && !shm_bulk_waiting(peer)) {
		shm_link_bulk_lost(peer);
	}
}

void shm_link_tick(struct shm_peer *peer)
{
	uint64_t now_ms = peer->transport->now_ms;

	link_check(peer);
	if (peer->lost && now_ms >= peer->lost_deadline_ms) {
		/* It neither ended nor answers. */
		shm_link_verdict(peer, false);
	}
	if (now_ms >= peer->announce_retry_ms) {
		shm_announce(peer);
		shm_frames_pump(peer);
	}
	if (now_ms >= peer->deadline_ms) {
		shm_dial_due(peer);
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t shm_link_deadline_ms(const struct shm_peer *peer)
{
	uint64_t due_ms = earlier(peer->deadline_ms, peer->announce_retry_ms);

	if (peer->lost || peer->control.hung) {
		due_ms = earlier(due_ms, peer->lost_deadline_ms);
	}
	return earlier(due_ms, peer->read_retry_ms);
}

bool shm_link_usable(const struct shm_peer *peer)
{
	return peer->state == SHM_UP && !peer->control.hung && !peer->broken &&
	       !peer->report_down && !peer->report_up;
}
