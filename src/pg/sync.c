/* SPDX-License-Identifier: BSD-3-Clause */
/* From one view to the next: announcing the local processes after each configuration change,
 * collecting the announcements of all members, and activating the view when the last one has
 * come.
 *
 * What is announced counts for exactly one ring id and is forgotten with it. The new view is
 * compared with the last activated one, however many configurations lie between, through
 * `alive`: a node that was not with us all the way is reported as gone, and then as come if it
 * is here again. */
#include "pg/pg_int.h"

#include <string.h>

#include "base/check.h"

static struct pg_group *group_at(struct list *node)
{
	return list_entry(node, struct pg_group, all);
}

static struct pg_member *member_at(struct list *node)
{
	return list_entry(node, struct pg_member, in_group);
}

static void forget_announced(struct pg *pg)
{
	list_for_each_safe(it, after, &pg->groups)
	{
		struct pg_group *group = group_at(it);

		list_for_each_safe(m, next, &group->members)
		{
			struct pg_member *member = member_at(m);

			member->flags &= PG_IN_VIEW;
			pg_member_settle(pg, member);
		}
	}
	memset(pg->announcement, 0, sizeof(pg->announcement));
	pg->announced = 0;
}

static void submit_part(struct pg *pg, struct pg_sync_part *part, bool last)
{
	pg_submit(pg, FRAME_AGREED, pg_sync_part_end(part, last), NULL);
}

/* Announces what has been delivered: a join that is still under way follows by itself, in its
 * place. */
static void announce(struct pg *pg)
{
	struct pg_sync_part part;
	uint32_t number = 0;

	pg_sync_part_begin(&part, pg->ring, number, pg_meta_room(pg, FRAME_META_MAX));
	list_for_each(it, &pg->processes) {
		const struct pg_process *p = list_entry(it, struct pg_process, all);

		if (!p->joined || pg_sync_part_add(&part, p->pid, &p->group->name)) {
			continue;
		}
		submit_part(pg, &part, false);
		number++;
		pg_sync_part_begin(&part, pg->ring, number, pg_meta_room(pg, FRAME_META_MAX));
		pg_sync_part_add(&part, p->pid, &p->group->name);
	}
	submit_part(pg, &part, true);
}

void pg_transitional(struct pg *pg, const struct nodeset *members)
{
	pg_begin(pg);
	pg->together = pg->transitional ? nodeset_intersect(&pg->together, members) : *members;
	pg->transitional = true;
}

/* Who is still with us. Without a transitional configuration nobody is known to be. */
static void narrow_alive(struct pg *pg, const struct nodeset *members)
{
	struct nodeset together = {0};

	if (pg->transitional) {
		together = nodeset_intersect(&pg->together, members);
	}
	nodeset_add(&together, pg->node);
	pg->alive = nodeset_intersect(&pg->alive, &together);
}

void pg_regular(struct pg *pg, struct ringid ring, const struct nodeset *members)
{
	pg_begin(pg);
	check(nodeset_has(members, pg->node));
	narrow_alive(pg, members);
	forget_announced(pg);
	pg->ring = ring;
	pg->ring_members = *members;
	pg->transitional = false;
	pg->activated = false;
	announce(pg);
}

enum change {
	CHANGE_DEPARTED,
	CHANGE_ARRIVED,
	CHANGE_STALE
};

static const cpg_reason_t change_reason[] = {
	[CHANGE_DEPARTED] = CPG_REASON_NODEDOWN,
	[CHANGE_ARRIVED] = CPG_REASON_NODEUP,
	[CHANGE_STALE] = CPG_REASON_PROCDOWN,
};

static bool concerns(const struct pg *pg, const struct pg_member *m, enum change change)
{
	bool in_view = m->flags & PG_IN_VIEW;
	bool announced = m->flags & PG_ANNOUNCED;

	switch (change) {
	case CHANGE_DEPARTED:
		return in_view && !nodeset_has(&pg->alive, m->node);
	case CHANGE_ARRIVED:
		return announced && !in_view;
	case CHANGE_STALE:
		return in_view && !announced && m->node != pg->node;
	}
	return false;
}

/* Room to tell the loss of stale members one by one; when it is used up the rest is told at
 * once. */
struct spare {
	uint32_t actions;
	uint32_t addresses;
};

