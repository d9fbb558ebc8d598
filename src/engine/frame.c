/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames in memory. A frame that we build keeps its copied parts in a slot of ours and points at
 * pieces of send memory; a received one is a slot as it came; an announced one has no slot.
 * Positions `at` count as receivers see the frame: with the pieces in it. */
#include "engine/engine_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cursor.h"
#include "engine/trust.h"

static void give_slot_back(struct frame *frame)
{
	struct engine *engine = frame->engine;

	if (frame->slot < 0) {
		return;
	}
	if (frame->own) {
		engine->own_slots--;
		slab_slot_put(engine->slab, (uint32_t)frame->slot);
	} else {
		engine_post_slot(engine, (uint32_t)frame->slot);
	}
}

static void frame_free(struct body *body)
{
	struct frame *frame = (struct frame *)(void *)body;

	for (uint32_t i = 0; i < frame->piece_count; i++) {
		body_drop(frame->pieces[i].body, HOLD_STORE);
	}
	if (frame->payload) {
		frame->engine->announced_bytes -= frame->own ? frame->payload->size : 0;
		body_drop(frame->payload, HOLD_STORE);
	}
	engine_seal_payload_free(frame->engine, frame);
	give_slot_back(frame);
	list_append(&frame->engine->free_frames, &frame->link);
}

static struct frame *frame_take(struct engine *engine)
{
	struct frame *frame;

	if (list_empty(&engine->free_frames)) {
		return calloc(1, sizeof(*frame));
	}
	frame = list_entry(engine->free_frames.next, struct frame, link);
	list_remove(&frame->link);
	memset(frame, 0, sizeof(*frame));
	return frame;
}

void engine_frames_fini(struct engine *engine)
{
	list_for_each_safe(it, after, &engine->free_frames)
	{
		free(list_entry(it, struct frame, link));
	}
	list_init(&engine->free_frames);
}

static struct frame *frame_new(struct engine *engine, int64_t slot)
{
	struct frame *frame = frame_take(engine);

	if (!frame) {
		return NULL;
	}
	list_init(&frame->link);
	frame->engine = engine;
	frame->slot = slot;
	frame->body.home = BODY_SLOT;
	frame->body.region = TRANSPORT_REGION_SLAB;
	frame->body.free = frame_free;
	if (slot >= 0) {
		frame->body.offset = slab_slot_offset(engine->slab, (uint32_t)slot);
		frame->body.bytes = (uint8_t *)slab_base(engine->slab) + frame->body.offset;
		frame->body.size = engine->config.slab.slot_size_bytes;
	}
	body_hold(&frame->body, HOLD_STORE);
	return frame;
}

struct frame *frame_own_new(struct engine *engine, enum frame_guarantee guarantee, bool for_control)
{
	uint32_t limit = engine->own_slots_max - (for_control ? 0 : CONTROL_SLOTS);
	struct frame *frame;
	int64_t slot;

	if (engine->own_slots >= limit) {
		return NULL;
	}
	slot = slab_slot_take(engine->slab);
	if (slot < 0) {
		return NULL;
	}
	frame = frame_new(engine, slot);
	if (!frame) {
		slab_slot_put(engine->slab, (uint32_t)slot);
		return NULL;
	}
	engine->own_slots++;
	frame->own = true;
	frame->header.body = FRAME_PACKED;
	frame->header.info.guarantee = guarantee;
	frame->header.info.origin = engine->config.totem.node;
	frame->size = FRAME_HEADER_SIZE;
	frame->slot_used = FRAME_HEADER_SIZE;
	return frame;
}

struct frame *frame_received_new(struct engine *engine, uint32_t slot, uint32_t size,
				 const struct frame_header *header)
{
	struct frame *frame = frame_new(engine, slot);

	if (frame) {
		frame->header = *header;
		frame->size = size;
		frame->slot_used = size;
	}
	return frame;
}

struct frame *frame_announced_new(struct engine *engine, const struct frame_info *info,
				  const uint8_t *meta, uint32_t meta_size)
{
	struct frame *frame;

	if (meta_size > ANNOUNCE_META_MAX) {
		return NULL;
	}
	frame = frame_new(engine, -1);
	if (frame) {
		frame->header.body = FRAME_ANNOUNCE;
		frame->header.entries = 1;
		frame->header.info = *info;
		frame->meta_size = meta_size;
		memcpy(frame->meta, meta, meta_size);
	}
	return frame;
}

bool frame_fits(const struct frame *frame, uint32_t meta_size, uint64_t payload_size, bool external)
{
	uint64_t size = frame->size + frame_entry_size(meta_size, payload_size);

	return size <= frame_size_max(&frame->engine->config) &&
	       (!external || frame->piece_count < frame->engine->pieces_max);
}

static void append_bytes(struct frame *frame, const void *bytes, uint32_t size)
{
	memcpy(frame->body.bytes + frame->slot_used, bytes, size);
	frame->slot_used += size;
	frame->size += size;
}

static void append_entry_head(struct frame *frame, const uint8_t *meta, uint32_t meta_size,
			      uint32_t payload_size)
{
	uint8_t head[FRAME_ENTRY_HEADER_SIZE];
	struct writer w = writer_of(head, sizeof(head));

	writer_u16(&w, (uint16_t)meta_size);
	writer_u16(&w, 0);
	writer_u32(&w, payload_size);
	append_bytes(frame, head, sizeof(head));
	append_bytes(frame, meta, meta_size);
	frame->header.entries++;
}

