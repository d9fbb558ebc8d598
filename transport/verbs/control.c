/* SPDX-License-Identifier: BSD-3-Clause */
/* Control messages: private memory, credit, hello; see control.h. */
#include "verbs/control.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>

#include "base/cursor.h"
#include "verbs/channel.h"
#include "verbs/log.h"
#include "verbs/peer.h"
#include "verbs/region.h"

#define CHUNK_BYTES    (2 * CONTROL_QUOTA * CONTROL_BUFFER_SIZE)
#define HELLO_SIZE     22
#define RESET_AGAIN_MS 500
#define NO_CREDIT_MS   10

/* Consumed and not told: time for a message of its own. */
#define CREDIT_AT (CONTROL_QUOTA / 2 - 2)

static_assert(CONTROL_HEADER + CHANNEL_SIZE_MAX <= CONTROL_BUFFER_SIZE,
	      "a message fits its buffer");
static_assert(CREDIT_AT < CONTROL_QUOTA - CONTROL_RESERVE, "credit returns before it runs out");

struct control_header {
	enum control_kind kind;
	uint16_t size_bytes;
	uint32_t consumed;
};

static uint8_t *slot_memory(const struct transport *t, uint32_t slot)
{
	return t->chunks[slot / CONTROL_QUOTA].memory +
	       (size_t)(slot % CONTROL_QUOTA) * CONTROL_BUFFER_SIZE;
}

static uint8_t *buffer_memory(const struct transport *t, uint8_t index, uint32_t buffer)
{
	return t->chunks[index].memory + (size_t)(CONTROL_QUOTA + buffer) * CONTROL_BUFFER_SIZE;
}

static int slot_post(struct transport *t, uint32_t slot)
{
	struct ibv_sge sge = {
		.addr = (uintptr_t)slot_memory(t, slot),
		.length = CONTROL_BUFFER_SIZE,
		.lkey = t->chunks[slot / CONTROL_QUOTA].mr->lkey,
	};
	struct ibv_recv_wr *bad;
	struct ibv_recv_wr wr = {
		.wr_id = verbs_wrid_pack((struct wrid){.kind = WR_CONTROL_RECV, .slot = slot}),
		.sg_list = &sge,
		.num_sge = 1,
	};
	int error;

	assert(!t->control_slots[slot].posted);
	if (verbs_queue_promise(&t->queue) < 0) {
		return -ENOMEM;
	}
	error = ibv_post_srq_recv(t->control_srq, &wr, &bad);
	if (error != 0) {
		verbs_queue_unpromise(&t->queue);
		verbs_log(t, LOG_ERR, "cannot post a receive place for control messages: %s",
			  strerror(error < 0 ? -error : error));
		return -EIO;
	}
	t->control_slots[slot] = (struct control_slot){.posted = true, .peer = NODES_MAX};
	return 0;
}

uint64_t verbs_control_bytes(const struct transport *t)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < NODES_MAX; i++) {
		bytes += t->chunks[i].mr ? CHUNK_BYTES : 0;
	}
	return bytes;
}

static int chunk_new(struct transport *t, struct control_chunk *chunk)
{
	void *memory = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED) {
		return -ENOMEM;
	}
	chunk->mr = verbs_region_register(t, memory, CHUNK_BYTES, (uintptr_t)memory, 0,
					  "control messages of a peer");
	if (!chunk->mr) {
		munmap(memory, CHUNK_BYTES);
		return -ENOMEM;
	}
	chunk->memory = memory;
	return 0;
}

int verbs_control_grow(struct transport *t, uint8_t index)
{
	struct control_chunk *chunk = &t->chunks[index];
	int error = chunk->mr ? 0 : chunk_new(t, chunk);

	while (error == 0 && chunk->posted < CONTROL_QUOTA) {
		error = slot_post(t, index * CONTROL_QUOTA + chunk->posted);
		chunk->posted += error == 0;
	}
	return error;
}

