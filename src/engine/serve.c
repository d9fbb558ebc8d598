/* SPDX-License-Identifier: BSD-3-Clause */
/* What nobody can READ from us yet when it is to be announced: a payload that we use in a peer's memory needs a
 * copy of ours, and one that is sealed with a key of before, or was sealed by another node, is sealed anew. That is
 * done a piece at a time, so that the ring is never held up for it; then it goes to those who were to have it. */
#include "engine/engine_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "engine/trust.h"

struct serving {
	struct list link;
	struct frame *frame;
	struct body *copy; /* NULL: it is being sealed */
	uint64_t copied;
	struct totem_action owed; /* mask 0: to nobody */
	struct nodeset members;	  /* of it */
};

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
	struct body *copy = NULL;
	struct serving *serving;

	if (!engine->trust) {
		copy = engine_extent_new(engine, frame->payload->size);
		if (!copy) {
			return NULL; /* when it is asked for again there may be another segment */
		}
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
	if (serving->copy) {
		body_drop(serving->copy, HOLD_BUILD);
	}
	free(serving);
	body_drop(&frame->body, HOLD_BUILD);
}

/* The frame has its copy now, and the peer gets its memory back when our clients have read it. */
static void use_copy(struct serving *serving)
{
	struct frame *frame = serving->frame;

	body_hold(serving->copy, HOLD_STORE);
	body_drop(frame->payload, HOLD_STORE);
	frame->payload = serving->copy;
}

/* True when that was the last piece. */
static bool copy_piece(const struct engine *engine, struct serving *serving)
{
	uint64_t left = serving->copy->size - serving->copied;
	uint64_t size = left < engine_read_size(engine) ? left : engine_read_size(engine);

	memcpy(serving->copy->bytes + serving->copied,
	       serving->frame->payload->bytes + serving->copied, size);
	serving->copied += size;
	return serving->copied == serving->copy->size;
}

enum served {
	SERVED,
	SERVED_PART,
	SERVED_NOTHING /* there is no place now: whoever lacks it asks again */
};

static enum served serve_piece(struct engine *engine, struct serving *serving)
{
	if (serving->copy) {
		if (!copy_piece(engine, serving)) {
			return SERVED_PART;
		}
		use_copy(serving);
		return SERVED;
	}
	if (engine_seal_payload(engine, serving->frame, true)) {
		return SERVED;
	}
	return engine_seal_goes_on(engine, serving->frame) ? SERVED_PART : SERVED_NOTHING;
}

static void owe(struct serving *serving, const struct totem_action *action)
{
	const struct frame_info *owed = &serving->owed.info;
	uint64_t mask = action->mask;

	if (owed->seq == action->info.seq && ringid_equal(owed->ring, action->info.ring) &&
	    nodeset_equal(&serving->members, action->members)) {
		mask |= serving->owed.mask;
	}
	serving->members = *action->members;
	serving->owed = *action;
	serving->owed.members = &serving->members;
	serving->owed.mask = mask;
}

static bool is_readable(const struct engine *engine, const struct frame *frame)
{
	if (!frame->payload) {
		return true;
	}
	return engine->trust ? engine_seal_is_whole(engine, frame)
			     : frame->payload->home != BODY_PEER;
}

bool engine_can_serve(struct engine *engine, const struct totem_action *action)
{
	struct frame *frame = action->frame;
	bool idle = list_empty(&engine->servings);
	struct serving *serving;
	enum served served;

	if (is_readable(engine, frame)) {
		return true;
	}
	serving = find(engine, frame);
	if (!serving) {
		serving = begin(engine, frame);
	}
	if (!serving) {
		return false;
	}
	served = idle ? serve_piece(engine, serving) : SERVED_PART;
	if (served == SERVED_PART) {
		owe(serving, action);
	} else {
		end(serving);
	}
	return served == SERVED;
}

/* The oldest goes on; when that was its last piece, those who wait for it get it. */
static void go_on(struct engine *engine, struct serving *serving)
{
	enum served served = SERVED_NOTHING;

	if (serving->frame->body.holds[HOLD_STORE] > 0) { /* else all have it */
		served = serve_piece(engine, serving);
	}
	if (served == SERVED && serving->owed.mask != 0) {
		engine_send(engine, &serving->owed);
	}
	if (served != SERVED_PART) {
		end(serving);
	}
}

bool engine_serve(struct engine *engine)
{
	if (list_empty(&engine->servings)) {
		return false;
	}
	go_on(engine, list_entry(engine->servings.next, struct serving, link));
	return !list_empty(&engine->servings);
}

void engine_serve_forget_askers(struct engine *engine)
{
	extents_forget(engine->extents);
	list_for_each(it, &engine->servings) {
		list_entry(it, struct serving, link)->owed.mask = 0;
	}
}

void engine_serve_fini(struct engine *engine)
{
	list_for_each_safe(it, after, &engine->servings)
	{
		end(list_entry(it, struct serving, link));
	}
}
