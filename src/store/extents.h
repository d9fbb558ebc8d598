/* SPDX-License-Identifier: BSD-3-Clause */
/* Extents: where large messages are received, contiguous each. They lie in segments, which are made
 * when they are needed and given back when they were idle for a while, so that memory is locked for
 * what is in use and no more.
 *
 * Ordinary segments have one size (extents_step) and hold messages up to it. Larger messages get
 * segments of their own, and so does a message that has waited for long: programs that keep
 * messages in place can scatter them over all ordinary segments, so those segments never take all
 * there may be (extents_ordinary_max), and what lies in a segment of its own is never pinned
 * (spare). That is why the oldest message always finds a place in the end.
 *
 * No clock: callers say what time it is. Not thread-safe. */
#ifndef CORONET_STORE_EXTENTS_H
#define CORONET_STORE_EXTENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/sealed.h"
#include "store/slab.h"

#define EXTENTS_SEGMENTS_MAX 128u
#define EXTENTS_IDLE_MS	     5000u
/* So long the oldest message waits for others to make room before another segment is made, and before
 * it gets one of its own. */
#define EXTENTS_GROW_MS	     50u
#define EXTENTS_PATIENCE_MS  200u
#define EXTENTS_RETRY_MS     100u
#define EXTENTS_RETRY_MAX_MS 10000u

struct extents;

struct extents_host {
	void *ctx;
	/* A segment has been made, and is about to be used. 0 or negative errno: then it is not. */
	int (*add)(void *ctx, uint32_t segment, const struct sealed *memory);
	/* Nothing lies in it any more; its memory goes when this returns. */
	void (*remove)(void *ctx, uint32_t segment);
};

struct extent {
	uint32_t segment; /* below EXTENTS_SEGMENTS_MAX */
	uint64_t offset;  /* in the segment */
	uint8_t *bytes;
	bool spare; /* the ring may not be able to do without its place: nobody may pin it */
};

struct extents_stats {
	uint32_t segments;
	uint64_t used_bytes;	/* by messages */
	uint64_t segment_bytes; /* in segments, used or not */
	uint64_t limit_bytes;
	uint64_t huge_bytes; /* of segment_bytes, in huge pages */
	uint64_t made, failed;
};

/* The size of an ordinary segment, and what all of them may take. */
uint64_t extents_step(const struct slab_config *config);
uint64_t extents_ordinary_max(uint64_t limit_bytes);

/* Uses extent_bytes, extent_step_bytes, huge_pages, numa_node and prefault of `config`. With prefault the first segment
 * is made at once, and kept as long as nothing else needs its place. -ENOMEM, -EINVAL, or what the
 * host's add said. */
int extents_new(const struct slab_config *config, const struct extents_host *host,
		struct extents **out);
void extents_free(struct extents **extents);

/* -ENOSPC: no room now; -ENOMEM: a segment is needed and could not be made (tried again with growing
 * pauses); -EMSGSIZE: never. Only the oldest message that waits may ask. */
int extents_take(struct extents *extents, uint64_t size_bytes, uint64_t now_ms, struct extent *out);
/* Whoever got no answer does not wait any more. */
void extents_forget(struct extents *extents);
void extents_put(struct extents *extents, uint32_t segment, uint64_t offset, uint64_t now_ms);

/* Whether all of these bytes of the segment belong to one message. */
bool extents_taken(const struct extents *extents, uint32_t segment, uint64_t offset,
		   uint64_t size_bytes);

/* Gives back what was idle for long enough. */
void extents_turn(struct extents *extents, uint64_t now_ms);
/* When extents_turn has something to do, or extents_take may answer otherwise; UINT64_MAX: not by
 * time alone. */
uint64_t extents_next_deadline_ms(const struct extents *extents);
/* A message waits for a place... */
bool extents_short(const struct extents *extents);
/* ...for so long. */
uint64_t extents_waited_ms(const struct extents *extents, uint64_t now_ms);
void extents_stats(const struct extents *extents, struct extents_stats *out);

#endif
