/* SPDX-License-Identifier: BSD-3-Clause */
/* Process groups on the ring: who is in which group, what each local client gets to see and in
 * which order.
 *
 * A function without I/O, like the ring: every call takes an event and appends actions to the
 * update, which the driver carries out in order. No clock, no allocation after pg_new.
 * Semantics: corosync's closed process groups (cpg_overview(3)); docs/groups.md.
 *
 * After a configuration change each member multicasts its local processes (sync). When those of
 * all members have been delivered, at the same place of the order everywhere, the new view is
 * activated: node-down, node-up and totem callbacks go out, and application traffic resumes.
 * Until then nothing of the clients' is submitted (pg_active).
 *
 * The driver owes this: what SUBMIT asks for is multicast sooner or later, and what one node
 * submits is ordered as it was submitted. */
#ifndef CORONET_PG_H
#define CORONET_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <corosync/cpg.h>

#include "base/nodeset.h"
#include "base/ringid.h"
#include "wire/frame.h"

struct pg;
struct body;

#define PG_CLIENTS_MAX 1024  /* connections of this node */
#define PG_MEMBERS_MAX 65536 /* processes in groups, all nodes together */

/* Where the bytes of a message are; passed through untouched. */
struct pg_payload {
	struct body *body; /* NULL for an empty payload */
	uint32_t region;
	uint64_t offset;
	uint64_t size;
};

enum pg_action_kind {
	PG_ACT_SUBMIT,	/* guarantee, meta, meta_size, payload: multicast this on the ring */
	PG_ACT_DELIVER, /* client, group, node, pid, payload */
	PG_ACT_CONFCHG, /* client, group, lists */
	PG_ACT_TOTEM,	/* client, ring, ring_members */
};
#define PG_ACTION_KINDS 4

/* Pointers are borrowed until the next call into pg. */
struct pg_action {
	enum pg_action_kind kind;
	uint32_t client;
	enum frame_guarantee guarantee;
	const uint8_t *meta;
	uint32_t meta_size;
	struct pg_payload payload;
	const struct cpg_name *group;
	uint32_t node;
	uint32_t pid;
	const struct cpg_address *members, *left, *joined;
	uint32_t members_count, left_count, joined_count;
	struct ringid ring;
	const struct nodeset *ring_members;
};

struct pg_update {
	struct pg_action *actions;
	uint32_t count;
	uint32_t capacity;
};

struct pg_limits {
	uint32_t clients_max; /* <= PG_CLIENTS_MAX */
	uint32_t members_max; /* <= PG_MEMBERS_MAX */
};

/* Bytes that the meta of a message to `group` takes in a frame: lets the driver compute what
 * fits. */
#define PG_META_MAX (16 + GROUP_NAME_MAX)

int pg_new(uint32_t node, const struct pg_limits *limits, struct pg **out);
void pg_free(struct pg **pg);

/* All of these empty the update first; what they return is valid until the next call. */
const struct pg_update *pg_update(const struct pg *pg);

/* Client requests. `client` is the driver's small number, < clients_max. All clients get a
 * totem event at each activation; initial_totem_event asks for one more, right after the
 * client's own first join confchg. -EINVAL: no such number; -EEXIST: it is open. */
int pg_client_open(struct pg *pg, uint32_t client, bool initial_totem_event);
/* The connection ended: leaves with PROCDOWN if joined. The number may be reused at once:
 * nothing of the old client reaches the new one. */
void pg_client_close(struct pg *pg, uint32_t client);
/* Accepted at any time; during sync the request waits inside and is submitted at the next
 * activation. CS_ERR_EXIST: joined or joining already, or another client of this node is with
 * the same pid. CS_ERR_TRY_AGAIN: the previous membership of this client, or of this pid in the
 * group, is not yet removed. CS_ERR_NAME_TOO_LONG; CS_ERR_NO_RESOURCES: members_max processes
 * are in groups; CS_ERR_BAD_HANDLE: no such client (also from the calls below). Bytes of the
 * name after its length do not matter. */
cs_error_t pg_join(struct pg *pg, uint32_t client, uint32_t pid, const struct cpg_name *group);
/* As pg_join. While the join is still under way the leave queues up behind it.
 * CS_ERR_NOT_EXIST: not joined, or leaving already. After its own leave confchg the client may
 * join again. */
cs_error_t pg_leave(struct pg *pg, uint32_t client);
/* CS_ERR_NOT_EXIST unless joined or joining; CS_ERR_TRY_AGAIN while !pg_active. On CS_OK a
 * SUBMIT action is in the update. */
cs_error_t pg_mcast(struct pg *pg, uint32_t client, enum frame_guarantee guarantee,
		    const struct pg_payload *payload);

/* From the ring, in its order: messages of a ring up to and with its transitional configuration
 * come before pg_regular of the next. `members` of pg_transitional are those that come along. */
void pg_transitional(struct pg *pg, const struct nodeset *members);
void pg_regular(struct pg *pg, struct ringid ring, const struct nodeset *members);
/* One entry of a frame of node `origin`, delivered under configuration `ring`. Returns NULL, or
 * the reason for dropping it as a constant string. */
const char *pg_message(struct pg *pg, uint32_t origin, struct ringid ring, const uint8_t *meta,
		       size_t meta_size, const struct pg_payload *payload);
/* An UNORDERED entry that arrived ahead of its place. True: it was delivered, do not call
 * pg_message for it later. */
bool pg_message_early(struct pg *pg, uint32_t origin, struct ringid ring, const uint8_t *meta,
		      size_t meta_size, const struct pg_payload *payload);

/* True when application messages may be submitted; false during sync. */
bool pg_active(const struct pg *pg);
/* Members of the ring whose sync is not complete; empty when the view is activated. For logs. */
struct nodeset pg_waiting(const struct pg *pg);

/* Snapshots of the delivered view. Return the true number of entries; copy at most max, ascending
 * (node, pid); reason is 0. */
uint32_t pg_members(const struct pg *pg, const struct cpg_name *group, struct cpg_address *out,
		    uint32_t max);
/* Every (group, node, pid), ordered by group (first seen first), then node, then pid. */
uint32_t pg_iterate(const struct pg *pg, struct cpg_iteration_description_t *out, uint32_t max);

#endif
