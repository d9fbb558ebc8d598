/* SPDX-License-Identifier: BSD-3-Clause */
/* The toy ring. Everything is decided by the seed. */
#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg/msg.h"

uint32_t world_random(struct world *w, uint32_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (uint32_t)((w->random >> 32) % below);
}

static void fifo_push(struct world_fifo *fifo, const struct world_entry *entry)
{
	if (fifo->count == fifo->capacity) {
		fifo->capacity = fifo->capacity ? 2 * fifo->capacity : 8;
		fifo->at = realloc(fifo->at, fifo->capacity * sizeof(*fifo->at));
		assert(fifo->at);
	}
	fifo->at[fifo->count] = *entry;
	fifo->count++;
}

static void fifo_remove(struct world_fifo *fifo, uint32_t index)
{
	fifo->count--;
	memmove(fifo->at + index, fifo->at + index + 1, (fifo->count - index) * sizeof(*fifo->at));
}

static void fifo_clear(struct world_fifo *fifo)
{
	free(fifo->at);
	*fifo = (struct world_fifo){0};
}

static void node_start(struct world *w, struct world_node *node)
{
	int err = pg_new(node->id, &w->limits, &node->pg);

	assert(err == 0);
	(void)err;
	node->up = true;
	node->ring = NULL;
	node->delivered = 0;
	node->early = 0;
	node->transitional = false;
	node->lineage = 0;
}

void world_init(struct world *w, uint32_t nodes, const struct pg_limits *limits, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->count = nodes;
	w->limits = *limits;
	w->random = seed * 0x9e3779b97f4a7c15u + 1;
	for (uint32_t i = 0; i < nodes; i++) {
		w->node[i].id = i + 1;
		node_start(w, &w->node[i]);
	}
}

void world_fini(struct world *w)
{
	for (uint32_t i = 0; i < w->count; i++) {
		pg_free(&w->node[i].pg);
		fifo_clear(&w->node[i].backlog);
	}
	for (uint32_t i = 0; i < w->rings_count; i++) {
		fifo_clear(&w->rings[i]->log);
		free(w->rings[i]);
	}
}

static void put(struct world_node *node, const char *text)
{
	size_t used = strlen(node->text);

	snprintf(node->text + used, sizeof(node->text) - used, "%s", text);
}

static void put_list(struct world_node *node, const char *what, const struct cpg_address *list,
		     uint32_t count)
{
	char text[64];

	snprintf(text, sizeof(text), " %s=[", what);
	put(node, text);
	for (uint32_t i = 0; i < count; i++) {
		snprintf(text, sizeof(text), list[i].reason ? "%s%u:%u r%u" : "%s%u:%u",
			 i ? " " : "", list[i].nodeid, list[i].pid, list[i].reason);
		put(node, text);
	}
	put(node, "]");
}

static void put_action(struct world_node *node, const struct pg_action *a)
{
	char text[256];

	if (a->kind == PG_ACT_TOTEM) {
		snprintf(text, sizeof(text), "c%u totem %u.%llu [", a->client, a->ring.rep,
			 (unsigned long long)a->ring.seq);
		put(node, text);
		for (uint32_t i = 0; i < a->ring_members->count; i++) {
			snprintf(text, sizeof(text), i ? " %u" : "%u", a->ring_members->id[i]);
			put(node, text);
		}
		put(node, "]\n");
		return;
	}
	snprintf(text, sizeof(text), "c%u %.*s", a->client, (int)a->group->length, a->group->value);
	put(node, text);
	if (a->kind == PG_ACT_DELIVER) {
		snprintf(text, sizeof(text), " #%llu from %u:%u\n",
			 (unsigned long long)a->payload.size, a->node, a->pid);
		put(node, text);
		return;
	}
	put_list(node, "m", a->members, a->members_count);
	put_list(node, "l", a->left, a->left_count);
	put_list(node, "j", a->joined, a->joined_count);
	put(node, "\n");
}

static void submit(struct world_node *node, const struct pg_action *action)
{
	struct world_entry entry = {
		.origin = node->id,
		.guarantee = action->guarantee,
		.tag = action->payload.size,
		.meta_size = action->meta_size,
	};

	assert(action->meta_size <= sizeof(entry.meta));
	memcpy(entry.meta, action->meta, action->meta_size);
	fifo_push(&node->backlog, &entry);
}

void world_collect(struct world *w, struct world_node *node)
{
	const struct pg_update *update = pg_update(node->pg);

	for (uint32_t i = 0; i < update->count; i++) {
		const struct pg_action *action = &update->actions[i];

		if (action->kind == PG_ACT_SUBMIT) {
			submit(node, action);
			continue;
		}
		if (w->hooks.event) {
			w->hooks.event(w->hooks.ctx, node, action);
		} else {
			put_action(node, action);
		}
	}
}

