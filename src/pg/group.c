/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups by name and members by (group, node, pid): two hash tables over pools. */
#include "pg/pg_int.h"

#include <string.h>

#include "base/check.h"

static uint32_t hash_bytes(const uint8_t *bytes, uint32_t size)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (uint32_t i = 0; i < size; i++) {
		hash = (hash ^ bytes[i]) * 16777619u;
	}
	return hash;
}

/* Mixes all bits into the low ones, which choose the bucket (finalizer of MurmurHash3). */
static uint32_t hash_member(const struct pg_group *group, uint32_t node, uint32_t pid)
{
	uint32_t hash = group->hash ^ (node * 0x9e3779b1u) ^ (pid * 0x85ebca77u);

	hash = (hash ^ (hash >> 16)) * 0x85ebca6bu;
	hash = (hash ^ (hash >> 13)) * 0xc2b2ae35u;
	return hash ^ (hash >> 16);
}

static bool group_is(const struct pg_group *group, uint32_t hash, const void *name, uint32_t size)
{
	return group->hash == hash && group->name.length == size &&
	       memcmp(group->name.value, name, size) == 0;
}

struct pg_group *pg_group_find(const struct pg *pg, const void *name, uint32_t size)
{
	uint32_t hash = hash_bytes(name, size);
	struct pg_group *group = pg->group_buckets[hash & pg->group_mask];

	while (group && !group_is(group, hash, name, size)) {
		group = group->next;
	}
	return group;
}

struct pg_group *pg_group_need(struct pg *pg, const void *name, uint32_t size)
{
	struct pg_group *group = pg_group_find(pg, name, size);
	struct pg_group **bucket;

	if (group) {
		return group;
	}
	check(size <= GROUP_NAME_MAX);
	group = pg_pool_take(&pg->group_pool);
	check(group);
	group->name.length = size;
	memcpy(group->name.value, name, size);
	group->hash = hash_bytes(name, size);
	group->sorted = true;
	list_init(&group->members);
	list_init(&group->processes);
	list_append(&pg->groups, &group->all);
	bucket = &pg->group_buckets[group->hash & pg->group_mask];
	group->next = *bucket;
	*bucket = group;
	return group;
}

void pg_group_settle(struct pg *pg, struct pg_group *group)
{
	struct pg_group **at = &pg->group_buckets[group->hash & pg->group_mask];

	if (!list_empty(&group->members) || !list_empty(&group->processes)) {
		return;
	}
	check(group->in_view == 0);
	while (*at != group) {
		check(*at);
		at = &(*at)->next;
	}
	*at = group->next;
	list_remove(&group->all);
	list_append(&pg->empty, &group->all);
}

void pg_group_reap(struct pg *pg)
{
	while (!list_empty(&pg->empty)) {
		struct list *first = pg->empty.next;

		list_remove(first);
		pg_pool_give(&pg->group_pool, list_entry(first, struct pg_group, all));
	}
}

static const struct pg_member *member_at(const struct list *node)
{
	return list_entry(node, const struct pg_member, in_group);
}

static bool member_before(const struct list *a, const struct list *b)
{
	const struct pg_member *left = member_at(a);
	const struct pg_member *right = member_at(b);

	return left->node != right->node ? left->node < right->node : left->pid < right->pid;
}

/* Moves the ascending run that starts at the list's head to the end of `run`. */
static void cut_run(struct list *from, struct list *run)
{
	list_init(run);
	while (!list_empty(from)) {
		struct list *first = from->next;

		if (!list_empty(run) && member_before(first, run->prev)) {
			break;
		}
		list_remove(first);
		list_append(run, first);
	}
}

static void merge_runs(struct list *a, struct list *b, struct list *out)
{
	while (!list_empty(a) || !list_empty(b)) {
		struct list *from = a;
		struct list *first;

		if (list_empty(a) || (!list_empty(b) && member_before(b->next, a->next))) {
			from = b;
		}
		first = from->next;
		list_remove(first);
		list_append(out, first);
	}
}

