/* SPDX-License-Identifier: BSD-3-Clause */
/* A daemon's engine with a host made of the simulation: durable memory that survives crashes, and
 * programs that join, send, dawdle, leave and die at random. */
#include "tests/sim/sim_node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "tests/sim/sim_check.h"
#include "tests/sim/sim_net.h"

#define SEND_MEMORY (1024u * 1024)
#define SLOT_SIZE   4096u
#define SLOTS	    448u
#define EXTENTS	    (4u * 1024 * 1024)
#define EAGER_SIZE  3584u
#define COPY_SIZE   256u
#define READ_SIZE   16384u
#define HELD_MAX    250u /* more than the ring can go on with */

struct host_ctx {
	struct sim *sim;
	struct sim_node *node;
};

static struct host_ctx contexts[SIM_NODES_MAX + 1];

/* ---- the node's own clock: steady, at its own pace, and it may leap ---- */

static uint64_t clock_us(const struct sim *sim, const struct sim_node *node)
{
	uint64_t elapsed = sim_now_us(sim) - 1000 * SECOND;

	return node->clock_base_us + elapsed / 1000 * node->pace + elapsed % 1000;
}

static uint64_t now_ms(const struct sim *sim, const struct sim_node *node)
{
	return clock_us(sim, node) / MS;
}

/* How long until its clock shows that. */
static uint64_t wait_us(const struct sim *sim, const struct sim_node *node, uint64_t until_ms)
{
	return (until_ms * MS - clock_us(sim, node)) * 1000 / node->pace + 1;
}

void sim_node_clock_leaps(struct sim *sim, uint32_t id, uint64_t us)
{
	sim_trace(sim, "fault: the clock of node %u leaps by %llu ms", id,
		  (unsigned long long)(us / MS));
	sim->nodes[id]->clock_base_us += us;
	sim_node_wake(sim, id, 1);
}

/* ---- dying in the middle of a step ---- */

void sim_node_doom(struct sim *sim, uint32_t id, uint32_t actions)
{
	if (sim->nodes[id]->up && !sim->nodes[id]->doom) {
		sim->nodes[id]->doom = actions + 1;
	}
}

bool sim_node_acts(struct sim *sim, uint32_t id)
{
	struct sim_node *node = sim->nodes[id];

	if (node->doom > 1 && --node->doom == 1) {
		sim_trace(sim, "fault: node %u dies in the middle of a step", id);
	}
	return node->doom != 1;
}

static void restart(struct sim *sim, uint32_t id, uint64_t arg)
{
	(void)arg;
	sim_node_start(sim, id);
}

void sim_node_crash_and_restart(struct sim *sim, uint32_t id)
{
	struct sim_node *node = sim->nodes[id];

	if (node->up) {
		sim_node_crash(sim, id);
		sim_at(sim, sim_between(sim, 1, 4000) * MS, restart, id, 0);
	}
}

/* After every call of its engine. */
static bool has_died(struct sim *sim, struct sim_node *node)
{
	if (node->doom == 1) {
		sim_node_crash_and_restart(sim, node->id);
		return true;
	}
	return false;
}

/* ---- turns ---- */

static void turn(struct sim *sim, uint32_t id, uint64_t life)
{
	struct sim_node *node = sim->nodes[id];
	uint64_t deadline;
	bool more;

	if (!node->up || node->life != life || node->turn_at_us != sim_now_us(sim)) {
		return;
	}
	node->turn_at_us = UINT64_MAX;
	if (node->paused) {
		return;
	}
	more = engine_turn(node->engine, now_ms(sim, node));
	if (has_died(sim, node)) {
		return;
	}
	if (engine_failed(node->engine)) {
		sim_fail(sim, "node %u: the engine gave up", id);
		return;
	}
	deadline = engine_next_deadline_ms(node->engine);
	if (more || deadline <= now_ms(sim, node)) {
		sim_node_wake(sim, id, 20);
	} else if (deadline != UINT64_MAX) {
		sim_node_wake(sim, id, wait_us(sim, node, deadline));
	}
}

void sim_node_wake(struct sim *sim, uint32_t id, uint64_t delay_us)
{
	struct sim_node *node = sim->nodes[id];
	uint64_t at;

	delay_us += node->slow_until_us > sim_now_us(sim) ? node->slow_us : 0;
	at = sim_now_us(sim) + delay_us;
	if (node->up && at < node->turn_at_us) {
		node->turn_at_us = at;
		sim_at(sim, delay_us, turn, id, node->life);
	}
}

