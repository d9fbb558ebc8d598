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
#include "engine/trust.h"

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

void pull_go_direct(struct pull *pull)
{
	pull->source = (struct source){.node = pull->node,
				       .key = pull->announce.key,
				       .offset = pull->announce.offset,
				       .valid = pull->announce.size};
	pull->strays = pull->reading;
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
	pull->hole = UINT64_MAX;
	pull_go_direct(pull);
	insert(engine, pull);
	engine->stats.pulls++;
	engine_chain_take(engine, pull);
	engine_chain_begin(engine, pull);
}

struct pull *engine_pull_find(struct engine *engine, struct ringid ring, uint64_t seq)
{
	list_for_each(it, &engine->pulls) {
		struct pull *pull = list_entry(it, struct pull, link);

		if (pull->info.seq == seq && ringid_equal(pull->info.ring, ring)) {
			return pull;
		}
	}
	return NULL;
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

static void complain(struct engine *engine, const struct pull *pull)
{
	engine->stats.pull_mismatches++;
	engine_log(engine, LOG_WARNING,
		   "a payload of %llu bytes read from node %u is not what was announced (%u times "
		   "now): it is read again",
		   (unsigned long long)pull->announce.size, pull->node,
		   note_mismatch(engine, &pull->info));
}

/* Not every adapter can be believed (reads_exact in transport.h). What does not match is never taken: the ring asks for it again, and a sender that
 * finds that its own program has changed the payload announces it without a digest (send.c). */
static bool acceptable(struct engine *engine, const struct pull *pull)
{
	uint32_t announced = pull->announce.digest;

	if (announced == 0 || engine_digest(pull->into) == announced) {
		return true;
	}
	complain(engine, pull);
	return false;
}

bool engine_pull_makes_progress(struct engine *engine, const struct pull *pull)
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
	engine_chain_tell_gone(engine, pull);
	engine_chain_keep(engine, pull);
	pull_free(engine, pull);
	engine_ring_event(engine, &event);
}

/* Whoever has spoilt it on its way, the sender has it as it was. */
static void begin_again(struct engine *engine, struct pull *pull)
{
	engine->stats.chain_fallbacks += pull_chained(pull) ? 1 : 0;
	pull_go_direct(pull);
	pull->mixed = false;
	pull->asked = 0;
	pull->opened = 0;
}

static void finish(struct engine *engine, struct pull *pull)
{
	check(!engine->trust || pull->opened == pull->announce.size);
	if (acceptable(engine, pull)) {
		complete(engine, pull);
	} else if (pull->mixed) {
		begin_again(engine, pull);
	} else {
		lose(engine, pull);
	}
}

uint64_t engine_pull_arrived(const struct engine *engine, const struct pull *pull)
{
	uint64_t valid = pull->asked < pull->hole ? pull->asked : pull->hole;

	for (uint32_t i = 0; i < READS_MAX; i++) {
		const struct read *read = &engine->reads[i];

		if (read->pull == pull && read->offset < valid) {
			valid = read->offset;
		}
	}
	return valid;
}

/* Ends a pull that has nothing under way and nothing left to do. */
static void settle(struct engine *engine, struct pull *pull)
{
	if (pull->reading > 0) {
		return;
	}
	if (pull->hole < pull->asked) {
		pull->asked = pull->hole;
	}
	pull->hole = UINT64_MAX;
	if (pull->cancelled) {
		pull_free(engine, pull);
	} else if (pull->failed) {
		lose(engine, pull);
	} else if (pull->asked == pull->announce.size) {
		finish(engine, pull);
	}
}

static uint32_t read_size(const struct engine *engine, const struct pull *pull)
{
	uint32_t wanted = engine_read_size(engine);

	return pull->plan.position > 0 && pull->announce.chunk < wanted ? pull->announce.chunk
									: wanted;
}

static struct read *read_unused(struct engine *engine)
{
	for (uint32_t i = 0; i < READS_MAX; i++) {
		if (!engine->reads[i].pull) {
			return &engine->reads[i];
		}
	}
	return NULL;
}

/* What is sealed need not be copied before it is opened, where it can be seen. */
static bool may_look(const struct engine *engine)
{
	return engine->trust && engine->ops->maps(engine->transport);
}

static uint32_t piece_at(const struct pull *pull, uint64_t offset)
{
	return frame_seal_piece_at(&pull->announce.seal, pull->announce.size, offset);
}

static int look_post(struct engine *engine, struct pull *pull, struct read *read)
{
	const struct source *source = &pull->source;

	*read = (struct read){.pull = pull,
			      .node = source->node,
			      .size = piece_at(pull, pull->asked),
			      .offset = pull->asked};
	return engine->ops->look(engine->transport, source->node, source->key,
				 source->offset + pull->asked, read->size,
				 (uint64_t)(read - engine->reads));
}

