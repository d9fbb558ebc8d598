/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside of the groups. Four kinds of things, all from pools made by pg_new:
 *
 *   group    a name with anything attached to it: members or own processes
 *   member   one (group, node, pid) that is in the delivered view, announced for the coming one,
 *            or gone from the coming one before its node announced itself
 *   process  one membership of this node from cpg_join to the delivery of its leave; outlives
 *            its client
 *   client   one connection; has at most one process */
#ifndef CORONET_PG_INT_H
#define CORONET_PG_INT_H

#include "base/list.h"
#include "pg/msg.h"
#include "pg/pg.h"

#define PG_NO_CLIENT UINT32_MAX

struct pg_pool {
	uint8_t *items;
	void *free; /* chained through the first bytes of each */
	size_t item_size;
	uint32_t used; /* items ever taken: those above were never touched */
	uint32_t capacity;
};

/* What is known of a member. */
enum {
	PG_IN_VIEW = 1, /* delivered: part of the activated view as changed since */
	PG_ANNOUNCED =
		2,   /* will be in the next view: its node's sync, or a join since the ring began */
	PG_GONE = 4, /* left since the ring began: overrules its node's sync */
};

struct pg_group {
	struct cpg_name name;  /* zeros after the name */
	struct pg_group *next; /* in the hash bucket */
	struct list all;       /* pg->groups, or pg->empty */
	struct list members;
	struct list processes; /* of this node */
	uint32_t hash;
	uint32_t in_view;
	bool sorted; /* members ascend by (node, pid) */
};

struct pg_member {
	struct pg_member *next; /* in the hash bucket */
	struct list in_group;
	struct pg_group *group;
	uint32_t node;
	uint32_t pid;
	uint32_t flags;
};

enum pg_request_kind {
	PG_REQUEST_JOIN,
	PG_REQUEST_LEAVE
};

/* A join or leave that waits for the next activation; linked into pg->queue while it does. */
struct pg_request {
	struct list link;
	enum pg_request_kind kind;
	struct pg_process *process;
};

struct pg_process {
	struct list in_group;
	struct list all; /* pg->processes */
	struct pg_group *group;
	uint32_t pid;
	uint32_t client; /* PG_NO_CLIENT once the connection is closed */
	bool joined;	 /* own join delivered */
	cpg_reason_t leave_reason;
	struct pg_request join;
	struct pg_request leave;
};

enum pg_client_state {
	PG_UNJOINED,
	PG_JOINING,
	PG_JOINED,
	PG_LEAVING
};
#define PG_CLIENT_STATES 4

enum pg_client_event {
	PG_EV_JOIN,
	PG_EV_LEAVE,
	PG_EV_MCAST,
	PG_EV_CLOSE,
	PG_EV_OWN_JOIN,	 /* the ring delivered our join */
	PG_EV_OWN_LEAVE, /* ... our leave */
};
#define PG_CLIENT_EVENTS 6

struct pg_client {
	bool open;
	bool initial_totem;
	bool totem_told;
	enum pg_client_state state;
	struct pg_process *process; /* NULL when unjoined */
};

/* How far a node of the current ring has announced itself. */
struct pg_announcement {
	uint32_t next_part;
	bool complete;
};

struct pg {
	uint32_t node;
	struct pg_limits limits;

	/* groups and members */
	struct pg_pool group_pool;
	struct pg_pool member_pool;
	struct pg_group **group_buckets;
	struct pg_member **member_buckets;
	uint32_t group_mask;
	uint32_t member_mask;
	struct list groups; /* in the order of first sight */
	struct list empty;  /* given back at the next call: actions may still point to the names */
	uint32_t in_view;
	uint32_t remote_members; /* entries of other nodes, whatever their flags */

	/* this node's clients */
	struct pg_pool process_pool;
	struct list processes;
	struct list queue; /* requests; empty while active */
	struct pg_client *clients;

	/* the ring's current configuration */
	bool transitional; /* `together` is valid and the next event is a regular configuration */
	bool activated;	   /* the view is that of the current ring */
	struct ringid ring;
	struct nodeset ring_members;
	struct nodeset together; /* come along from the current ring into the next */
	struct pg_announcement announcement[NODES_MAX]; /* by index in ring_members */
	uint32_t announced;

