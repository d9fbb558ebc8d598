/* SPDX-License-Identifier: BSD-3-Clause */
/* The properties. A tag names its message: session of the sender, number within it, unordered or not. */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct cpg_name check_group[CHECK_GROUPS] = {
	{.length = 0},
	{.length = 1, .value = "a"},
	{.length = 1, .value = "b"},
	{.length = 3, .value = "a\0b"},
	{.length = 3, .value = "a\0c"},
	{.length = 4, .value = "long"},
};

#define TAG_UNORDERED		1ull
#define TAG_OF(session, number) ((session) << 32 | (number) << 1)

__attribute__((noreturn, format(printf, 1, 2))) static void broken(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "property broken: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	abort();
}

static struct check_client *client_of(struct check *c, uint32_t id, uint32_t client)
{
	return &c->client[id - 1][client];
}

static uint32_t group_index(const struct cpg_name *name)
{
	for (uint32_t i = 0; i < CHECK_GROUPS; i++) {
		if (memcmp(name, &check_group[i], sizeof(*name)) == 0) {
			return i;
		}
	}
	broken("an event for a group that nobody joined, or with bytes after its name");
}

static uint64_t mix(uint64_t digest, uint64_t value)
{
	digest = ((digest + 1) * 0xbf58476d1ce4e5b9u + value) * 0x9e3779b97f4a7c15u;
	return digest ^ (digest >> 29);
}

static uint64_t mix_list(uint64_t digest, const struct cpg_address *list, uint32_t count)
{
	digest = mix(digest, count);
	for (uint32_t i = 0; i < count; i++) {
		digest = mix(digest, (uint64_t)list[i].nodeid << 32 | list[i].pid);
		digest = mix(digest, list[i].reason);
	}
	return digest;
}

static int find(const struct cpg_address *list, uint32_t count, uint32_t node, uint32_t pid)
{
	for (uint32_t i = 0; i < count; i++) {
		if (list[i].nodeid == node && list[i].pid == pid) {
			return (int)i;
		}
	}
	return -1;
}

/* Lists ascend, without repetition. */
static void check_order(const struct cpg_address *list, uint32_t count, const char *which)
{
	for (uint32_t i = 1; i < count; i++) {
		const struct cpg_address *a = &list[i - 1];
		const struct cpg_address *b = &list[i];

		if (a->nodeid > b->nodeid || (a->nodeid == b->nodeid && a->pid >= b->pid)) {
			broken("%s list out of order at %u:%u", which, b->nodeid, b->pid);
		}
	}
}

/* One change at a time, with the reasons and sizes that go with it. */
static void check_reasons(const struct pg_action *a)
{
	const struct cpg_address *list = a->left_count ? a->left : a->joined;
	uint32_t count = a->left_count + a->joined_count;
	uint32_t reason = count ? list[0].reason : 0;
	bool joins = reason == CPG_REASON_JOIN || reason == CPG_REASON_NODEUP;
	bool single = reason != CPG_REASON_NODEDOWN && reason != CPG_REASON_NODEUP;

	if ((a->left_count > 0) == (a->joined_count > 0)) {
		broken("a change with %u left and %u joined", a->left_count, a->joined_count);
	}
	if (reason == 0 || reason > CPG_REASON_PROCDOWN || joins != (a->joined_count > 0)) {
		broken("reason %u in the wrong list", reason);
	}
	if (single && count != 1) {
		broken("%u processes in one event of reason %u", count, reason);
	}
	for (uint32_t i = 0; i < count; i++) {
		if (list[i].reason != reason) {
			broken("reasons %u and %u in one list", reason, list[i].reason);
		}
	}
	for (uint32_t i = 0; i < a->members_count; i++) {
		if (a->members[i].reason != 0) {
			broken("reason %u in a member list", a->members[i].reason);
		}
	}
}

/* The new members are the old ones without those that left and with those that joined. */
static void check_continues(const struct check_client *k, const struct pg_action *a)
{
	uint32_t count = k->members_count;

	for (uint32_t i = 0; i < a->left_count; i++) {
		if (find(k->members, k->members_count, a->left[i].nodeid, a->left[i].pid) < 0) {
			broken("%u:%u left without being there", a->left[i].nodeid, a->left[i].pid);
		}
		if (find(a->members, a->members_count, a->left[i].nodeid, a->left[i].pid) >= 0) {
			broken("%u:%u left and is still there", a->left[i].nodeid, a->left[i].pid);
		}
		count--;
	}
	for (uint32_t i = 0; i < a->joined_count; i++) {
		if (find(k->members, k->members_count, a->joined[i].nodeid, a->joined[i].pid) >=
		    0) {
			broken("%u:%u joined twice", a->joined[i].nodeid, a->joined[i].pid);
		}
		if (find(a->members, a->members_count, a->joined[i].nodeid, a->joined[i].pid) < 0) {
			broken("%u:%u joined and is not there", a->joined[i].nodeid,
			       a->joined[i].pid);
		}
		count++;
	}
	if (count != a->members_count) {
		broken("%u members told where %u follow from the change", a->members_count, count);
	}
	for (uint32_t i = 0; i < k->members_count; i++) {
		const struct cpg_address *m = &k->members[i];

		if (find(a->members, a->members_count, m->nodeid, m->pid) < 0 &&
		    find(a->left, a->left_count, m->nodeid, m->pid) < 0) {
			broken("%u:%u vanished", m->nodeid, m->pid);
		}
	}
}

