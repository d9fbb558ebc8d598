/* SPDX-License-Identifier: BSD-3-Clause */
/* The groups: construction with all its sums, and the messages that come in the ring's order. */
#include "pg/pg.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "pg/pg_int.h"

/* Processes of this node: one for each client, and as many whose clients are gone and whose
 * leaves are still under way. */
uint32_t pg_processes_max(const struct pg_limits *limits)
{
	return 2 * limits->clients_max;
}

/* Members in the pool: the view, as many that are only announced or only left, and own ones. */
uint32_t pg_members_pool_max(const struct pg_limits *limits)
{
	return 2 * limits->members_max + pg_processes_max(limits);
}

/* A group exists for a member or for a process whose join is under way. */
static uint32_t groups_max(const struct pg_limits *limits)
{
	return pg_members_pool_max(limits) + pg_processes_max(limits);
}

uint32_t pg_sync_parts_max(const struct pg_limits *limits)
{
	uint32_t per_part = (FRAME_META_MAX - PG_SYNC_HEADER_SIZE) / PG_SYNC_ENTRY_MAX;

	return pg_processes_max(limits) / per_part + 1;
}

uint32_t pg_stale_actions(const struct pg_limits *limits)
{
	return 2 * limits->clients_max;
}

uint32_t pg_stale_addresses(const struct pg_limits *limits)
{
	return pg_members_pool_max(limits);
}

/* The calls that add most are pg_regular and the message that activates a view; this is both
 * together. A client is in one group at most, so one event of every group makes at most
 * clients_max actions. */
static uint32_t actions_max(const struct pg_limits *limits)
{
	return pg_sync_parts_max(limits)       /* pg_regular: submit */
	       + limits->clients_max	       /* departed */
	       + limits->clients_max	       /* arrived */
	       + limits->clients_max	       /* stale, told at once */
	       + pg_stale_actions(limits)      /* stale, told one by one */
	       + limits->clients_max	       /* totem; also the initial one after an own join */
	       + 2 * pg_processes_max(limits); /* queued joins and leaves */
}

static uint32_t addresses_max(const struct pg_limits *limits)
{
	uint32_t members = pg_members_pool_max(limits);

	return members	     /* departed: those that left, and those that are still members */
	       + 2 * members /* arrived: joined lists, and in the member lists again */
	       + members     /* stale, told at once; one leave; with one more: one join */
	       + pg_stale_addresses(limits); /* stale, told one by one */
}

static uint32_t bytes_max(const struct pg_limits *limits)
{
	return pg_sync_parts_max(limits) * FRAME_META_MAX   /* pg_regular */
	       + 2 * pg_processes_max(limits) * PG_META_MAX /* queued joins and leaves */
	       + PG_META_MAX; /* room that is asked for and not used up */
}

static uint32_t buckets_for(uint32_t items)
{
	uint32_t buckets = 16;

	while (buckets < items) {
		buckets *= 2;
	}
	return buckets;
}

static int make_tables(struct pg *pg)
{
	uint32_t group_buckets = buckets_for(groups_max(&pg->limits));
	uint32_t member_buckets = buckets_for(pg_members_pool_max(&pg->limits));

	pg->group_mask = group_buckets - 1;
	pg->member_mask = member_buckets - 1;
	pg->group_buckets = calloc(group_buckets, sizeof(struct pg_group *));
	pg->member_buckets = calloc(member_buckets, sizeof(struct pg_member *));
	pg->clients = calloc(pg->limits.clients_max, sizeof(*pg->clients));
	if (!pg->group_buckets || !pg->member_buckets || !pg->clients) {
		return -ENOMEM;
	}
	if (pg_pool_init(&pg->group_pool, sizeof(struct pg_group), groups_max(&pg->limits)) ||
	    pg_pool_init(&pg->member_pool, sizeof(struct pg_member),
			 pg_members_pool_max(&pg->limits))) {
		return -ENOMEM;
	}
	return pg_pool_init(&pg->process_pool, sizeof(struct pg_process),
			    pg_processes_max(&pg->limits));
}

