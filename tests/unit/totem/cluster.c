/* SPDX-License-Identifier: BSD-3-Clause */
/* Nodes, links and time of the test cluster. */
#include "cluster.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wire/control.h"

#include "cluster_int.h"

#define REDIAL_US    3000
#define NOTICE_US    1000
#define DELAY_US_MIN 20

uint32_t cluster_id(uint32_t node)
{
	return 10 * (node + 1);
}

uint32_t index_of(uint32_t id)
{
	check(id % 10 == 0 && id / 10 >= 1 && id / 10 <= CLUSTER_MAX);
	return id / 10 - 1;
}

uint64_t cluster_random(struct cluster *cluster, uint64_t below)
{
	uint64_t x = cluster->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	cluster->random = x;
	return (x * 0x2545f4914f6cdd1dull >> 16) % below;
}

struct link *link_of(struct cluster *cluster, uint32_t a, uint32_t b)
{
	check(a != b);
	return a < b ? &cluster->links[a][b] : &cluster->links[b][a];
}

static struct link_way *way_of(struct cluster *cluster, uint32_t from, uint32_t to)
{
	return &link_of(cluster, from, to)->way[from > to];
}

/* --- the heap of things to come --- */

static bool sooner(const struct item *a, const struct item *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void swap_items(struct item *a, struct item *b)
{
	struct item c = *a;

	*a = *b;
	*b = c;
}

static void item_push(struct cluster *cluster, struct item item)
{
	uint32_t at = cluster->item_count++;

	if (cluster->item_count > cluster->item_capacity) {
		cluster->item_capacity = cluster->item_capacity * 2 + 64;
		cluster->items =
			realloc(cluster->items, cluster->item_capacity * sizeof(*cluster->items));
		check(cluster->items != NULL);
	}
	item.order = cluster->order++;
	cluster->items[at] = item;
	while (at > 0 && sooner(&cluster->items[at], &cluster->items[(at - 1) / 2])) {
		swap_items(&cluster->items[at], &cluster->items[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
}

static struct item item_pop(struct cluster *cluster)
{
	struct item first = cluster->items[0];
	uint32_t at = 0;

	cluster->items[0] = cluster->items[--cluster->item_count];
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < cluster->item_count &&
		    sooner(&cluster->items[child + 1], &cluster->items[child])) {
			child++;
		}
		if (child >= cluster->item_count ||
		    !sooner(&cluster->items[child], &cluster->items[at])) {
			return first;
		}
		swap_items(&cluster->items[child], &cluster->items[at]);
		at = child;
	}
}

/* --- frames --- */

static struct frame *frame_new(struct node *node, uint32_t message)
{
	struct frame *frame = calloc(1, sizeof(*frame));

	check(frame != NULL);
	frame->message = message;
	frame->refs = 1;
	frame->next = &node->frames;
	frame->prev = node->frames.prev;
	frame->prev->next = frame;
	node->frames.prev = frame;
	return frame;
}

static void frame_drop(struct node *node, struct frame *frame)
{
	check(frame->refs > 0);
	if (--frame->refs > 0) {
		return;
	}
	if (frame->in_slot) {
		check(node->slots_used > 0);
		node->slots_used--;
	}
	frame->prev->next = frame->next;
	frame->next->prev = frame->prev;
	free(frame);
}

static void drain(void *ctx, void *frame)
{
	frame_drop(ctx, frame);
}

/* --- sending --- */

static uint64_t delay(struct cluster *cluster, uint32_t from, uint32_t to,
		      enum wire_channel channel)
{
	struct link_way *way = way_of(cluster, from, to);
	uint64_t due = cluster->now_us + DELAY_US_MIN +
		       cluster_random(cluster, cluster->options.delay_us_max);

	if (channel == WIRE_BULK) {
		due += way->slow_us;
	}
	if (due <= way->last_due_us[channel]) {
		due = way->last_due_us[channel] + 1;
	}
	way->last_due_us[channel] = due;
	return due;
}

static void send_control(struct node *node, uint32_t to, const struct totem_action *action)
{
	struct cluster *cluster = node->cluster;
	struct link *link = link_of(cluster, node->index, to);
	struct item item = {.kind = ITEM_CONTROL, .from = node->index, .to = to};

	if (!link->up) {
		return;
	}
	cluster->control_count[wire_control_kind(action->bytes, action->size)]++;
	if (way_of(cluster, node->index, to)->drop_control > 0) {
		way_of(cluster, node->index, to)->drop_control--;
		return;
	}
	item.due_us = delay(cluster, node->index, to, WIRE_CONTROL);
	item.generation = link->generation;
	item.size = action->size;
	item.bytes = malloc(action->size);
	check(item.bytes != NULL);
	memcpy(item.bytes, action->bytes, action->size);
	item_push(cluster, item);
}

static void act_control_of(struct node *node, const struct totem_action *action)
{
	enum control_kind kind = wire_control_kind(action->bytes, action->size);

	check(kind != CONTROL_NONE && action->size <= CONTROL_SIZE_MAX);
	node->token_sent = node->token_sent || kind == CONTROL_TOKEN;
	memcpy(node->last[kind], action->bytes, action->size);
	node->last_size[kind] = action->size;
	if (action->to != 0) {
		send_control(node, index_of(action->to), action);
		return;
	}
	for (uint32_t i = 0; i < node->cluster->options.nodes; i++) {
		if (i != node->index) {
			send_control(node, i, action);
		}
	}
}

static void send_frame(struct node *node, const struct totem_action *action)
{
	struct cluster *cluster = node->cluster;
	struct frame *frame = action->frame;

	check(frame->refs > 0);
	node->after_token += node->token_sent ? 1 : 0;
	if (node->after_token > node->after_token_max) {
		node->after_token_max = node->after_token;
	}
	check_numbered(node, &action->info, frame->message);
	for (uint32_t i = 0; i < action->members->count; i++) {
		uint32_t to = index_of(action->members->id[i]);
		struct link *link;

		if (!(action->mask & (1ull << i))) {
			continue;
		}
		check(to != node->index);
		link = link_of(cluster, node->index, to);
		if (link->up) {
			item_push(cluster, (struct item){.kind = ITEM_FRAME,
							 .from = node->index,
							 .to = to,
							 .generation = link->generation,
							 .due_us = delay(cluster, node->index, to,
									 WIRE_BULK),
							 .message = frame->message,
							 .info = action->info});
		}
	}
}

/* --- links --- */

static void link_notice(struct cluster *cluster, uint32_t node, uint32_t peer, enum item_kind kind,
			bool gone, uint64_t after_us)
{
	item_push(cluster, (struct item){.kind = kind,
					 .from = peer,
					 .to = node,
					 .gone = gone,
					 .incarnation = cluster->nodes[node].incarnation,
					 .generation = link_of(cluster, node, peer)->generation,
					 .due_us = cluster->now_us + after_us});
}

/* What is under way is cut at a random point of each channel: in order, so a prefix still
 * arrives. */
static void link_break(struct cluster *cluster, uint32_t a, uint32_t b)
{
	struct link *link = link_of(cluster, a, b);
	uint64_t keep_us = cluster->now_us + cluster_random(cluster, cluster->options.delay_us_max);

	if (!link->up) {
		return;
	}
	for (uint32_t i = 0; i < cluster->item_count; i++) {
		struct item *item = &cluster->items[i];
		bool between =
			(item->from == a && item->to == b) || (item->from == b && item->to == a);

		if (between && item->generation == link->generation && item->due_us > keep_us &&
		    (item->kind == ITEM_CONTROL || item->kind == ITEM_FRAME)) {
			item->lost = true;
		}
	}
	link->up = false;
}

static void link_dial(struct cluster *cluster, uint32_t a, uint32_t b)
{
	struct link *link = link_of(cluster, a, b);
	uint64_t wait_us = REDIAL_US + cluster_random(cluster, REDIAL_US);

	if (link->up || link->dialling || !link->allowed || !cluster->nodes[a].alive ||
	    !cluster->nodes[b].alive) {
		return;
	}
	link->dialling = true;
	link->generation++;
	link_notice(cluster, a, b, ITEM_DIALLED, false, wait_us);
}

static void break_and_tell(struct cluster *cluster, uint32_t a, uint32_t b)
{
	if (!link_of(cluster, a, b)->up) {
		return;
	}
	link_break(cluster, a, b);
	link_notice(cluster, a, b, ITEM_DOWN, false, NOTICE_US + cluster_random(cluster, 500));
	link_notice(cluster, b, a, ITEM_DOWN, false, NOTICE_US + cluster_random(cluster, 500));
}

static void fence(struct node *node, uint32_t id)
{
	struct cluster *cluster = node->cluster;
	uint32_t peer = index_of(id);
	struct link *link = link_of(cluster, node->index, peer);

	node->fenced |= UINT64_C(1) << peer;
	link_break(cluster, node->index, peer);
	/* Nothing of it arrives any more: the queue pair is gone. */
	for (uint32_t i = 0; i < cluster->item_count; i++) {
		struct item *item = &cluster->items[i];

		if (item->to == node->index && item->from == peer && item->kind != ITEM_UP &&
		    item->kind != ITEM_DOWN) {
			item->lost = true;
		}
	}
	if (link->dialling) {
		return;
	}
	link_notice(cluster, peer, node->index, ITEM_DOWN, false, NOTICE_US);
	link_dial(cluster, node->index, peer);
}

/* --- a node --- */

static void step(struct node *node, struct totem_event *event);

static void perform(struct node *node, const struct totem_action *action)
{
	switch (action->kind) {
	case TOTEM_ACT_PERSIST:
		check(action->ring_seq > node->ring_seq);
		node->ring_seq = action->ring_seq;
		return;
	case TOTEM_ACT_CONTROL:
		act_control_of(node, action);
		return;
	case TOTEM_ACT_SEND:
		send_frame(node, action);
		return;
	case TOTEM_ACT_DELIVER:
	case TOTEM_ACT_DELIVER_EARLY:
		check_delivery(node, action);
		return;
	case TOTEM_ACT_RELEASE:
		check_release(node, action->frame);
		frame_drop(node, action->frame);
		return;
	case TOTEM_ACT_RETURN:
		check(node->returned_count < TOTEM_BACKLOG_MAX);
		node->returned[node->returned_count++] = action->frame;
		return;
	case TOTEM_ACT_TRANSITIONAL:
	case TOTEM_ACT_REGULAR:
		check_configuration(node, action);
		return;
	case TOTEM_ACT_FENCE:
		fence(node, action->to);
		return;
	case TOTEM_ACT_STATE:
		node->state = action->state;
		node->entries[action->state]++;
		if (node->cluster->options.verbose) {
			printf("%8" PRIu64 " us  node %u  %s: %s  (ring %u.%" PRIu64 ")\n",
			       node->cluster->now_us, cluster_id(node->index),
			       totem_state_name(action->state), totem_reason_name(action->reason),
			       action->ring.rep, action->ring.seq);
		}
		return;
	}
}

static uint32_t capacity(const struct node *node)
{
	struct totem_status status;
	uint64_t expected;
	/* The driver knows of a frame when it looks at it. */
	uint32_t slots = node->cluster->options.slots + node->queued;
	uint32_t posted = slots > node->slots_used ? slots - node->slots_used : 0;

	totem_status(node->totem, &status);
	/* As totem.h asks for. */
	expected = status.high_seq - status.aru + 2ull * node->cluster->config.window_size;
	return expected < posted ? posted - (uint32_t)expected : 0;
}

/* Nobody may spin: thousands of steps without time passing. */
static void check_spin(struct node *node)
{
	struct cluster *cluster = node->cluster;

	node->same_steps = node->same_step_us == cluster->now_us ? node->same_steps + 1 : 0;
	node->same_step_us = cluster->now_us;
	check(node->same_steps < 100000);
}

static void submit_frame(struct node *node, struct frame *frame)
{
	struct totem_event event = {.kind = TOTEM_EV_SUBMIT, .frame = frame};

	event.info.guarantee = node->cluster->messages[frame->message].guarantee;
	check(totem_backlog_free(node->totem) > 0);
	step(node, &event);
}

static void submit_returned(struct node *node)
{
	uint32_t count = node->returned_count;

	node->returned_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		submit_frame(node, node->returned[i]);
	}
	check(node->returned_count == 0);
}

static void step(struct node *node, struct totem_event *event)
{
	const struct totem_update *update;

	event->now_ms = node->cluster->now_us / 1000;
	event->capacity = capacity(node);
	event->sendable = UINT32_MAX;
	update = totem_step(node->totem, event);
	node->cluster->steps++;
	check_spin(node);
	node->token_sent = false;
	node->after_token = 0;
	for (uint32_t i = 0; i < update->count; i++) {
		perform(node, &update->actions[i]);
	}
	if (node->returned_count > 0) {
		submit_returned(node);
	}
}

static void give_frame(struct node *node, const struct item *item, bool in_slot)
{
	struct totem_event event = {
		.kind = TOTEM_EV_FRAME, .from = cluster_id(item->from), .info = item->info};
	struct frame *frame = frame_new(node, item->message);

	frame->in_slot = in_slot;
	frame->info = item->info;
	check_received(node, &item->info, item->message);
	event.frame = frame;
	step(node, &event);
}

static void frame_looked_at(struct node *node, const struct item *item)
{
	struct cluster *cluster = node->cluster;
	struct totem_event event = {
		.kind = TOTEM_EV_PENDING, .from = cluster_id(item->from), .info = item->info};
	uint32_t pull_us = cluster->messages[item->message].pull_us;
	struct item pulled = *item;

	node->queued--;
	if (pull_us == 0) {
		give_frame(node, item, true);
		return;
	}
	node->slots_used--;
	if (node->mute && node->fail_pulls > 0) {
		return;
	}
	if (!totem_wants(node->totem, cluster_id(item->from), &item->info)) {
		return;
	}
	step(node, &event);
	node->pull_free_us =
		(node->pull_free_us > cluster->now_us ? node->pull_free_us : cluster->now_us) +
		pull_us;
	pulled.kind = ITEM_PULLED;
	pulled.incarnation = node->incarnation;
	pulled.due_us = node->pull_free_us;
	item_push(cluster, pulled);
	pulled.kind = ITEM_PROGRESS;
	pulled.due_us = node->pull_free_us - pull_us / 2;
	item_push(cluster, pulled);
}

static void frame_arrives(struct node *node, const struct item *item)
{
	struct cluster *cluster = node->cluster;
	struct item queued = *item;

	/* A receive without a posted slot is what flow control must never let happen. */
	check(cluster->options.no_checks || node->slots_used < cluster->options.slots);
	node->slots_used++;
	node->queued++;
	if (cluster->options.lag_us == 0) {
		frame_looked_at(node, item);
		return;
	}
	if (node->queue_us < cluster->now_us) {
		node->queue_us = cluster->now_us + cluster_random(cluster, cluster->options.lag_us);
	}
	queued.kind = ITEM_QUEUED;
	queued.due_us = node->queue_us + 1;
	queued.incarnation = node->incarnation;
	item_push(cluster, queued);
}

/* Whether the node still holds the message's bytes for others to READ. */
static bool still_holds(struct cluster *cluster, uint32_t node, uint32_t message)
{
	const struct frame *frames = &cluster->nodes[node].frames;

	for (const struct frame *it = frames->next; it != frames; it = it->next) {
		if (it->message == message) {
			return true;
		}
	}
	return false;
}

static void pull_ends(struct node *node, const struct item *item)
{
	struct cluster *cluster = node->cluster;
	struct link *link = link_of(cluster, item->from, item->to);
	struct totem_event event = {
		.kind = TOTEM_EV_LOST, .from = cluster_id(item->from), .info = item->info};

	if (node->fail_pulls > 0) {
		node->fail_pulls--;
	} else if (link->up && link->generation == item->generation && !item->lost) {
		/* While it is wanted and the link was never cut, its bytes must not have been
		 * reused. */
		check(cluster->options.no_checks ||
		      still_holds(cluster, item->from, item->message) ||
		      !ringid_equal(node->ring, item->info.ring));
		give_frame(node, item, false);
		return;
	}
	step(node, &event);
}

static void deliver_item(struct cluster *cluster, const struct item *item)
{
	struct node *node = &cluster->nodes[item->to];
	struct link *link = link_of(cluster, item->from, item->to);
	struct totem_event event = {.from = cluster_id(item->from), .gone = item->gone};

	switch (item->kind) {
	case ITEM_CONTROL:
		event.kind = TOTEM_EV_CONTROL;
		event.bytes = item->bytes;
		event.size = item->size;
		step(node, &event);
		return;
	case ITEM_FRAME:
		frame_arrives(node, item);
		return;
	case ITEM_QUEUED:
		frame_looked_at(node, item);
		return;
	case ITEM_PULLED:
		pull_ends(node, item);
		return;
	case ITEM_PROGRESS:
		event.kind = TOTEM_EV_PROGRESS;
		step(node, &event);
		return;
	case ITEM_DIALLED:
		link->up = true;
		link->dialling = false;
		link_notice(cluster, item->to, item->from, ITEM_UP, false, 0);
		link_notice(cluster, item->from, item->to, ITEM_UP, false, 0);
		return;
	case ITEM_UP:
		event.kind = TOTEM_EV_PEER_UP;
		step(node, &event);
		return;
	case ITEM_DOWN:
		event.kind = TOTEM_EV_PEER_DOWN;
		step(node, &event);
		link_dial(cluster, item->from, item->to);
		return;
	}
}

/* Whether it still means anything when its time has come. */
static bool item_valid(struct cluster *cluster, const struct item *item)
{
	struct node *node = &cluster->nodes[item->to];
	struct link *link = link_of(cluster, item->from, item->to);

	if (!node->alive || node->left) {
		return false;
	}
	switch (item->kind) {
	case ITEM_CONTROL:
	case ITEM_FRAME:
		return !item->lost && item->generation == link->generation;
	case ITEM_QUEUED:
	case ITEM_PULLED:
	case ITEM_PROGRESS:
		return item->incarnation == node->incarnation;
	case ITEM_DIALLED:
		return link->allowed && item->generation == link->generation &&
		       cluster->nodes[item->from].alive;
	case ITEM_UP:
	case ITEM_DOWN:
		return item->incarnation == node->incarnation;
	}
	return false;
}

static void item_run(struct cluster *cluster, struct item *item)
{
	struct node *node = &cluster->nodes[item->to];

	if (node->alive && node->paused && item->kind != ITEM_DIALLED) {
		if (node->waiting_count == node->waiting_capacity) {
			node->waiting_capacity = 2 * node->waiting_capacity + 256;
			node->waiting = realloc(node->waiting,
						node->waiting_capacity * sizeof(*node->waiting));
			check(node->waiting != NULL);
		}
		node->waiting[node->waiting_count++] = *item;
		return;
	}
	if (item_valid(cluster, item)) {
		deliver_item(cluster, item);
	} else if (item->kind == ITEM_DIALLED) {
		link_of(cluster, item->from, item->to)->dialling = false;
		link_dial(cluster, item->from, item->to);
	}
	free(item->bytes);
}

/* --- running --- */

static uint64_t node_deadline_us(const struct node *node)
{
	uint64_t deadline_ms;

	if (!node->alive || node->paused) {
		return UINT64_MAX;
	}
	deadline_ms = totem_next_deadline_ms(node->totem);
	return deadline_ms == UINT64_MAX ? UINT64_MAX : deadline_ms * 1000;
}

static bool run_one(struct cluster *cluster, uint64_t until_us)
{
	struct totem_event timer = {.kind = TOTEM_EV_TIMER};
	uint64_t next_us = cluster->item_count > 0 ? cluster->items[0].due_us : UINT64_MAX;
	struct node *due = NULL;

	for (uint32_t i = 0; i < cluster->options.nodes; i++) {
		uint64_t deadline_us = node_deadline_us(&cluster->nodes[i]);

		if (deadline_us < next_us) {
			next_us = deadline_us;
			due = &cluster->nodes[i];
		}
	}
	if (next_us > until_us) {
		return false;
	}
	if (next_us > cluster->now_us) {
		cluster->now_us = next_us;
	}
	if (due) {
		/* A turn of a real loop takes time. */
		cluster->now_us++;
		step(due, &timer);
	} else {
		struct item item = item_pop(cluster);

		item_run(cluster, &item);
	}
	return true;
}

void cluster_run_us(struct cluster *cluster, uint64_t us)
{
	uint64_t until_us = cluster->now_us + us;

	while (run_one(cluster, until_us)) {
	}
	cluster->now_us = cluster->now_us > until_us ? cluster->now_us : until_us;
}

void cluster_run_ms(struct cluster *cluster, uint64_t ms)
{
	cluster_run_us(cluster, ms * 1000);
}

bool cluster_run_until(struct cluster *cluster, bool (*done)(struct cluster *cluster),
		       uint64_t limit_ms)
{
	uint64_t until_us = cluster->now_us + limit_ms * 1000;

	while (!done(cluster)) {
		if (!run_one(cluster, until_us)) {
			return false;
		}
	}
	return true;
}

/* --- control by the test --- */

static void node_init(struct cluster *cluster, uint32_t index)
{
	struct node *node = &cluster->nodes[index];

	node->cluster = cluster;
	node->index = index;
	node->frames.next = node->frames.prev = &node->frames;
	node->seen = calloc(MESSAGES_MAX, 1);
	node->returned = calloc(TOTEM_BACKLOG_MAX, sizeof(struct frame *));
	check(node->seen && node->returned);
}

struct cluster *cluster_new(const struct cluster_options *options)
{
	struct cluster *cluster = calloc(1, sizeof(*cluster));

	check(cluster && options->nodes <= CLUSTER_MAX);
	cluster->options = *options;
	cluster->options.slots = options->slots ? options->slots : 1024;
	cluster->options.delay_us_max = options->delay_us_max ? options->delay_us_max : 100;
	cluster->random = options->seed * 0x9e3779b97f4a7c15ull + 0x1234567;
	cluster->now_us = 1000000;
	cluster->messages = calloc(MESSAGES_MAX, sizeof(*cluster->messages));
	cluster->rings = calloc(RINGS_MAX, sizeof(*cluster->rings));
	cluster->changes = calloc(CHANGES_MAX, sizeof(*cluster->changes));
	check(cluster->messages && cluster->rings && cluster->changes);
	cluster->config = (struct totem_config){.token_ms = 1000,
						.token_retransmit_ms = 80,
						.hold_ms = 60,
						.join_ms = 50,
						.consensus_ms = 1200,
						.merge_ms = 200,
						.fail_recv_const = 2500,
						.seqno_unchanged_const = 30,
						.window_size = 50,
						.max_messages = 17,
						.accelerated_window = 10,
						.miss_count_const = 5};
	for (uint32_t i = 0; i < options->nodes; i++) {
		node_init(cluster, i);
		for (uint32_t j = i + 1; j < options->nodes; j++) {
			cluster->links[i][j].allowed = true;
		}
	}
	return cluster;
}

struct cluster *cluster_new_formed(uint32_t nodes, uint64_t seed)
{
	struct cluster_options options = {.nodes = nodes, .seed = seed};
	struct cluster *cluster = cluster_new(&options);

	cluster_start_all(cluster);
	check(cluster_run_until(cluster, cluster_formed, 10000));
	return cluster;
}

struct totem_config *cluster_config(struct cluster *cluster)
{
	return &cluster->config;
}

uint64_t cluster_now_ms(const struct cluster *cluster)
{
	return cluster->now_us / 1000;
}

static void node_end(struct node *node)
{
	totem_drain(node->totem, drain, node);
	totem_free(&node->totem);
	check(node->frames.next == &node->frames && node->slots_used == node->queued);
	node->slots_used = node->queued = 0;
	for (uint32_t i = 0; i < node->waiting_count; i++) {
		free(node->waiting[i].bytes);
	}
	node->waiting_count = 0;
	node->alive = false;
	node->paused = false;
	node->left = false;
	node->fenced = 0;
}

void cluster_free(struct cluster **cluster_ptr)
{
	struct cluster *cluster = *cluster_ptr;

	for (uint32_t i = 0; i < CLUSTER_MAX; i++) {
		struct node *node = &cluster->nodes[i];

		if (node->alive) {
			node_end(node);
		}
		free(node->log);
		free(node->seen);
		free(node->waiting);
		free(node->returned);
	}
	while (cluster->item_count > 0) {
		free(item_pop(cluster).bytes);
	}
	checker_free(cluster);
	free(cluster->items);
	free(cluster->messages);
	free(cluster->rings);
	free(cluster->changes);
	free(cluster);
	*cluster_ptr = NULL;
}

static void dial_all(struct cluster *cluster)
{
	for (uint32_t i = 0; i < cluster->options.nodes; i++) {
		for (uint32_t j = i + 1; j < cluster->options.nodes; j++) {
			link_dial(cluster, i, j);
		}
	}
}

void cluster_start(struct cluster *cluster, uint32_t index)
{
	struct totem_event start = {.kind = TOTEM_EV_START};
	struct node *node = &cluster->nodes[index];
	struct totem_config config = cluster->config;

	check(!node->alive);
	config.node = cluster_id(index);
	check(totem_new(&config, node->ring_seq, &node->totem) == 0);
	node->alive = true;
	node->incarnation++;
	node->log_count = 0;
	node->regular_at = node->transitional_at = 0;
	node->last_seq = node->gapless_seq = 0;
	node->transitional = false;
	node->ring = (struct ringid){0, 0};
	node->pull_free_us = 0;
	memset(node->seen, 0, MESSAGES_MAX);
	step(node, &start);
	dial_all(cluster);
}

void cluster_start_all(struct cluster *cluster)
{
	for (uint32_t i = 0; i < cluster->options.nodes; i++) {
		if (!cluster->nodes[i].alive) {
			cluster_start(cluster, i);
		}
	}
}

static void end(struct cluster *cluster, uint32_t index, bool gone)
{
	struct node *node = &cluster->nodes[index];

	check(node->alive);
	for (uint32_t i = 0; i < cluster->options.nodes; i++) {
		if (i == index || !link_of(cluster, index, i)->up) {
			continue;
		}
		link_break(cluster, index, i);
		link_notice(cluster, i, index, ITEM_DOWN, gone,
			    NOTICE_US + cluster_random(cluster, 1000));
	}
	node_end(node);
}

void cluster_crash(struct cluster *cluster, uint32_t index)
{
	end(cluster, index, true);
}

void cluster_vanish(struct cluster *cluster, uint32_t index)
{
	end(cluster, index, false);
}

void cluster_leave(struct cluster *cluster, uint32_t index)
{
	struct totem_event leave = {.kind = TOTEM_EV_LEAVE};
	struct node *node = &cluster->nodes[index];

	step(node, &leave);
	check(totem_next_deadline_ms(node->totem) == UINT64_MAX);
	node->left = true;
	node_end(node);
	/* Its links stay until others notice; nothing of it is lost. */
	for (uint32_t i = 0; i < cluster->options.nodes; i++) {
		if (i != index && link_of(cluster, index, i)->up) {
			link_of(cluster, index, i)->up = false;
			link_notice(cluster, i, index, ITEM_DOWN, false, NOTICE_US);
		}
	}
}

void cluster_pause(struct cluster *cluster, uint32_t node)
{
	cluster->nodes[node].paused = true;
}

void cluster_resume(struct cluster *cluster, uint32_t node)
{
	struct node *stopped = &cluster->nodes[node];

	stopped->paused = false;
	/* Before anything newer, in order. */
	for (uint32_t i = 0; i < stopped->waiting_count; i++) {
		stopped->waiting[i].due_us = cluster->now_us - 1;
		item_push(cluster, stopped->waiting[i]);
	}
	stopped->waiting_count = 0;
}

bool cluster_alive(const struct cluster *cluster, uint32_t node)
{
	return cluster->nodes[node].alive;
}

void cluster_cut(struct cluster *cluster, uint32_t a, uint32_t b)
{
	struct link *link = link_of(cluster, a, b);

	link->allowed = false;
	break_and_tell(cluster, a, b);
}

void cluster_mend(struct cluster *cluster, uint32_t a, uint32_t b)
{
	link_of(cluster, a, b)->allowed = true;
	link_dial(cluster, a, b);
}

void cluster_flap(struct cluster *cluster, uint32_t a, uint32_t b)
{
	break_and_tell(cluster, a, b);
}

void cluster_lose_bulk(struct cluster *cluster, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < cluster->item_count; i++) {
		struct item *item = &cluster->items[i];

		if (item->from == from && item->to == to && item->kind == ITEM_FRAME) {
			item->lost = true;
		}
	}
}