/* The first that a joiner is told is its own join, and the last its own leave. */
static void check_own(struct check_client *k, uint32_t id, const struct pg_action *a)
{
	bool own_join = a->joined_count == 1 && a->joined[0].nodeid == id &&
			a->joined[0].pid == k->pid && a->joined[0].reason == CPG_REASON_JOIN;
	bool own_leave = find(a->left, a->left_count, id, k->pid) >= 0;

	if (!k->told && (!own_join || !k->pid)) {
		broken("first event of a joiner is not its join");
	}
	if (k->told && own_join) {
		broken("own join told twice");
	}
	if (own_leave && (!k->leaving || a->left[0].reason != CPG_REASON_LEAVE)) {
		broken("own leave that nobody asked for");
	}
	k->told = !own_leave;
	k->initial_pending = own_join && k->initial_totem && !k->initial_told;
	if (own_leave) {
		k->leaving = false;
		k->pid = 0;
	}
}

static void take_view(struct check_client *k, const struct pg_action *a)
{
	uint64_t expected[CHECK_MEMBERS_MAX] = {0};

	if (a->members_count > CHECK_MEMBERS_MAX) {
		broken("more members than there are processes");
	}
	for (uint32_t i = 0; i < a->members_count; i++) {
		int old =
			find(k->members, k->members_count, a->members[i].nodeid, a->members[i].pid);

		expected[i] = old >= 0 ? k->expected[old] : 0;
	}
	memcpy(k->expected, expected, sizeof(expected));
	if (a->members_count > 0) {
		memcpy(k->members, a->members, a->members_count * sizeof(*a->members));
	}
	k->members_count = a->members_count;
}

static void check_confchg(struct check *c, struct check_client *k, uint32_t id,
			  const struct pg_action *a)
{
	check_order(a->members, a->members_count, "member");
	check_order(a->left, a->left_count, "left");
	check_order(a->joined, a->joined_count, "joined");
	check_reasons(a);
	c->reasons[a->left_count ? a->left[0].reason : a->joined[0].reason]++;
	if (!k->told) {
		/* what was before the own join is not known */
		k->members_count = 0;
	} else {
		check_continues(k, a);
	}
	check_own(k, id, a);
	take_view(k, a);
	k->place_digest = mix_list(k->place_digest, a->members, a->members_count);
	k->place_digest = mix_list(k->place_digest, a->left, a->left_count);
	k->place_digest = mix_list(k->place_digest, a->joined, a->joined_count);
}

/* False when the key is new; it is then known from now on, with this digest. */
static bool known(struct check *c, uint64_t key, uint64_t digest, uint64_t *before)
{
	struct check_fact **bucket = &c->facts[key % CHECK_FACT_BUCKETS];
	struct check_fact *fact = *bucket;

	while (fact && fact->key != key) {
		fact = fact->next;
	}
	if (fact) {
		*before = fact->digest;
		return true;
	}
	fact = calloc(1, sizeof(*fact));
	if (!fact) {
		abort();
	}
	*fact = (struct check_fact){.key = key, .digest = digest, .next = *bucket};
	*bucket = fact;
	return false;
}

/* Whoever comes second to a place must have been told what the first was told. */
static void confirm(struct check *c, uint64_t key, uint64_t digest, const char *what)
{
	uint64_t before;

	if (!known(c, key, digest, &before)) {
		return;
	}
	c->compared++;
	if (before != digest) {
		broken("nodes that went through the same differ in %s", what);
	}
}

/* Any order will do, but each client gets each once. */
static void check_unordered(struct check *c, const struct check_client *k,
			    const struct pg_action *a)
{
	uint64_t before;

	c->early++;
	if (known(c, mix(mix(55, k->connection), a->payload.size), 0, &before)) {
		broken("unordered message %llx twice", (unsigned long long)a->payload.size);
	}
}

