/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments, and which of them a message gets; see extents.h. */
#include "store/extents.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/list.h"
#include "store/stretches.h"

#define PAGE_BYTES     4096u
#define UNIT_BYTES     (2u * 1024 * 1024) /* a huge page */
#define STEP_BYTES     (16u * 1024 * 1024)
#define ORDINARY_COUNT (EXTENTS_SEGMENTS_MAX / 2)

struct segment {
	struct list link; /* in extents.segments, oldest first */
	uint32_t number;
	bool own; /* of one message, or of one that has waited */
	struct sealed memory;
	struct stretches *area;
	uint64_t idle_since_ms;
};

struct extents {
	struct slab_config config;
	struct extents_host host;
	struct list segments;
	struct segment *by_number[EXTENTS_SEGMENTS_MAX];
	uint64_t ordinary_bytes;
	uint64_t total_bytes;
	uint64_t used_bytes;
	uint64_t waiting_since_ms; /* 0: nobody waits */
	uint64_t asked_ms;	   /* last, by who waits */
	uint64_t retry_at_ms;	   /* 0: nothing has failed */
	uint32_t pause_ms;
	uint64_t made, failed;
};

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

/* What the largest message needs stays out of reach of ordinary segments. */
uint64_t extents_ordinary_max(uint64_t limit_bytes)
{
	uint64_t reserve =
		limit_bytes >= 2 * (uint64_t)MESSAGE_SIZE_MAX ? MESSAGE_SIZE_MAX : limit_bytes / 2;

	return (limit_bytes - reserve) / PAGE_BYTES * PAGE_BYTES;
}

uint64_t extents_step(const struct slab_config *config)
{
	uint64_t max = extents_ordinary_max(config->extent_bytes);
	uint64_t wanted = config->extent_step_bytes ? config->extent_step_bytes : STEP_BYTES;
	uint64_t step = round_up(max / ORDINARY_COUNT, UNIT_BYTES);

	step = max > wanted * ORDINARY_COUNT ? step : wanted;
	return step < max ? step : max;
}

static bool idle(const struct segment *segment)
{
	return stretches_used(segment->area) == 0;
}

static int segment_back(struct extents *extents, struct segment *segment, uint64_t size)
{
	struct sealed_want want = {.name = "coronet-extents",
				   .size = size,
				   .huge_pages = extents->config.huge_pages,
				   .numa_node = extents->config.numa_node,
				   .prefault = extents->config.prefault};
	int err = stretches_new(size, &segment->area);

	err = err ? err : sealed_new(&want, &segment->memory);
	return err ? err : extents->host.add(extents->host.ctx, segment->number, &segment->memory);
}

static void segment_free(struct segment *segment)
{
	stretches_free(&segment->area);
	sealed_free(&segment->memory);
	free(segment);
}

static int free_number(const struct extents *extents, uint32_t *number)
{
	for (uint32_t i = 0; i < EXTENTS_SEGMENTS_MAX; i++) {
		if (!extents->by_number[i]) {
			*number = i;
			return 0;
		}
	}
	return -ENOSPC;
}

static int segment_new(struct extents *extents, uint64_t size, bool own, uint64_t now_ms)
{
	struct segment *segment = calloc(1, sizeof(*segment));
	int err = segment ? free_number(extents, &segment->number) : -ENOMEM;

	err = err ? err : segment_back(extents, segment, size);
	if (err) {
		if (segment) {
			segment_free(segment);
		}
		return err;
	}
	segment->own = own;
	segment->idle_since_ms = now_ms;
	list_append(&extents->segments, &segment->link);
	extents->by_number[segment->number] = segment;
	extents->ordinary_bytes += own ? 0 : size;
	extents->total_bytes += size;
	extents->made++;
	return 0;
}

static void segment_drop(struct extents *extents, struct segment *segment)
{
	extents->host.remove(extents->host.ctx, segment->number);
	list_remove(&segment->link);
	extents->by_number[segment->number] = NULL;
	extents->ordinary_bytes -= segment->own ? 0 : segment->memory.size;
	extents->total_bytes -= segment->memory.size;
	segment_free(segment);
}

int extents_new(const struct slab_config *config, const struct extents_host *host,
		struct extents **out)
{
	struct extents *extents;
	int err = 0;