bool world_order(struct world *w, struct world_node *node)
{
	uint32_t index = 0;

	if (!node->up || !node->ring) {
		return false;
	}
	while (w->gated && !pg_active(node->pg) && index < node->backlog.count &&
	       node->backlog.at[index].meta[0] != PG_MSG_SYNC) {
		index++;
	}
	if (index >= node->backlog.count) {
		return false;
	}
	fifo_push(&node->ring->log, &node->backlog.at[index]);
	fifo_remove(&node->backlog, index);
	return true;
}

static struct pg_payload payload_of(const struct world_entry *entry)
{
	return (struct pg_payload){.size = entry->tag};
}

static bool activated(const struct world_node *node)
{
	return pg_waiting(node->pg).count == 0;
}

static void deliver_at(struct world *w, struct world_node *node, uint32_t position)
{
	const struct world_entry *entry = &node->ring->log.at[position];
	struct pg_payload payload = payload_of(entry);
	bool was_active = activated(node);
	const char *reason;

	if (node->early & 1) {
		goto out;
	}
	reason = pg_message(node->pg, entry->origin, node->ring->id, entry->meta, entry->meta_size,
			    &payload);
	if (reason) {
		node->drops++;
		node->last_drop = reason;
	}
	world_collect(w, node);
out:
	node->early >>= 1;
	if (w->hooks.place) {
		w->hooks.place(w->hooks.ctx, node, position);
	}
	if (!was_active && activated(node)) {
		node->lineage = node->transitional ? node->lineage : node->ring->id.seq << 32;
	}
}

bool world_deliver(struct world *w, struct world_node *node)
{
	if (!node->up || !node->ring || node->delivered == node->ring->log.count) {
		return false;
	}
	node->delivered++;
	deliver_at(w, node, node->delivered - 1);
	return true;
}

void world_early(struct world *w, struct world_node *node, uint32_t ahead)
{
	const struct world_entry *entry;
	struct pg_payload payload;

	if (!node->up || !node->ring || ahead >= 64 || (node->early >> ahead & 1) ||
	    ahead >= node->ring->log.count - node->delivered) {
		return;
	}
	entry = &node->ring->log.at[node->delivered + ahead];
	payload = payload_of(entry);
	if (entry->guarantee == FRAME_UNORDERED &&
	    pg_message_early(node->pg, entry->origin, node->ring->id, entry->meta, entry->meta_size,
			     &payload)) {
		world_collect(w, node);
		node->early |= 1ull << ahead;
	}
}

void world_settle(struct world *w)
{
	bool more = true;

	while (more) {
		more = false;
		for (uint32_t i = 0; i < w->count; i++) {
			more = world_order(w, &w->node[i]) || more;
		}
		for (uint32_t i = 0; i < w->count; i++) {
			more = world_deliver(w, &w->node[i]) || more;
		}
	}
}

void world_crash(struct world *w, uint32_t id)
{
	struct world_node *node = &w->node[id - 1];

	pg_free(&node->pg);
	fifo_clear(&node->backlog);
	node->up = false;
	node->incarnation++;
}

void world_restart(struct world *w, uint32_t id)
{
	assert(!w->node[id - 1].up);
	node_start(w, &w->node[id - 1]);
}

static bool companions(const struct world_node *a, const struct world_node *b,
		       const uint32_t *component, const uint32_t *branch)
{
	uint32_t i = a->id - 1;
	uint32_t j = b->id - 1;

	if (!a->up || !b->up || component[i] != component[j]) {
		return false;
	}
	return i == j || (a->ring && a->ring == b->ring && (!branch || branch[i] == branch[j]));
}

/* How a set of companions ends its old ring. */
struct ending {
	struct nodeset together;
	uint32_t transitional_at; /* entries delivered in the regular configuration */
	uint32_t cut;		  /* after these, only entries of the companions are left */
	uint64_t lineage;
};

static void end_ring(struct world *w, struct world_node *node, const struct ending *ending)
{
	while (node->delivered < ending->transitional_at) {
		world_deliver(w, node);
	}
	node->transitional = true;
	node->lineage = (node->lineage + ending->lineage) * 0x9e3779b97f4a7c15u;
	pg_transitional(node->pg, &ending->together);
	world_collect(w, node);
	while (node->ring && node->delivered < node->ring->log.count) {
		const struct world_entry *entry = &node->ring->log.at[node->delivered];

		if (node->delivered < ending->cut ||
		    nodeset_has(&ending->together, entry->origin)) {
			world_deliver(w, node);
		} else {
			node->delivered++;
			node->early >>= 1;
		}
	}
}

