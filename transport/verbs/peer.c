/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of peers: adding, fencing, removing, taking down what is marked; see peer.h. */
#include "verbs/peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>

#include "verbs/bulk.h"
#include "verbs/channel.h"
#include "verbs/device.h"
#include "verbs/log.h"
#include "verbs/timing.h"
#include "verbs/verbs.h"

/* A connection that broke so often in a row without carrying a frame is not the cure. */
#define BULK_BREAKS_MAX 10
/* Dials after "stale" are repeated at once, a few times: the first clears the other kernel's
 * memory. */
#define STALE_TRIES 5
/* How many steps of dialling a loss may be held back to learn whether the process lives; usually it
 * takes a few milliseconds. */
#define FATE_STEPS 3

void verbs_wake(struct transport *t)
{
	if (!t->wake_set && eventfd_write(t->wake_fd, 1) == 0) {
		t->wake_set = true;
	}
}

struct verbs_peer *verbs_peer_find(const struct transport *t, uint32_t node)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (t->peers[i] && t->peers[i]->used && t->peers[i]->node == node) {
			return t->peers[i];
		}
	}
	return NULL;
}

static int free_index(const struct transport *t)
{
	for (uint32_t i = 0; i < t->peers_max; i++) {
		if (!t->peers[i] || !t->peers[i]->used) {
			return (int)i;
		}
	}
	return -ENOSPC;
}

static void peer_describe(struct verbs_peer *peer)
{
	char addr[64];

	verbs_addr_text(&peer->addr, addr, sizeof(addr));
	snprintf(peer->text, sizeof(peer->text), "node %u (%s)", peer->node, addr);
}

/* The struct outlives the peer: its generations go on, so that late completions are known as
 * such. */
static void peer_reset(struct verbs_peer *peer, struct transport *t,
		       const struct transport_peer *config)
{
	struct verbs_peer fresh = {
		.index = peer->index,
		.node = config->node,
		.addr = config->addr,
		.dialler = t->config.node < config->node,
		.control = {.generation = peer->control.generation},
		.bulk = {.generation = peer->bulk.generation},
	};

	*peer = fresh;
	if (verbs_addr_port(&peer->addr) == 0) {
		verbs_addr_set_port(&peer->addr, VERBS_PORT_DEFAULT);
	}
	peer_describe(peer);
}

static void peer_free_parts(struct verbs_peer *peer)
{
	verbs_bulk_fini(peer);
	verbs_channel_fini(&peer->bulk);
	verbs_channel_fini(&peer->control);
}

int verbs_peer_add(struct transport *t, const struct transport_peer *config)
{
	int index = free_index(t);
	struct verbs_peer *peer;

	if (verbs_peer_find(t, config->node)) {
		return -EEXIST;
	}
	if (config->node == t->config.node || config->addr.ss_family != t->config.addr.ss_family) {
		return -EINVAL;
	}
	if (index < 0) {
		return index;
	}
	if (!t->peers[index]) {
		t->peers[index] = calloc(1, sizeof(*peer));
		if (!t->peers[index]) {
			return -ENOMEM;
		}
		t->peers[index]->index = (uint8_t)index;
	}
	peer = t->peers[index];
	peer_reset(peer, t, config);
	if (verbs_channel_init(&peer->control, t, peer, CHANNEL_CONTROL) < 0 ||
	    verbs_channel_init(&peer->bulk, t, peer, CHANNEL_BULK) < 0 ||
	    verbs_bulk_init(peer, t->config.bulk_depth) < 0 ||
	    verbs_control_grow(t, peer->index) < 0) {
		peer_free_parts(peer);
		return -ENOMEM;
	}
	peer->used = true;
	verbs_wake(t);
	return 0;
}

/* What the owner must not hear of a peer it has cut off. */
static bool keep_event(void *ctx, const struct transport_event *event)
{
	const struct verbs_peer *peer = ctx;
	struct transport *t = peer->control.t;

	if (event->node != peer->node) {
		return true;
	}
	switch (event->kind) {
	case TRANSPORT_PEER_UP:
	case TRANSPORT_PEER_DOWN:
	case TRANSPORT_BULK_DOWN:
	case TRANSPORT_BULK_UP:
		return false;
	case TRANSPORT_CONTROL:
		verbs_control_consumed(t, event->slot);
		return false;
	case TRANSPORT_FRAME:
		(void)verbs_bulk_slot_post(t, event->slot);
		return false;
	case TRANSPORT_SENT:
	case TRANSPORT_FAILED:
	case TRANSPORT_READ_DONE:
	case TRANSPORT_LOST:
		return true;
	}
	return true;
}

bool verbs_peer_usable(const struct verbs_peer *peer)
{
	return peer->up && peer->ups_unpolled == 0;
}

void verbs_peer_fence(struct transport *t, uint32_t node)
{
	struct verbs_peer *peer = verbs_peer_find(t, node);

	if (!peer) {
		return;
	}
	verbs_peer_end(peer, BREAK_OWNER, false);
	verbs_queue_filter(&t->queue, keep_event, peer);
	peer->ups_unpolled = 0;
	verbs_reap(t);
	verbs_wake(t);
}

void verbs_peer_remove(struct transport *t, uint32_t node)
{
	struct verbs_peer *peer = verbs_peer_find(t, node);

	if (!peer) {
		return;
	}
	verbs_peer_fence(t, node);
	peer->used = false;
	peer_free_parts(peer);
}

