/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots of the delivered view. Sorting a group's members changes nothing that anybody can
 * see, so it is done here too; the tables come from the heap and are never const. */
#include "pg/pg_int.h"

static struct pg_group *sorted(struct list *node)
{
	struct pg_group *group = list_entry(node, struct pg_group, all);

	pg_group_sort(group);
	return group;
}

uint32_t pg_members(const struct pg *pg, const struct cpg_name *group, struct cpg_address *out,
		    uint32_t max)
{
	struct pg_group *g = NULL;
	uint32_t count = 0;

	if (group->length <= GROUP_NAME_MAX) {
		g = pg_group_find(pg, group->value, group->length);
	}
	if (!g) {
		return 0;
	}
	pg_group_sort(g);
	list_for_each(it, &g->members) {
		const struct pg_member *m = list_entry(it, struct pg_member, in_group);

		if (!(m->flags & PG_IN_VIEW)) {
			continue;
		}
		if (count < max) {
			out[count] = (struct cpg_address){.nodeid = m->node, .pid = m->pid};
		}
		count++;
	}
	return count;
}

uint32_t pg_iterate(const struct pg *pg, struct cpg_iteration_description_t *out, uint32_t max)
{
	uint32_t count = 0;

	list_for_each(it, &pg->groups) {
		const struct pg_group *group = sorted(it);

		list_for_each(at, &group->members) {
			const struct pg_member *m = list_entry(at, struct pg_member, in_group);

			if (!(m->flags & PG_IN_VIEW)) {
				continue;
			}
			if (count < max) {
				out[count].group = group->name;
				out[count].nodeid = m->node;
				out[count].pid = m->pid;
			}
			count++;
		}
	}
	return count;
}