static void move_all(struct list *from, struct list *to)
{
	while (!list_empty(from)) {
		struct list *first = from->next;

		list_remove(first);
		list_append(to, first);
	}
}

/* Natural merge sort: one pass over a list that is nearly sorted, as after one join, and no
 * memory. */
void pg_group_sort(struct pg_group *group)
{
	while (!group->sorted) {
		struct list out;
		struct list a;
		struct list b;
		uint32_t merges = 0;

		list_init(&out);
		while (!list_empty(&group->members)) {
			cut_run(&group->members, &a);
			cut_run(&group->members, &b);
			merge_runs(&a, &b, &out);
			merges++;
		}
		move_all(&out, &group->members);
		group->sorted = merges <= 1;
	}
}

struct pg_member *pg_member_find(const struct pg *pg, const struct pg_group *group, uint32_t node,
				 uint32_t pid)
{
	struct pg_member *m;

	m = pg->member_buckets[hash_member(group, node, pid) & pg->member_mask];
	while (m && !(m->group == group && m->node == node && m->pid == pid)) {
		m = m->next;
	}
	return m;
}

static void member_attach(struct pg *pg, struct pg_member *member)
{
	struct pg_group *group = member->group;
	uint32_t hash = hash_member(group, member->node, member->pid);
	struct pg_member **bucket = &pg->member_buckets[hash & pg->member_mask];

	member->next = *bucket;
	*bucket = member;
	if (!list_empty(&group->members) && member_before(&member->in_group, group->members.prev)) {
		group->sorted = false;
	}
	list_append(&group->members, &member->in_group);
}

/* Own members have their processes' share of the pool for themselves, so that an own join
 * always fits. */
static bool room_for(const struct pg *pg, uint32_t node)
{
	uint32_t own = pg_processes_max(&pg->limits);

	return node == pg->node || pg->remote_members < pg->member_pool.capacity - own;
}

struct pg_member *pg_member_need(struct pg *pg, const uint8_t *name, uint32_t name_size,
				 uint32_t node, uint32_t pid)
{
	struct pg_group *group = pg_group_find(pg, name, name_size);
	struct pg_member *member = group ? pg_member_find(pg, group, node, pid) : NULL;

	if (member) {
		return member;
	}
	if (!room_for(pg, node)) {
		return NULL;
	}
	member = pg_pool_take(&pg->member_pool);
	check(member);
	member->group = group ? group : pg_group_need(pg, name, name_size);
	member->node = node;
	member->pid = pid;
	pg->remote_members += node != pg->node;
	member_attach(pg, member);
	return member;
}

void pg_member_set_view(struct pg *pg, struct pg_member *member, bool in_view)
{
	bool was = member->flags & PG_IN_VIEW;

	if (in_view && !was) {
		member->flags |= PG_IN_VIEW;
		member->group->in_view++;
		pg->in_view++;
	} else if (!in_view && was) {
		check(member->group->in_view > 0 && pg->in_view > 0);
		member->flags &= ~(uint32_t)PG_IN_VIEW;
		member->group->in_view--;
		pg->in_view--;
	}
}

void pg_member_settle(struct pg *pg, struct pg_member *member)
{
	struct pg_group *group = member->group;
	uint32_t hash = hash_member(group, member->node, member->pid);
	struct pg_member **at = &pg->member_buckets[hash & pg->member_mask];

	if (member->flags != 0) {
		return;
	}
	while (*at != member) {
		check(*at);
		at = &(*at)->next;
	}
	*at = member->next;
	list_remove(&member->in_group);
	check(member->node == pg->node || pg->remote_members > 0);
	pg->remote_members -= member->node != pg->node;
	pg_pool_give(&pg->member_pool, member);
	pg_group_settle(pg, group);
}
