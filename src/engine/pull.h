/* SPDX-License-Identifier: BSD-3-Clause */
/* One announced payload being read, from its sender or along a chain. */
#ifndef CORONET_ENGINE_PULL_H
#define CORONET_ENGINE_PULL_H

#include "base/list.h"
#include "engine/chain.h"
#include "wire/frame.h"

#define READS_MAX 8 /* READs under way at a time */

struct frame;

/* Where a pull reads from, and how much is there. */
struct source {
	uint32_t node;
	uint64_t key;
	uint64_t offset;
	uint64_t valid;
};

struct pull {
	struct list link;
	struct frame *frame;
	struct frame_info info;
	struct frame_announce announce;
	uint32_t node; /* that announced it */
	struct source source;
	struct body *into; /* NULL until an extent was found */
	uint64_t asked;
	uint64_t opened;  /* bytes of what is sealed */
	uint64_t hole;	  /* what came from here on is not believed; UINT64_MAX: none */
	uint32_t reading; /* READs under way */
	uint32_t strays;  /* of them, from a source that has been left */
	bool failed;
	bool cancelled; /* nobody waits for it any more */

	struct chain_plan plan;
	bool mixed;	  /* some of it came from a predecessor */
	bool shown;	  /* the successor may be reading it */
	uint64_t told;	  /* bytes, to the successor */
	uint64_t news_ms; /* when the predecessor last moved */
};

/* A READ under way. */
struct read {
	struct pull *pull; /* NULL: not in use */
	uint32_t node;
	uint32_t size;
	uint64_t offset; /* in the payload */
	bool stale;	 /* the memory it reads may have been freed */
};

static inline bool pull_chained(const struct pull *pull)
{
	return pull->source.node != pull->node;
}

/* What is left is read from where it was announced. */
void pull_go_direct(struct pull *pull);

void engine_pull_start(struct engine *engine, uint32_t node, struct frame *frame,
		       const struct frame_announce *announce);
void engine_pull_read_done(struct engine *engine, const struct transport_event *event);
void engine_pull_pump(struct engine *engine);
/* Of a message that is being pulled; NULL: none. */
struct pull *engine_pull_find(struct engine *engine, struct ringid ring, uint64_t seq);
/* Bytes that are here and believed, from the first on. */
uint64_t engine_pull_arrived(const struct engine *engine, const struct pull *pull);
/* A payload that never comes right is no progress, however often it is read: the ring then excludes
 * a member that does not receive. */
bool engine_pull_makes_progress(struct engine *engine, const struct pull *pull);
/* Forgets every pull for another ring than `ring`. */
void engine_pull_forget_others(struct engine *engine, struct ringid ring);
void engine_pull_link_lost(struct engine *engine, uint32_t node);
/* Of a payload; 0 stands for none in an announcement, so it is never that. */
uint32_t engine_digest(const struct body *body);
void engine_pull_fini(struct engine *engine);

#endif
