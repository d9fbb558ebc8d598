/* SPDX-License-Identifier: BSD-3-Clause */
/* Pulling announced payloads. Extents are given out in the order of the frames' places: an earlier
 * message is never kept waiting by a later one, so the ring always moves. A pull ends in
 * TOTEM_EV_FRAME or TOTEM_EV_LOST. */
#include "engine/engine_int.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

#include "base/check.h"
#include "base/crc32c.h"

static bool before(const struct frame_info *a, const struct frame_info *b)
{
	return ringid_equal(a->ring, b->ring) ? a->seq < b->seq : a->ring.seq < b->ring.seq;
}

static void insert(struct engine *engine, struct pull *pull)
{
	struct list *at = engine->pulls.prev;

	while (at != &engine->pulls &&
	       before(&pull->info, &list_entry(at, struct pull, link)->info)) {
		at = at->prev;
	}
	list_append(at->next, &pull->link);
}

void engine_pull_start(struct engine *engine, uint32_t node, struct frame *frame,
		       const struct frame_announce *announce)
{
	struct pull *pull = calloc(1, sizeof(*pull));

	check(pull);
	pull->node = node;
	pull->frame = frame;
	pull->info = frame->header.info;
	pull->announce = *announce;
	insert(engine, pull);
	engine->stats.pulls++;
}

static void pull_free(struct engine *engine, struct pull *pull)
{
	list_remove(&pull->link);
	if (pull->into) {
		body_drop(pull->into, HOLD_BUILD);
	} else {
		extents_forget(engine->extents);
	}
	if (pull->frame) {
		body_drop(&pull->frame->body, HOLD_STORE);
	}
	free(pull);
}

uint32_t engine_digest(const struct body *body)
{
	uint32_t digest = crc32c(body->bytes, body->size);

	return digest ? digest : 1;
}

static struct mismatch *mismatch_find(struct engine *engine, const struct frame_info *info)
{
	struct mismatch *mismatch;

	for (uint32_t i = 0; i < MISMATCHES_KEPT; i++) {
		mismatch = &engine->mismatches[i];
		if (ringid_equal(mismatch->ring, info->ring) && mismatch->seq == info->seq) {
			return mismatch;
		}
	}
	return NULL;
}

static uint32_t note_mismatch(struct engine *engine, const struct frame_info *info)
{
	struct mismatch *mismatch = mismatch_find(engine, info);

	if (!mismatch) {
		mismatch = &engine->mismatches[engine->next_mismatch++ % MISMATCHES_KEPT];
		*mismatch = (struct mismatch){.ring = info->ring, .seq = info->seq};
	}
	return ++mismatch->count;
}

/* Not every adapter can be believed (reads_exact in transport.h). What does not match is never taken: the ring asks for it again, and a sender that
 * finds that its own program has changed the payload announces it without a digest (send.c). */
static bool acceptable(struct engine *engine, const struct pull *pull)
{
	if (pull->announce.digest == 0 || engine_digest(pull->into) == pull->announce.digest) {
		return true;
	}
	engine->stats.pull_mismatches++;
	engine_log(engine, LOG_WARNING,
		   "a payload of %llu bytes read from node %u is not what was announced (%u times "
		   "now): it is read again",
		   (unsigned long long)pull->announce.size, pull->node,
		   note_mismatch(engine, &pull->info));
	return false;
}

/* A payload that never comes right is no progress, however often it is read: the ring then excludes
 * a member that does not receive. */
static bool makes_progress(struct engine *engine, const struct pull *pull)
{
	const struct mismatch *mismatch = mismatch_find(engine, &pull->info);

	return !mismatch || mismatch->count < MISMATCHES_MAX;
}

static void complete(struct engine *engine, struct pull *pull)
{
	struct totem_event event = {.kind = TOTEM_EV_FRAME,
				    .from = pull->node,
				    .info = pull->info,
				    .frame = pull->frame};

	engine->stats.pull_bytes += pull->announce.size;
	pull->frame->payload = pull->into;
	body_hold(pull->into, HOLD_STORE);
	pull->frame = NULL;
	pull_free(engine, pull);
	engine_ring_event(engine, &event);
}