/* ---- host seam ---- */

static int host_persist(void *ctx, uint64_t ring_seq)
{
	struct host_ctx *host = ctx;

	if (!sim_node_acts(host->sim, host->node->id)) {
		return 0;
	}
	if (ring_seq <= host->node->ring_seq) {
		sim_fail(host->sim, "node %u: ring sequence goes from %llu to %llu", host->node->id,
			 (unsigned long long)host->node->ring_seq, (unsigned long long)ring_seq);
	}
	host->node->ring_seq = ring_seq;
	return 0;
}

struct held {
	struct list link;
	struct body *body; /* NULL once the node has died */
	const uint8_t *bytes;
	uint64_t size;
	uint32_t digest; /* of them when they were delivered */
};

/* A node that is stopped learns later what its programs have read. */
static void let_go(struct sim *sim, uint32_t id, uint64_t arg)
{
	struct held *held = (struct held *)(uintptr_t)arg;
	struct sim_node *node = sim->nodes[id];

	if (held->body && node->paused) {
		sim_at(sim, 5 * MS, let_go, id, arg);
		return;
	}
	if (held->body) {
		if (crc32c(held->bytes, held->size) != held->digest) {
			sim_fail(sim, "node %u: a message has changed while it was read", id);
		}
		node->held_count--;
		list_remove(&held->link);
		body_drop(held->body, HOLD_CLIENT);
		sim_node_wake(sim, id, 1);
		has_died(sim, node);
	}
	free(held);
}

/* A slow program: keeps the message for a while. */
static void dawdle(struct sim *sim, struct sim_node *node, struct body *body, const uint8_t *bytes,
		   uint64_t size)
{
	struct held *held = calloc(1, sizeof(*held));
	uint64_t us = sim_between(sim, 1, 200) * MS;

	*held = (struct held){
		.body = body, .bytes = bytes, .size = size, .digest = crc32c(bytes, size)};
	list_append(&node->held, &held->link);
	node->held_count++;
	body_hold(body, HOLD_CLIENT);
	if (node->stuck_until_us > sim_now_us(sim)) {
		us += node->stuck_until_us - sim_now_us(sim);
	}
	sim_at(sim, us, let_go, node->id, (uint64_t)(uintptr_t)held);
}

static void let_all_go(struct sim_node *node)
{
	list_for_each_safe(it, after, &node->held)
	{
		struct held *held = list_entry(it, struct held, link);

		list_remove(&held->link);
		body_drop(held->body, HOLD_CLIENT);
		held->body = NULL;
	}
	node->held_count = 0;
}

/* A few messages are kept in any case; while its programs are stuck, all that may be. */
static bool reads_slowly(struct sim *sim, const struct sim_node *node, const struct body *body)
{
	if (node->stuck_until_us > sim_now_us(sim)) {
		return node->held_count < HELD_MAX;
	}
	return node->held_count < 40 && sim_chance(sim, body->home == BODY_PEER ? 30 : 3);
}

static void host_deliver(void *ctx, const struct engine_delivery *delivery)
{
	struct host_ctx *host = ctx;
	struct sim_client *client = &host->node->clients[delivery->client];
	const uint8_t *bytes = NULL;

	if (!sim_node_acts(host->sim, host->node->id)) {
		return;
	}
	if (delivery->body) {
		bytes = delivery->body->bytes + (delivery->offset - delivery->body->offset);
	}
	if (client->state == CLIENT_CLOSED) {
		sim_fail(host->sim, "node %u: a message for a closed connection", host->node->id);
		return;
	}
	sim_check_delivered(host->sim, client->stream, delivery->node, delivery->pid, bytes,
			    delivery->size);
	if (delivery->body && reads_slowly(host->sim, host->node, delivery->body)) {
		dawdle(host->sim, host->node, delivery->body, bytes, delivery->size);
	}
}

static bool listed(const struct cpg_address *list, uint32_t count, uint32_t node, uint32_t pid)
{
	for (uint32_t i = 0; i < count; i++) {
		if (list[i].nodeid == node && list[i].pid == pid) {
			return true;
		}
	}
	return false;
}