static int read_post(struct engine *engine, struct pull *pull, struct read *read)
{
	const struct source *source = &pull->source;
	uint64_t left = source->valid - pull->asked;
	uint32_t most = read_size(engine, pull);
	struct transport_seg into = {pull->into->region, left < most ? (uint32_t)left : most,
				     pull->into->offset + pull->asked};

	*read = (struct read){
		.pull = pull, .node = source->node, .size = into.size_bytes, .offset = pull->asked};
	return engine->ops->read(engine->transport, source->node, source->key,
				 source->offset + pull->asked, &into,
				 (uint64_t)(read - engine->reads));
}

/* False when no more READs can be under way. */
static bool read_next(struct engine *engine, struct pull *pull)
{
	struct read *read = read_unused(engine);
	int err = -ENOBUFS;

	if (read) {
		err = may_look(engine) ? look_post(engine, pull, read)
				       : read_post(engine, pull, read);
	}
	if (!err) {
		pull->asked += read->size;
		pull->reading++;
		engine->reading++;
		return true;
	}
	if (read) {
		read->pull = NULL;
	}
	if (err != -ENOBUFS && pull_chained(pull)) {
		engine_chain_leave(engine, pull);
	} else if (err != -ENOBUFS) {
		pull->failed = true;
	}
	return err != -ENOBUFS;
}

static bool may_read(const struct pull *pull)
{
	return !pull->failed && pull->strays == 0 && pull->asked < pull->source.valid;
}

/* Asks for as much of one pull as may be under way; false when READs or extents have run out. */
static bool advance(struct engine *engine, struct pull *pull)
{
	if (pull->failed || pull->cancelled) {
		return true;
	}
	if (!pull->into) {
		pull->into = engine_extent_new(engine, pull->announce.size);
		pull->news_ms = engine->now_ms;
	}
	if (!pull->into) {
		return false;
	}
	while (may_read(pull)) {
		if (!read_next(engine, pull)) {
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

static void fail_wrong(struct engine *engine, struct pull *pull)
{
	complain(engine, pull);
	pull->failed = true;
}

static bool open_piece(struct engine *engine, struct pull *pull, uint64_t offset,
		       const uint8_t *sealed)
{
	pull->opened += piece_at(pull, offset);
	return engine_open_piece(engine, pull->node, &pull->announce.seal, offset, sealed,
				 pull->into);
}

/* What was looked at has to be there still when it has been opened. */
static void open_seen(struct engine *engine, struct pull *pull, const struct read *read,
		      const uint8_t *sealed)
{
	bool right = open_piece(engine, pull, read->offset, sealed);

	if (!engine->ops->still_there(engine->transport, read->node, pull->source.key)) {
		pull->failed = true;
	} else if (!right) {
		fail_wrong(engine, pull);
	}
}

/* The pieces that are here, where they are. */
static void open_arrived(struct engine *engine, struct pull *pull)
{
	uint64_t arrived = engine_pull_arrived(engine, pull);

	while (!pull->failed && pull->opened < arrived &&
	       arrived - pull->opened >= piece_at(pull, pull->opened)) {
		if (!open_piece(engine, pull, pull->opened, pull->into->bytes + pull->opened)) {
			fail_wrong(engine, pull);
		}
	}
}

static void read_failed(struct engine *engine, struct pull *pull, const struct read *read)
{
	if (read->node == pull->node) {
		pull->failed = true;
		return;
	}
	pull->hole = read->offset < pull->hole ? read->offset : pull->hole;
	engine_chain_leave(engine, pull);
}

static void read_came(struct engine *engine, struct pull *pull, const struct read *read,
		      const uint8_t *seen)
{
	struct totem_event progress = {.kind = TOTEM_EV_PROGRESS};

	if (engine->trust && !pull->failed && !pull->cancelled) {
		if (seen) {
			open_seen(engine, pull, read, seen);
		} else {
			open_arrived(engine, pull);
		}
	}
	engine_chain_tell(engine, pull, engine_pull_arrived(engine, pull));
	if (read->node != pull->node) {
		pull->mixed = true;
		engine->stats.chain_bytes += read->size;
		engine_chain_news(engine, pull);
	} else if (engine_pull_makes_progress(engine, pull)) {
		engine_ring_event(engine, &progress);
	}
}

void engine_pull_read_done(struct engine *engine, const struct transport_event *event)
{
	struct read read;
	struct pull *pull;

	check(event->cookie < READS_MAX);
	read = engine->reads[event->cookie];
	pull = read.pull;
	check(pull && pull->reading > 0 && engine->reading > 0);
	engine->reads[event->cookie].pull = NULL;
	pull->reading--;
	engine->reading--;
	if (event->status != 0 || read.stale) {
		read_failed(engine, pull, &read);
	} else {
		read_came(engine, pull, &read, event->data);
	}
	pull->strays = pull->strays < pull->reading ? pull->strays : pull->reading;
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
	engine_chain_forget_others(engine, ring);
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
	engine_chain_link_lost(engine, node);
}

void engine_pull_fini(struct engine *engine)
{
	engine_chain_fini(engine);
	list_for_each_safe(it, after, &engine->pulls)
	{
		pull_free(engine, list_entry(it, struct pull, link));
	}
}
