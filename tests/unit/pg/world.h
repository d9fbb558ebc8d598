/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A toy ring for tests of the groups: some nodes, each with a pg of its own, and a total order made of
 * plain arrays. It keeps what extended virtual synchrony promises and nothing more: nodes deliver a
 * common log at their own pace; when configurations change, those that come along together deliver the
 * same messages first; what was not sent yet goes out in the next ring.
 */
#ifndef CORONET_TESTS_PG_WORLD_H
#define CORONET_TESTS_PG_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "pg/pg.h"

#define WORLD_NODES_MAX 6
#define WORLD_CLIENTS	6
#define WORLD_TEXT_MAX	4096

/* One message under way. `tag` stands for the payload: it is the size that the payload claims. */
struct world_entry {
	uint32_t origin;
	enum frame_guarantee guarantee;
	uint64_t tag;
	uint32_t meta_size;
	uint8_t meta[FRAME_META_MAX];
};

struct world_fifo {
	struct world_entry *at;
	uint32_t count;
	uint32_t capacity;
};

struct world_ring {
	struct ringid id;
	struct nodeset members;
	struct world_fifo log;
};

struct world_node {
	uint32_t id;
	bool up;
	struct pg *pg;
	struct world_fifo backlog; /* submitted, no place yet */
	struct world_ring *ring;
	uint32_t delivered; /* entries of the ring's log */
	uint64_t early;	    /* bit i: entry delivered + i was delivered ahead of its place */
	bool transitional;
	uint32_t incarnation; /* counts restarts */
	/* Nodes with equal lineage in one ring have delivered the same and must tell the same. */
	uint64_t lineage;
	uint32_t drops;
	const char *last_drop;
	char text[WORLD_TEXT_MAX]; /* what the clients were told, for scenario tests */
};

struct world;

/* Called for every action to a client, in order, and after every delivered entry. */
struct world_hooks {
	void *ctx;
	void (*event)(void *ctx, struct world_node *node, const struct pg_action *action);
	void (*place)(void *ctx, struct world_node *node, uint32_t position);
};

struct world {
	uint32_t count;
	struct world_node node[WORLD_NODES_MAX]; /* node[i].id == i + 1 */
	struct world_ring *rings[4096];
	uint32_t rings_count;
	uint64_t random;
	/* Nothing but syncs gets a place before the view is active, as with corosync's two queues. */
	bool gated;
	struct pg_limits limits;
	struct world_hooks hooks;
};

/* All nodes up, none in a ring. */
void world_init(struct world *w, uint32_t nodes, const struct pg_limits *limits, uint64_t seed);
void world_fini(struct world *w);

uint32_t world_random(struct world *w, uint32_t below);

/* The node's pg has been called: its submissions go to the backlog, the rest to text and hook. */
void world_collect(struct world *w, struct world_node *node);

/* Gives the first entry of the backlog its place; false when there is none. */
bool world_order(struct world *w, struct world_node *node);
/* Delivers the next entry; false when there is none. */
bool world_deliver(struct world *w, struct world_node *node);
/* Offers the entry `ahead` places after the next one as an early arrival. */
void world_early(struct world *w, struct world_node *node, uint32_t ahead);
/* Orders and delivers until nothing is left to do. */
void world_settle(struct world *w);

void world_crash(struct world *w, uint32_t id);
void world_restart(struct world *w, uint32_t id);

/* New configurations: nodes with equal component[i] form a ring (0: stays out, must be down); of those,
 * nodes from the same old ring with equal branch[i] come along together. With branch NULL all do.
 * `hold` true: messages of lost members that nobody is known to have delivered are lost. */
void world_reform(struct world *w, const uint32_t *component, const uint32_t *branch, bool hold);
/* Everyone who is up in one ring. */
void world_heal(struct world *w);

/* Calls of clients, with collection. Groups are C strings here. */
cs_error_t world_join(struct world *w, uint32_t id, uint32_t client, uint32_t pid,
		      const char *group);
cs_error_t world_leave(struct world *w, uint32_t id, uint32_t client);
cs_error_t world_mcast(struct world *w, uint32_t id, uint32_t client, uint64_t tag);
void world_open(struct world *w, uint32_t id, uint32_t client, bool initial_totem);
void world_close(struct world *w, uint32_t id, uint32_t client);

/* Returns what node `id`'s clients were told since the last call, one line each. */
const char *world_told(struct world *w, uint32_t id);

#endif
