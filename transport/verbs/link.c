/* SPDX-License-Identifier: BSD-3-Clause */
/* A link's way up: connected, greeted, proved, reported; and its timers. See peer.h. */
#include "verbs/peer.h"

#include <errno.h>
#include <syslog.h>

#include "verbs/bulk.h"
#include "verbs/channel.h"
#include "verbs/cm.h"
#include "verbs/log.h"
#include "verbs/timing.h"

static void channel_ready(struct verbs_channel *channel)
{
	channel->state = CHANNEL_READY;
	channel->carried = false;
	channel->timeouts = 0;
	channel->ready_ms = channel->t->now_ms;
	channel->progress_ms = channel->t->now_ms;
}

void verbs_peer_connected(struct verbs_channel *channel)
{
	struct transport *t = channel->t;

	channel->deadline_ms =
		t->now_ms + verbs_step_ms(t->config.connect_timeout_ms, channel->timeouts);
	channel->progress_ms = t->now_ms;
	channel->state = CHANNEL_GREETING;
	if (!channel->initiator) {
		return;
	}
	if (verbs_channel_tune(channel) < 0) {
		verbs_channel_break(channel, BREAK_RESOURCES);
		return;
	}
	if (channel->class == CHANNEL_CONTROL) {
		channel->peer->flow.owe_hello = true;
		verbs_control_flush(channel->peer);
	} else {
		(void)verbs_channel_keepalive(channel);
	}
}

/* Both channels work: tells the owner, once for the link and else for bulk. */
static void link_check(struct verbs_peer *peer)
{
	struct transport *t = peer->control.t;
	struct transport_event event = {
		.kind = peer->up ? TRANSPORT_BULK_UP : TRANSPORT_PEER_UP,
		.node = peer->node,
		.incarnation = peer->incarnation,
	};

	if (peer->control.state != CHANNEL_READY || peer->bulk.state != CHANNEL_READY ||
	    (peer->up && !peer->bulk_reported_down)) {
		return;
	}
	verbs_peer_fate(peer, false);
	verbs_log(t, LOG_INFO, peer->up ? "bulk channel to %s is back" : "link to %s is up",
		  peer->text);
	peer->ups_unpolled += peer->up ? 0 : 1;
	peer->up = true;
	peer->was_up = true;
	peer->bulk_reported_down = false;
	peer->logged_break = BREAK_NONE;
	peer->logged_reject = REJECT_NONE;
	verbs_queue_append(&t->queue, &event);
	verbs_bulk_pump(peer);
}

bool verbs_peer_greeted(struct verbs_peer *peer, const struct control_hello *hello)
{
	struct verbs_channel *control = &peer->control;

	if (hello->node != peer->node || hello->attempt != control->attempt ||
	    (!control->initiator && hello->incarnation != peer->incarnation)) {
		verbs_log(control->t, LOG_ERR, "%s: somebody else answers there, node %u",
			  peer->text, hello->node);
		return false;
	}
	verbs_peer_fate(peer, hello->incarnation != peer->incarnation);
	peer->incarnation = hello->incarnation;
	peer->alive_rkey = hello->alive_rkey;
	peer->flow.quota = hello->quota < CONTROL_QUOTA ? hello->quota : CONTROL_QUOTA;
	channel_ready(control);
	if (!control->initiator) {
		peer->flow.owe_hello = true;
		verbs_control_flush(peer);
	}
	peer->bulk.failures = 0;
	peer->bulk.redial_ms = control->t->now_ms;
	return true;
}

void verbs_peer_bulk_proved(struct verbs_peer *peer)
{
	if (peer->bulk.state != CHANNEL_GREETING || !peer->bulk.initiator) {
		return;
	}
	channel_ready(&peer->bulk);
	peer->flow.owe_ready = true;
	verbs_control_flush(peer);
	link_check(peer);
}

static void bulk_accepted_works(struct verbs_peer *peer)
{
	if (peer->bulk.state == CHANNEL_ACCEPTED || peer->bulk.state == CHANNEL_GREETING) {
		channel_ready(&peer->bulk);
		link_check(peer);
	}
}

void verbs_peer_bulk_ready(struct verbs_peer *peer, uint32_t attempt)
{
	if (!peer->bulk.initiator && peer->bulk.attempt == attempt &&
	    peer->bulk.broken == BREAK_NONE) {
		bulk_accepted_works(peer);
	}
}