/* In the sender's order, none left out or twice between two changes of its membership. */
static void check_ordered(struct check_client *k, const struct pg_action *a, int member)
{
	uint64_t due = k->expected[member];

	if (due != 0 && due != a->payload.size) {
		broken("message %llx where %llx was due", (unsigned long long)a->payload.size,
		       (unsigned long long)due);
	}
	k->expected[member] = a->payload.size + TAG_OF(0ull, 1ull);
	k->place_digest = mix(k->place_digest, a->payload.size);
	k->place_digest = mix(k->place_digest, (uint64_t)a->node << 32 | a->pid);
}

/* To a member, from a member. */
static void check_deliver(struct check *c, struct check_client *k, uint32_t id,
			  const struct pg_action *a)
{
	uint64_t session = a->payload.size >> 32;
	bool unordered = a->payload.size & TAG_UNORDERED;
	int member = find(k->members, k->members_count, a->node, a->pid);

	c->messages++;
	if (!k->told) {
		broken("message to a client that is not in the group");
	}
	if (member < 0) {
		broken("message from %u:%u, which is no member", a->node, a->pid);
	}
	if (unordered) {
		check_unordered(c, k, a);
	} else {
		check_ordered(k, a, member);
	}
	if (a->node == id && a->pid == k->pid && session == k->session) {
		c->self[session][unordered]++;
	}
}

/* Ring id and members belong together, and every client hears of every activated view. */
static void check_totem(const struct check *c, struct check_client *k,
			const struct world_node *node, const struct pg_action *a)
{
	const struct world_ring *ring;

	if (a->ring.seq == 0 || a->ring.seq > c->world->rings_count) {
		broken("totem event of a ring that never was");
	}
	ring = c->world->rings[a->ring.seq - 1];
	if (!ringid_equal(ring->id, a->ring) || !nodeset_equal(&ring->members, a->ring_members)) {
		broken("totem event pairs a ring id with other members");
	}
	if (k->initial_pending) {
		k->initial_pending = false;
		k->initial_told = true;
	} else if (!ringid_equal(a->ring, node->ring->id)) {
		broken("totem event of a ring that is not the current one");
	} else if (a->ring.seq <= k->last_totem.seq) {
		broken("second totem event for one view");
	}
	if (a->ring.seq < k->last_totem.seq) {
		broken("totem events go back");
	}
	k->last_totem = a->ring;
}

static void on_event(void *ctx, struct world_node *node, const struct pg_action *a)
{
	struct check *c = ctx;
	struct check_client *k = client_of(c, node->id, a->client);

	if (!k->open) {
		broken("event for a client that is closed");
	}
	if (k->initial_pending && a->kind != PG_ACT_TOTEM) {
		broken("initial totem event is not right after the own join");
	}
	if (a->kind == PG_ACT_TOTEM) {
		c->totem++;
		check_totem(c, k, node, a);
		return;
	}
	if (group_index(a->group) != k->group) {
		broken("event of a group that the client is not in");
	}
	k->place_group = k->group;
	if (a->kind == PG_ACT_CONFCHG) {
		check_confchg(c, k, node->id, a);
	} else {
		check_deliver(c, k, node->id, a);
	}
}

static uint64_t place_key(const struct world_node *node, uint32_t position, uint64_t what)
{
	return mix(mix(mix(node->lineage, node->ring->id.seq), position), what);
}

static int by_address(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct cpg_iteration_description_t));
}

/* The delivered view as such, where it is that of the ring: the same on all nodes at the same place. */
static void check_snapshot(struct check *c, const struct world_node *node, uint32_t position)
{
	struct cpg_iteration_description_t all[256];
	uint32_t count = pg_iterate(node->pg, all, 256);
	uint64_t digest = count;
	const uint8_t *bytes = (const uint8_t *)all;

	if (pg_waiting(node->pg).count > 0 || node->transitional) {
		return;
	}
	qsort(all, count, sizeof(all[0]), by_address);
	for (size_t i = 0; i < count * sizeof(all[0]); i++) {
		digest = mix(digest, bytes[i]);
	}
	confirm(c, mix(mix(node->ring->id.seq, position), 77), digest, "the view");
}

static void on_place(void *ctx, struct world_node *node, uint32_t position)
{
	struct check *c = ctx;
	uint64_t digest[CHECK_GROUPS];
	bool seen[CHECK_GROUPS] = {false};

	for (uint32_t i = 0; i < WORLD_CLIENTS; i++) {
		struct check_client *k = client_of(c, node->id, i);
		uint32_t g = k->told ? k->group : k->place_group;

		if (k->initial_pending) {
			broken("own join without the initial totem event");
		}
		if (g < CHECK_GROUPS && seen[g] && digest[g] != k->place_digest) {
			broken("two clients of one node differ");
		}
		if (g < CHECK_GROUPS) {
			seen[g] = true;
			digest[g] = k->place_digest;
		}
		k->place_digest = 0;
		k->place_group = CHECK_GROUPS;
	}
	for (uint32_t g = 0; g < CHECK_GROUPS; g++) {
		if (seen[g]) {
			confirm(c, place_key(node, position, g), digest[g], "what they tell");
		}
	}
	check_snapshot(c, node, position);
}

