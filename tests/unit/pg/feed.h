/* SPDX-License-Identifier: BSD-3-Clause */
/* One pg, node 1, fed by hand: what the other nodes say is made up here, what it submits comes back to
 * it when the test says so. */
#ifndef CORONET_TESTS_PG_FEED_H
#define CORONET_TESTS_PG_FEED_H

#include "pg/msg.h"
#include "pg/pg.h"

#define FEED_OWN_MAX 6144

struct feed {
	struct pg *pg;
	struct ringid ring;
	struct nodeset members;
	uint32_t own; /* submissions not yet delivered */
	struct {
		uint32_t size;
		uint8_t meta[FRAME_META_MAX];
	} submitted[FEED_OWN_MAX];
};

/* A process as announced by its node. */
struct feed_process {
	uint32_t pid;
	const char *group;
};

struct cpg_name feed_name(const char *group);

/* On the heap; node 1 in no ring yet. */
struct feed *feed_new(uint32_t clients_max, uint32_t members_max);
void feed_free(struct feed *f);

/* Takes the submissions out of the update; every call into pg is followed by this. */
void feed_collect(struct feed *f);
/* Next ring, of nodes 1..nodes, those in `together` (a bit mask of ids) coming along. */
void feed_ring(struct feed *f, uint32_t nodes, uint32_t together);
/* Delivers the oldest submission back; the update is that of its delivery. NULL or the reason. */
const char *feed_own(struct feed *f);
/* Delivers all there are. */
void feed_own_all(struct feed *f);
/* Announcement of another node, in one part. */
const char *feed_sync(struct feed *f, uint32_t origin, const struct feed_process *list,
		      uint32_t count);
const char *feed_message(struct feed *f, enum pg_msg_kind kind, uint32_t origin, uint32_t pid,
			 const char *group);
/* Ring of `nodes`, nothing announced, view activated. */
void feed_activate(struct feed *f, uint32_t nodes);

cs_error_t feed_join(struct feed *f, uint32_t client, uint32_t pid, const char *group);

/* Actions of one kind in the update. */
uint32_t feed_count(const struct feed *f, enum pg_action_kind kind);
/* The index-th of them, or NULL. */
const struct pg_action *feed_action(const struct feed *f, enum pg_action_kind kind, uint32_t index);

#endif