void cluster_lose_control(struct cluster *cluster, uint32_t from, uint32_t to, uint32_t count)
{
	way_of(cluster, from, to)->drop_control = count;
}

void cluster_slow_bulk(struct cluster *cluster, uint32_t from, uint32_t to, uint32_t us)
{
	way_of(cluster, from, to)->slow_us = us;
}

void cluster_partition(struct cluster *cluster, const uint32_t *group)
{
	for (uint32_t i = 0; i < cluster->options.nodes; i++) {
		for (uint32_t j = i + 1; j < cluster->options.nodes; j++) {
			if (group[i] == group[j]) {
				cluster_mend(cluster, i, j);
			} else {
				cluster_cut(cluster, i, j);
			}
		}
	}
}

void cluster_heal(struct cluster *cluster)
{
	uint32_t same[CLUSTER_MAX] = {0};

	cluster_partition(cluster, same);
}

uint32_t cluster_submit(struct cluster *cluster, uint32_t index, enum frame_guarantee guarantee,
			uint32_t pull_us)
{
	struct node *node = &cluster->nodes[index];
	struct message *message;

	if (node->paused || totem_backlog_free(node->totem) == 0) {
		return 0;
	}
	check(cluster->message_count + 1 < MESSAGES_MAX);
	message = &cluster->messages[++cluster->message_count];
	*message = (struct message){.number = cluster->message_count,
				    .origin = index,
				    .incarnation = node->incarnation,
				    .guarantee = guarantee,
				    .pull_us = pull_us};
	submit_frame(node, frame_new(node, message->number));
	return message->number;
}

