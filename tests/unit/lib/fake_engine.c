/* SPDX-License-Identifier: BSD-3-Clause */
/* An engine without a ring: one queue is the order, node 2 exists when a test says so. It keeps
 * the contract of engine.h towards the clients' part of the daemon, and checks that this part
 * keeps it too: nothing is called from inside a callback. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/list.h"
#include "tests/unit/lib/server_engine.h"

#define CLIENTS 1024
#define MEMBERS 20000

static const struct cpg_name test_group = {.length = 1, .value = "g"};

enum what {
	DO_JOIN,
	DO_LEAVE,
	DO_GONE,
	DO_MESSAGE,
};

struct item {
	struct list link;
	enum what what;
	uint32_t client, pid;
	struct cpg_name group;
	struct body *body;
	uint64_t size;
};

struct fake_client {
	bool open, initial;
	bool wants; /* joined or joining */
	bool joined;
	uint32_t pid;
	struct cpg_name group;
};

struct fake_member {
	struct cpg_name group;
	uint32_t node, pid;
};

struct fake_region {
	bool used, removing;
	struct transport_region memory;
	uint32_t bodies;
	void (*on_free)(void *ctx, uint32_t region);
	void *ctx;
};

struct fake_body {
	struct body body;
	struct engine *engine;
	uint32_t client;
	int64_t slot; /* BODY_SLOT */
};

struct engine {
	struct engine_host host;
	struct slab *slab;
	struct extents *extents;
	struct transport_region segments[EXTENTS_SEGMENTS_MAX];
	struct slab_config slab_config;
	bool ready, held, inside;
	int fd;
	struct list order;
	struct fake_client clients[CLIENTS];
	struct fake_member members[MEMBERS];
	uint32_t member_count;
	struct fake_region regions[TRANSPORT_REGIONS_MAX];
	uint32_t region_count;
	uint64_t messages; /* from node 2 so far */
	uint64_t remote_left, remote_size;
};

static bool same(const struct cpg_name *a, const struct cpg_name *b)
{
	return a->length == b->length && memcmp(a->value, b->value, a->length) == 0;
}

static void wake(struct engine *engine)
{
	uint64_t one = 1;

	if (write(engine->fd, &one, sizeof(one)) < 0) {
		abort();
	}
}

static struct item *append(struct engine *engine, enum what what, uint32_t client)
{
	struct item *item = calloc(1, sizeof(*item));

	item->what = what;
	item->client = client;
	item->pid = engine->clients[client].pid;
	item->group = engine->clients[client].group;
	list_append(&engine->order, &item->link);
	wake(engine);
	return item;
}

/* --- bodies --- */

static void region_gone(struct engine *engine, uint32_t id)
{
	struct fake_region *region = &engine->regions[id];

	region->used = false;
	engine->region_count--;
	if (region->on_free) {
		region->on_free(region->ctx, id);
	}
}

static void free_send(struct body *body)
{
	struct fake_body *own = (struct fake_body *)body;
	struct engine *engine = own->engine;
	struct fake_region *region = &engine->regions[body->region];

	engine->host.sent(engine->host.ctx, own->client, body->cookie);
	region->bodies--;
	if (region->removing && region->bodies == 0) {
		region_gone(engine, body->region);
	}
	free(own);
}

static void free_slab(struct body *body)
{
	struct fake_body *own = (struct fake_body *)body;

	if (body->home == BODY_SLOT) {
		slab_slot_put(own->engine->slab, (uint32_t)own->slot);
	} else {
		extents_put(own->engine->extents, body->region - ENGINE_REGIONS_MAX, body->offset,
			    0);
	}
	if (own->engine->remote_left > 0) {
		eventfd_write(own->engine->fd, 1);
	}
	free(own);
}

/* --- segments: given back as soon as they are idle, so that tests see that too --- */

static int segment_add(void *ctx, uint32_t segment, const struct sealed *memory)
{
	((struct engine *)ctx)->segments[segment] = (struct transport_region){
		.base = memory->base, .size_bytes = memory->size, .fd = memory->fd};
	return 0;
}