	if (config->extent_bytes % PAGE_BYTES != 0) {
		return -EINVAL;
	}
	extents = calloc(1, sizeof(*extents));
	if (!extents) {
		return -ENOMEM;
	}
	extents->config = *config;
	extents->host = *host;
	list_init(&extents->segments);
	if (config->prefault && config->extent_bytes > 0) {
		err = segment_new(extents, extents_step(config), false, 0);
	}
	if (err) {
		extents_free(&extents);
		return err;
	}
	*out = extents;
	return 0;
}

void extents_free(struct extents **extents)
{
	if (!*extents) {
		return;
	}
	list_for_each_safe(it, after, &(*extents)->segments)
	{
		segment_drop(*extents, list_entry(it, struct segment, link));
	}
	free(*extents);
	*extents = NULL;
}

/* The oldest first, so that the youngest become idle. */
static struct segment *segment_with_room(const struct extents *extents, bool own, uint64_t size,
					 uint64_t *offset)
{
	list_for_each(it, &extents->segments) {
		struct segment *segment = list_entry(it, struct segment, link);

		if (segment->own == own && stretches_take(segment->area, size, offset) == 0) {
			return segment;
		}
	}
	return NULL;
}

static bool has_waited(const struct extents *extents, uint64_t ms, uint64_t now_ms)
{
	return extents->waiting_since_ms > 0 && now_ms >= extents->waiting_since_ms + ms;
}

static bool drop_one_idle(struct extents *extents)
{
	list_for_each(it, &extents->segments) {
		struct segment *segment = list_entry(it, struct segment, link);

		if (idle(segment)) {
			segment_drop(extents, segment);
			return true;
		}
	}
	return false;
}

/* A program that reads is as fast as the ring or holds it up, but does not make us take more. */
static int make_ordinary(struct extents *extents, uint64_t now_ms)
{
	uint64_t limit = extents->config.extent_bytes;
	uint64_t step = extents_step(&extents->config);

	if (extents->ordinary_bytes > 0 && !has_waited(extents, EXTENTS_GROW_MS, now_ms)) {
		return -ENOSPC;
	}
	if (extents->ordinary_bytes + step > extents_ordinary_max(limit)) {
		return -ENOSPC;
	}
	while (extents->total_bytes + step > limit) {
		if (!drop_one_idle(extents)) {
			return -ENOSPC;
		}
	}
	return segment_new(extents, step, false, now_ms);
}

static int make_own(struct extents *extents, uint64_t size, uint64_t now_ms)
{
	uint64_t limit = extents->config.extent_bytes;
	uint64_t whole = round_up(size, UNIT_BYTES);

	if (whole > limit) {
		whole = round_up(size, PAGE_BYTES);
	}
	while (extents->total_bytes + whole > limit) {
		if (!drop_one_idle(extents)) {
			return -ENOSPC;
		}
	}
	return segment_new(extents, whole, true, now_ms);
}

static void pause_making(struct extents *extents, uint64_t now_ms)
{
	extents->failed++;
	extents->pause_ms = extents->pause_ms ? 2 * extents->pause_ms : EXTENTS_RETRY_MS;
	if (extents->pause_ms > EXTENTS_RETRY_MAX_MS) {
		extents->pause_ms = EXTENTS_RETRY_MAX_MS;
	}
	extents->retry_at_ms = now_ms + extents->pause_ms;
}

static int make(struct extents *extents, uint64_t size, bool own, uint64_t now_ms)
{
	int err;

	if (now_ms < extents->retry_at_ms) {
		return -ENOMEM;
	}
	err = own ? make_own(extents, size, now_ms) : make_ordinary(extents, now_ms);
	if (err && err != -ENOSPC) {
		/* Where memory is short, what lies idle may be what is missing next time. */
		while (drop_one_idle(extents)) {
		}
		pause_making(extents, now_ms);
		err = -ENOMEM;
	}
	return err;
}

static int take_from(struct extents *extents, uint64_t size, bool own, uint64_t now_ms,
		     struct extent *out)
{
	struct segment *segment = segment_with_room(extents, own, size, &out->offset);
	int err = 0;

	if (!segment) {
		err = make(extents, size, own, now_ms);
		segment = err ? NULL : segment_with_room(extents, own, size, &out->offset);
	}
	if (!segment) {
		return err ? err : -ENOSPC;
	}
	out->segment = segment->number;
	out->bytes = (uint8_t *)segment->memory.base + out->offset;
	out->spare = own;
	extents->used_bytes += round_up(size, PAGE_BYTES);
	extents->waiting_since_ms = 0;
	extents->retry_at_ms = 0;
	extents->pause_ms = 0;
	return 0;
}