static void lose(struct engine *engine, struct pull *pull)
{
	struct totem_event event = {.kind = TOTEM_EV_LOST, .from = pull->node, .info = pull->info};

	engine->stats.pull_retries++;
	pull_free(engine, pull);
	engine_ring_event(engine, &event);
}

static void finish(struct engine *engine, struct pull *pull)
{
	if (acceptable(engine, pull)) {
		complete(engine, pull);
	} else {
		lose(engine, pull);
	}
}

/* Ends a pull that has nothing under way and nothing left to do. */
static void settle(struct engine *engine, struct pull *pull)
{
	if (pull->reading > 0) {
		return;
	}
	if (pull->cancelled) {
		pull_free(engine, pull);
	} else if (pull->failed) {
		lose(engine, pull);
	} else if (pull->asked == pull->announce.size) {
		finish(engine, pull);
	}
}

static uint32_t read_size(const struct engine *engine)
{
	uint32_t wanted = engine->config.read_size_bytes;

	return wanted == 0 || wanted > READ_SIZE_MAX ? READ_SIZE_MAX : wanted;
}

static bool read_next(struct engine *engine, struct pull *pull)
{
	uint64_t left = pull->announce.size - pull->asked;
	struct transport_seg into = {pull->into->region,
				     left < read_size(engine) ? (uint32_t)left : read_size(engine),
				     pull->into->offset + pull->asked};
	int err = engine->ops->read(engine->transport, pull->node, pull->announce.key,
				    pull->announce.offset + pull->asked, &into,
				    (uint64_t)(uintptr_t)pull);

	if (err == -ENOBUFS) {
		return false;
	}
	if (err) {
		pull->failed = true;
		return true;
	}
	pull->asked += into.size_bytes;
	pull->reading++;
	engine->reading++;
	return true;
}

/* Asks for as much of one pull as may be under way; false when READs or extents have run out. */
static bool advance(struct engine *engine, struct pull *pull)
{
	if (pull->failed || pull->cancelled) {
		return true;
	}
	if (!pull->into) {
		pull->into = engine_extent_new(engine, pull->announce.size);
	}
	if (!pull->into) {
		return false;
	}
	while (pull->asked < pull->announce.size && !pull->failed) {
		if (engine->reading >= READS_MAX || !read_next(engine, pull)) {
			return false;
		}
	}
	return true;
}

/* One pass from the oldest on; true when a pull ended and the list may have changed. */
static bool pump_once(struct engine *engine)
{
	list_for_each(it, &engine->pulls) {
		struct pull *pull = list_entry(it, struct pull, link);
		bool more = advance(engine, pull);

		if ((pull->failed || pull->cancelled) && pull->reading == 0) {
			settle(engine, pull);
			return true;
		}
		if (!more) {
			return false;
		}
	}
	return false;
}

void engine_pull_pump(struct engine *engine)
{
	while (pump_once(engine)) {
	}
}

void engine_pull_read_done(struct engine *engine, const struct transport_event *event)
{
	struct pull *pull = (struct pull *)(uintptr_t)event->cookie;
	struct totem_event progress = {.kind = TOTEM_EV_PROGRESS};

	check(pull->reading > 0 && engine->reading > 0);
	pull->reading--;
	engine->reading--;
	if (event->status != 0) {
		pull->failed = true;
	} else if (makes_progress(engine, pull)) {
		engine_ring_event(engine, &progress);
	}
	settle(engine, pull);
}

void engine_pull_forget_others(struct engine *engine, struct ringid ring)
{
	list_for_each(it, &engine->pulls) {
		struct pull *pull = list_entry(it, struct pull, link);

		if (!ringid_equal(pull->info.ring, ring)) {
			pull->cancelled = true;
		}
	}
}

/* What the peer announced holds for the link it was announced on: once that has gone, its memory
 * may hold something else. */
void engine_pull_link_lost(struct engine *engine, uint32_t node)
{
	list_for_each(it, &engine->pulls) {
		struct pull *pull = list_entry(it, struct pull, link);

		if (pull->node == node) {
			pull->failed = true;
		}
	}
}

void engine_pull_fini(struct engine *engine)
{
	list_for_each_safe(it, after, &engine->pulls)
	{
		pull_free(engine, list_entry(it, struct pull, link));
	}
}