static void host_confchg(void *ctx, const struct engine_confchg *confchg)
{
	struct host_ctx *host = ctx;
	struct sim_client *client = &host->node->clients[confchg->client];

	if (!sim_node_acts(host->sim, host->node->id)) {
		return;
	}
	if (client->state == CLIENT_CLOSED) {
		sim_fail(host->sim, "node %u: a view for a closed connection", host->node->id);
		return;
	}
	sim_check_confchg(host->sim, client->stream, confchg);
	if (client->state == CLIENT_JOINING &&
	    listed(confchg->joined, confchg->joined_count, host->node->id, client->pid)) {
		client->state = CLIENT_JOINED;
	}
	if (listed(confchg->left, confchg->left_count, host->node->id, client->pid)) {
		client->state = CLIENT_OPEN;
		sim_check_stream_end(host->sim, client->stream, false);
	}
}

static void host_totem(void *ctx, uint32_t client, struct ringid ring,
		       const struct nodeset *members)
{
	struct host_ctx *host = ctx;

	if (!sim_node_acts(host->sim, host->node->id)) {
		return;
	}
	sim_check_activated(host->sim, host->node->id, ring);
	if (host->node->clients[client].state == CLIENT_CLOSED) {
		sim_fail(host->sim, "node %u: a ring event for a closed connection",
			 host->node->id);
	}
	if (!nodeset_has(members, host->node->id) || ring.rep != members->id[0]) {
		sim_fail(host->sim, "node %u: ring event with a wrong member list", host->node->id);
	}
}

static void host_sent(void *ctx, uint32_t client, uint64_t cookie)
{
	struct host_ctx *host = ctx;
	uint32_t pid = (uint32_t)(cookie >> 32);

	if (sim_node_acts(host->sim, host->node->id) && host->node->clients[client].pid == pid) {
		host->node->clients[client].unsent -= (uint32_t)cookie;
	}
}

/* On one host nodes use each other's memory: nobody needs numbers for it here. */
static int host_foreign(void *ctx, const struct engine_foreign *foreign, uint32_t *region)
{
	struct host_ctx *host = ctx;

	(void)foreign;
	if (sim_chance(host->sim, 5)) {
		return -ENOSPC;
	}
	*region = TRANSPORT_REGIONS_MAX;
	return 0;
}

static void host_log(void *ctx, int priority, const char *text)
{
	struct host_ctx *host = ctx;

	(void)priority;
	sim_trace(host->sim, "node %u: %s", host->node->id, text);
}

static void host_state(void *ctx, const struct totem_action *action)
{
	struct host_ctx *host = ctx;

	if (!sim_node_acts(host->sim, host->node->id)) {
		return;
	}
	sim_trace(host->sim, "node %u: %s (%s)", host->node->id, totem_state_name(action->state),
		  totem_reason_name(action->reason));
	sim_faults_at_state(host->sim, host->node->id, action->state == TOTEM_OPERATIONAL);
}

static void host_ordered(void *ctx, const struct frame_info *info)
{
	struct host_ctx *host = ctx;

	if (host->node->doom == 1) {
		return;
	}
	sim_check_ordered(host->sim, host->node->id, host->node->life, info);
}

static void host_configuration(void *ctx, const struct totem_action *action)
{
	struct host_ctx *host = ctx;

	if (!sim_node_acts(host->sim, host->node->id)) {
		return;
	}
	if (action->kind == TOTEM_ACT_TRANSITIONAL) {
		sim_check_transitional(host->sim, host->node->id, host->node->life, action->ring,
				       action->members);
	} else {
		sim_check_regular(host->sim, host->node->id, host->node->life, action->ring,
				  action->members);
	}
}

/* ---- life ---- */

/* Of clients that ended, of this seed or earlier ones: new pages would be a tenth of a run's time. */
static struct sim_memory *spare_memory;

static struct sim_memory *memory_made(void)
{
	struct sim_memory *memory = calloc(1, sizeof(*memory));

	memory->fd = memfd_create("sim", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (ftruncate(memory->fd, SEND_MEMORY)) {
		abort();
	}
	memory->base = mmap(NULL, SEND_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);
	return memory;
}

static struct sim_memory *memory_new(const struct sim *sim, const struct sim_node *node,
				     struct transport_region *region)
{
	struct sim_memory *memory = spare_memory;