static int make_update(struct pg *pg)
{
	pg->update.capacity = actions_max(&pg->limits);
	pg->addresses_capacity = addresses_max(&pg->limits);
	pg->bytes_capacity = bytes_max(&pg->limits);
	pg->update.actions = calloc(pg->update.capacity, sizeof(struct pg_action));
	pg->addresses = calloc(pg->addresses_capacity, sizeof(struct cpg_address));
	pg->bytes = calloc(pg->bytes_capacity, 1);
	return pg->update.actions && pg->addresses && pg->bytes ? 0 : -ENOMEM;
}

int pg_new(uint32_t node, const struct pg_limits *limits, struct pg **out)
{
	struct pg *pg;

	if (limits->clients_max == 0 || limits->clients_max > PG_CLIENTS_MAX ||
	    limits->members_max == 0 || limits->members_max > PG_MEMBERS_MAX) {
		return -EINVAL;
	}
	pg = calloc(1, sizeof(*pg));
	if (!pg) {
		return -ENOMEM;
	}
	pg->node = node;
	pg->limits = *limits;
	list_init(&pg->groups);
	list_init(&pg->empty);
	list_init(&pg->processes);
	list_init(&pg->queue);
	if (make_tables(pg) || make_update(pg)) {
		pg_free(&pg);
		return -ENOMEM;
	}
	*out = pg;
	return 0;
}

void pg_free(struct pg **pg)
{
	struct pg *p = *pg;

	*pg = NULL;
	if (!p) {
		return;
	}
	pg_pool_fini(&p->group_pool);
	pg_pool_fini(&p->member_pool);
	pg_pool_fini(&p->process_pool);
	free(p->group_buckets);
	free(p->member_buckets);
	free(p->clients);
	free(p->update.actions);
	free(p->addresses);
	free(p->bytes);
	free(p);
}

const struct pg_update *pg_update(const struct pg *pg)
{
	return &pg->update;
}

bool pg_active(const struct pg *pg)
{
	return pg->activated && !pg->transitional;
}

static const char *take_join(struct pg *pg, uint32_t origin, const struct pg_msg *msg)
{
	struct pg_process *process = NULL;
	const struct cpg_address *joined;
	struct pg_member *m;
	const char *reason;

	reason = origin == pg->node ? pg_own_join(pg, msg, &process) : NULL;
	if (reason) {
		return reason;
	}
	m = pg_member_need(pg, msg->name, msg->name_size, origin, msg->pid);
	if (!m) {
		return "no room for the process that joins";
	}
	if (!pg->activated && origin != pg->node) {
		m->flags = (m->flags & ~(uint32_t)PG_GONE) | PG_ANNOUNCED;
	}
	if (!nodeset_has(&pg->alive, origin)) {
		return NULL; /* the next activation tells it */
	}
	if (m->flags & PG_IN_VIEW) {
		return "process has joined before";
	}
	pg_member_set_view(pg, m, true);
	if (pg_receivers(m->group) > 0) {
		joined = pg_list_begin(pg);
		pg_list_add(pg, m, CPG_REASON_JOIN);
		pg_fan_confchg(pg, m->group, NULL, 0, joined, 1);
	}
	if (process) {
		pg_own_initial_totem(pg, process);
	}
	return NULL;
}

/* Before its node's sync has come, a leave must be remembered, or the sync would bring the
 * process back. */
static struct pg_member *leaving_member(struct pg *pg, uint32_t origin, const struct pg_msg *msg)
{
	const struct pg_group *group;
	struct pg_member *m;

	if (pg->activated || origin == pg->node) {
		group = pg_group_find(pg, msg->name, msg->name_size);
		return group ? pg_member_find(pg, group, origin, msg->pid) : NULL;
	}
	m = pg_member_need(pg, msg->name, msg->name_size, origin, msg->pid);
	if (m) {
		m->flags = (m->flags & ~(uint32_t)PG_ANNOUNCED) | PG_GONE;
	}
	return m;
}