void cluster_fail_pulls(struct cluster *cluster, uint32_t node, uint32_t count)
{
	cluster->nodes[node].fail_pulls = count;
}

bool cluster_in_state(const struct cluster *cluster, uint32_t node, enum totem_state state)
{
	return cluster->nodes[node].alive && cluster->nodes[node].state == state;
}

bool cluster_formed(struct cluster *cluster)
{
	struct nodeset expected = {0};
	const struct node *first = NULL;

	for (uint32_t i = 0; i < cluster->options.nodes; i++) {
		if (cluster->nodes[i].alive) {
			nodeset_add(&expected, cluster_id(i));
			first = first ? first : &cluster->nodes[i];
		}
	}
	for (uint32_t i = 0; i < cluster->options.nodes; i++) {
		const struct node *node = &cluster->nodes[i];

		if (node->alive &&
		    (node->state != TOTEM_OPERATIONAL || !ringid_equal(node->ring, first->ring) ||
		     !nodeset_equal(&node->members, &expected))) {
			return false;
		}
	}
	return true;
}

bool cluster_settled(struct cluster *cluster)
{
	if (!cluster_formed(cluster) || !check_all_delivered(cluster)) {
		return false;
	}
	for (uint32_t i = 0; i < cluster->options.nodes; i++) {
		struct node *node = &cluster->nodes[i];

		if (node->alive && node->frames.next != &node->frames) {
			return false;
		}
	}
	return true;
}

