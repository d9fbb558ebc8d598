/* SPDX-License-Identifier: BSD-3-Clause */
/* Feeding one pg by hand. */
#include "feed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct cpg_name feed_name(const char *group)
{
	struct cpg_name name = {.length = (uint32_t)strlen(group)};

	assert(name.length <= sizeof(name.value));
	memcpy(name.value, group, name.length);
	return name;
}

struct feed *feed_new(uint32_t clients_max, uint32_t members_max)
{
	struct pg_limits limits = {.clients_max = clients_max, .members_max = members_max};
	struct feed *f = calloc(1, sizeof(*f));
	int err;

	assert(f);
	err = pg_new(1, &limits, &f->pg);
	assert(err == 0);
	(void)err;
	return f;
}

void feed_free(struct feed *f)
{
	pg_free(&f->pg);
	free(f);
}

void feed_collect(struct feed *f)
{
	const struct pg_update *update = pg_update(f->pg);

	for (uint32_t i = 0; i < update->count; i++) {
		const struct pg_action *a = &update->actions[i];

		if (a->kind != PG_ACT_SUBMIT) {
			continue;
		}
		assert(f->own < FEED_OWN_MAX && a->meta_size <= FRAME_META_MAX);
		f->submitted[f->own].size = a->meta_size;
		memcpy(f->submitted[f->own].meta, a->meta, a->meta_size);
		f->own++;
	}
}

void feed_ring(struct feed *f, uint32_t nodes, uint32_t together)
{
	struct nodeset with = {0};

	f->members = (struct nodeset){0};
	for (uint32_t id = 1; id <= nodes; id++) {
		nodeset_add(&f->members, id);
		if (together >> id & 1) {
			nodeset_add(&with, id);
		}
	}
	pg_transitional(f->pg, &with);
	feed_collect(f);
	f->ring = (struct ringid){.rep = 1, .seq = f->ring.seq + 4};
	pg_regular(f->pg, f->ring, &f->members);
	feed_collect(f);
}

const char *feed_own(struct feed *f)
{
	uint8_t meta[FRAME_META_MAX];
	uint32_t size = f->submitted[0].size;
	const char *reason;

	assert(f->own > 0);
	memcpy(meta, f->submitted[0].meta, size);
	f->own--;
	memmove(&f->submitted[0], &f->submitted[1], f->own * sizeof(f->submitted[0]));
	reason = pg_message(f->pg, 1, f->ring, meta, size, NULL);
	feed_collect(f);
	return reason;
}

void feed_own_all(struct feed *f)
{
	while (f->own > 0) {
		feed_own(f);
	}
}

const char *feed_sync(struct feed *f, uint32_t origin, const struct feed_process *list,
		      uint32_t count)
{
	uint8_t bytes[FRAME_META_MAX];
	struct pg_sync_part part;
	const char *reason;

	pg_sync_part_begin(&part, f->ring, 0, bytes);
	for (uint32_t i = 0; i < count; i++) {
		struct cpg_name name = feed_name(list[i].group);
		bool fits = pg_sync_part_add(&part, list[i].pid, &name);

		assert(fits);
		(void)fits;
	}
	reason = pg_message(f->pg, origin, f->ring, bytes, pg_sync_part_end(&part, true), NULL);
	feed_collect(f);
	return reason;
}

const char *feed_message(struct feed *f, enum pg_msg_kind kind, uint32_t origin, uint32_t pid,
			 const char *group)
{
	struct cpg_name name = feed_name(group);
	uint8_t bytes[PG_META_MAX];
	cpg_reason_t why = kind == PG_MSG_LEAVE ? CPG_REASON_LEAVE : 0;
	uint32_t size = pg_msg_encode(kind, why, pid, &name, bytes);
	const char *reason = pg_message(f->pg, origin, f->ring, bytes, size, NULL);

	feed_collect(f);
	return reason;
}

void feed_activate(struct feed *f, uint32_t nodes)
{
	feed_ring(f, nodes, ~0u);
	for (uint32_t id = 2; id <= nodes; id++) {
		feed_sync(f, id, NULL, 0);
	}
	feed_own_all(f);
	assert(pg_active(f->pg));
}

cs_error_t feed_join(struct feed *f, uint32_t client, uint32_t pid, const char *group)
{
	struct cpg_name name = feed_name(group);
	cs_error_t answer = pg_join(f->pg, client, pid, &name);

	feed_collect(f);
	return answer;
}

uint32_t feed_count(const struct feed *f, enum pg_action_kind kind)
{
	uint32_t count = 0;

	while (feed_action(f, kind, count)) {
		count++;
	}
	return count;
}

const struct pg_action *feed_action(const struct feed *f, enum pg_action_kind kind, uint32_t index)
{
	const struct pg_update *update = pg_update(f->pg);

	for (uint32_t i = 0; i < update->count; i++) {
		if (update->actions[i].kind == kind && index-- == 0) {
			return &update->actions[i];
		}
	}
	return NULL;
}
