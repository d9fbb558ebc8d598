/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames to the transport. Each sending has a header cell of its own, because the same frame may be
 * under way under two numbers at once: its first one, still unacknowledged, and the one recovery
 * gave it. */
#include "engine/engine_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cursor.h"
#include "engine/loan.h"

#define CELLS_BYTES ((size_t)HEADER_CELLS * HEADER_CELL_BYTES)
#define NO_SENDING  UINT32_MAX

static int register_cells(struct engine *engine, int fd)
{
	struct transport_region region = {
		.size_bytes = CELLS_BYTES, .fd = fd, .use = "frame headers"};
	uint64_t key;

	if (ftruncate(fd, (off_t)CELLS_BYTES) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0) {
		return -errno;
	}
	region.base =
		mmap(NULL, CELLS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (region.base == MAP_FAILED) {
		return -errno;
	}
	engine->cells = region.base;
	return engine->ops->region_add(engine->transport, REGION_HEADERS, &region, &key);
}

int engine_send_init(struct engine *engine)
{
	int fd = memfd_create("coronet-headers", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0) {
		return -errno;
	}
	engine->sendings = calloc(HEADER_CELLS, sizeof(*engine->sendings));
	err = engine->sendings ? register_cells(engine, fd) : -ENOMEM;
	/* The transport may pass the descriptor on for as long as the region is there. */
	if (engine->cells) {
		engine->cells_fd = fd;
	} else {
		close(fd);
	}
	for (uint32_t i = 0; !err && i < HEADER_CELLS; i++) {
		engine->sendings[i].next_free = i + 1 < HEADER_CELLS ? i + 1 : NO_SENDING;
	}
	return err;
}

void engine_send_fini(struct engine *engine)
{
	for (uint32_t i = 0; engine->sendings && i < HEADER_CELLS; i++) {
		struct sending *sending = &engine->sendings[i];

		for (; sending->pending > 0; sending->pending--) {
			body_drop(&sending->frame->body, HOLD_SEND);
		}
	}
	free(engine->sendings);
	if (engine->cells) {
		munmap(engine->cells, CELLS_BYTES);
		close(engine->cells_fd);
	}
}

static void free_sending(struct engine *engine, struct sending *sending)
{
	engine->sending--;
	sending->frame = NULL;
	sending->next_free = engine->free_sending;
	engine->free_sending = (uint32_t)(sending - engine->sendings);
}

/* A program can write into what it has sent. Whoever asks for such a payload again would never read
 * what was announced, so the digest is withdrawn: the message is wrong, but the ring goes on. */
static uint32_t digest_now(struct engine *engine, struct frame *frame)
{
	bool again = frame->own && frame->announced;

	frame->announced = true;
	if (again && frame->digest != 0 && engine_digest(frame->payload) != frame->digest) {
		engine_log(engine, LOG_ERR,
			   "a program on this node has changed a message of %llu bytes after "
			   "sending it: members may be delivered different bytes of it",
			   (unsigned long long)frame->payload->size);
		frame->digest = 0;
	}
	return frame->digest;
}

/* A chain of all receivers, or none: one that the frame does not reach now would let those behind it
 * wait. */
static uint32_t chunk_for(const struct engine *engine, const struct totem_action *action)
{
	const struct frame *frame = action->frame;
	uint32_t receivers = 0;

	for (uint64_t mask = action->mask; mask != 0; mask &= mask - 1) {
		receivers++;
	}
	if (action->info.repeated || receivers + 1 != action->members->count) {
		return 0;
	}
	return chain_chunk(engine->config.dissemination, frame->payload->size, receivers);
}

/* How an announced payload gets from us to the others: along a chain, or used where it is, or READ by
 * each. */
struct spread {
	uint32_t chunk; /* 0: no chain */
	uint32_t loan;	/* 0: none */
};

static struct spread spread_of(struct engine *engine, const struct totem_action *action)
{
	struct frame *frame = action->frame;
	struct spread spread = {0};

	if (frame->payload) {
		spread.chunk = chunk_for(engine, action);
		spread.loan = spread.chunk == 0 ? engine_lend(engine, frame) : 0;
	}
	return spread;
}

/* An announcement is whole in its cell: entry header, meta, and where to read the payload from us.
 */
static uint32_t write_announcement(struct engine *engine, const struct totem_action *action,
				   struct spread spread, uint8_t *out)
{
	struct frame *frame = action->frame;
	struct frame_announce announce = {.key = engine_region_key(engine, frame->payload->region),
					  .offset = frame->payload->offset,
					  .size = frame->payload->size,
					  .digest = digest_now(engine, frame),
					  .chunk = spread.chunk,
					  .loan = spread.loan};
	size_t whole = frame_entry_size(frame->meta_size, FRAME_ANNOUNCE_SIZE);
	uint8_t bytes[FRAME_ANNOUNCE_SIZE];
	struct writer w = writer_of(out, HEADER_CELL_BYTES - FRAME_HEADER_SIZE);

	frame_announce_encode(&announce, bytes);
	writer_u16(&w, (uint16_t)frame->meta_size);
	writer_u16(&w, 0);
	writer_u32(&w, FRAME_ANNOUNCE_SIZE);
	writer_bytes(&w, frame->meta, frame->meta_size);
	writer_bytes(&w, bytes, sizeof(bytes));
	while (w.used < whole) {
		writer_u8(&w, 0);
	}
	check(writer_ok(&w));
	return (uint32_t)whole;
}

/* Writes the cell of this sending; returns the pieces to gather. */
static int compose(struct engine *engine, uint32_t cell, const struct totem_action *action,
		   struct spread spread, struct transport_seg *segs)
{
	const struct frame *frame = action->frame;
	uint8_t *bytes = engine->cells + (size_t)cell * HEADER_CELL_BYTES;
	struct frame_header header = frame->header;
	uint32_t in_cell = FRAME_HEADER_SIZE;
	int count = 1;

	header.info = action->info;
	if (header.body == FRAME_ANNOUNCE) {
		header.body_size =
			write_announcement(engine, action, spread, bytes + FRAME_HEADER_SIZE);
		in_cell += header.body_size;
	} else {
		count += frame_segs(frame, segs + 1);
	}
	frame_header_encode(&header, bytes);
	segs[0] =
		(struct transport_seg){REGION_HEADERS, in_cell, (uint64_t)cell * HEADER_CELL_BYTES};
	return count;
}

/* A payload that we use in a peer's memory nobody can READ from us: it needs a place here first. */
static bool can_serve(struct engine *engine, struct frame *frame)
{
	struct body *copy;

	if (!frame->payload || frame->payload->home != BODY_PEER) {
		return true;
	}
	copy = engine_extent_new(engine, frame->payload->size);
	if (!copy) {
		extents_forget(engine->extents);
		return false;
	}
	memcpy(copy->bytes, frame->payload->bytes, copy->size);
	body_hold(copy, HOLD_STORE);
	body_drop(copy, HOLD_BUILD);
	body_drop(frame->payload, HOLD_STORE);
	frame->payload = copy;
	return true;
}

/* What cannot be sent now is a gap at the receiver, and asked for again on the token. */
void engine_send(struct engine *engine, const struct totem_action *action)
{
	struct transport_seg segs[FRAME_SEGS_MAX];
	struct frame *frame = action->frame;
	uint32_t cell = engine->free_sending;
	struct sending *sending;
	struct spread spread;
	int count;

	if (cell == NO_SENDING || !can_serve(engine, frame)) {
		engine->stats.frames_unsent++;
		return;
	}
	spread = spread_of(engine, action);
	sending = &engine->sendings[cell];
	engine->free_sending = sending->next_free;
	engine->sending++;
	sending->frame = frame;
	count = compose(engine, cell, action, spread, segs);
	for (uint32_t i = 0; i < action->members->count; i++) {
		if (!(action->mask & (1ull << i))) {
			continue;
		}
		if (engine->ops->send_frame(engine->transport, action->members->id[i], segs, count,
					    cell) == 0) {
			body_hold(&frame->body, HOLD_SEND);
			sending->pending++;
			engine_lend_to(engine, spread.loan, action->members->id[i]);
		} else {
			engine->stats.frames_unsent++;
		}
	}
	engine_lend_told(engine, spread.loan);
	if (sending->pending == 0) {
		free_sending(engine, sending);
	}
}

void engine_send_done(struct engine *engine, uint64_t cookie)
{
	struct sending *sending;
	struct frame *frame;

	check(cookie < HEADER_CELLS);
	sending = &engine->sendings[cookie];
	check(sending->pending > 0);
	frame = sending->frame;
	if (--sending->pending == 0) {
		free_sending(engine, sending);
	}
	body_drop(&frame->body, HOLD_SEND);
}