	if (memory) {
		spare_memory = memory->next;
	} else {
		memory = memory_made();
	}
	memory->node = node;
	memory->one_host = sim->one_host;
	memory->used = 0;
	region->base = memory->base;
	region->fd = memory->fd;
	return memory;
}

/* Also the engine's word that nothing uses it any more: whoever reads it still would see that. A node that dies writes nothing any
 * more, and on one host others may go on reading what it has lent. */
static void memory_free(void *ctx, uint32_t region)
{
	struct sim_memory *memory = ctx;
	const struct sim_node *node = memory->node;
	bool dies = !node->up || node->doom == 1;

	(void)region;
	if (!dies) {
		memset(memory->base, 0xee, memory->used);
	}
	if (!dies || !memory->one_host) {
		memory->next = spare_memory;
		spare_memory = memory;
		return;
	}
	munmap(memory->base, SEND_MEMORY);
	close(memory->fd);
	free(memory);
}

/* Loans are numbered from there: some soon run over. */
static uint64_t incarnation(struct sim *sim)
{
	uint64_t number = sim_random(sim);

	return sim->options.seed % 3 == 2 ? number | (UINT32_MAX - 63) : number;
}

static const struct crypto_suite suite = {CRYPTO_AES128, CRYPTO_SHA256};

/* Of the few numbers that a run gets to. */
static const struct cluster_key *key_of(uint32_t number)
{
	static struct cluster_key keys[32];
	struct cluster_key *key = &keys[number % 32];

	if (cluster_key_none(key) &&
	    cluster_key_derive(suite, "sim", &number, sizeof(number), key)) {
		abort();
	}
	return key;
}

static int host_random(void *ctx, void *out, size_t size)
{
	struct host_ctx *host = ctx;

	for (size_t i = 0; i < size; i++) {
		((uint8_t *)out)[i] = (uint8_t)sim_random(host->sim);
	}
	return 0;
}

static struct engine_config engine_config(struct sim *sim, const struct sim_node *node)
{
	return (struct engine_config){
		.protection = {.key = key_of(node->key_number),
			       .suite = sim->sealed ? suite : (struct crypto_suite){0},
			       .cluster_name = "sim"},
		.totem = {.node = node->id,
			  .token_ms = 300,
			  .token_retransmit_ms = 60,
			  .hold_ms = 40,
			  .join_ms = 30,
			  .consensus_ms = 400,
			  .merge_ms = 100,
			  .fail_recv_const = 2500,
			  .seqno_unchanged_const = 5,
			  .window_size = 64,
			  .max_messages = 20,
			  .accelerated_window = 10,
			  .miss_count_const = 2},
		.pg = {.clients_max = SIM_CLIENTS, .members_max = 512},
		.slab = {.slot_size_bytes = SLOT_SIZE,
			 .slot_count = SLOTS,
			 .extent_bytes = EXTENTS,
			 .extent_step_bytes = EXTENTS / 16},
		.eager_size_bytes = EAGER_SIZE,
		.digest = !sim->exact,
		.dissemination = sim->chains && (sim->options.seed / 16 + node->id) % 5 > 0
					 ? ENGINE_CHAIN
					 : ENGINE_DIRECT,
		.copy_size_bytes = COPY_SIZE,
		.read_size_bytes = READ_SIZE,
		.ring_seq = node->ring_seq,
		.incarnation = incarnation(sim),
	};
}

static const struct engine_host host_template = {.persist = host_persist,
						 .random = host_random,
						 .deliver = host_deliver,
						 .confchg = host_confchg,
						 .totem = host_totem,
						 .sent = host_sent,
						 .foreign = host_foreign,
						 .log = host_log,
						 .state = host_state,
						 .ordered = host_ordered,
						 .configuration = host_configuration};

static struct engine *build_engine(struct sim *sim, struct sim_node *node)
{
	struct engine_config config = engine_config(sim, node);
	struct engine_host host = host_template;
	struct transport_config net = {.cluster_name = "sim",
				       .node = node->id,
				       .incarnation = config.incarnation,
				       .slot_size_bytes = SLOT_SIZE,
				       .slot_count = SLOTS,
				       .bulk_depth = 256};
	struct transport *transport;
	struct engine *engine = NULL;

