/* SPDX-License-Identifier: BSD-3-Clause */
/* Filling the update: which local clients get what. Lists are built once per group event and
 * shared by the actions of all its receivers; they and all other bytes live until the next
 * call. */
#include "pg/pg_int.h"

#include "base/check.h"

void pg_begin(struct pg *pg)
{
	pg->update.count = 0;
	pg->addresses_used = 0;
	pg->bytes_used = 0;
	pg_group_reap(pg);
}

_Static_assert(PG_META_MAX >= PG_MSG_HEADER_SIZE + GROUP_NAME_MAX, "the longest name fits");

static struct pg_action *add_action(struct pg *pg, enum pg_action_kind kind, uint32_t client)
{
	struct pg_action *action = &pg->update.actions[pg->update.count];

	check(pg->update.count < pg->update.capacity);
	pg->update.count++;
	*action = (struct pg_action){.kind = kind, .client = client};
	return action;
}

/* Where the next message to submit is written; pg_submit takes as much of it as was used. */
uint8_t *pg_meta_room(struct pg *pg, uint32_t size)
{
	check(pg->bytes_capacity - pg->bytes_used >= size);
	return pg->bytes + pg->bytes_used;
}

void pg_submit(struct pg *pg, enum frame_guarantee guarantee, uint32_t meta_size,
	       const struct pg_payload *payload)
{
	struct pg_action *action = add_action(pg, PG_ACT_SUBMIT, PG_NO_CLIENT);

	check(meta_size <= pg->bytes_capacity - pg->bytes_used);
	action->guarantee = guarantee;
	action->meta = pg->bytes + pg->bytes_used;
	action->meta_size = meta_size;
	pg->bytes_used += meta_size;
	if (payload) {
		action->payload = *payload;
	}
}

static bool receives(const struct pg_process *process)
{
	return process->joined && process->client != PG_NO_CLIENT;
}

uint32_t pg_receivers(const struct pg_group *group)
{
	uint32_t count = 0;

	list_for_each(it, &group->processes) {
		count += receives(list_entry(it, struct pg_process, in_group));
	}
	return count;
}

struct cpg_address *pg_list_begin(struct pg *pg)
{
	return pg->addresses + pg->addresses_used;
}

void pg_list_add(struct pg *pg, const struct pg_member *member, cpg_reason_t reason)
{
	check(pg->addresses_used < pg->addresses_capacity);
	pg->addresses[pg->addresses_used] = (struct cpg_address){
		.nodeid = member->node,
		.pid = member->pid,
		.reason = reason,
	};
	pg->addresses_used++;
}

uint32_t pg_list_end(const struct pg *pg, const struct cpg_address *list)
{
	return (uint32_t)(pg->addresses + pg->addresses_used - list);
}

static void list_members(struct pg *pg, struct pg_group *group)
{
	pg_group_sort(group);
	list_for_each(it, &group->members) {
		const struct pg_member *m = list_entry(it, struct pg_member, in_group);

		if (m->flags & PG_IN_VIEW) {
			pg_list_add(pg, m, CPG_REASON_UNDEFINED);
		}
	}
}

void pg_fan_confchg(struct pg *pg, struct pg_group *group, const struct cpg_address *left,
		    uint32_t left_count, const struct cpg_address *joined, uint32_t joined_count)
{
	const struct cpg_address *members = pg_list_begin(pg);

	list_members(pg, group);
	check(pg_list_end(pg, members) == group->in_view);
	list_for_each(it, &group->processes) {
		const struct pg_process *p = list_entry(it, struct pg_process, in_group);
		struct pg_action *action;

		if (!receives(p)) {
			continue;
		}
		action = add_action(pg, PG_ACT_CONFCHG, p->client);
		action->group = &group->name;
		action->members = members;
		action->members_count = group->in_view;
		action->left = left;
		action->left_count = left_count;
		action->joined = joined;
		action->joined_count = joined_count;
	}
}

void pg_fan_message(struct pg *pg, const struct pg_member *sender, const struct pg_payload *payload)
{
	list_for_each(it, &sender->group->processes) {
		const struct pg_process *p = list_entry(it, struct pg_process, in_group);
		struct pg_action *action;

		if (!receives(p)) {
			continue;
		}
		action = add_action(pg, PG_ACT_DELIVER, p->client);
		action->group = &sender->group->name;
		action->node = sender->node;
		action->pid = sender->pid;
		if (payload) {
			action->payload = *payload;
		}
	}
}

void pg_fan_totem(struct pg *pg, uint32_t client)
{
	struct pg_action *action = add_action(pg, PG_ACT_TOTEM, client);

	action->ring = pg->view_ring;
	action->ring_members = &pg->view_members;
}
