/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages into frames. Small payloads are copied next to their headers, larger ones stay in send
 * memory and are gathered by the adapter, and those above the eager size become an announcement of
 * their own. One frame stays open until it is full, its guarantee changes, or the ring wants it.
 * What finds no slot, or is being sealed, waits in `queued`, in order. */
#include "engine/engine_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "engine/trust.h"

void engine_pack_close(struct engine *engine)
{
	struct frame *frame = engine->open;

	if (!frame) {
		return;
	}
	engine->open = NULL;
	frame->header.body_size = frame->size - FRAME_HEADER_SIZE;
	list_append(&engine->ready, &frame->link);
	engine->ready_count++;
}

void engine_pack_flush(struct engine *engine)
{
	while (!list_empty(&engine->ready) && totem_backlog_free(engine->totem) > 0) {
		struct frame *frame = list_entry(engine->ready.next, struct frame, link);
		struct totem_event event = {.kind = TOTEM_EV_SUBMIT,
					    .frame = frame,
					    .info = frame->header.info,
					    .hurry = frame->header.body == FRAME_ANNOUNCE};

		list_remove(&frame->link);
		engine->ready_count--;
		engine_ring_event(engine, &event);
	}
}

/* A frame with room for the message, or NULL when no slot is free. */
static struct frame *room_for(struct engine *engine, const struct pg_action *message, bool external)
{
	struct frame *open = engine->open;

	if (open && open->header.info.guarantee == message->guarantee &&
	    frame_fits(open, message->meta_size, message->payload.size, external)) {
		return open;
	}
	engine_pack_close(engine);
	engine->open = frame_own_new(engine, message->guarantee, message->payload.size == 0);
	return engine->open;
}

/* A ring that changes goes on when its members have all that any of them had, and until then they give nothing
 * of it back. So together we have no more under way than each has room for: half of what extents take
 * ordinarily. The other half is for what programs keep, and for what does not fit exactly. */
static bool members_have_room(const struct engine *engine, uint64_t size)
{
	uint64_t all = extents_ordinary_max(engine->config.slab.extent_bytes) / 2;

	return engine->announced_bytes == 0 || engine->members < 2 ||
	       engine->announced_bytes + size <= all / (engine->members - 1);
}

static struct frame *begin_announced(struct engine *engine, const struct pg_action *message)
{
	struct frame_info info = {.origin = engine->config.totem.node,
				  .guarantee = message->guarantee};
	struct frame *frame = NULL;

	if (members_have_room(engine, message->payload.size)) {
		frame = frame_announced_new(engine, &info, message->meta, message->meta_size);
	}
	if (frame) {
		frame->own = true;
		frame->payload = message->payload.body;
		body_hold(frame->payload, HOLD_STORE);
		engine->announced_bytes += frame->payload->size;
	}
	return frame;
}

static bool place_announced(struct engine *engine, const struct pg_action *message,
			    struct frame **begun)
{
	struct frame *frame = *begun ? *begun : begin_announced(engine, message);

	*begun = frame;
	if (!frame || (engine->trust && !engine_seal_payload(engine, frame, false))) {
		return false;
	}
	*begun = NULL;
	if (engine->config.digest && !engine->trust) {
		frame->digest = engine_digest(frame->payload);
	}
	engine_pack_close(engine);
	list_append(&engine->ready, &frame->link);
	engine->ready_count++;
	return true;
}

/* False: not now. What is half done is then in `begun`. */
static bool place(struct engine *engine, const struct pg_action *message, struct frame **begun)
{
	const struct pg_payload *payload = &message->payload;
	bool external = payload->size > engine->config.copy_size_bytes;
	struct frame *frame;

	if (payload->size > engine->config.eager_size_bytes) {
		return place_announced(engine, message, begun);
	}
	frame = room_for(engine, message, external);
	if (!frame) {
		return false;
	}
	if (external) {
		frame_append_piece(frame, message->meta, message->meta_size, payload->body);
	} else {
		frame_append_copy(frame, message->meta, message->meta_size,
				  payload->size ? payload->body->bytes : NULL,
				  (uint32_t)payload->size);
		engine->stats.bytes_copied_send += payload->size;
	}
	return true;
}

static void queue(struct engine *engine, const struct pg_action *action, struct frame *begun)
{
	struct queued *queued = calloc(1, sizeof(*queued) + action->meta_size);

	check(queued);
	queued->message = *action;
	memcpy(queued->meta, action->meta, action->meta_size);
	queued->message.meta = queued->meta;
	queued->begun = begun;
	list_append(&engine->queued, &queued->link);
}

/* The frame that holds the payload now, if any does, has a hold of its own. */
static void placed(const struct pg_action *message)
{
	if (message->payload.body) {
		body_drop(message->payload.body, HOLD_BUILD);
	}
}

static void queued_free(struct queued *queued)
{
	list_remove(&queued->link);
	if (queued->begun) {
		body_drop(&queued->begun->body, HOLD_STORE);
	}
	placed(&queued->message);
	free(queued);
}

static void place_queued(struct engine *engine)
{
	while (!list_empty(&engine->queued)) {
		struct queued *queued = list_entry(engine->queued.next, struct queued, link);

		if (!place(engine, &queued->message, &queued->begun)) {
			return;
		}
		queued_free(queued);
	}
}

void engine_submit(struct engine *engine, const struct pg_action *action)
{
	struct frame *begun = NULL;

	engine->stats.messages_sent++;
	engine->stats.bytes_sent += action->payload.size;
	if (list_empty(&engine->queued) && place(engine, action, &begun)) {
		placed(action);
	} else {
		queue(engine, action, begun);
	}
}

void engine_pack_pump(struct engine *engine)
{
	place_queued(engine);
	if (engine->open && totem_resting(engine->totem)) {
		engine_pack_close(engine);
	}
	engine_pack_flush(engine);
}

uint64_t engine_pack_deadline_ms(const struct engine *engine)
{
	const struct queued *first;

	if (list_empty(&engine->queued)) {
		return UINT64_MAX;
	}
	first = list_entry(engine->queued.next, struct queued, link);
	return first->begun && engine_seal_goes_on(engine, first->begun) ? engine->now_ms
									 : UINT64_MAX;
}

void engine_pack_returned(struct engine *engine, struct frame *frame)
{
	list_append(&engine->held_frames, &frame->link);
}

void engine_pack_hold(struct engine *engine)
{
	engine_pack_close(engine);
	engine_seal_forget(engine);
	list_append_all(&engine->held_frames, &engine->ready);
	list_append_all(&engine->held_queued, &engine->queued);
	engine->ready_count = 0;
}

void engine_pack_resume(struct engine *engine)
{
	list_for_each(it, &engine->held_frames) {
		engine->ready_count++;
	}
	list_prepend_all(&engine->ready, &engine->held_frames);
	list_prepend_all(&engine->queued, &engine->held_queued);
}

bool engine_pack_idle(const struct engine *engine)
{
	return list_empty(&engine->queued) && !engine->open && list_empty(&engine->ready) &&
	       list_empty(&engine->held_frames) && list_empty(&engine->held_queued);
}

void engine_pack_fini(struct engine *engine)
{
	engine_pack_close(engine);
	engine_pack_resume(engine);
	list_for_each_safe(it, after, &engine->ready)
	{
		list_remove(it);
		body_drop(&list_entry(it, struct frame, link)->body, HOLD_STORE);
	}
	list_for_each_safe(it, after, &engine->queued)
	{
		queued_free(list_entry(it, struct queued, link));
	}
}
