/* SPDX-License-Identifier: BSD-3-Clause */
/* What must be true of every run: one function per property of extended virtual synchrony. */
#include "cluster_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* Says what is wrong with whom, then stops: the seed shows it again. */
#define require(node, condition)                                                           \
	do {                                                                               \
		if (!(condition)) {                                                        \
			fprintf(stderr, "seed %" PRIu64 ", %" PRIu64 " us, node %u: %s\n", \
				(node)->cluster->options.seed, (node)->cluster->now_us,    \
				cluster_id((node)->index), #condition);                    \
			check(condition);                                                  \
		}                                                                          \
	} while (0)

struct ring_record *ring_record(struct cluster *cluster, struct ringid id)
{
	struct ring_record *record;

	for (uint32_t i = cluster->ring_count; i-- > 0;) {
		if (ringid_equal(cluster->rings[i].id, id)) {
			return &cluster->rings[i];
		}
	}
	check(cluster->ring_count < RINGS_MAX);
	record = &cluster->rings[cluster->ring_count++];
	record->id = id;
	return record;
}

static void record_grow(struct ring_record *record, uint64_t seq)
{
	uint32_t capacity = (uint32_t)seq + 256;

	if (seq < record->capacity) {
		return;
	}
	record->message = realloc(record->message, capacity * sizeof(*record->message));
	record->received = realloc(record->received, capacity * sizeof(*record->received));
	record->depends = realloc(record->depends, capacity * sizeof(*record->depends));
	check(record->message && record->received && record->depends);
	memset(record->depends + record->capacity, 0,
	       (capacity - record->capacity) * sizeof(*record->depends));
	memset(record->message + record->capacity, 0,
	       (capacity - record->capacity) * sizeof(*record->message));
	memset(record->received + record->capacity, 0,
	       (capacity - record->capacity) * sizeof(*record->received));
	record->capacity = capacity;
}

/* One number of one ring is one message, whoever looks. */
static void note(struct node *node, const struct frame_info *info, uint32_t message)
{
	struct ring_record *record = ring_record(node->cluster, info->ring);

	record_grow(record, info->seq);
	require(node, record->message[info->seq] == 0 || record->message[info->seq] == message);
	record->message[info->seq] = message;
	record->received[info->seq] |= 1ull << node->index;
}

void check_numbered(struct node *node, const struct frame_info *info, uint32_t message)
{
	struct ring_record *record = ring_record(node->cluster, info->ring);
	bool first = info->seq >= record->capacity || record->message[info->seq] == 0;

	if (node->cluster->options.no_checks) {
		return;
	}
	note(node, info, message);
	if (first) {
		record->depends[info->seq] = node->last_seq;
	}
}

void check_received(struct node *node, const struct frame_info *info, uint32_t message)
{
	if (node->cluster->options.no_checks) {
		return;
	}
	note(node, info, message);
}

/* Every one of them that is in this ring and has not died since. */
static bool all_received(struct node *node, const struct nodeset *members,
			 const struct frame_info *info)
{
	struct ring_record *record = ring_record(node->cluster, info->ring);

	for (uint32_t i = 0; i < members->count; i++) {
		uint32_t index = index_of(members->id[i]);
		const struct node *member = &node->cluster->nodes[index];

		if (member->alive && record->incarnation[index] == member->incarnation &&
		    !(record->received[info->seq] & (1ull << index))) {
			return false;
		}
	}
	return true;
}

static struct cluster_event *log_add(struct node *node, const struct totem_action *action)
{
	struct cluster_event *event;

	check(node->log_count < LOG_MAX);
	if (node->log_count == node->log_capacity) {
		node->log_capacity = 2 * node->log_capacity + 256;
		node->log = realloc(node->log, node->log_capacity * sizeof(*node->log));
		check(node->log != NULL);
	}
	event = &node->log[node->log_count++];
	*event = (struct cluster_event){.kind = action->kind};
	return event;
}

static void check_message(struct node *node, const struct totem_action *action,
			  const struct frame *frame)
{
	const struct message *message = &node->cluster->messages[frame->message];

	require(node, frame->refs > 0);
	require(node, ringid_equal(action->info.ring, node->ring));
	require(node, action->info.origin == cluster_id(message->origin));
	require(node, action->info.guarantee == message->guarantee);
	note(node, &action->info, frame->message);
}

/* Causal order: who delivers a message has delivered all that its sender had when it sent it. */
static void check_causality(struct node *node, const struct frame_info *info)
{
	const struct ring_record *record = ring_record(node->cluster, info->ring);

	require(node, info->guarantee == FRAME_UNORDERED ||
			      record->depends[info->seq] <= node->gapless_seq);
	if (info->seq == node->gapless_seq + 1) {
		node->gapless_seq = info->seq;
	}
}

/* Safe delivery: whoever is in the configuration in which somebody delivers it as safe delivers
 * it too, unless it dies. */
static void note_promise(struct node *node, const struct frame *frame)
{
	struct cluster *cluster = node->cluster;
	struct message *message = &cluster->messages[frame->message];

	if (!message->promised_incarnation) {
		message->promised_incarnation = calloc(CLUSTER_MAX, sizeof(uint32_t));
		check(message->promised_incarnation != NULL);
	}
	for (uint32_t i = 0; i < node->members.count; i++) {
		const struct node *member = &cluster->nodes[index_of(node->members.id[i])];
		const struct ring_record *record = ring_record(cluster, node->ring);

		if (member->alive && record->incarnation[member->index] == member->incarnation) {
			message->promised |= 1ull << member->index;
			message->promised_incarnation[member->index] = member->incarnation;
		}
	}
}

static bool promise_kept(const struct cluster *cluster, const struct message *message)
{
	for (uint32_t i = 0; message->promised != 0 && i < cluster->options.nodes; i++) {
		const struct node *node = &cluster->nodes[i];

		if ((message->promised & (1ull << i)) && node->alive &&
		    node->incarnation == message->promised_incarnation[i] &&
		    !node->seen[message->number]) {
			return false;
		}
	}
	return true;
}

static void check_early(struct node *node, const struct totem_action *action, struct frame *frame)
{
	require(node, action->info.guarantee == FRAME_UNORDERED);
	require(node, !frame->early && !frame->delivered);
	require(node, !node->transitional && node->state == TOTEM_OPERATIONAL);
	frame->early = true;
}

/* The same message at the same place, each once, in order, in the configuration it belongs to;
 * safe ones when all have them. */
void check_delivery(struct node *node, const struct totem_action *action)
{
	struct frame *frame = action->frame;
	struct cluster_event *event;

	if (node->cluster->options.no_checks) {
		return;
	}
	check_message(node, action, frame);
	if (action->kind == TOTEM_ACT_DELIVER_EARLY) {
		check_early(node, action, frame);
	} else {
		require(node, !node->seen[frame->message]);
		require(node, action->info.seq > node->last_seq);
		require(node, action->info.guarantee != FRAME_SAFE ||
				      all_received(node, &node->members, &action->info));
		check_causality(node, &action->info);
		if (action->info.guarantee == FRAME_SAFE) {
			note_promise(node, frame);
		}
		node->last_seq = action->info.seq;
		node->seen[frame->message] = 1;
		frame->delivered = true;
		frame->info = action->info;
	}
	event = log_add(node, action);
	event->message = frame->message;
	event->origin = action->info.origin;
	event->seq = action->info.seq;
	event->ring = action->info.ring;
}

/* A frame that was delivered is let go while its ring lives only when all of the ring have it. */
void check_release(struct node *node, const struct frame *frame)
{
	if (node->cluster->options.no_checks) {
		return;
	}
	if (frame->delivered && !node->transitional && ringid_equal(frame->info.ring, node->ring)) {
		require(node, all_received(node, &node->members, &frame->info));
	}
}

static uint64_t digest(const struct node *node, uint32_t from, uint32_t to)
{
	uint64_t hash = 14695981039346656037ull;

	for (uint32_t i = from; i < to; i++) {
		if (node->log[i].kind == TOTEM_ACT_DELIVER) {
			hash = (hash ^ node->log[i].message) * 1099511628211ull;
		}
	}
	return hash;
}

/* Virtual synchrony: who goes from one configuration to the same next has delivered the same in
 * both parts, and with the same companions. */
static void check_change(struct node *node, const struct change *change)
{
	struct cluster *cluster = node->cluster;

	for (uint32_t i = 0; i < cluster->change_count; i++) {
		const struct change *other = &cluster->changes[i];

		if (!ringid_equal(other->from, change->from) ||
		    !ringid_equal(other->to, change->to)) {
			continue;
		}
		require(node, nodeset_equal(&other->trans, &change->trans));
		require(node, other->regular == change->regular);
		require(node, other->transitional == change->transitional);
		return;
	}
	check(cluster->change_count < CHANGES_MAX);
	cluster->changes[cluster->change_count++] = *change;
}

static void check_transitional(struct node *node, const struct totem_action *action)
{
	require(node, !node->transitional);
	require(node, nodeset_has(action->members, cluster_id(node->index)));
	if (node->ring.seq != 0) {
		require(node, ringid_equal(action->ring, node->ring));
		require(node, nodeset_subset(action->members, &node->members));
	} else {
		require(node, action->ring.seq == 0 && action->members->count == 1);
	}
	node->transitional = true;
	node->transitional_at = node->log_count;
	node->members = *action->members;
}

static void check_regular(struct node *node, const struct totem_action *action)
{
	struct ring_record *record = ring_record(node->cluster, action->ring);
	struct change change = {.from = node->ring,
				.to = action->ring,
				.trans = node->members,
				.regular = digest(node, node->regular_at, node->transitional_at),
				.transitional =
					digest(node, node->transitional_at, node->log_count)};

	require(node, node->transitional);
	require(node, nodeset_subset(&node->members, action->members));
	/* A ring id is durable before it is used, never goes back, and means one membership. */
	require(node, action->ring.seq <= node->ring_seq && action->ring.seq > node->ring.seq);
	require(node, action->ring.rep == action->members->id[0]);
	require(node, !record->installed || nodeset_equal(&record->members, action->members));
	if (node->ring.seq != 0 && !node->cluster->options.no_checks) {
		check_change(node, &change);
	}
	record->installed = true;
	record->members = *action->members;
	record->incarnation[node->index] = node->incarnation;
	node->members = *action->members;
	node->ring = action->ring;
	node->transitional = false;
	node->regular_at = node->log_count;
	node->last_seq = 0;
	node->gapless_seq = 0;
}

/* Whoever was in the last ring and lives has no access any more when it is not in the next one. */
static void check_fences(struct node *node, const struct totem_action *regular)
{
	const struct ring_record *old = ring_record(node->cluster, node->ring);

	for (uint32_t i = 0; i < old->members.count; i++) {
		uint32_t index = index_of(old->members.id[i]);
		const struct node *member = &node->cluster->nodes[index];
		bool same = member->alive && !member->left &&
			    old->incarnation[index] == member->incarnation;

		require(node, !same || nodeset_has(regular->members, old->members.id[i]) ||
				      (node->fenced & (UINT64_C(1) << index)));
	}
}

void check_configuration(struct node *node, const struct totem_action *action)
{
	struct cluster_event *event;

	if (action->kind == TOTEM_ACT_TRANSITIONAL) {
		check_transitional(node, action);
	} else {
		if (node->ring.seq != 0) {
			check_fences(node, action);
		}
		check_regular(node, action);
		node->fenced = 0;
	}
	event = log_add(node, action);
	event->ring = action->ring;
	event->members = *action->members;
}

/* Self delivery: who lives on delivers what it submitted. And promises are kept. */
bool check_all_delivered(struct cluster *cluster)
{
	for (uint32_t i = 1; i <= cluster->message_count; i++) {
		const struct message *message = &cluster->messages[i];
		const struct node *origin = &cluster->nodes[message->origin];

		if ((origin->alive && origin->incarnation == message->incarnation &&
		     !origin->seen[i]) ||
		    !promise_kept(cluster, message)) {
			return false;
		}
	}
	return true;
}

void checker_free(struct cluster *cluster)
{
	for (uint32_t i = 0; i <= cluster->message_count; i++) {
		free(cluster->messages[i].promised_incarnation);
	}
	for (uint32_t i = 0; i < cluster->ring_count; i++) {
		free(cluster->rings[i].message);
		free(cluster->rings[i].received);
		free(cluster->rings[i].depends);
	}
}