int extents_take(struct extents *extents, uint64_t size_bytes, uint64_t now_ms, struct extent *out)
{
	uint64_t limit = extents->config.extent_bytes;
	bool own = size_bytes > extents_step(&extents->config);
	int err;

	if (size_bytes == 0 || size_bytes > limit) {
		return -EMSGSIZE;
	}
	err = take_from(extents, size_bytes, own, now_ms, out);
	if (err == -ENOSPC && !own && has_waited(extents, EXTENTS_PATIENCE_MS, now_ms)) {
		err = take_from(extents, size_bytes, true, now_ms, out);
	}
	if (err && extents->waiting_since_ms == 0) {
		extents->waiting_since_ms = now_ms > 0 ? now_ms : 1;
	}
	extents->asked_ms = now_ms;
	return err;
}

void extents_forget(struct extents *extents)
{
	extents->waiting_since_ms = 0;
}

void extents_put(struct extents *extents, uint32_t number, uint64_t offset, uint64_t now_ms)
{
	struct segment *segment;

	check(number < EXTENTS_SEGMENTS_MAX && extents->by_number[number]);
	segment = extents->by_number[number];
	extents->used_bytes -= stretches_put(segment->area, offset);
	segment->idle_since_ms = now_ms;
}

bool extents_taken(const struct extents *extents, uint32_t segment, uint64_t offset,
		   uint64_t size_bytes)
{
	return segment < EXTENTS_SEGMENTS_MAX && extents->by_number[segment] &&
	       stretches_taken(extents->by_number[segment]->area, offset, size_bytes);
}

/* With memory that is locked one ordinary segment stays: the next message finds it ready. */
static bool kept_ready(const struct extents *extents, const struct segment *segment)
{
	return extents->config.prefault && !segment->own &&
	       extents->ordinary_bytes == segment->memory.size;
}

static uint64_t due_ms(const struct extents *extents, const struct segment *segment)
{
	return idle(segment) && !kept_ready(extents, segment)
		       ? segment->idle_since_ms + EXTENTS_IDLE_MS
		       : UINT64_MAX;
}

/* The youngest first: the oldest ordinary one is what stays. */
void extents_turn(struct extents *extents, uint64_t now_ms)
{
	for (struct list *it = extents->segments.prev, *before; it != &extents->segments;
	     it = before) {
		struct segment *segment = list_entry(it, struct segment, link);

		before = it->prev;
		if (due_ms(extents, segment) <= now_ms) {
			segment_drop(extents, segment);
		}
	}
	/* Whoever waits has been woken; it need not ask, when something else holds it up. */
	extents->asked_ms = now_ms;
}

/* When asking again may help that did not help when it was asked last. */
static uint64_t ask_again_ms(const struct extents *extents)
{
	const uint64_t moments[] = {extents->retry_at_ms,
				    extents->waiting_since_ms + EXTENTS_GROW_MS,
				    extents->waiting_since_ms + EXTENTS_PATIENCE_MS};

	if (extents->waiting_since_ms == 0) {
		return UINT64_MAX;
	}
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		if (moments[i] > extents->asked_ms) {
			return moments[i];
		}
	}
	return UINT64_MAX;
}

uint64_t extents_next_deadline_ms(const struct extents *extents)
{
	uint64_t next = ask_again_ms(extents);

	list_for_each(it, &extents->segments) {
		uint64_t due = due_ms(extents, list_entry(it, struct segment, link));

		next = due < next ? due : next;
	}
	return next;
}

bool extents_short(const struct extents *extents)
{
	return extents->waiting_since_ms > 0;
}

uint64_t extents_waited_ms(const struct extents *extents, uint64_t now_ms)
{
	return extents->waiting_since_ms > 0 ? now_ms - extents->waiting_since_ms : 0;
}

void extents_stats(const struct extents *extents, struct extents_stats *out)
{
	*out = (struct extents_stats){.used_bytes = extents->used_bytes,
				      .segment_bytes = extents->total_bytes,
				      .limit_bytes = extents->config.extent_bytes,
				      .made = extents->made,
				      .failed = extents->failed};
	list_for_each(it, &extents->segments) {
		const struct segment *segment = list_entry(it, struct segment, link);

		out->segments++;
		out->huge_bytes += segment->memory.huge ? segment->memory.size : 0;
	}
}
