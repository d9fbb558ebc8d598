/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must hold of everything that clients are told, checked while a toy ring runs; one function per
 * property. A violation prints what and where, and aborts the run.
 */
#ifndef CORONET_TESTS_PG_CHECK_H
#define CORONET_TESTS_PG_CHECK_H

#include "world.h"

#define CHECK_NAME_MAX	  4 /* the random groups have names of up to so many bytes */
#define CHECK_MEMBERS_MAX 64
#define CHECK_GROUPS	  6
#define CHECK_SENDERS_MAX 8192

/* What a client asked for, and what it was told. */
struct check_client {
	bool open;
	bool initial_totem;
	bool initial_pending; /* own join told; the totem event must be next */
	bool initial_told;
	bool wants; /* joined by its own account: from an accepted join to an accepted leave */
	bool told;  /* between own join and own leave confchg */
	bool leaving;
	uint32_t pid;
	uint32_t group;
	uint64_t session;    /* counts accepted joins of the whole world */
	uint64_t connection; /* counts opened clients of the whole world */
	uint32_t members_count;
	struct cpg_address members[CHECK_MEMBERS_MAX];
	uint64_t expected
		[CHECK_MEMBERS_MAX]; /* by member: number that its next message must have, 0: any */
	uint64_t place_digest;	     /* of what it was told at the place under way */
	uint32_t place_group;	     /* and in which group it was then, CHECK_GROUPS: none */
	struct ringid last_totem;
};

/* One line per (lineage, ring, place, group): what its members on one node were told there. */
struct check_fact {
	uint64_t key;
	uint64_t digest;
	struct check_fact *next;
};

#define CHECK_FACT_BUCKETS 4096

struct check {
	struct world *world;
	struct check_client client[WORLD_NODES_MAX][WORLD_CLIENTS];
	struct check_fact *facts[CHECK_FACT_BUCKETS];
	uint64_t sessions;
	uint64_t connections;
	/* By session, ordered and unordered: messages accepted, and delivered to the sender itself. */
	uint64_t sent_by[CHECK_SENDERS_MAX][2];
	uint64_t self[CHECK_SENDERS_MAX][2];
	/* What the runs were made of: a test that saw none of something proves nothing about it. */
	uint64_t reasons[CPG_REASON_PROCDOWN + 1]; /* confchgs */
	uint64_t messages;
	uint64_t early;
	uint64_t totem;
	uint64_t compared; /* facts that a second node confirmed */
};

extern const struct cpg_name check_group[CHECK_GROUPS];

/* Zeroed before its first use; what was counted stays. */
void check_init(struct check *c, struct world *w);
void check_fini(struct check *c);

/* Accepted requests. check_send returns the tag that the message has to carry. */
void check_opened(struct check *c, uint32_t id, uint32_t client, bool initial_totem);
void check_closed(struct check *c, uint32_t id, uint32_t client);
void check_joined(struct check *c, uint32_t id, uint32_t client, uint32_t pid, uint32_t group);
void check_left(struct check *c, uint32_t id, uint32_t client);
uint64_t check_tag(const struct check *c, uint32_t id, uint32_t client, bool unordered);
void check_sent(struct check *c, uint32_t id, uint32_t client, bool unordered);
void check_crashed(struct check *c, uint32_t id);

/* All is quiet and everyone in one ring: views are the truth, everything sent has come back. */
void check_quiet(struct check *c);

#endif