	contexts[node->id] = (struct host_ctx){sim, node};
	host.ctx = &contexts[node->id];
	sim_net_opening(sim);
	if (slab_new(&config.slab, &node->slab) || transport_simulated.open(&net, &transport) ||
	    engine_new(&config, &host, &transport_simulated, transport, node->slab, &engine)) {
		sim_fail(sim, "node %u: no engine", node->id);
	}
	return engine;
}

static void client_habit(struct sim *sim, uint32_t id, uint64_t arg);

void sim_node_start(struct sim *sim, uint32_t id)
{
	struct sim_node *node = sim->nodes[id];

	if (node->up || sim->ending) {
		return;
	}
	sim_trace(sim, "node %u starts", id);
	node->up = true;
	node->paused = false;
	node->doom = 0;
	node->life++;
	node->turn_at_us = UINT64_MAX;
	node->engine = build_engine(sim, node);
	if (!node->engine) {
		return;
	}
	for (uint32_t peer = 1; peer <= sim->node_count; peer++) {
		struct transport_peer entry = {.node = peer};

		if (peer != id) {
			engine_peer_add(node->engine, &entry);
		}
	}
	engine_start(node->engine, now_ms(sim, node));
	sim_node_wake(sim, id, 10);
	for (uint32_t i = 0; i < SIM_CLIENTS; i++) {
		sim_at(sim, sim_between(sim, 1, 500) * MS, client_habit, id, node->life << 8 | i);
	}
}

void sim_node_crash(struct sim *sim, uint32_t id)
{
	struct sim_node *node = sim->nodes[id];

	if (!node->up) {
		return;
	}
	node->doom = 0;
	sim_trace(sim, "fault: node %u crashes", id);
	for (uint32_t i = 0; i < SIM_CLIENTS; i++) {
		struct sim_client *client = &node->clients[i];

		if (client->state > CLIENT_OPEN) {
			sim_check_stream_end(sim, client->stream, true);
		}
		client->state = CLIENT_CLOSED;
		client->pid = 0;
	}
	sim_net_crash(sim, id);
	node->up = false;
	node->paused = false;
	node->life++;
	let_all_go(node);
	engine_free(&node->engine);
	slab_free(&node->slab);
	for (uint32_t i = 0; i < SIM_CLIENTS; i++) {
		if (node->clients[i].memory) {
			memory_free(node->clients[i].memory, 0);
			node->clients[i].memory = NULL;
		}
	}
}

static void resume(struct sim *sim, uint32_t id, uint64_t life)
{
	struct sim_node *node = sim->nodes[id];

	if (node->up && node->life == life) {
		sim_trace(sim, "node %u continues", id);
		node->paused = false;
		sim_node_wake(sim, id, 1);
	}
}

void sim_node_take_key(struct sim *sim, uint32_t id, uint64_t number)
{
	struct sim_node *node = sim->nodes[id];

	if (node->paused) {
		sim_at(sim, 100 * MS, sim_node_take_key, id, number);
		return;
	}
	if (node->key_number > number) {
		return;
	}
	node->key_number = (uint32_t)number;
	if (node->up) {
		sim_trace(sim, "node %u: has key %u", id, node->key_number);
		engine_change_key(node->engine, key_of(node->key_number));
		sim_node_wake(sim, id, 1);
	}
}

void sim_node_pause(struct sim *sim, uint32_t id, uint64_t for_us)
{
	struct sim_node *node = sim->nodes[id];

	if (node->up && !node->paused) {
		sim_trace(sim, "fault: node %u is stopped for %llu ms", id,
			  (unsigned long long)(for_us / MS));
		node->paused = true;
		sim_at(sim, for_us, resume, id, node->life);
	}
}

void sim_node_slow(struct sim *sim, uint32_t id, uint64_t turn_us, uint64_t for_us)
{
	sim_trace(sim, "fault: node %u takes %llu us more for a turn", id,
		  (unsigned long long)turn_us);
	sim->nodes[id]->slow_us = turn_us;
	sim->nodes[id]->slow_until_us = sim_now_us(sim) + for_us;
}

void sim_node_stuck(struct sim *sim, uint32_t id, uint64_t for_us)
{
	sim_trace(sim, "fault: programs of node %u do not read", id);
	sim->nodes[id]->stuck_until_us = sim_now_us(sim) + for_us;
}

/* The file with the ring's number is gone: the daemon goes on from the clock. */
void sim_node_forget(struct sim *sim, uint32_t id)
{
	sim_trace(sim, "fault: node %u loses its ring sequence", id);
	sim->nodes[id]->ring_seq = sim->ring_seq_first + sim_now_us(sim) / MS;
}

int sim_node_new(struct sim *sim, uint32_t id, struct sim_node **out)
{
	struct sim_node *node = calloc(1, sizeof(*node));

	if (!node) {
		return -ENOMEM;
	}
	node->id = id;
	node->pace = 1000;
	node->clock_base_us = sim->clocks_wrap ? UINT32_MAX * MS - 5 * SECOND : 1000 * SECOND;
	node->ring_seq = sim->ring_seq_first;
	node->next_pid = 1000;
	list_init(&node->held);
	*out = node;
	return 0;
}

void sim_node_free(struct sim_node **node)
{
	free(*node);
	*node = NULL;
}

/* ---- programs ---- */

static void name_of(uint32_t group, struct cpg_name *name)
{
	static const char *const names[SIM_GROUPS] = {"alpha", "beta", ""};

	memset(name, 0, sizeof(*name));
	name->length = (uint32_t)strlen(names[group]);
	memcpy(name->value, names[group], name->length);
}

static void client_open(struct sim *sim, struct sim_node *node, uint32_t index)
{
	struct sim_client *client = &node->clients[index];
	struct transport_region memory = {.size_bytes = SEND_MEMORY, .remote_read = true};

	if (!engine_ready(node->engine) || engine_client_open(node->engine, index, false)) {
		return;
	}
	client->region = 1 + index + SIM_CLIENTS * (uint32_t)(sim_random(sim) % 1000);
	client->memory = memory_new(sim, node, &memory);
	if (engine_region_add(node->engine, client->region, &memory)) {
		memory_free(client->memory, client->region);
		client->memory = NULL;
		engine_client_close(node->engine, index, now_ms(sim, node));
		return;
	}
	client->memory_at = 0;
	client->unsent = 0;
	client->pid = node->next_pid++;
	client->state = CLIENT_OPEN;
}

static void client_close(struct sim *sim, struct sim_node *node, uint32_t index)
{
	struct sim_client *client = &node->clients[index];
	struct sim_memory *memory = client->memory;

	if (client->state > CLIENT_OPEN) {
		sim_check_stream_end(sim, client->stream, false);
	}
	client->state = CLIENT_CLOSED;
	client->pid = 0;
	client->memory = NULL;
	engine_client_close(node->engine, index, now_ms(sim, node));
	engine_region_remove(node->engine, client->region, memory_free, memory);
}

static void client_join(struct sim *sim, struct sim_node *node, uint32_t index)
{
	struct sim_client *client = &node->clients[index];
	uint32_t group = (uint32_t)sim_below(sim, SIM_GROUPS);
	struct cpg_name name;
	uint64_t stream;

	name_of(group, &name);
	stream = sim_check_stream_new(sim, node->id, client->pid, group);
	client->stream = stream;
	client->group = group;
	client->sent = 0;
	client->state = CLIENT_JOINING;
	if (engine_join(node->engine, index, client->pid, &name, now_ms(sim, node)) != CS_OK) {
		client->state = CLIENT_OPEN;
		sim_check_stream_end(sim, stream, false);
	}
}

static uint64_t message_size(struct sim *sim)
{
	uint64_t dice = sim_below(sim, 100);

	if (dice < 70) {
		return sizeof(struct sim_message) + sim_below(sim, 300);
	}
	if (dice < 92) {
		return sizeof(struct sim_message) +
		       sim_below(sim, EAGER_SIZE - sizeof(struct sim_message));
	}
	return EAGER_SIZE + sim_below(sim, 200 * 1024);
}

static void client_send(struct sim *sim, struct sim_node *node, uint32_t index)
{
	static const enum frame_guarantee guarantees[] = {FRAME_AGREED, FRAME_AGREED, FRAME_SAFE,
							  FRAME_UNORDERED};
	struct sim_client *client = &node->clients[index];
	struct sim_message message = {.magic = SIM_MAGIC,
				      .stream = client->stream,
				      .number = client->sent + 1,
				      .size = message_size(sim),
				      .node = node->id,
				      .pid = client->pid,
				      .group = client->group,
				      .guarantee = guarantees[sim_below(sim, 4)]};

	if (client->memory_at + message.size > SEND_MEMORY) {
		if (client->unsent > 0) {
			return;
		}
		client->memory_at = 0;
	}
	sim_pattern_write(&message, client->memory->base + client->memory_at);
	if (client->memory->used < client->memory_at + message.size) {
		client->memory->used = client->memory_at + message.size;
	}
	client->unsent += message.size;
	/* First, because it may be delivered before the call returns. */
	sim_check_sent(sim, client->stream, &message);
	if (engine_mcast(node->engine, index, message.guarantee, client->region, client->memory_at,
			 message.size, (uint64_t)client->pid << 32 | message.size,
			 now_ms(sim, node)) != CS_OK) {
		client->unsent -= message.size;
		sim_check_refused(sim, client->stream);
		return;
	}
	client->memory_at += message.size;
	client->sent++;
	if (sim_below(sim, 2)) {
		engine_flush(node->engine, now_ms(sim, node));
	} else {
		sim_node_wake(sim, node->id, sim_between(sim, 1, 100));
	}
}

static void client_act(struct sim *sim, struct sim_node *node, uint32_t index)
{
	struct sim_client *client = &node->clients[index];
	uint64_t dice = sim_below(sim, 1000);

	if (client->state == CLIENT_CLOSED) {
		client_open(sim, node, index);
		return;
	}
	if (!sim->calm && dice < (sim->restless ? 40 : 4)) {
		client_close(sim, node, index);
		return;
	}
	if (client->state == CLIENT_OPEN) {
		client_join(sim, node, index);
	} else if (!sim->calm && client->state == CLIENT_JOINED &&
		   dice < (sim->restless ? 120 : 10)) {
		client->state = CLIENT_LEAVING;
		engine_leave(node->engine, index, now_ms(sim, node));
	} else if (client->state == CLIENT_JOINED || client->state == CLIENT_JOINING) {
		for (uint64_t burst = sim_below(sim, 12); burst > 0 && !sim->calm; burst--) {
			client_send(sim, node, index);
		}
	}
}

static void client_habit(struct sim *sim, uint32_t id, uint64_t arg)
{
	struct sim_node *node = sim->nodes[id];

	if (!node->up || node->life != arg >> 8) {
		return;
	}
	if (!node->paused) {
		client_act(sim, node, arg & 0xff);
		if (has_died(sim, node)) {
			return;
		}
		sim_node_wake(sim, id, 1);
	}
	sim_at(sim, sim_between(sim, 1, 60 + sim->crowd) * MS, client_habit, id, arg);
}

bool sim_node_quiet(const struct sim_node *node, char *why, size_t size)
{
	struct totem_status ring;
	struct engine_stats stats;

	engine_status(node->engine, &ring, &stats);
	if (stats.slots_free != SLOTS - ENGINE_OWN_SLOTS(SLOTS)) {
		snprintf(why, size, "%u receive slots are still held",
			 SLOTS - ENGINE_OWN_SLOTS(SLOTS) - stats.slots_free);
		return false;
	}
	if (slab_slots_free(node->slab) != ENGINE_OWN_SLOTS(SLOTS)) {
		snprintf(why, size, "%u slots of own frames are still held",
			 ENGINE_OWN_SLOTS(SLOTS) - slab_slots_free(node->slab));
		return false;
	}
	for (uint32_t i = 0; i < SIM_CLIENTS; i++) {
		if (node->clients[i].state != CLIENT_CLOSED && node->clients[i].unsent > 0) {
			snprintf(why, size, "%llu bytes of a program's send memory are still held",
				 (unsigned long long)node->clients[i].unsent);
			return false;
		}
	}
	if (stats.lent > 0) {
		snprintf(why, size, "%u loans are not given back", stats.lent);
		return false;
	}
	if (stats.extents_free_bytes != EXTENTS) {
		snprintf(why, size, "%llu bytes of extents are still held",
			 (unsigned long long)(EXTENTS - stats.extents_free_bytes));
		return false;
	}
	return true;
}