static void append_padding(struct frame *frame, uint32_t meta_size, uint32_t payload_size)
{
	static const uint8_t zeros[8];
	size_t whole = frame_entry_size(meta_size, payload_size);

	append_bytes(frame, zeros,
		     (uint32_t)(whole - FRAME_ENTRY_HEADER_SIZE - meta_size - payload_size));
}

void frame_append_copy(struct frame *frame, const uint8_t *meta, uint32_t meta_size,
		       const uint8_t *payload, uint32_t payload_size)
{
	check(frame_fits(frame, meta_size, payload_size, false));
	append_entry_head(frame, meta, meta_size, payload_size);
	if (payload_size > 0) {
		append_bytes(frame, payload, payload_size);
	}
	append_padding(frame, meta_size, payload_size);
}

void frame_append_piece(struct frame *frame, const uint8_t *meta, uint32_t meta_size,
			struct body *body)
{
	uint32_t size = (uint32_t)body->size;

	check(frame_fits(frame, meta_size, size, true));
	append_entry_head(frame, meta, meta_size, size);
	frame->pieces[frame->piece_count++] =
		(struct piece){.at = frame->size, .size = size, .body = body};
	body_hold(body, HOLD_STORE);
	frame->size += size;
	append_padding(frame, meta_size, size);
}

struct frame_walk frame_walk_start(void)
{
	return (struct frame_walk){.at = FRAME_HEADER_SIZE};
}

static bool walk_announced(struct frame *frame, struct frame_walk *walk, const uint8_t **meta,
			   uint32_t *meta_size, struct pg_payload *payload)
{
	if (walk->index > 0) {
		return false;
	}
	check(frame->payload);
	walk->index = 1;
	*meta = frame->meta;
	*meta_size = frame->meta_size;
	*payload = (struct pg_payload){.body = frame->payload,
				       .region = frame->payload->region,
				       .offset = frame->payload->offset,
				       .size = frame->payload->size};
	return true;
}

/* The payload at position `at` is the walk's next piece, or lies in the slot. */
static void walk_payload(struct frame *frame, struct frame_walk *walk, uint32_t at, uint32_t size,
			 struct pg_payload *payload)
{
	struct piece *piece = &frame->pieces[walk->piece];

	if (walk->piece < frame->piece_count && piece->at == at) {
		walk->piece++;
		walk->outside += size;
		*payload = (struct pg_payload){.body = piece->body,
					       .region = piece->body->region,
					       .offset = piece->body->offset,
					       .size = size};
		return;
	}
	*payload = (struct pg_payload){.body = size ? &frame->body : NULL,
				       .region = TRANSPORT_REGION_SLAB,
				       .offset = frame->body.offset + at - walk->outside,
				       .size = size};
}

bool frame_walk_next(struct frame *frame, struct frame_walk *walk, const uint8_t **meta,
		     uint32_t *meta_size, struct pg_payload *payload)
{
	uint32_t in_slot = walk->at - walk->outside;
	struct cursor c;
	uint32_t size;

	if (frame->header.body == FRAME_ANNOUNCE) {
		return walk_announced(frame, walk, meta, meta_size, payload);
	}
	if (walk->index == frame->header.entries) {
		return false;
	}
	c = cursor_of(frame->body.bytes + in_slot, frame->slot_used - in_slot);
	*meta_size = cursor_u16(&c);
	cursor_u16(&c);
	size = cursor_u32(&c);
	*meta = cursor_bytes(&c, *meta_size);
	check(cursor_ok(&c));
	walk_payload(frame, walk, walk->at + FRAME_ENTRY_HEADER_SIZE + *meta_size, size, payload);
	walk->at += (uint32_t)frame_entry_size(*meta_size, size);
	walk->index++;
	return true;
}

int frame_pieces(const struct frame *frame, struct aead_piece *pieces)
{
	const struct engine *engine = frame->engine;
	struct transport_seg segs[FRAME_SEGS_MAX];
	int count = frame_segs(frame, segs);

	for (int i = 0; i < count; i++) {
		const uint8_t *base = segs[i].region == TRANSPORT_REGION_SLAB
					      ? slab_base(engine->slab)
					      : engine->regions[segs[i].region].memory.base;

		pieces[i] = (struct aead_piece){base + segs[i].offset, segs[i].size_bytes};
	}
	return count;
}

int frame_segs(const struct frame *frame, struct transport_seg *segs)
{
	uint32_t at = FRAME_HEADER_SIZE; /* in the slot */
	uint32_t outside = 0;
	int count = 0;

	for (uint32_t i = 0; i < frame->piece_count; i++) {
		const struct piece *piece = &frame->pieces[i];
		uint32_t run = piece->at - outside - at;

		segs[count++] =
			(struct transport_seg){TRANSPORT_REGION_SLAB, run, frame->body.offset + at};
		segs[count++] = (struct transport_seg){piece->body->region, piece->size,
						       piece->body->offset};
		at += run;
		outside += piece->size;
	}
	if (frame->slot_used > at) {
		segs[count++] = (struct transport_seg){TRANSPORT_REGION_SLAB, frame->slot_used - at,
						       frame->body.offset + at};
	}
	return count;
}