static void segment_remove(void *ctx, uint32_t segment)
{
	struct engine *engine = ctx;

	engine->segments[segment].base = NULL;
	if (engine->host.region_gone) {
		engine->host.region_gone(engine->host.ctx, ENGINE_REGIONS_MAX + segment);
	}
}

bool engine_segment(const struct engine *engine, uint32_t region, struct transport_region *out)
{
	*out = engine->segments[region - ENGINE_REGIONS_MAX];
	return out->base != NULL;
}

bool engine_extents_short(const struct engine *engine)
{
	return extents_short(engine->extents);
}

static bool extent_take(struct engine *engine, uint64_t size, struct body *body)
{
	struct extent extent;

	/* Whoever asks has waited. */
	if (extents_take(engine->extents, size, 1, &extent) &&
	    extents_take(engine->extents, size, 1 + EXTENTS_GROW_MS, &extent)) {
		return false;
	}
	body->home = BODY_EXTENT;
	body->region = ENGINE_REGIONS_MAX + extent.segment;
	body->offset = extent.offset;
	body->bytes = extent.bytes;
	body->spare = extent.spare;
	return true;
}

static struct body *remote_body(struct engine *engine, uint64_t size, uint64_t n)
{
	struct fake_body *own = calloc(1, sizeof(*own));
	struct body *body = &own->body;

	own->engine = engine;
	body->free = free_slab;
	body->size = size;
	if (size <= 65536) {
		body->home = BODY_SLOT;
		own->slot = slab_slot_take(engine->slab);
		if (own->slot < 0) {
			free(own);
			return NULL;
		}
		body->offset = slab_slot_offset(engine->slab, (uint32_t)own->slot);
		body->bytes = (uint8_t *)slab_base(engine->slab) + body->offset;
	} else if (!extent_take(engine, size, body)) {
		free(own);
		return NULL;
	}
	for (uint64_t i = 0; i < size; i++) {
		body->bytes[i] = server_fill(n, i);
	}
	body_hold(body, HOLD_STORE);
	return body;
}

/* --- delivery --- */

static void deliver(struct engine *engine, const struct cpg_name *group, uint32_t node,
		    uint32_t pid, struct body *body, uint64_t size)
{
	engine->inside = true;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct fake_client *client = &engine->clients[i];
		struct engine_delivery delivery = {.client = i,
						   .group = group,
						   .node = node,
						   .pid = pid,
						   .body = body,
						   .region = body ? body->region : 0,
						   .offset = body ? body->offset : 0,
						   .size = size};

		if (client->open && client->joined && same(&client->group, group)) {
			engine->host.deliver(engine->host.ctx, &delivery);
		}
	}
	engine->inside = false;
}

static uint32_t members_of(const struct engine *engine, const struct cpg_name *group,
			   struct cpg_address *out, uint32_t max)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < engine->member_count; i++) {
		const struct fake_member *member = &engine->members[i];

		if (same(&member->group, group)) {
			if (count < max) {
				out[count] = (struct cpg_address){.nodeid = member->node,
								  .pid = member->pid};
			}
			count++;
		}
	}
	return count;
}

static void confchg(struct engine *engine, const struct cpg_name *group,
		    const struct cpg_address *left, uint32_t left_count,
		    const struct cpg_address *joined, uint32_t joined_count)
{
	static struct cpg_address members[MEMBERS];
	uint32_t count = members_of(engine, group, members, MEMBERS);

	engine->inside = true;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct fake_client *client = &engine->clients[i];
		struct engine_confchg change = {.client = i,
						.group = group,
						.members = members,
						.left = left,
						.joined = joined,
						.members_count = count,
						.left_count = left_count,
						.joined_count = joined_count};

		if (client->open && client->joined && same(&client->group, group)) {
			engine->host.confchg(engine->host.ctx, &change);
		}
	}
	engine->inside = false;
}

static void add_member(struct engine *engine, const struct cpg_name *group, uint32_t node,
		       uint32_t pid)
{
	uint32_t at = engine->member_count;

	check(at < MEMBERS);
	while (at > 0 &&
	       (engine->members[at - 1].node > node ||
		(engine->members[at - 1].node == node && engine->members[at - 1].pid > pid))) {
		at--;
	}
	memmove(&engine->members[at + 1], &engine->members[at],
		(engine->member_count++ - at) * sizeof(engine->members[0]));
	engine->members[at] = (struct fake_member){.group = *group, .node = node, .pid = pid};
}

