/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames from the transport: checked whole, then given to the ring. A peer that sends what no
 * correct peer would loses its link. */
#include "engine/engine_int.h"

#include <errno.h>
#include <stdio.h>
#include <syslog.h>

#include "base/check.h"
#include "engine/loan.h"
#include "engine/trust.h"

void engine_post_slot(struct engine *engine, uint32_t slot)
{
	int err = engine->ops->slot_post(engine->transport, slot);

	if (err) {
		engine_log(engine, LOG_ERR, "receive slot %u could not be posted again: error %d",
			   slot, err);
		slab_slot_put(engine->slab, slot);
		return;
	}
	engine->posted++;
}

void engine_link_cut(struct engine *engine, uint32_t node, const char *reason)
{
	struct totem_event down = {.kind = TOTEM_EV_PEER_DOWN, .from = node};

	engine_log(engine, LOG_ERR, "the link to node %u is cut: %s", node, reason);
	engine_link_ended(engine, node);
	engine->ops->peer_fence(engine->transport, node);
	engine_ring_event(engine, &down);
}

static void refuse(struct engine *engine, const struct transport_event *event, const char *reason)
{
	char text[160];

	engine->stats.frames_rejected++;
	snprintf(text, sizeof(text), "it sent a malformed frame (%s)", reason);
	engine_post_slot(engine, event->slot);
	engine_link_cut(engine, event->node, text);
}

static const char *check_entries(const uint8_t *bytes, uint32_t size, uint32_t entries)
{
	size_t at = FRAME_HEADER_SIZE;
	struct frame_entry entry;

	for (uint32_t i = 0; i < entries; i++) {
		const char *reason = frame_entry_next(bytes, size, &at, &entry);

		if (reason) {
			return reason;
		}
	}
	return at == size ? NULL : "bytes behind the last entry";
}

static void give_to_ring(struct engine *engine, uint32_t from, struct frame *frame)
{
	struct totem_event received = {
		.kind = TOTEM_EV_FRAME, .from = from, .info = frame->header.info, .frame = frame};

	engine_ring_event(engine, &received);
}

static void receive_packed(struct engine *engine, const struct transport_event *event,
			   const struct frame_header *header)
{
	struct frame *frame = frame_received_new(engine, event->slot, event->size_bytes, header);

	check(frame);
	give_to_ring(engine, event->node, frame);
}

/* The slot is free again as soon as the announcement has been copied out of it. */
static const char *receive_announced(struct engine *engine, const struct transport_event *event,
				     const uint8_t *bytes, const struct frame_header *header)
{
	struct totem_event pending = {
		.kind = TOTEM_EV_PENDING, .from = event->node, .info = header->info};
	size_t at = FRAME_HEADER_SIZE;
	struct frame_announce announce;
	struct frame_entry entry;
	struct frame *frame;
	bool wanted;
	const char *reason = frame_entry_next(bytes, event->size_bytes, &at, &entry);

	if (!reason) {
		reason = frame_announce_decode(bytes + entry.payload_offset, entry.payload_size,
					       &announce);
	}
	if (!reason && (announce.seal.generation != 0) != (engine->trust != NULL)) {
		reason = "announced payload is sealed where nothing is, or the reverse";
	}
	if (reason) {
		return reason;
	}
	frame = frame_announced_new(engine, &header->info, entry.meta, entry.meta_size);
	if (!frame) {
		return "announced entry is too long";
	}
	frame->digest = announce.digest;
	engine_post_slot(engine, event->slot);
	wanted = totem_wants(engine->totem, event->node, &header->info);
	frame->payload = engine_borrow(engine, event->node, &announce, wanted);
	if (!wanted) {
		body_drop(&frame->body, HOLD_STORE);
	} else if (frame->payload) {
		give_to_ring(engine, event->node, frame);
	} else {
		engine_ring_event(engine, &pending);
		engine_pull_start(engine, event->node, frame, &announce);
	}
	return NULL;
}

static void receive_open(struct engine *engine, const struct transport_event *event,
			 const uint8_t *bytes)
{
	struct frame_header header;
	const char *reason = frame_header_decode(bytes, event->size_bytes, &header);

	if (!reason && header.body == FRAME_PACKED) {
		reason = check_entries(bytes, event->size_bytes, header.entries);
	}
	if (!reason && header.body == FRAME_ANNOUNCE) {
		reason = receive_announced(engine, event, bytes, &header);
	} else if (!reason) {
		receive_packed(engine, event, &header);
	}
	if (reason) {
		refuse(engine, event, reason);
	}
}

static void receive_sealed(struct engine *engine, struct transport_event event, uint8_t *bytes)
{
	int size = engine_open_frame(engine, event.node, bytes, event.size_bytes);

	if (size >= 0) {
		event.size_bytes = (uint32_t)size;
		receive_open(engine, &event, bytes);
	} else if (size == -EAGAIN) {
		engine_post_slot(engine, event.slot);
	} else {
		refuse(engine, &event, "it is not what its sender had sealed");
	}
}

void engine_receive_frame(struct engine *engine, const struct transport_event *event)
{
	uint8_t *bytes =
		(uint8_t *)slab_base(engine->slab) + slab_slot_offset(engine->slab, event->slot);

	check(engine->posted > 0);
	engine->posted--;
	engine->stats.frames_in++;
	if (engine->trust) {
		receive_sealed(engine, *event, bytes);
	} else {
		receive_open(engine, event, bytes);
	}
}