static void schedule(struct verbs_channel *channel, enum break_reason reason, bool was_ready)
{
	struct transport *t = channel->t;
	uint32_t random = (uint32_t)(t->random >> 33);

	t->random = t->random * 6364136223846793005ull + 1442695040888963407ull;
	/* The first dial after a loss is free; a connection that keeps breaking is not. */
	if (was_ready &&
	    (channel->carried || t->now_ms >= channel->ready_ms + VERBS_BACKOFF_MAX_MS)) {
		channel->failures = 0;
	} else if (reason == BREAK_TIMEOUT) {
		/* Waiting for the answer was pause enough. */
		channel->timeouts++;
		channel->failures = 1;
	} else {
		channel->failures++;
	}
	channel->stales = reason == BREAK_STALE ? channel->stales + 1 : 0;
	if (channel->stales > 0 && channel->stales <= STALE_TRIES) {
		channel->redial_ms = t->now_ms;
		return;
	}
	channel->redial_ms = t->now_ms + verbs_backoff_ms(channel->failures, random);
}

static void log_end(struct verbs_peer *peer, enum break_reason reason)
{
	const struct transport *t = peer->control.t;

	if (peer->up) {
		verbs_log(t, LOG_NOTICE, "link to %s is down: %s", peer->text,
			  verbs_break_text(reason));
	} else if (reason != BREAK_OWNER && reason != peer->logged_break &&
		   reason != BREAK_REJECTED && peer->dialler) {
		peer->logged_break = reason;
		verbs_log(t, LOG_INFO, "no link to %s yet: %s", peer->text,
			  verbs_break_text(reason));
	}
}

static void report_down(struct verbs_peer *peer, bool gone)
{
	struct transport_event event = {
		.kind = TRANSPORT_PEER_DOWN,
		.node = peer->node,
		.incarnation = peer->incarnation,
		.gone = gone,
	};

	verbs_queue_append(&peer->control.t->queue, &event);
}

void verbs_peer_fate(struct verbs_peer *peer, bool gone)
{
	if (peer->down_held) {
		peer->down_held = false;
		peer->probe_due = false;
		report_down(peer, gone);
	}
}

/* The owner learns of the loss now, or a little later when it is worth asking first whether the
 * process lives. */
static void announce_end(struct verbs_peer *peer, enum break_reason reason, bool gone)
{
	const struct transport *t = peer->control.t;

	if (reason == BREAK_OWNER) {
		peer->down_held = false;
		peer->probe_due = false;
		return;
	}
	if (!peer->up) {
		/* A question without an answer is asked again. */
		peer->probe_due = peer->down_held && !peer->dialler;
		return;
	}
	if (!gone && (reason == BREAK_DISCONNECTED || reason == BREAK_COMPLETION)) {
		peer->down_held = true;
		peer->probe_due = !peer->dialler;
		peer->down_deadline_ms =
			t->now_ms + (uint64_t)FATE_STEPS * t->config.connect_timeout_ms;
		return;
	}
	report_down(peer, gone);
}

void verbs_peer_end(struct verbs_peer *peer, enum break_reason reason, bool gone)
{
	struct transport *t = peer->control.t;
	bool was_ready = peer->control.state == CHANNEL_READY;

	if (peer->control.state == CHANNEL_IDLE && peer->bulk.state == CHANNEL_IDLE &&
	    reason != BREAK_OWNER) {
		return;
	}
	log_end(peer, reason);
	verbs_channel_break(&peer->control, reason);
	verbs_channel_break(&peer->bulk, BREAK_SESSION);
	verbs_channel_silence(&peer->control);
	verbs_channel_silence(&peer->bulk);
	verbs_device_settle(t, &peer->control, &peer->bulk);
	verbs_channel_destroy(&peer->bulk);
	verbs_channel_destroy(&peer->control);
	verbs_bulk_fail(peer, -ECONNRESET);
	verbs_control_reset(peer);
	announce_end(peer, reason, gone);
	peer->up = false;
	peer->bulk_reported_down = false;
	schedule(&peer->control, reason, was_ready);
}

void verbs_peer_end_bulk(struct verbs_peer *peer, enum break_reason reason)
{
	struct transport *t = peer->bulk.t;
	bool was_ready = peer->bulk.state == CHANNEL_READY;
	struct transport_event event = {.kind = TRANSPORT_BULK_DOWN, .node = peer->node};

	verbs_channel_break(&peer->bulk, reason);
	verbs_channel_silence(&peer->bulk);
	verbs_device_settle(t, &peer->bulk, NULL);
	verbs_channel_destroy(&peer->bulk);
	verbs_bulk_rewind(peer);
	schedule(&peer->bulk, reason, was_ready);
	peer->flow.owe_ready = false;
	if (!peer->dialler) {
		peer->flow.owe_reset = true;
		peer->flow.reset_ms = t->now_ms;
	}
	if (peer->up && !peer->bulk_reported_down) {
		peer->bulk_reported_down = true;
		verbs_log(t, LOG_INFO, "bulk channel to %s is down: %s", peer->text,
			  verbs_break_text(reason));
		verbs_queue_append(&t->queue, &event);
	}
	if (was_ready && ++peer->bulk.breaks > BULK_BREAKS_MAX) {
		verbs_channel_break(&peer->control, BREAK_USELESS);
	}
}

void verbs_reap(struct transport *t)
{
	while (t->broken > 0) {
		for (uint32_t i = 0; i < NODES_MAX; i++) {
			struct verbs_peer *peer = t->peers[i];

			if (!peer || !peer->used) {
				continue;
			}
			if (peer->control.broken != BREAK_NONE) {
				verbs_peer_end(peer, peer->control.broken, false);
			} else if (peer->bulk.broken != BREAK_NONE) {
				verbs_peer_end_bulk(peer, peer->bulk.broken);
			}
		}
	}
}
