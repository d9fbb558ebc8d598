/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine's life and its turn: a bounded batch of what the transport reports, due timers, and
 * what follows from both. */
#include "engine/engine_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "base/check.h"
#include "engine/loan.h"
#include "engine/trust.h"
#include "wire/control.h"

#define LEAVE_LINGER_MS 50
#define BULK_LINES	20 /* a minute */

void engine_log(struct engine *engine, int priority, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	engine->host.log(engine->host.ctx, priority, text);
}

static int post_slots(struct engine *engine)
{
	uint32_t count = engine->config.slab.slot_count;

	engine->own_slots_max = ENGINE_OWN_SLOTS(count);
	if (engine->own_slots_max < 2 * CONTROL_SLOTS ||
	    count - engine->own_slots_max < 4 * engine->config.totem.window_size) {
		return -EINVAL;
	}
	for (uint32_t i = 0; i < count - engine->own_slots_max; i++) {
		int64_t slot = slab_slot_take(engine->slab);

		check(slot >= 0);
		engine_post_slot(engine, (uint32_t)slot);
	}
	return 0;
}

static int register_memory(struct engine *engine)
{
	/* Not for READs: what lies in slots is sent, never announced. */
	struct transport_region slab = {.base = slab_base(engine->slab),
					.size_bytes = slab_size(engine->slab),
					.fd = slab_fd(engine->slab),
					.local = engine->trust != NULL,
					.use = "slots"};
	uint64_t key;
	int err = engine->ops->region_add(engine->transport, TRANSPORT_REGION_SLAB, &slab, &key);

	err = err ? err : engine_send_init(engine);
	err = err ? err : engine_lend_init(engine);
	return err ? err : engine_extents_init(engine);
}

static int build(struct engine *engine)
{
	const struct engine_config *config = &engine->config;
	int err = totem_new(&config->totem, config->ring_seq, &engine->totem);

	err = err ? err : pg_new(config->totem.node, &config->pg, &engine->pg);
	err = err ? err : engine_trust_init(engine);
	err = err ? err : register_memory(engine);
	return err ? err : post_slots(engine);
}

static bool config_valid(const struct engine_config *config)
{
	uint64_t eager_room = frame_size_max(config) - FRAME_HEADER_SIZE;

	return config->slab.slot_size_bytes >= 4096 &&
	       frame_entry_size(PG_META_MAX, config->eager_size_bytes) <= eager_room &&
	       config->copy_size_bytes <= config->eager_size_bytes;
}

static uint32_t pieces_max(int segs_max)
{
	check(segs_max >= FRAME_SEGS_MIN && segs_max <= FRAME_SEGS_MAX);
	return ((uint32_t)segs_max - 2) / 2;
}

int engine_new(const struct engine_config *config, const struct engine_host *host,
	       const struct transport_ops *ops, struct transport *transport, struct slab *slab,
	       struct engine **out)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	int err = -ENOMEM;

	if (engine) {
		engine->config = *config;
		engine->host = *host;
		engine->ops = ops;
		engine->transport = transport;
		engine->slab = slab;
		engine->pieces_max = pieces_max(ops->segs_max(transport));
		list_init(&engine->ready);
		list_init(&engine->queued);
		list_init(&engine->held_frames);
		list_init(&engine->held_queued);
		list_init(&engine->pulls);
		list_init(&engine->chain.kept);
		list_init(&engine->free_frames);
		list_init(&engine->lenders);
		list_init(&engine->foreigns);
		list_init(&engine->servings);
		err = config_valid(config) ? build(engine) : -EINVAL;
	} else {
		ops->close(&transport);
	}
	if (err) {
		engine_free(&engine);
		return err;
	}
	*out = engine;
	return 0;
}

static void drain_frame(void *ctx, void *frame)
{
	(void)ctx;
	body_drop(&((struct frame *)frame)->body, HOLD_STORE);
}

/* Slots that come back while the engine ends must not go to a transport that is closed. */
static int slot_forget(struct transport *transport, uint32_t slot)
{
	(void)transport;
	(void)slot;
	return 0;
}