static void tell_left(struct pg *pg, struct pg_member *m, cpg_reason_t why)
{
	const struct cpg_address *left;

	pg_member_set_view(pg, m, false);
	if (pg_receivers(m->group) > 0) {
		left = pg_list_begin(pg);
		pg_list_add(pg, m, why);
		pg_fan_confchg(pg, m->group, left, 1, NULL, 0);
	}
}

static const char *take_leave(struct pg *pg, uint32_t origin, const struct pg_msg *msg)
{
	struct pg_process *process = NULL;
	const char *reason = NULL;
	struct pg_member *m;

	if (origin == pg->node) {
		reason = pg_own_leave(pg, msg, &process);
	}
	if (reason) {
		return reason;
	}
	m = leaving_member(pg, origin, msg);
	if (!m) {
		return "leave of a process that is not in the group";
	}
	if (nodeset_has(&pg->alive, origin)) {
		if (m->flags & PG_IN_VIEW) {
			tell_left(pg, m, msg->reason);
		} else {
			reason = "leave of a process that is not in the group";
		}
	}
	pg_member_settle(pg, m);
	if (process) {
		pg_own_gone(pg, process);
	}
	return reason;
}

/* The sender, if what it says counts in the view as it stands. */
static const char *find_sender(const struct pg *pg, uint32_t origin, const struct pg_msg *msg,
			       const struct pg_member **out)
{
	const struct pg_group *group = pg_group_find(pg, msg->name, msg->name_size);
	const struct pg_member *m = group ? pg_member_find(pg, group, origin, msg->pid) : NULL;

	if (!nodeset_has(&pg->alive, origin)) {
		return "message from a node that is not in the view yet";
	}
	if (!m || !(m->flags & PG_IN_VIEW)) {
		return "message from a process that is not in the group";
	}
	*out = m;
	return NULL;
}

static const char *take_mcast(struct pg *pg, uint32_t origin, const struct pg_msg *msg,
			      const struct pg_payload *payload)
{
	const struct pg_member *sender;
	const char *reason = find_sender(pg, origin, msg, &sender);

	if (!reason) {
		pg_fan_message(pg, sender, payload);
	}
	return reason;
}

const char *pg_message(struct pg *pg, uint32_t origin, struct ringid ring, const uint8_t *meta,
		       size_t meta_size, const struct pg_payload *payload)
{
	struct pg_msg msg;
	const char *reason;

	pg_begin(pg);
	(void)ring; /* whatever the ring delivers before the next pg_regular belongs to this one */
	reason = pg_msg_decode(meta, meta_size, &msg);
	if (reason) {
		return reason;
	}
	if (!nodeset_has(&pg->ring_members, origin)) {
		return "group message from a node outside of the ring";
	}
	if (msg.kind != PG_MSG_MCAST && payload && payload->size > 0) {
		return "payload in a group message that has none";
	}
	switch (msg.kind) {
	case PG_MSG_JOIN:
		return take_join(pg, origin, &msg);
	case PG_MSG_LEAVE:
		return take_leave(pg, origin, &msg);
	case PG_MSG_MCAST:
		return take_mcast(pg, origin, &msg, payload);
	case PG_MSG_SYNC:
		return pg_sync_part(pg, origin, &msg);
	}
	return "unknown kind of group message";
}

/* A process of ours about to join could have its join ordered before the message. */
static bool join_under_way(const struct pg_group *group)
{
	list_for_each(it, &group->processes) {
		if (!list_entry(it, struct pg_process, in_group)->joined) {
			return true;
		}
	}
	return false;
}

bool pg_message_early(struct pg *pg, uint32_t origin, struct ringid ring, const uint8_t *meta,
		      size_t meta_size, const struct pg_payload *payload)
{
	const struct pg_member *sender;
	struct pg_msg msg;

	pg_begin(pg);
	if (!pg_active(pg) || !ringid_equal(ring, pg->view_ring) ||
	    pg_msg_decode(meta, meta_size, &msg) || msg.kind != PG_MSG_MCAST ||
	    find_sender(pg, origin, &msg, &sender) || join_under_way(sender->group)) {
		return false;
	}
	pg_fan_message(pg, sender, payload);
	return pg->update.count > 0;
}