static void del_member(struct engine *engine, const struct cpg_name *group, uint32_t node,
		       uint32_t pid)
{
	for (uint32_t i = 0; i < engine->member_count; i++) {
		struct fake_member *member = &engine->members[i];

		if (member->node == node && member->pid == pid && same(&member->group, group)) {
			memmove(member, member + 1,
				(engine->member_count - i - 1) * sizeof(*member));
			engine->member_count--;
			return;
		}
	}
}

static void ring_event(struct engine *engine, uint32_t client, uint32_t nodes)
{
	struct ringid ring = {.rep = 1, .seq = 4 + nodes};
	struct nodeset members = {0};

	for (uint32_t i = 1; i <= nodes; i++) {
		nodeset_add(&members, i);
	}
	engine->inside = true;
	engine->host.totem(engine->host.ctx, client, ring, &members);
	engine->inside = false;
}

static void do_join(struct engine *engine, const struct item *item)
{
	struct fake_client *client = &engine->clients[item->client];
	struct cpg_address joined = {.nodeid = 1, .pid = item->pid, .reason = CPG_REASON_JOIN};

	add_member(engine, &item->group, 1, item->pid);
	client->joined = client->open;
	confchg(engine, &item->group, NULL, 0, &joined, 1);
	if (client->initial) {
		ring_event(engine, item->client, 1);
		client->initial = false;
	}
}

static void do_leave(struct engine *engine, const struct item *item, cpg_reason_t reason)
{
	struct fake_client *client = &engine->clients[item->client];
	struct cpg_address left = {.nodeid = 1, .pid = item->pid, .reason = reason};

	del_member(engine, &item->group, 1, item->pid);
	confchg(engine, &item->group, &left, 1, NULL, 0);
	if (reason == CPG_REASON_LEAVE) {
		client->joined = false;
		client->wants = false;
	}
}

static void perform(struct engine *engine, struct item *item)
{
	switch (item->what) {
	case DO_JOIN:
		do_join(engine, item);
		break;
	case DO_LEAVE:
		do_leave(engine, item, CPG_REASON_LEAVE);
		break;
	case DO_GONE:
		do_leave(engine, item, CPG_REASON_PROCDOWN);
		break;
	case DO_MESSAGE:
		deliver(engine, &item->group, 1, item->pid, item->body, item->size);
		if (item->body) {
			body_drop(item->body, HOLD_STORE);
		}
		break;
	}
	free(item);
}

/* --- what clients call --- */

bool engine_ready(const struct engine *engine)
{
	check(!engine->inside);
	return engine->ready;
}

bool engine_may_send(const struct engine *engine)
{
	check(!engine->inside);
	return !engine->held && slab_slots_free(engine->slab) > 0;
}

int engine_region_add(struct engine *engine, uint32_t region, const struct transport_region *memory)
{
	check(!engine->inside && region > 0 && region < TRANSPORT_REGIONS_MAX);
	check(!engine->regions[region].used);
	engine->regions[region] = (struct fake_region){.used = true, .memory = *memory};
	engine->region_count++;
	return 0;
}

void engine_region_remove(struct engine *engine, uint32_t id,
			  void (*on_free)(void *ctx, uint32_t region), void *ctx)
{
	struct fake_region *region = &engine->regions[id];

	check(!engine->inside && region->used && !region->removing);
	region->removing = true;
	region->on_free = on_free;
	region->ctx = ctx;
	if (region->bodies == 0) {
		region_gone(engine, id);
	}
}

int engine_client_open(struct engine *engine, uint32_t client, bool initial_totem_event)
{
	check(!engine->inside && !engine->clients[client].open);
	engine->clients[client] =
		(struct fake_client){.open = true, .initial = initial_totem_event};
	return 0;
}

void engine_client_close(struct engine *engine, uint32_t client, uint64_t now_ms)
{
	(void)now_ms;
	check(!engine->inside && engine->clients[client].open);
	if (engine->clients[client].wants) {
		append(engine, DO_GONE, client);
	}
	engine->clients[client].open = false;
	engine->clients[client].joined = false;
}