void verbs_control_free(struct transport *t)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		struct control_chunk *chunk = &t->chunks[i];

		if (chunk->mr) {
			verbs_region_release(t, chunk->mr, CHUNK_BYTES);
			munmap(chunk->memory, CHUNK_BYTES);
		}
		*chunk = (struct control_chunk){0};
	}
}

void verbs_control_reset(struct verbs_peer *peer)
{
	uint32_t inline_max = peer->flow.inline_max;

	/* Until its hello says more, the peer is believed to have room for the handshake only. */
	peer->flow = (struct control_flow){.quota = CONTROL_RESERVE, .inline_max = inline_max};
}

static void put_header(uint8_t *bytes, const struct control_header *header)
{
	struct writer w = writer_of(bytes, CONTROL_HEADER);

	writer_u8(&w, (uint8_t)header->kind);
	writer_u8(&w, 0);
	writer_u16(&w, header->size_bytes);
	writer_u32(&w, header->consumed);
	assert(writer_ok(&w) && w.used == CONTROL_HEADER);
}

static bool get_header(const uint8_t *bytes, size_t size, struct control_header *out)
{
	struct cursor c = cursor_of(bytes, size);
	uint8_t kind = cursor_u8(&c);
	uint8_t zero = cursor_u8(&c);
	uint16_t length = cursor_u16(&c);
	uint32_t consumed = cursor_u32(&c);

	if (!cursor_ok(&c) || zero != 0 || kind < CONTROL_DATA || kind > CONTROL_KINDS ||
	    length > CHANNEL_SIZE_MAX || length != size - CONTROL_HEADER) {
		return false;
	}
	*out = (struct control_header){(enum control_kind)kind, length, consumed};
	return true;
}

size_t verbs_control_put_hello(const struct control_hello *hello, uint8_t *bytes, size_t size)
{
	struct writer w = writer_of(bytes, size);

	writer_u32(&w, hello->node);
	writer_u64(&w, hello->incarnation);
	writer_u32(&w, hello->attempt);
	writer_u32(&w, hello->alive_rkey);
	writer_u16(&w, hello->quota);
	return writer_ok(&w) ? w.used : 0;
}

/* Longer hellos are those of later versions, which add at the end. */
bool verbs_control_get_hello(const uint8_t *bytes, size_t size, struct control_hello *out)
{
	struct cursor c = cursor_of(bytes, size);
	struct control_hello hello;

	hello.node = cursor_u32(&c);
	hello.incarnation = cursor_u64(&c);
	hello.attempt = cursor_u32(&c);
	hello.alive_rkey = cursor_u32(&c);
	hello.quota = cursor_u16(&c);
	if (!cursor_ok(&c) || hello.quota <= CONTROL_RESERVE) {
		return false;
	}
	*out = hello;
	return true;
}

/* `reserve` places stay free for messages that matter more. */
static int control_post(struct verbs_peer *peer, enum control_kind kind, const void *bytes,
			size_t size, uint32_t reserve)
{
	struct transport *t = peer->control.t;
	struct control_flow *flow = &peer->flow;
	uint8_t *buffer = buffer_memory(t, peer->index, flow->buffer_next);
	struct ibv_sge sge = {
		.addr = (uintptr_t)buffer,
		.length = (uint32_t)(CONTROL_HEADER + size),
		.lkey = t->chunks[peer->index].mr->lkey,
	};
	struct ibv_send_wr wr = {.sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_SEND};
	int error;

	if (flow->sent - flow->credited + reserve >= flow->quota ||
	    flow->buffers_used + reserve >= CONTROL_QUOTA) {
		return -ENOBUFS;
	}
	put_header(buffer, &(struct control_header){kind, (uint16_t)size, peer->flow.consumed});
	if (size > 0) {
		memcpy(buffer + CONTROL_HEADER, bytes, size);
	}
	if (sge.length <= flow->inline_max) {
		wr.send_flags = IBV_SEND_INLINE;
	}
	error = verbs_channel_post(&peer->control, &wr, WR_CONTROL_SEND, flow->buffer_next);
	if (error < 0) {
		return error;
	}
	flow->buffer_next = (flow->buffer_next + 1) % CONTROL_QUOTA;
	flow->buffers_used++;
	flow->sent++;
	flow->told = flow->consumed;
	return 0;
}