static bool spare_take(struct spare *spare, uint32_t actions, uint32_t addresses)
{
	if (spare->actions < actions || spare->addresses < addresses) {
		return false;
	}
	spare->actions -= actions;
	spare->addresses -= addresses;
	return true;
}

static void tell(struct pg *pg, struct pg_group *group, enum change change,
		 const struct cpg_address *list)
{
	uint32_t count = pg_list_end(pg, list);

	if (change == CHANGE_ARRIVED) {
		pg_fan_confchg(pg, group, NULL, 0, list, count);
	} else {
		pg_fan_confchg(pg, group, list, count, NULL, 0);
	}
}

static void change_group(struct pg *pg, struct pg_group *group, enum change change,
			 struct spare *spare)
{
	uint32_t receivers = pg_receivers(group);
	const struct cpg_address *list = pg_list_begin(pg);

	pg_group_sort(group);
	list_for_each(it, &group->members) {
		struct pg_member *m = member_at(it);

		if (!concerns(pg, m, change)) {
			continue;
		}
		pg_member_set_view(pg, m, change == CHANGE_ARRIVED);
		if (receivers == 0) {
			continue;
		}
		pg_list_add(pg, m, change_reason[change]);
		if (change == CHANGE_STALE && spare_take(spare, receivers, group->in_view + 1)) {
			tell(pg, group, change, list);
			list = pg_list_begin(pg);
		}
	}
	if (pg_list_end(pg, list) > 0) {
		tell(pg, group, change, list);
	}
}

static void change_groups(struct pg *pg, enum change change)
{
	struct spare spare = {
		.actions = pg_stale_actions(&pg->limits),
		.addresses = pg_stale_addresses(&pg->limits),
	};

	list_for_each(it, &pg->groups) {
		change_group(pg, group_at(it), change, &spare);
	}
}

static void tell_totem(struct pg *pg)
{
	for (uint32_t i = 0; i < pg->limits.clients_max; i++) {
		if (pg->clients[i].open) {
			pg_fan_totem(pg, i);
		}
	}
}

static void activate(struct pg *pg)
{
	check(!pg->activated && nodeset_subset(&pg->alive, &pg->ring_members));
	change_groups(pg, CHANGE_DEPARTED);
	change_groups(pg, CHANGE_ARRIVED);
	change_groups(pg, CHANGE_STALE);
	forget_announced(pg);
	pg->view_ring = pg->ring;
	pg->view_members = pg->ring_members;
	pg->alive = pg->ring_members;
	pg->activated = true;
	tell_totem(pg);
	if (pg_active(pg)) {
		pg_queue_flush(pg);
	}
}

/* Own processes need no announcement: this node knows them. */
static const char *note_entries(struct pg *pg, uint32_t origin, struct pg_msg *msg)
{
	struct pg_msg_entry entry;
	const char *reason = NULL;

	while (origin != pg->node && pg_msg_sync_next(msg, &entry)) {
		struct pg_member *m =
			pg_member_need(pg, entry.name, entry.name_size, origin, entry.pid);

		if (!m) {
			reason = "no room for all processes of a sync message";
		} else if (!(m->flags & PG_GONE)) {
			m->flags |= PG_ANNOUNCED;
		}
	}
	return reason;
}

const char *pg_sync_part(struct pg *pg, uint32_t origin, struct pg_msg *msg)
{
	int index = nodeset_index(&pg->ring_members, origin);
	struct pg_announcement *announcement;
	const char *reason;

	if (!ringid_equal(msg->ring, pg->ring)) {
		return "sync message of another ring";
	}
	check(index >= 0);
	announcement = &pg->announcement[index];
	if (pg->activated || announcement->complete || msg->part != announcement->next_part) {
		return "sync message out of turn";
	}
	reason = note_entries(pg, origin, msg);
	announcement->next_part++;
	if (msg->last) {
		announcement->complete = true;
		pg->announced++;
		check(pg->announced <= pg->ring_members.count);
	}
	if (pg->announced == pg->ring_members.count) {
		activate(pg);
	}
	return reason;
}

struct nodeset pg_waiting(const struct pg *pg)
{
	struct nodeset waiting = {0};

	for (uint32_t i = 0; !pg->activated && i < pg->ring_members.count; i++) {
		if (!pg->announcement[i].complete) {
			nodeset_add(&waiting, pg->ring_members.id[i]);
		}
	}
	return waiting;
}