void check_init(struct check *c, struct world *w)
{
	memset(c->sent_by, 0, sizeof(c->sent_by));
	memset(c->self, 0, sizeof(c->self));
	memset(c->facts, 0, sizeof(c->facts));
	c->sessions = 0;
	c->connections = 0;
	c->world = w;
	w->hooks.ctx = c;
	w->hooks.event = on_event;
	w->hooks.place = on_place;
	for (uint32_t i = 0; i < WORLD_NODES_MAX; i++) {
		check_crashed(c, i + 1);
	}
}

void check_fini(struct check *c)
{
	for (uint32_t i = 0; i < CHECK_FACT_BUCKETS; i++) {
		while (c->facts[i]) {
			struct check_fact *fact = c->facts[i];

			c->facts[i] = fact->next;
			free(fact);
		}
	}
}

void check_opened(struct check *c, uint32_t id, uint32_t client, bool initial_totem)
{
	c->connections++;
	*client_of(c, id, client) = (struct check_client){
		.open = true,
		.connection = c->connections,
		.initial_totem = initial_totem,
		.place_group = CHECK_GROUPS,
	};
}

void check_closed(struct check *c, uint32_t id, uint32_t client)
{
	*client_of(c, id, client) = (struct check_client){.place_group = CHECK_GROUPS};
}

void check_crashed(struct check *c, uint32_t id)
{
	for (uint32_t i = 0; i < WORLD_CLIENTS; i++) {
		check_closed(c, id, i);
	}
}

void check_joined(struct check *c, uint32_t id, uint32_t client, uint32_t pid, uint32_t group)
{
	struct check_client *k = client_of(c, id, client);

	c->sessions++;
	if (c->sessions == CHECK_SENDERS_MAX) {
		broken("the test itself: too many sessions");
	}
	k->wants = true;
	k->pid = pid;
	k->group = group;
	k->session = c->sessions;
}

void check_left(struct check *c, uint32_t id, uint32_t client)
{
	client_of(c, id, client)->wants = false;
	client_of(c, id, client)->leaving = true;
}

uint64_t check_tag(const struct check *c, uint32_t id, uint32_t client, bool unordered)
{
	uint64_t session = c->client[id - 1][client].session;

	return TAG_OF(session, c->sent_by[session][unordered] + 1) | unordered;
}

void check_sent(struct check *c, uint32_t id, uint32_t client, bool unordered)
{
	c->sent_by[client_of(c, id, client)->session][unordered]++;
}

static void check_truth(struct check *c, const struct world_node *node)
{
	struct cpg_address members[CHECK_MEMBERS_MAX];
	uint32_t total = 0;

	for (uint32_t n = 1; n <= c->world->count; n++) {
		for (uint32_t i = 0; i < WORLD_CLIENTS; i++) {
			const struct check_client *k = client_of(c, n, i);
			uint32_t count;

			if (!k->wants) {
				continue;
			}
			total++;
			count = pg_members(node->pg, &check_group[k->group], members,
					   CHECK_MEMBERS_MAX);
			if (find(members, count, n, k->pid) < 0) {
				broken("node %u does not know %u:%u", node->id, n, k->pid);
			}
		}
	}
	if (pg_iterate(node->pg, NULL, 0) != total) {
		broken("node %u knows %u members, there are %u", node->id,
		       pg_iterate(node->pg, NULL, 0), total);
	}
}

void check_quiet(struct check *c)
{
	for (uint32_t n = 1; n <= c->world->count; n++) {
		const struct world_node *node = &c->world->node[n - 1];

		if (!pg_active(node->pg)) {
			broken("node %u is not active at rest", n);
		}
		check_truth(c, node);
		for (uint32_t i = 0; i < WORLD_CLIENTS; i++) {
			const struct check_client *k = client_of(c, n, i);

			if (k->leaving || k->wants != k->told) {
				broken("node %u client %u waits for its join or leave", n, i);
			}
			if (k->open && !ringid_equal(k->last_totem, node->ring->id) &&
			    k->last_totem.seq != 0) {
				broken("node %u client %u missed a totem event", n, i);
			}
			if (k->wants && memcmp(c->self[k->session], c->sent_by[k->session],
					       sizeof(c->self[0])) != 0) {
				broken("node %u client %u misses its own messages", n, i);
			}
		}
	}
}