static bool wanted(const struct engine *engine, uint32_t pid, const struct cpg_name *group)
{
	for (uint32_t i = 0; i < CLIENTS; i++) {
		const struct fake_client *client = &engine->clients[i];

		if (client->open && client->wants && client->pid == pid &&
		    same(&client->group, group)) {
			return true;
		}
	}
	return false;
}

/* A member that nobody wants any more is about to leave. */
cs_error_t engine_join(struct engine *engine, uint32_t client, uint32_t pid,
		       const struct cpg_name *group, uint64_t now_ms)
{
	struct fake_client *own = &engine->clients[client];

	(void)now_ms;
	check(!engine->inside && own->open);
	if (own->wants) {
		return CS_ERR_EXIST;
	}
	for (uint32_t i = 0; i < engine->member_count; i++) {
		if (engine->members[i].node == 1 && engine->members[i].pid == pid &&
		    same(&engine->members[i].group, group)) {
			return wanted(engine, pid, group) ? CS_ERR_EXIST : CS_ERR_TRY_AGAIN;
		}
	}
	own->wants = true;
	own->pid = pid;
	own->group = *group;
	append(engine, DO_JOIN, client);
	return CS_OK;
}

cs_error_t engine_leave(struct engine *engine, uint32_t client, uint64_t now_ms)
{
	(void)now_ms;
	check(!engine->inside && engine->clients[client].open);
	if (!engine->clients[client].wants) {
		return CS_ERR_NOT_EXIST;
	}
	append(engine, DO_LEAVE, client);
	return CS_OK;
}

static struct body *send_body(struct engine *engine, uint32_t client, uint32_t region,
			      uint64_t offset, uint64_t size, uint64_t cookie)
{
	struct fake_region *memory = &engine->regions[region];
	struct fake_body *own = calloc(1, sizeof(*own));

	check(memory->used && offset + size <= memory->memory.size_bytes);
	own->engine = engine;
	own->client = client;
	own->body = (struct body){.home = BODY_SEND,
				  .region = region,
				  .offset = offset,
				  .size = size,
				  .bytes = (uint8_t *)memory->memory.base + offset,
				  .free = free_send,
				  .cookie = cookie};
	memory->bodies++;
	body_hold(&own->body, HOLD_STORE);
	return &own->body;
}

cs_error_t engine_mcast(struct engine *engine, uint32_t client, enum frame_guarantee guarantee,
			uint32_t region, uint64_t offset, uint64_t size, uint64_t cookie,
			uint64_t now_ms)
{
	struct item *item;

	(void)guarantee;
	(void)now_ms;
	check(!engine->inside && engine->clients[client].open);
	if (!engine->clients[client].wants) {
		return CS_ERR_NOT_EXIST;
	}
	if (!engine_may_send(engine)) {
		return CS_ERR_TRY_AGAIN;
	}
	item = append(engine, DO_MESSAGE, client);
	item->size = size;
	if (size > 0) {
		item->body = send_body(engine, client, region, offset, size, cookie);
	}
	return CS_OK;
}

bool engine_slots_short(const struct engine *engine)
{
	return slab_slots_free(engine->slab) < engine->slab_config.slot_count / 8;
}

void engine_flush(struct engine *engine, uint64_t now_ms)
{
	(void)engine;
	(void)now_ms;
}

uint32_t engine_members(const struct engine *engine, const struct cpg_name *group,
			struct cpg_address *out, uint32_t max)
{
	return members_of(engine, group, out, max);
}

uint32_t engine_iterate(const struct engine *engine, struct cpg_iteration_description_t *out,
			uint32_t max)
{
	for (uint32_t i = 0; i < engine->member_count && i < max; i++) {
		out[i] = (struct cpg_iteration_description_t){.group = engine->members[i].group,
							      .nodeid = engine->members[i].node,
							      .pid = engine->members[i].pid};
	}
	return engine->member_count;
}

int engine_fd(const struct engine *engine)
{
	return engine->fd;
}

uint64_t engine_next_deadline_ms(const struct engine *engine)
{
	(void)engine;
	return UINT64_MAX;
}

