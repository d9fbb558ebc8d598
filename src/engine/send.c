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
#include "engine/trust.h"

#define CELLS_BYTES ((size_t)HEADER_CELLS * HEADER_CELL_BYTES)
#define NO_SENDING  UINT32_MAX
#define HEAD_SIZE_MAX \
	(FRAME_HEADER_SIZE + FRAME_ENTRY_HEADER_SIZE + ANNOUNCE_META_MAX + FRAME_ANNOUNCE_SIZE_MAX)

_Static_assert(HEAD_SIZE_MAX - FRAME_ANNOUNCE_SIZE_MAX + FRAME_ANNOUNCE_SIZE <= HEADER_CELL_BYTES,
	       "an announcement that is not sealed fits a cell");

static int register_cells(struct engine *engine, int fd)
{
	struct transport_region region = {
		.size_bytes = CELLS_BYTES, .fd = fd, .use = "frame headers"};
	uint64_t key;

	if (ftruncate(fd, (off_t)CELLS_BYTES) < 0) {
		return -errno;
	}
	region.base =
		mmap(NULL, CELLS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (region.base == MAP_FAILED) {
		return -errno;
	}
	engine->cells = region.base;
	/* Peers on this host are shown it. */
	if (fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0) {
		return -errno;
	}
	return engine->ops->region_add(engine->transport, REGION_HEADERS, &region, &key);
}

static int cells_new(struct engine *engine)
{
	int fd = memfd_create("coronet-headers", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err = fd < 0 ? -errno : register_cells(engine, fd);

	/* The transport may pass the descriptor on for as long as the region is there. */
	if (engine->cells) {
		engine->cells_fd = fd;
	} else if (fd >= 0) {
		close(fd);
	}
	return err;
}

int engine_send_init(struct engine *engine)
{
	int err = -ENOMEM;

	engine->sendings = calloc(HEADER_CELLS, sizeof(*engine->sendings));
	if (engine->sendings) {
		err = engine->trust ? 0 : cells_new(engine);
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
	if (sending->sealed.size_bytes > 0) {
		engine_seal_frame_free(engine, &sending->sealed);
		sending->sealed.size_bytes = 0;
	}
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
	uint64_t loan;	/* 0: none */
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

static struct frame_announce announcement(struct engine *engine, struct frame *frame,
					  struct spread spread)
{
	struct sealed_payload *sealed = &frame->sealed;

	if (engine->trust) {
		sealed->announced = true;
		return (struct frame_announce){
			.key = engine_region_key(engine, SEALED_REGIONS + sealed->extent.segment),
			.offset = sealed->extent.offset,
			.size = frame->payload->size,
			.seal = sealed->seal};
	}
	return (struct frame_announce){.key = engine_region_key(engine, frame->payload->region),
				       .offset = frame->payload->offset,
				       .size = frame->payload->size,
				       .digest = digest_now(engine, frame),
				       .chunk = spread.chunk,
				       .loan = spread.loan};
}

/* The only entry of its frame: entry header, meta, and where to read the payload from us. */
static uint32_t write_announcement(struct frame *frame, const struct frame_announce *announce,
				   uint8_t *out)
{
	uint8_t bytes[FRAME_ANNOUNCE_SIZE_MAX];
	uint32_t size = (uint32_t)frame_announce_encode(announce, bytes);
	size_t whole = frame_entry_size(frame->meta_size, size);
	struct writer w = writer_of(out, HEAD_SIZE_MAX - FRAME_HEADER_SIZE);

	writer_u16(&w, (uint16_t)frame->meta_size);
	writer_u16(&w, 0);
	writer_u32(&w, size);
	writer_bytes(&w, frame->meta, frame->meta_size);
	writer_bytes(&w, bytes, size);
	while (w.used < whole) {
		writer_u8(&w, 0);
	}
	check(writer_ok(&w));
	return (uint32_t)whole;
}

/* What stands before the pieces of the frame, or all of an announcement; returns its size. */
static uint32_t write_head(struct engine *engine, const struct totem_action *action,
			   struct spread spread, uint8_t *out)
{
	struct frame *frame = action->frame;
	struct frame_header header = frame->header;
	uint32_t size = FRAME_HEADER_SIZE;

	header.info = action->info;
	if (header.body == FRAME_ANNOUNCE) {
		struct frame_announce announce = announcement(engine, frame, spread);

		header.body_size = write_announcement(frame, &announce, out + size);
		size += header.body_size;
	}
	frame_header_encode(&header, out);
	return size;
}

static int compose_sealed(struct engine *engine, struct sending *sending,
			  const struct totem_action *action, struct transport_seg *segs)
{
	struct aead_piece pieces[FRAME_SEGS_MAX];
	uint8_t head[HEAD_SIZE_MAX];
	int count = 1;

	pieces[0] = (struct aead_piece){head, write_head(engine, action, (struct spread){0}, head)};
	if (sending->frame->header.body != FRAME_ANNOUNCE) {
		count += frame_pieces(sending->frame, pieces + 1);
	}
	if (engine_seal_frame(engine, pieces, (size_t)count, &sending->sealed)) {
		return 0;
	}
	segs[0] = sending->sealed;
	return 1;
}

/* Returns how many pieces there are to gather; 0: it cannot be sent now. */
static int compose(struct engine *engine, struct sending *sending,
		   const struct totem_action *action, struct spread spread,
		   struct transport_seg *segs)
{
	uint64_t at = (uint64_t)(sending - engine->sendings) * HEADER_CELL_BYTES;
	int count = 1;

	if (engine->trust) {
		return compose_sealed(engine, sending, action, segs);
	}
	segs[0] = (struct transport_seg){
		REGION_HEADERS, write_head(engine, action, spread, engine->cells + at), at};
	if (sending->frame->header.body != FRAME_ANNOUNCE) {
		count += frame_segs(sending->frame, segs + 1);
	}
	return count;
}

/* To whom it goes: members that we have a link to. */
static bool goes_to(const struct engine *engine, const struct totem_action *action, uint32_t i)
{
	return (action->mask & (1ull << i)) &&
	       (!engine->trust || nodeset_has(&engine->linked, action->members->id[i]));
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

	if (cell == NO_SENDING || !engine_can_serve(engine, action)) {
		engine->stats.frames_unsent++;
		return;
	}
	spread = spread_of(engine, action);
	sending = &engine->sendings[cell];
	engine->free_sending = sending->next_free;
	engine->sending++;
	sending->frame = frame;
	count = compose(engine, sending, action, spread, segs);
	for (uint32_t i = 0; i < action->members->count && count > 0; i++) {
		if (!goes_to(engine, action, i)) {
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
	engine->stats.frames_unsent += count == 0;
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