static struct ending plan(struct world *w, const struct world_node *first,
			  const uint32_t *component, const uint32_t *branch, bool hold)
{
	struct ending ending = {0};
	uint32_t total = first->ring ? first->ring->log.count : 0;

	for (uint32_t i = 0; i < w->count; i++) {
		struct world_node *node = &w->node[i];

		if (!companions(first, node, component, branch)) {
			continue;
		}
		nodeset_add(&ending.together, node->id);
		if (first->ring && node->delivered > ending.transitional_at) {
			ending.transitional_at = node->delivered;
		}
	}
	ending.cut = total;
	if (hold && total > ending.transitional_at) {
		ending.cut = ending.transitional_at +
			     world_random(w, total - ending.transitional_at + 1);
	}
	ending.transitional_at += world_random(w, ending.cut - ending.transitional_at + 1);
	/* Companions share a lineage as far as they shared it before. */
	ending.lineage = ((uint64_t)w->rings_count << 16) | first->id;
	return ending;
}

static struct world_ring *ring_new(struct world *w, const uint32_t *component, uint32_t which)
{
	struct world_ring *ring = calloc(1, sizeof(*ring));

	assert(ring && w->rings_count < sizeof(w->rings) / sizeof(w->rings[0]));
	for (uint32_t i = 0; i < w->count; i++) {
		if (w->node[i].up && component[i] == which) {
			nodeset_add(&ring->members, w->node[i].id);
		}
	}
	w->rings[w->rings_count] = ring;
	w->rings_count++;
	ring->id = (struct ringid){.rep = ring->members.id[0], .seq = w->rings_count};
	return ring;
}

static void enter(struct world *w, struct world_node *node, struct world_ring *ring)
{
	node->ring = ring;
	node->delivered = 0;
	node->early = 0;
	node->transitional = false;
	pg_regular(node->pg, ring->id, &ring->members);
	world_collect(w, node);
}

void world_reform(struct world *w, const uint32_t *component, const uint32_t *branch, bool hold)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < w->count; i++) {
		struct ending ending;

		if (!w->node[i].up || component[i] == 0 || (done >> i & 1)) {
			continue;
		}
		ending = plan(w, &w->node[i], component, branch, hold);
		for (uint32_t j = i; j < w->count; j++) {
			if (nodeset_has(&ending.together, w->node[j].id)) {
				end_ring(w, &w->node[j], &ending);
				done |= 1u << j;
			}
		}
	}
	for (uint32_t i = 0; i < w->count; i++) {
		struct world_ring *ring;

		if (!w->node[i].up || !(done >> i & 1)) {
			continue;
		}
		ring = ring_new(w, component, component[i]);
		for (uint32_t j = i; j < w->count; j++) {
			if (nodeset_has(&ring->members, w->node[j].id)) {
				enter(w, &w->node[j], ring);
				done &= ~(1u << j);
			}
		}
	}
}

void world_heal(struct world *w)
{
	uint32_t component[WORLD_NODES_MAX];

	for (uint32_t i = 0; i < w->count; i++) {
		component[i] = 1;
	}
	world_reform(w, component, NULL, false);
}

static struct cpg_name name_of(const char *group)
{
	struct cpg_name name = {.length = (uint32_t)strlen(group)};

	memcpy(name.value, group, name.length);
	return name;
}

cs_error_t world_join(struct world *w, uint32_t id, uint32_t client, uint32_t pid,
		      const char *group)
{
	struct cpg_name name = name_of(group);
	cs_error_t answer = pg_join(w->node[id - 1].pg, client, pid, &name);

	world_collect(w, &w->node[id - 1]);
	return answer;
}

cs_error_t world_leave(struct world *w, uint32_t id, uint32_t client)
{
	cs_error_t answer = pg_leave(w->node[id - 1].pg, client);

	world_collect(w, &w->node[id - 1]);
	return answer;
}

cs_error_t world_mcast(struct world *w, uint32_t id, uint32_t client, uint64_t tag)
{
	struct pg_payload payload = {.size = tag};
	cs_error_t answer = pg_mcast(w->node[id - 1].pg, client, FRAME_AGREED, &payload);

	world_collect(w, &w->node[id - 1]);
	return answer;
}

void world_open(struct world *w, uint32_t id, uint32_t client, bool initial_totem)
{
	int err = pg_client_open(w->node[id - 1].pg, client, initial_totem);

	assert(err == 0);
	(void)err;
	world_collect(w, &w->node[id - 1]);
}

void world_close(struct world *w, uint32_t id, uint32_t client)
{
	pg_client_close(w->node[id - 1].pg, client);
	world_collect(w, &w->node[id - 1]);
}

const char *world_told(struct world *w, uint32_t id)
{
	static char copy[WORLD_TEXT_MAX];
	struct world_node *node = &w->node[id - 1];

	memcpy(copy, node->text, sizeof(copy));
	node->text[0] = '\0';
	return copy;
}
