/* SPDX-License-Identifier: BSD-3-Clause */
/* One turn of the transport. On the busy path it makes no system call: rings are looked at
 * directly, sockets once per millisecond. Only a turn that leaves nothing to do unrings the bell
 * and falls asleep. */
#include "shm/shm_poll.h"

#include <stdlib.h>

#include "shm/shm_batch.h"
#include "shm/shm_bell.h"
#include "shm/shm_bulk.h"
#include "shm/shm_channel.h"
#include "shm/shm_control.h"
#include "shm/shm_dial.h"
#include "shm/shm_io.h"
#include "shm/shm_link.h"
#include "shm/shm_read.h"
#include "shm/shm_region.h"

void shm_peer_free(struct shm_peer **peer)
{
	if (!*peer) {
		return;
	}
	shm_dial_probe_close(*peer);
	shm_link_cut(*peer);
	free((*peer)->frames);
	free((*peer)->remotes);
	free((*peer)->announced);
	free(*peer);
	*peer = NULL;
}

static void report(struct shm_peer *peer, struct shm_batch *batch, bool *due,
		   enum transport_event_kind kind)
{
	struct transport_event *event;

	if (!*due || shm_batch_full(batch)) {
		return;
	}
	*due = false;
	event = shm_batch_add(batch, kind, peer->node);
	if (kind == TRANSPORT_PEER_DOWN) {
		event->gone = peer->report_gone;
	}
	if (kind == TRANSPORT_PEER_UP) {
		event->incarnation = peer->incarnation;
		event->cookie = peer->link;
	}
}

static bool reports_due(const struct shm_peer *peer)
{
	return peer->report_down || peer->report_up || peer->report_bulk_down ||
	       peer->report_bulk_up;
}

static void serve_reports(struct shm_peer *peer, struct shm_batch *batch)
{
	if (reports_due(peer)) {
		report(peer, batch, &peer->report_down, TRANSPORT_PEER_DOWN);
		report(peer, batch, &peer->report_up, TRANSPORT_PEER_UP);
		report(peer, batch, &peer->report_bulk_down, TRANSPORT_BULK_DOWN);
		report(peer, batch, &peer->report_bulk_up, TRANSPORT_BULK_UP);
	}
}

static void serve_leaving(struct transport *t, struct shm_batch *batch)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		struct shm_peer *peer = t->leaving[i];

		if (!peer) {
			continue;
		}
		shm_frames_failed(peer, batch);
		shm_reads_failed(peer, batch);
		if (peer->done == peer->queued && peer->reads_done == peer->reads_queued) {
			shm_peer_free(&t->leaving[i]);
		}
	}
}

/* A quarter of a batch is kept for bulk, so that a flood of control messages cannot starve it. */
static int control_limit(const struct shm_batch *batch)
{
	return batch->max > 1 ? batch->max - (batch->max + 3) / 4 : 1;
}

static void serve_bulk(struct shm_peer *peer, struct shm_batch *batch)
{
	shm_frames_failed(peer, batch);
	shm_frames_sent(peer, batch);
	shm_frames_take(peer, batch);
	shm_reads_failed(peer, batch);
	shm_reads_run(peer, batch);
}

/* Each peer is the first as often as any other: one that fills the batch must not always come before them. */
static void next_turn(struct transport *t)
{
	for (uint32_t i = 1; i <= NODES_MAX; i++) {
		if (t->peers[(t->turn + i) % NODES_MAX]) {
			t->turn = (t->turn + i) % NODES_MAX;
			return;
		}
	}
}

static struct shm_peer *peer_in_turn(const struct transport *t, uint32_t i)
{
	return t->peers[(t->turn + i) % NODES_MAX];
}

static void serve_all_reports(struct transport *t, struct shm_batch *batch)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (t->peers[i]) {
			serve_reports(t->peers[i], batch);
		}
	}
}

static void serve(struct transport *t, struct shm_batch *batch)
{
	serve_leaving(t, batch);
	serve_all_reports(t, batch);
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		struct shm_peer *peer = peer_in_turn(t, i);

		if (peer && peer->state == SHM_UP && !peer->broken && !reports_due(peer)) {
			shm_control_take(peer, batch, control_limit(batch));
		}
	}
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		struct shm_peer *peer = peer_in_turn(t, i);

		if (peer && !reports_due(peer)) {
			serve_bulk(peer, batch);
		}
	}
	next_turn(t);
}

static void tick(struct transport *t)
{
	shm_io_tick(t);
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (t->peers[i]) {
			shm_link_tick(t->peers[i]);
		}
	}
}

static void sockets_and_timers(struct transport *t)
{
	shm_io_poll(t);
	tick(t);
}

static bool any_dying(const struct transport *t)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (t->peers[i] && shm_link_dying(t->peers[i])) {
			return true;
		}
	}
	return false;
}

static bool peer_has_work(const struct shm_peer *peer)
{
	return reports_due(peer) || shm_link_dying(peer) || shm_frames_waiting(peer) ||
	       shm_reads_waiting(peer) || (peer->state == SHM_UP && shm_control_waiting(peer));
}

static bool has_work(const struct transport *t)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (t->leaving[i] || (t->peers[i] && peer_has_work(t->peers[i]))) {
			return true;
		}
	}
	return false;
}

/* Leaves the descriptor readable if there is more, else unreadable, with peers knowing that they
 * must wake us. */
static void rest(struct transport *t)
{
	if (t->stay_awake) {
		return;
	}
	if (!has_work(t)) {
		for (uint32_t i = 0; i < NODES_MAX; i++) {
			if (t->peers[i]) {
				shm_frames_rest(t->peers[i]);
			}
		}
		shm_bell_sleep(t);
		if (!has_work(t)) {
			return;
		}
	}
	shm_bell_ring(t);
}

int shm_poll(struct transport *t, uint64_t now_ms, struct transport_event *events, int max)
{
	struct shm_batch batch = {.events = events,
				  .max = max,
				  .frame_budget_bytes = SHM_FRAME_BUDGET_BYTES,
				  .read_budget_bytes = SHM_READ_BUDGET_BYTES};
	bool look = t->asleep || now_ms != t->io_ms;

	if (max <= 0) {
		return 0;
	}
	t->now_ms = now_ms;
	shm_dropped_unmap(t);
	shm_bell_flush(t);
	shm_bell_wake(t);
	if (look) {
		sockets_and_timers(t);
	}
	serve(t, &batch);
	if (any_dying(t)) {
		/* Now that their rings are drained. Reports only: control messages must not
		 * follow frames in a batch. */
		tick(t);
		serve_all_reports(t, &batch);
	}
	rest(t);
	return batch.count;
}

void shm_stay_awake(struct transport *t, bool on)
{
	t->stay_awake = on;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t shm_next_deadline_ms(const struct transport *t)
{
	uint64_t due_ms = shm_io_deadline_ms(t);

	for (uint32_t i = 0; i < NODES_MAX; i++) {
		const struct shm_peer *peer = t->peers[i];

		if (peer) {
			due_ms = earlier(due_ms, shm_link_deadline_ms(peer));
			due_ms = earlier(due_ms, shm_frames_deadline_ms(peer));
		}
	}
	return due_ms;
}