	/* the last activated view */
	struct ringid view_ring;
	struct nodeset view_members;
	/* Those of view_members that went through the same configurations as this node ever
	 * since: they have delivered the same, so what they say applies to the view as it
	 * stands. */
	struct nodeset alive;

	/* the update and what it points to */
	struct pg_update update;
	struct cpg_address *addresses;
	uint32_t addresses_used;
	uint32_t addresses_capacity;
	uint8_t *bytes;
	uint32_t bytes_used;
	uint32_t bytes_capacity;
};

/* pool.c */
int pg_pool_init(struct pg_pool *pool, size_t item_size, uint32_t capacity);
void pg_pool_fini(struct pg_pool *pool);
/* Zeroed; NULL when all are taken. */
void *pg_pool_take(struct pg_pool *pool);
void pg_pool_give(struct pg_pool *pool, void *item);

/* group.c */
struct pg_group *pg_group_find(const struct pg *pg, const void *name, uint32_t size);
/* Finds or makes. Cannot fail: a group exists only with a member or process, and there is one
 * for each. */
struct pg_group *pg_group_need(struct pg *pg, const void *name, uint32_t size);
/* Lets go of a group that nothing is attached to any more. */
void pg_group_settle(struct pg *pg, struct pg_group *group);
void pg_group_reap(struct pg *pg);
void pg_group_sort(struct pg_group *group);
struct pg_member *pg_member_find(const struct pg *pg, const struct pg_group *group, uint32_t node,
				 uint32_t pid);
/* Finds or makes, with no flag set; NULL when there are too many. */
struct pg_member *pg_member_need(struct pg *pg, const uint8_t *name, uint32_t name_size,
				 uint32_t node, uint32_t pid);
void pg_member_set_view(struct pg *pg, struct pg_member *member, bool in_view);
/* Frees a member without flags, and its group with the last one. */
void pg_member_settle(struct pg *pg, struct pg_member *member);

/* client.c */
const char *pg_client_state_name(enum pg_client_state state);
/* Own messages coming back in their place of the order. NULL, or why there is no such process. */
const char *pg_own_join(struct pg *pg, const struct pg_msg *msg, struct pg_process **out);
const char *pg_own_leave(struct pg *pg, const struct pg_msg *msg, struct pg_process **out);
/* After the leave has been told: the process is no more, its client is unjoined. */
void pg_own_gone(struct pg *pg, struct pg_process *process);
void pg_own_initial_totem(struct pg *pg, struct pg_process *process);
void pg_queue_flush(struct pg *pg);

/* sync.c */
const char *pg_sync_part(struct pg *pg, uint32_t origin, struct pg_msg *msg);

/* fanout.c */
void pg_begin(struct pg *pg);
uint8_t *pg_meta_room(struct pg *pg, uint32_t size);
void pg_submit(struct pg *pg, enum frame_guarantee guarantee, uint32_t meta_size,
	       const struct pg_payload *payload);
uint32_t pg_receivers(const struct pg_group *group);
struct cpg_address *pg_list_begin(struct pg *pg);
void pg_list_add(struct pg *pg, const struct pg_member *member, cpg_reason_t reason);
uint32_t pg_list_end(const struct pg *pg, const struct cpg_address *list);
/* One list is what changed, the other is empty; members are those in the view now. */
void pg_fan_confchg(struct pg *pg, struct pg_group *group, const struct cpg_address *left,
		    uint32_t left_count, const struct cpg_address *joined, uint32_t joined_count);
void pg_fan_message(struct pg *pg, const struct pg_member *sender,
		    const struct pg_payload *payload);
void pg_fan_totem(struct pg *pg, uint32_t client);

/* Capacities that no call can exceed; pg.c has the sums. */
uint32_t pg_processes_max(const struct pg_limits *limits);
uint32_t pg_members_pool_max(const struct pg_limits *limits);
uint32_t pg_sync_parts_max(const struct pg_limits *limits);
uint32_t pg_stale_actions(const struct pg_limits *limits);
uint32_t pg_stale_addresses(const struct pg_limits *limits);

#endif