void verbs_peer_bulk_reset(struct verbs_peer *peer, uint32_t attempt)
{
	if (peer->bulk.initiator && peer->bulk.attempt == attempt) {
		verbs_channel_break(&peer->bulk, BREAK_PEER_RESET);
	}
}

void verbs_peer_heard(struct verbs_channel *channel)
{
	if (channel->initiator || channel->broken != BREAK_NONE) {
		return;
	}
	if (channel->state == CHANNEL_ACCEPTED) {
		/* The confirmation is late or lost; what arrived confirms as well. Without
		 * rdma_notify: after it Linux goes on repeating its answer to who has hung up
		 * meanwhile, and rdma_destroy_id waits until that ends, for a minute. */
		verbs_peer_connected(channel);
	}
	if (channel->class == CHANNEL_BULK) {
		bulk_accepted_works(channel->peer);
	}
}

static uint64_t keepalive_ms(const struct verbs_channel *channel)
{
	/* With work under way the adapter itself finds out. */
	return channel->sq_count > 0 ? UINT64_MAX
				     : channel->progress_ms + channel->t->config.ack_timeout_ms;
}

static bool wants_dial(const struct verbs_channel *channel)
{
	const struct verbs_peer *peer = channel->peer;

	return peer->dialler &&
	       (channel->class == CHANNEL_CONTROL || peer->control.state == CHANNEL_READY);
}

static uint64_t channel_deadline_ms(const struct verbs_channel *channel)
{
	switch (channel->state) {
	case CHANNEL_IDLE:
		return wants_dial(channel) ? channel->redial_ms : UINT64_MAX;
	case CHANNEL_RESOLVING:
	case CHANNEL_ROUTING:
	case CHANNEL_CONNECTING:
	case CHANNEL_ACCEPTED:
	case CHANNEL_GREETING:
		return channel->deadline_ms;
	case CHANNEL_READY:
		return keepalive_ms(channel);
	}
	return UINT64_MAX;
}

static void channel_tick(struct verbs_channel *channel)
{
	if (channel->broken != BREAK_NONE || channel->t->now_ms < channel_deadline_ms(channel)) {
		return;
	}
	switch (channel->state) {
	case CHANNEL_IDLE:
		verbs_dial(channel, false);
		break;
	case CHANNEL_RESOLVING:
	case CHANNEL_ROUTING:
	case CHANNEL_CONNECTING:
	case CHANNEL_ACCEPTED:
	case CHANNEL_GREETING:
		verbs_log(channel->t, LOG_DEBUG, "%s: %s channel gives up %s", channel->peer->text,
			  verbs_class_name(channel->class), verbs_state_name(channel->state));
		verbs_channel_break(channel, BREAK_TIMEOUT);
		break;
	case CHANNEL_READY:
		(void)verbs_channel_keepalive(channel);
		break;
	}
}

void verbs_peer_tick(struct verbs_peer *peer)
{
	struct transport *t = peer->control.t;

	if (peer->down_held && t->now_ms >= peer->down_deadline_ms) {
		verbs_peer_fate(peer, false);
	}
	if (peer->probe_due && peer->control.state == CHANNEL_IDLE &&
	    t->now_ms >= peer->control.redial_ms) {
		peer->probe_due = false;
		verbs_dial(&peer->control, true);
	}
	channel_tick(&peer->control);
	channel_tick(&peer->bulk);
	verbs_control_flush(peer);
}

uint64_t verbs_peer_deadline_ms(const struct verbs_peer *peer)
{
	uint64_t deadline_ms = channel_deadline_ms(&peer->control);
	uint64_t bulk_ms = channel_deadline_ms(&peer->bulk);

	deadline_ms = bulk_ms < deadline_ms ? bulk_ms : deadline_ms;
	if (peer->down_held && peer->down_deadline_ms < deadline_ms) {
		deadline_ms = peer->down_deadline_ms;
	}
	if (peer->flow.owe_reset && peer->control.state == CHANNEL_READY &&
	    peer->flow.reset_ms < deadline_ms) {
		deadline_ms = peer->flow.reset_ms;
	}
	if (peer->probe_due && peer->control.redial_ms < deadline_ms) {
		deadline_ms = peer->control.redial_ms;
	}
	return deadline_ms;
}