int verbs_control_send(struct verbs_peer *peer, const void *bytes, size_t size)
{
	int error;

	if (size < 1 || size > CHANNEL_SIZE_MAX) {
		return -EMSGSIZE;
	}
	if (!verbs_peer_usable(peer) || peer->control.state != CHANNEL_READY ||
	    peer->control.broken != BREAK_NONE) {
		return -ENOTCONN;
	}
	/* "Ready" must come first: it makes the link up on the other side. */
	if (peer->flow.owe_ready) {
		return -ENOBUFS;
	}
	error = control_post(peer, CONTROL_DATA, bytes, size, CONTROL_RESERVE);
	if (error == 0) {
		peer->stats.control_sent++;
	}
	return error == -EIO ? -ENOTCONN : error;
}

static void send_hello(struct verbs_peer *peer)
{
	const struct transport *t = peer->control.t;
	struct control_hello hello = {
		.node = t->config.node,
		.incarnation = t->config.incarnation,
		.attempt = peer->control.attempt,
		.alive_rkey = t->alive_mr->rkey,
		.quota = CONTROL_QUOTA,
	};
	uint8_t bytes[HELLO_SIZE];
	size_t size = verbs_control_put_hello(&hello, bytes, sizeof(bytes));

	if (control_post(peer, CONTROL_HELLO, bytes, size, 0) == 0) {
		peer->flow.owe_hello = false;
	}
}

static bool send_attempt(struct verbs_peer *peer, enum control_kind kind)
{
	uint8_t bytes[4];
	struct writer w = writer_of(bytes, sizeof(bytes));

	writer_u32(&w, peer->bulk.attempt);
	return control_post(peer, kind, bytes, sizeof(bytes), 0) == 0;
}

static void flush_reset(struct verbs_peer *peer)
{
	uint64_t now_ms = peer->control.t->now_ms;

	if (now_ms >= peer->flow.reset_ms) {
		peer->flow.reset_ms = now_ms + (send_attempt(peer, CONTROL_RESET) ? RESET_AGAIN_MS
										  : NO_CREDIT_MS);
	}
}

void verbs_control_flush(struct verbs_peer *peer)
{
	struct control_flow *flow = &peer->flow;

	if (peer->control.broken != BREAK_NONE || peer->control.state < CHANNEL_GREETING) {
		return;
	}
	if (flow->owe_hello) {
		send_hello(peer);
	}
	if (peer->control.state != CHANNEL_READY) {
		return;
	}
	if (flow->owe_ready && send_attempt(peer, CONTROL_READY)) {
		flow->owe_ready = false;
	}
	if (flow->owe_reset) {
		flush_reset(peer);
	}
	if (flow->consumed - flow->told >= CREDIT_AT) {
		(void)control_post(peer, CONTROL_CREDIT, NULL, 0, 0);
	}
}

void verbs_control_sent(struct verbs_peer *peer)
{
	assert(peer->flow.buffers_used > 0);
	peer->flow.buffers_used--;
}

void verbs_control_consumed(struct transport *t, uint32_t slot)
{
	const struct control_slot *place = &t->control_slots[slot];
	struct verbs_peer *peer = place->peer < NODES_MAX ? t->peers[place->peer] : NULL;

	if (peer && peer->control.generation == place->generation) {
		peer->flow.consumed++;
	}
	if (!t->dead) {
		(void)slot_post(t, slot);
	}
}

void verbs_control_borrow(struct transport *t, uint32_t slot)
{
	t->borrowed[t->borrowed_count++] = slot;
}

void verbs_control_recycle(struct transport *t)
{
	for (uint32_t i = 0; i < t->borrowed_count; i++) {
		verbs_control_consumed(t, t->borrowed[i]);
	}
	t->borrowed_count = 0;
}