struct totem *cluster_totem(struct cluster *cluster, uint32_t node)
{
	return cluster->nodes[node].totem;
}

struct totem_status cluster_status(const struct cluster *cluster, uint32_t node)
{
	struct totem_status status;

	totem_status(cluster->nodes[node].totem, &status);
	return status;
}

const struct cluster_event *cluster_log(const struct cluster *cluster, uint32_t node,
					uint32_t *count)
{
	*count = cluster->nodes[node].log_count;
	return cluster->nodes[node].log;
}

bool cluster_delivered(const struct cluster *cluster, uint32_t node, uint32_t message)
{
	return cluster->nodes[node].seen[message];
}

bool cluster_delivered_by_all(const struct cluster *cluster, uint32_t nodes, uint32_t message)
{
	for (uint32_t i = 0; i < nodes; i++) {
		if (!cluster_delivered(cluster, i, message)) {
			return false;
		}
	}
	return true;
}

void cluster_inject(struct cluster *cluster, uint32_t from, uint32_t to, const uint8_t *bytes,
		    size_t size)
{
	struct totem_event event = {
		.kind = TOTEM_EV_CONTROL, .from = cluster_id(from), .bytes = bytes, .size = size};

	step(&cluster->nodes[to], &event);
}

void cluster_mute_progress(struct cluster *cluster, uint32_t node)
{
	cluster->nodes[node].mute = true;
}

