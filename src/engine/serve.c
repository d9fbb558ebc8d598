/* SPDX-License-Identifier: BSD-3-Clause */
/* A payload that we use in a peer's memory nobody can READ from us: whoever asks us for it gets it
 * from a copy of ours. That is made a piece at a time, so that the ring is never held up for it; the
 * one who asked asks again meanwhile. */
#include "engine/engine_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "engine/trust.h"

struct serving {
	struct list link;
	struct frame *frame;
	struct body *copy;
	uint64_t copied;
};

static uint64_t piece_size(const struct engine *engine)
{
	return engine->config.read_size_bytes ? engine->config.read_size_bytes : READ_SIZE_MAX;
}

static struct serving *find(struct engine *engine, const struct frame *frame)
{
	list_for_each(it, &engine->servings) {
		struct serving *serving = list_entry(it, struct serving, link);

		if (serving->frame == frame) {
			return serving;
		}
	}
	return NULL;
}

static struct serving *begin(struct engine *engine, struct frame *frame)
{
	struct body *copy = engine_extent_new(engine, frame->payload->size);
	struct serving *serving;

	if (!copy) {
		extents_forget(engine->extents);
		return NULL;
	}
	serving = calloc(1, sizeof(*serving));
	check(serving);
	serving->frame = frame;
	serving->copy = copy;
	body_hold(&frame->body, HOLD_BUILD);
	list_append(&engine->servings, &serving->link);
	return serving;
}

static void end(struct serving *serving)
{
	struct frame *frame = serving->frame;

	list_remove(&serving->link);
	body_drop(serving->copy, HOLD_BUILD);
	free(serving);
	body_drop(&frame->body, HOLD_BUILD);
}

/* The frame has its copy now, and the peer gets its memory back when our clients have read it. */
static void finish(struct serving *serving)
{
	struct frame *frame = serving->frame;

	body_hold(serving->copy, HOLD_STORE);
	body_drop(frame->payload, HOLD_STORE);
	frame->payload = serving->copy;
	end(serving);
}

/* True when that was the last piece. */
static bool copy_piece(const struct engine *engine, struct serving *serving)
{
	uint64_t left = serving->copy->size - serving->copied;
	uint64_t size = left < piece_size(engine) ? left : piece_size(engine);

	memcpy(serving->copy->bytes + serving->copied,
	       serving->frame->payload->bytes + serving->copied, size);
	serving->copied += size;
	return serving->copied == serving->copy->size;
}

bool engine_can_serve(struct engine *engine, struct frame *frame)
{
	struct serving *serving;

	if (engine->trust && frame->payload) {
		return engine_seal_payload(engine, frame, true);
	}
	if (!frame->payload || frame->payload->home != BODY_PEER) {
		return true;
	}
	if (find(engine, frame)) {
		return false;
	}
	serving = begin(engine, frame);
	if (!serving || !copy_piece(engine, serving)) {
		return false;
	}
	finish(serving);
	return true;
}

bool engine_serve(struct engine *engine)
{
	struct serving *serving;

	if (list_empty(&engine->servings)) {
		return false;
	}
	serving = list_entry(engine->servings.next, struct serving, link);
	if (serving->frame->body.holds[HOLD_STORE] == 0) {
		end(serving); /* all have it */
	} else if (copy_piece(engine, serving)) {
		finish(serving);
	}
	return !list_empty(&engine->servings);
}

void engine_serve_fini(struct engine *engine)
{
	list_for_each_safe(it, after, &engine->servings)
	{
		end(list_entry(it, struct serving, link));
	}
}