bool verbs_control_impatient(const struct transport *t)
{
	uint32_t borrowed[NODES_MAX] = {0};

	for (uint32_t i = 0; i < t->borrowed_count; i++) {
		uint8_t index = t->control_slots[t->borrowed[i]].peer;
		const struct control_flow *flow = &t->peers[index]->flow;

		borrowed[index]++;
		if (flow->consumed - flow->told + borrowed[index] >= CREDIT_AT) {
			return true;
		}
	}
	return false;
}

static void deliver(struct verbs_peer *peer, uint32_t slot, uint32_t size)
{
	struct transport *t = peer->control.t;
	struct transport_event event = {
		.kind = TRANSPORT_CONTROL,
		.node = peer->node,
		.slot = slot,
		.size_bytes = size,
		.data = slot_memory(t, slot) + CONTROL_HEADER,
	};

	peer->stats.control_received++;
	verbs_queue_fulfil(&t->queue, &event);
}

/* All peers share one queue of receive places: who sends beyond his quota takes the others'. */
static bool has_credit(const struct control_flow *flow)
{
	return flow->arrived - flow->told <= CONTROL_QUOTA;
}

/* True when the message is of a kind that may come now, and has been acted on. */
static bool handle(struct verbs_peer *peer, const struct control_header *header,
		   const uint8_t *bytes)
{
	struct cursor c = cursor_of(bytes, header->size_bytes);
	struct control_hello hello;
	bool greeted = peer->control.state == CHANNEL_READY;
	uint32_t attempt;

	switch (header->kind) {
	case CONTROL_HELLO:
		return !greeted && verbs_control_get_hello(bytes, header->size_bytes, &hello) &&
		       verbs_peer_greeted(peer, &hello);
	case CONTROL_CREDIT:
		return greeted;
	case CONTROL_READY:
		attempt = cursor_u32(&c);
		if (!greeted || !cursor_ok(&c) || peer->dialler) {
			return false;
		}
		verbs_peer_bulk_ready(peer, attempt);
		return true;
	case CONTROL_RESET:
		attempt = cursor_u32(&c);
		if (!greeted || !cursor_ok(&c) || !peer->dialler) {
			return false;
		}
		verbs_peer_bulk_reset(peer, attempt);
		return true;
	case CONTROL_DATA:
		return greeted;
	}
	return false;
}

static bool take_credit(struct control_flow *flow, uint32_t consumed)
{
	if (consumed - flow->credited > flow->sent - flow->credited) {
		return false;
	}
	flow->credited = consumed;
	return true;
}

void verbs_control_arrived(struct transport *t, struct verbs_channel *channel, uint32_t slot,
			   uint32_t size)
{
	const uint8_t *bytes = slot_memory(t, slot);
	struct control_header header;
	struct verbs_peer *peer;

	if (!channel || channel->class != CHANNEL_CONTROL) {
		verbs_queue_unpromise(&t->queue);
		verbs_control_consumed(t, slot);
		return;
	}
	peer = channel->peer;
	channel->progress_ms = t->now_ms;
	t->control_slots[slot].peer = peer->index;
	t->control_slots[slot].generation = channel->generation;
	verbs_peer_heard(channel);
	peer->flow.arrived++;
	if (!has_credit(&peer->flow) || !get_header(bytes, size, &header) ||
	    !take_credit(&peer->flow, header.consumed) ||
	    !handle(peer, &header, bytes + CONTROL_HEADER)) {
		verbs_log(t, LOG_ERR, "%s: a control message of %u bytes breaks the protocol",
			  peer->text, size);
		verbs_channel_break(channel, BREAK_PROTOCOL);
	} else if (header.kind == CONTROL_DATA && peer->up) {
		deliver(peer, slot, header.size_bytes);
		return;
	}
	verbs_queue_unpromise(&t->queue);
	verbs_control_consumed(t, slot);
}