void cluster_forge_frame(struct cluster *cluster, uint32_t from, uint32_t to, uint64_t beyond)
{
	struct node *node = &cluster->nodes[to];
	struct totem_status status = cluster_status(cluster, to);
	struct totem_event event = {.kind = TOTEM_EV_FRAME, .from = cluster_id(from)};
	struct message *message = &cluster->messages[++cluster->message_count];

	check(cluster->message_count < MESSAGES_MAX);
	*message = (struct message){
		.number = cluster->message_count, .origin = from, .guarantee = FRAME_SAFE};
	event.info = (struct frame_info){.ring = status.ring,
					 .seq = status.high_seq + beyond,
					 .origin = cluster_id(from),
					 .guarantee = FRAME_SAFE};
	event.frame = frame_new(node, cluster->message_count);
	step(node, &event);
}

void cluster_set_slots(struct cluster *cluster, uint32_t slots)
{
	cluster->options.slots = slots;
}

uint32_t cluster_frames_after_token(const struct cluster *cluster, uint32_t node)
{
	return cluster->nodes[node].after_token_max;
}

size_t cluster_last_control(const struct cluster *cluster, uint32_t node, int kind,
			    const uint8_t **bytes)
{
	*bytes = cluster->nodes[node].last[kind];
	return cluster->nodes[node].last_size[kind];
}

uint64_t cluster_control_count(const struct cluster *cluster, int kind)
{
	return cluster->control_count[kind];
}

uint64_t cluster_steps(const struct cluster *cluster)
{
	return cluster->steps;
}

uint64_t cluster_state_entries(const struct cluster *cluster, uint32_t node, enum totem_state state)
{
	return cluster->nodes[node].entries[state];
}