/* As many as there is room for: a real engine waits likewise before it pulls a message. */
static void remote_messages(struct engine *engine)
{
	while (engine->remote_left > 0) {
		uint64_t size = engine->remote_size;
		struct body *body = size ? remote_body(engine, size, engine->messages) : NULL;

		if (size > 0 && !body) {
			return;
		}
		engine->remote_left--;
		engine->messages += size > 0;
		deliver(engine, &test_group, 2, 222, body, size);
		if (body) {
			body_drop(body, HOLD_STORE);
		}
	}
}

bool engine_turn(struct engine *engine, uint64_t now_ms)
{
	uint64_t count;

	(void)now_ms;
	extents_turn(engine->extents, EXTENTS_IDLE_MS);
	remote_messages(engine);
	if (read(engine->fd, &count, sizeof(count)) < 0) {
		return false;
	}
	for (int i = 0; i < 256 && !list_empty(&engine->order); i++) {
		struct list *first = engine->order.next;

		list_remove(first);
		perform(engine, list_entry(first, struct item, link));
	}
	if (!list_empty(&engine->order)) {
		wake(engine);
	}
	return !list_empty(&engine->order);
}

/* --- what tests call --- */

static void remote_members(struct engine *engine, uint64_t count)
{
	struct cpg_address *joined = calloc(count, sizeof(*joined));

	for (uint64_t i = 0; i < count; i++) {
		add_member(engine, &test_group, 2, 1000 + (uint32_t)i);
		joined[i] = (struct cpg_address){
			.nodeid = 2, .pid = 1000 + (uint32_t)i, .reason = CPG_REASON_NODEUP};
	}
	confchg(engine, &test_group, NULL, 0, joined, (uint32_t)count);
	free(joined);
}

void server_engine_command(struct engine *engine, const struct server_command *command)
{
	switch (command->op) {
	case SERVER_HOLD:
		engine->held = command->a != 0;
		return;
	case SERVER_READY:
		engine->ready = true;
		return;
	case SERVER_REMOTE:
		engine->remote_left += command->a;
		engine->remote_size = command->b;
		remote_messages(engine);
		return;
	case SERVER_MEMBERS:
		remote_members(engine, command->a);
		return;
	case SERVER_RING:
		for (uint32_t i = 0; i < CLIENTS; i++) {
			if (engine->clients[i].open) {
				ring_event(engine, i, (uint32_t)command->a);
			}
		}
		return;
	case SERVER_STATS:
	case SERVER_QUIT:
		return;
	}
}

struct engine *server_engine_new(const struct server_options *options,
				 const struct engine_host *host, const char *dir,
				 struct slab_config *slab_config, struct slab **slab)
{
	struct engine *engine = calloc(1, sizeof(*engine));

	(void)dir;
	*slab_config = (struct slab_config){.slot_size_bytes = 65536,
					    .slot_count = options->slots,
					    .extent_bytes = 160 * 1024 * 1024};
	if (slab_new(slab_config, slab)) {
		fprintf(stderr, "no slab\n");
		exit(2);
	}
	if (extents_new(slab_config,
			&(struct extents_host){
				.ctx = engine, .add = segment_add, .remove = segment_remove},
			&engine->extents)) {
		fprintf(stderr, "no extents\n");
		exit(2);
	}
	engine->host = *host;
	engine->slab = *slab;
	engine->slab_config = *slab_config;
	engine->ready = !options->not_ready;
	engine->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	list_init(&engine->order);
	return engine;
}

void server_engine_free(struct engine **engine_ptr, struct slab **slab)
{
	struct engine *engine = *engine_ptr;

	while (!list_empty(&engine->order)) {
		struct list *first = engine->order.next;

		list_remove(first);
		perform(engine, list_entry(first, struct item, link));
	}
	check(engine->region_count == 0);
	extents_free(&engine->extents);
	close(engine->fd);
	free(engine);
	*engine_ptr = NULL;
	slab_free(slab);
}

void server_engine_state(struct engine *engine, struct slab *slab, struct server_state *state)
{
	struct extents_stats extents;

	state->regions = engine->region_count;
	state->slots_taken = engine->slab_config.slot_count - slab_slots_free(slab);
	state->waiting = engine->remote_left;
	extents_stats(engine->extents, &extents);
	state->extents_taken = extents.used_bytes;
}