static void region_forget(struct transport *transport, uint32_t id)
{
	(void)transport;
	(void)id;
}

void engine_free(struct engine **engine_ptr)
{
	struct engine *engine = *engine_ptr;
	struct transport_ops closed;

	if (!engine) {
		return;
	}
	engine->ops->close(&engine->transport);
	closed = *engine->ops;
	closed.slot_post = slot_forget;
	closed.region_remove = region_forget;
	engine->ops = &closed;
	engine_send_fini(engine);
	engine_serve_fini(engine);
	engine_pull_fini(engine);
	engine_pack_fini(engine);
	if (engine->totem) {
		totem_drain(engine->totem, drain_frame, NULL);
	}
	engine_lend_fini(engine);
	engine_borrow_fini(engine);
	totem_free(&engine->totem);
	pg_free(&engine->pg);
	extents_free(&engine->extents);
	engine_trust_fini(engine);
	engine_frames_fini(engine);
	free(engine);
	*engine_ptr = NULL;
}

int engine_fd(const struct engine *engine)
{
	return engine->ops->fd(engine->transport);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t engine_next_deadline_ms(const struct engine *engine)
{
	uint64_t ring = totem_next_deadline_ms(engine->totem);
	uint64_t transport = engine->ops->next_deadline_ms(engine->transport);
	uint64_t next =
		earlier(earlier(ring, transport), earlier(engine_lend_deadline_ms(engine),
							  engine_borrow_deadline_ms(engine)));

	next = earlier(next, extents_next_deadline_ms(engine->extents));
	next = earlier(next, engine_seal_deadline_ms(engine));
	next = earlier(next, engine_pack_deadline_ms(engine));
	next = earlier(next, engine_trust_deadline_ms(engine));
	next = earlier(next, engine_chain_deadline_ms(engine));
	if (engine->stopping == LEFT && engine->left_at_ms + LEAVE_LINGER_MS < next) {
		next = engine->left_at_ms + LEAVE_LINGER_MS;
	}
	return next;
}

/* What is no such message the ring rejects and counts, as any other. */
static bool loans_returned(struct engine *engine, const struct transport_event *event)
{
	struct control control;

	if (wire_control_decode(event->data, event->size_bytes, &control) ||
	    control.sender != event->node) {
		return false;
	}
	engine_lend_returned(engine, event->node, &control.returned);
	return true;
}

int engine_tell(struct engine *engine, uint32_t node, const void *bytes, size_t size)
{
	if (!engine->trust) {
		return engine->ops->send_control(engine->transport, node, bytes, size);
	}
	return nodeset_has(&engine->linked, node) ? engine_trust_tell(engine, node, bytes, size)
						  : -ENOTCONN;
}

/* What was packed so far goes with the token that has just arrived. */
static void said(struct engine *engine, const struct transport_event *event)
{
	struct totem_event ring = {.kind = TOTEM_EV_CONTROL,
				   .from = event->node,
				   .bytes = event->data,
				   .size = event->size_bytes};

	if (engine_chain_received(engine, event->node, event->data, event->size_bytes)) {
		return;
	}
	switch (wire_control_kind(event->data, event->size_bytes)) {
	case CONTROL_RETURN:
		if (loans_returned(engine, event)) {
			return;
		}
		break;
	case CONTROL_TOKEN:
		engine_pack_close(engine);
		engine_pack_flush(engine);
		break;
	default:
		break;
	}
	engine_ring_event(engine, &ring);
}

/* Said once for each node. */
static void protected_peer(struct engine *engine, uint32_t node)
{
	if (!nodeset_has(&engine->protected_peers, node)) {
		nodeset_add(&engine->protected_peers, node);
		engine_log(engine, LOG_ERR,
			   "the ring of node %u is protected, and this node is not: its "
			   "configuration needs the same crypto_cipher, crypto_hash and key file",
			   node);
	}
}

static void control(struct engine *engine, const struct transport_event *event)
{
	struct transport_event opened;

	if (!engine->trust && trust_would_protect(event->data, event->size_bytes)) {
		protected_peer(engine, event->node);
	} else if (!engine->trust) {
		said(engine, event);
	} else if (engine_trust_received(engine, event, &opened)) {
		said(engine, &opened);
	}
}

static void forget_link(struct engine *engine, uint32_t node)
{
	engine_pull_link_lost(engine, node);
	if (nodeset_has(&engine->linked, node)) {
		nodeset_del(&engine->linked, node);
		engine_lend_link_ended(engine, node);
		engine_borrow_link_ended(engine, node);
	}
}

void engine_link_ended(struct engine *engine, uint32_t node)
{
	forget_link(engine, node);
	engine_trust_link_ended(engine, node);
}

void engine_link_up(struct engine *engine, uint32_t node, uint64_t cookie)
{
	struct totem_event ring = {.kind = TOTEM_EV_PEER_UP, .from = node};

	engine_log(engine, LOG_INFO, "link to node %u is up", node);
	forget_link(engine, node);
	nodeset_add(&engine->linked, node);
	engine_lend_link_up(engine, node, cookie);
	engine_borrow_link_up(engine, node, cookie);
	engine_ring_event(engine, &ring);
}

static void peer_up(struct engine *engine, const struct transport_event *event)
{
	if (!engine->trust) {
		engine_link_up(engine, event->node, event->cookie);
		return;
	}
	forget_link(engine, event->node);
	engine_trust_link_up(engine, event->node, event->cookie);
}

static void peer_down(struct engine *engine, const struct transport_event *event)
{
	struct totem_event ring = {
		.kind = TOTEM_EV_PEER_DOWN, .from = event->node, .gone = event->gone};

	if (engine->trust && !nodeset_has(&engine->linked, event->node)) {
		engine_trust_link_ended(engine, event->node); /* the ring does not know of it */
		return;
	}
	engine_log(engine, LOG_NOTICE, "link to node %u is down%s", event->node,
		   event->gone ? ": its daemon has ended" : "");
	engine_link_ended(engine, event->node);
	engine_ring_event(engine, &ring);
}

/* A peer can make it break as often as it likes. */
static void log_bulk(struct engine *engine, uint32_t node, const char *what)
{
	uint32_t unlogged;

	if (!seldom_due(&engine->bulk_lines, BULK_LINES, engine->now_ms, &unlogged)) {
		return;
	}
	if (unlogged > 0) {
		engine_log(engine, LOG_NOTICE, "bulk connection to node %u %s" SELDOM_MORE, node,
			   what, unlogged);
	} else {
		engine_log(engine, LOG_NOTICE, "bulk connection to node %u %s", node, what);
	}
}

static void handle(struct engine *engine, const struct transport_event *event)
{
	switch (event->kind) {
	case TRANSPORT_PEER_UP:
		peer_up(engine, event);
		return;
	case TRANSPORT_PEER_DOWN:
		peer_down(engine, event);
		return;
	case TRANSPORT_BULK_DOWN:
		log_bulk(engine, event->node, "broke: dialling again");
		return;
	case TRANSPORT_BULK_UP:
		log_bulk(engine, event->node, "is back");
		return;
	case TRANSPORT_CONTROL:
		control(engine, event);
		return;
	case TRANSPORT_FRAME:
		engine_receive_frame(engine, event);
		return;
	case TRANSPORT_SENT:
	case TRANSPORT_FAILED:
		engine_send_done(engine, event->cookie);
		return;
	case TRANSPORT_READ_DONE:
		engine_pull_read_done(engine, event);
		return;
	case TRANSPORT_LOST:
		if (engine->host.transport_lost) {
			engine->host.transport_lost(engine->host.ctx);
		}
		return;
	}
}

/* Once all members have what was accepted here, the ring may be told: what they lack when we are
 * gone is lost. */
static void leave_when_done(struct engine *engine)
{
	struct totem_event leave = {.kind = TOTEM_EV_LEAVE};
	struct totem_status status;

	if (engine->stopping != STOPPING || !engine_pack_idle(engine)) {
		return;
	}
	totem_status(engine->totem, &status);
	if (status.backlog > 0 || status.released != status.high_seq) {
		return;
	}
	engine->stopping = LEFT;
	engine->left_at_ms = engine->now_ms;
	engine_ring_event(engine, &leave);
}

bool engine_turn(struct engine *engine, uint64_t now_ms)
{
	struct transport_event events[EVENTS_PER_TURN];
	struct totem_event timer = {.kind = TOTEM_EV_TIMER};
	int count;

	engine->now_ms = now_ms;
	count = engine->ops->poll(engine->transport, now_ms, events, EVENTS_PER_TURN);
	for (int i = 0; i < count && !engine->failed; i++) {
		handle(engine, &events[i]);
	}
	if (totem_next_deadline_ms(engine->totem) <= now_ms) {
		engine_pack_close(engine);
		engine_pack_flush(engine);
		engine_ring_event(engine, &timer);
	}
	engine_chain_timeouts(engine);
	engine_chain_released(engine);
	engine_pull_pump(engine);
	extents_turn(engine->extents, now_ms);
	engine_seal_turn(engine);
	engine_trust_turn(engine);
	engine_chain_flush(engine);
	engine_pack_pump(engine);
	engine_lend_look(engine);
	engine_borrow_look(engine);
	engine_borrow_flush(engine);
	leave_when_done(engine);
	return engine_serve(engine) || count > 0;
}

void engine_wake_peers(struct engine *engine)
{
	engine->ops->flush(engine->transport);
}

void engine_stay_awake(struct engine *engine, bool on)
{
	engine->ops->stay_awake(engine->transport, on);
}

void engine_start(struct engine *engine, uint64_t now_ms)
{
	struct totem_event start = {.kind = TOTEM_EV_START};

	engine->now_ms = now_ms;
	engine_ring_event(engine, &start);
}

void engine_stop(struct engine *engine, uint64_t now_ms)
{
	if (engine->stopping != RUNNING) {
		return;
	}
	for (uint32_t i = 0; i < engine->config.pg.clients_max; i++) {
		if (engine->client_open[i]) {
			engine_client_close(engine, i, now_ms);
		}
	}
	engine->stopping = STOPPING;
	leave_when_done(engine);
}

bool engine_stopped(const struct engine *engine)
{
	return engine->stopping == LEFT && engine->now_ms >= engine->left_at_ms + LEAVE_LINGER_MS;
}

bool engine_failed(const struct engine *engine)
{
	return engine->failed;
}

int engine_peer_add(struct engine *engine, const struct transport_peer *peer)
{
	return engine->ops->peer_add(engine->transport, peer);
}

void engine_peer_remove(struct engine *engine, uint32_t node)
{
	struct totem_event down = {.kind = TOTEM_EV_PEER_DOWN, .from = node, .gone = true};

	engine->ops->peer_fence(engine->transport, node);
	engine->ops->peer_remove(engine->transport, node);
	engine_link_ended(engine, node);
	engine_trust_forget(engine, node);
	engine_ring_event(engine, &down);
}

bool engine_ready(const struct engine *engine)
{
	return engine->ready_once;
}

void engine_status(const struct engine *engine, struct totem_status *ring,
		   struct engine_stats *stats)
{
	totem_status(engine->totem, ring);
	*stats = engine->stats;
	stats->slots_free = engine->posted;
	extents_stats(engine->extents, &stats->extents);
	stats->extents_free_bytes = stats->extents.limit_bytes - stats->extents.used_bytes;
	stats->header_bytes = engine->trust ? 0 : (uint64_t)HEADER_CELLS * HEADER_CELL_BYTES;
	stats->sealed_memory_bytes = engine_seal_memory(engine);
}

const struct transport_ops *engine_transport_ops(const struct engine *engine)
{
	return engine->ops;
}

const struct transport *engine_transport(const struct engine *engine)
{
	return engine->transport;
}

int engine_reconfigure(struct engine *engine, const struct totem_config *totem)
{
	int err = totem_reconfigure(engine->totem, totem);

	if (!err) {
		uint32_t node = engine->config.totem.node;

		engine->config.totem = *totem;
		engine->config.totem.node = node;
	}
	return err;
}

void engine_set_dissemination(struct engine *engine, enum engine_dissemination dissemination)
{
	engine->config.dissemination = dissemination;
}
