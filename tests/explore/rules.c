/* SPDX-License-Identifier: BSD-3-Clause */
/* What must hold in every state: extended virtual synchrony (Moser, Amir, Melliar-Smith, Agarwal, "Extended
 * Virtual Synchrony", 1994), as docs/protocol.md promises it. Each rule looks at the newest entry of one node
 * and at the histories of all. */
#include "tests/explore/world.h"

/* One node's way from a regular configuration to the next. Indices into its history; the entries between
 * them are what it delivered on the way. */
struct passage {
	const struct world_node *node;
	uint32_t from;	       /* REGULAR */
	uint32_t transitional; /* TRANSITIONAL */
	uint32_t to;	       /* the next REGULAR */
};

static bool same_ring(const struct entry *a, const struct entry *b)
{
	return ringid_equal(a->ring, b->ring);
}

/* The passage that ends with the entry `to`; false: it is a process's first configuration. */
static bool passage_to(const struct world_node *node, uint32_t to, struct passage *passage)
{
	uint32_t i = to;

	*passage = (struct passage){.node = node, .to = to};
	while (i > 0 && node->history[i - 1].kind == ENTRY_DELIVERED) {
		i--;
	}
	if (i == 0 || node->history[i - 1].kind != ENTRY_TRANSITIONAL) {
		return false;
	}
	passage->transitional = --i;
	while (i > 0 && node->history[i - 1].kind == ENTRY_DELIVERED) {
		i--;
	}
	if (i == 0 || node->history[i - 1].kind != ENTRY_REGULAR) {
		return false;
	}
	passage->from = i - 1;
	return true;
}

/* A node passes from one ring to another once at most. */
static bool passage_between(const struct world_node *node, const struct passage *like,
			    struct passage *out)
{
	const struct entry *from = &like->node->history[like->from];
	const struct entry *to = &like->node->history[like->to];

	for (uint32_t i = 0; i < node->history_count; i++) {
		if (node->history[i].kind == ENTRY_REGULAR && same_ring(&node->history[i], to) &&
		    passage_to(node, i, out) && same_ring(&node->history[out->from], from)) {
			return true;
		}
	}
	return false;
}

/* The newest configuration at or before this entry. */
static const struct entry *configuration_at(const struct world_node *node, uint32_t at)
{
	while (at > 0 && node->history[at].kind != ENTRY_REGULAR) {
		at--;
	}
	return &node->history[at];
}

static uint32_t process_start(const struct world_node *node, uint32_t at)
{
	while (at > 0 && node->history[at].kind != ENTRY_STARTED) {
		at--;
	}
	return at;
}

/* --- Deliveries --- */

static const char *never_twice(const struct world_node *node, uint32_t at)
{
	for (uint32_t i = process_start(node, at); i < at; i++) {
		if (node->history[i].kind == ENTRY_DELIVERED &&
		    node->history[i].message == node->history[at].message) {
			return "no duplication: a process was delivered a message twice";
		}
	}
	return NULL;
}

static const char *of_its_configuration(const struct world_node *node, uint32_t at)
{
	const struct entry *ring = configuration_at(node, at);

	if (ring->kind != ENTRY_REGULAR || !same_ring(ring, &node->history[at])) {
		return "configurations: a message was delivered in another configuration than it was sent in";
	}
	return NULL;
}

static const char *in_order(const struct world_node *node, uint32_t at)
{
	const struct entry *before = &node->history[at - 1];

	if (before->kind == ENTRY_DELIVERED && before->seq >= node->history[at].seq) {
		return "total order: numbers went back";
	}
	if (before->kind == ENTRY_DELIVERED &&
	    configuration_at(node, at) == configuration_at(node, at - 1) &&
	    node->history[at].seq != before->seq + 1) {
		for (uint32_t i = at; i > 0 && node->history[i].kind != ENTRY_REGULAR; i--) {
			if (node->history[i].kind == ENTRY_TRANSITIONAL) {
				return NULL;
			}
		}
		return "total order: a gap in a regular configuration";
	}
	return NULL;
}

static const char *same_everywhere(const struct world *world, const struct entry *entry)
{
	for (uint32_t n = 0; n < WORLD_NODES; n++) {
		const struct world_node *node = &world->face.node[n];

		for (uint32_t i = 0; i < node->history_count; i++) {
			const struct entry *other = &node->history[i];

			if (other->kind == ENTRY_DELIVERED && same_ring(other, entry) &&
			    (other->seq == entry->seq) != (other->message == entry->message)) {
				return "total order: one number for two messages, or one message under two";
			}
		}
	}
	return NULL;
}

/* A sender's messages in the order in which it sent them. */
static const char *sender_order(const struct world_node *node, uint32_t at)
{
	uint32_t message = node->history[at].message;

	for (uint32_t i = process_start(node, at); i < at; i++) {
		const struct entry *before = &node->history[i];

		if (before->kind == ENTRY_DELIVERED && before->message / 10 == message / 10 &&
		    before->message > message) {
			return "FIFO: a sender's messages changed places";
		}
	}
	return NULL;
}

/* --- Configurations --- */

static const char *one_meaning(const struct world *world, const struct entry *ring)
{
	for (uint32_t n = 0; n < WORLD_NODES; n++) {
		const struct world_node *node = &world->face.node[n];

		for (uint32_t i = 0; i < node->history_count; i++) {
			if (node->history[i].kind == ENTRY_REGULAR &&
			    same_ring(&node->history[i], ring) &&
			    node->history[i].members != ring->members) {
				return "configurations: one ring id with two sets of members";
			}
		}
	}
	return NULL;
}

static const char *ids_grow(const struct world_node *node, uint32_t at)
{
	for (uint32_t i = 0; i < at; i++) {
		if (node->history[i].kind == ENTRY_REGULAR &&
		    node->history[i].ring.seq >= node->history[at].ring.seq) {
			return "configurations: a node installed a ring with a number it had used";
		}
	}
	return NULL;
}

static const char *includes_self(uint32_t node, const struct entry *ring)
{
	return ring->members & (1u << node) ? NULL
					    : "configurations: a node in a ring without itself";
}

static bool delivered_between(const struct passage *passage, uint32_t message)
{
	for (uint32_t i = passage->from; i < passage->to; i++) {
		if (passage->node->history[i].kind == ENTRY_DELIVERED &&
		    passage->node->history[i].message == message) {
			return true;
		}
	}
	return false;
}

static bool all_in_other(const struct passage *a, const struct passage *b)
{
	for (uint32_t i = a->from; i < a->to; i++) {
		if (a->node->history[i].kind == ENTRY_DELIVERED &&
		    !delivered_between(b, a->node->history[i].message)) {
			return false;
		}
	}
	return true;
}

/* Who goes with us from one ring to the next delivers the same, and says the same of who comes along. */
static const char *together(const struct world *world, const struct passage *passage)
{
	const struct entry *ours = &passage->node->history[passage->transitional];

	for (uint32_t n = 0; n < WORLD_NODES; n++) {
		struct passage other;

		if (&world->face.node[n] == passage->node ||
		    !passage_between(&world->face.node[n], passage, &other)) {
			continue;
		}
		if (other.node->history[other.transitional].members != ours->members ||
		    !(ours->members & (1u << n))) {
			return "transitional configuration: members disagree on who comes along";
		}
		if (!all_in_other(passage, &other) || !all_in_other(&other, passage)) {
			return "virtual synchrony: two went the same way and were delivered different messages";
		}
	}
	return NULL;
}

/* What was safe in a regular configuration for one member is delivered by every other that leaves it
 * alive. */
static const char *safe_kept(const struct world *world, const struct passage *passage)
{
	const struct entry *from = &passage->node->history[passage->from];

	for (uint32_t n = 0; n < WORLD_NODES; n++) {
		const struct world_node *node = &world->face.node[n];

		for (uint32_t i = 0; i < node->history_count; i++) {
			const struct entry *entry = &node->history[i];
			bool regular = true;

			if (entry->kind != ENTRY_DELIVERED || entry->guarantee != FRAME_SAFE ||
			    !same_ring(entry, from)) {
				continue;
			}
			for (uint32_t k = i; k > 0 && node->history[k].kind != ENTRY_REGULAR; k--) {
				regular = regular && node->history[k].kind != ENTRY_TRANSITIONAL;
			}
			if (regular && !delivered_between(passage, entry->message)) {
				return "SAFE: delivered by one member, and another went on without it";
			}
		}
	}
	return NULL;
}

static const char *configuration_fault(const struct world *world, uint32_t n, uint32_t at)
{
	const struct world_node *node = &world->face.node[n];
	const struct entry *ring = &node->history[at];
	const char *fault = one_meaning(world, ring);
	struct passage passage;

	fault = fault ? fault : ids_grow(node, at);
	fault = fault ? fault : includes_self(n, ring);
	if (!fault && passage_to(node, at, &passage)) {
		fault = together(world, &passage);
		fault = fault ? fault : safe_kept(world, &passage);
	}
	return fault;
}

static const char *delivery_fault(const struct world *world, uint32_t n, uint32_t at)
{
	const struct world_node *node = &world->face.node[n];
	const char *fault = never_twice(node, at);

	fault = fault ? fault : of_its_configuration(node, at);
	fault = fault ? fault : in_order(node, at);
	fault = fault ? fault : same_everywhere(world, &node->history[at]);
	return fault ? fault : sender_order(node, at);
}

void rules_entry(struct world *world, uint32_t n)
{
	uint32_t at = world->face.node[n].history_count - 1;

	switch ((enum entry_kind)world->face.node[n].history[at].kind) {
	case ENTRY_DELIVERED:
		world->broken = delivery_fault(world, n, at);
		return;
	case ENTRY_REGULAR:
		world->broken = configuration_fault(world, n, at);
		return;
	case ENTRY_TRANSITIONAL:
	case ENTRY_STARTED:
		return;
	}
}

/* --- At the end --- */

/* Nobody who lives on misses a message of its own. */
static const char *own_delivered(const struct world *world, uint32_t n)
{
	const struct world_node *node = &world->face.node[n];
	uint32_t seen = 0;

	for (uint32_t i = process_start(node, node->history_count - 1); i < node->history_count;
	     i++) {
		seen += node->history[i].kind == ENTRY_DELIVERED &&
			message_node(node->history[i].message) == n &&
			message_incarnation(node->history[i].message) == node->incarnation;
	}
	return seen == node->submitted ? NULL
				       : "self delivery: a node was not delivered what it sent";
}

/* Those that are in one ring now were delivered the same in it. */
static const char *same_now(const struct world *world, uint32_t a, uint32_t b)
{
	const struct world_node *one = &world->face.node[a];
	const struct world_node *two = &world->face.node[b];
	const struct entry *ring = configuration_at(one, one->history_count - 1);
	uint32_t i = (uint32_t)(ring - one->history);
	uint32_t k = (uint32_t)(configuration_at(two, two->history_count - 1) - two->history);

	if (!same_ring(ring, &two->history[k])) {
		return NULL;
	}
	if (one->history_count - i != two->history_count - k) {
		return "agreement: members of one ring at rest were delivered different messages";
	}
	for (; i < one->history_count; i++, k++) {
		if (one->history[i].message != two->history[k].message) {
			return "agreement: members of one ring were delivered the same in another order";
		}
	}
	return NULL;
}

static const char *lasts(const struct world *world, uint32_t n)
{
	const struct ringid *lasting = &world->face.lasting;

	return lasting->seq == 0 || ringid_equal(*lasting, world->totem[n]->ring->id)
		       ? NULL
		       : "a lost or repeated message: the ring did not survive it";
}

void rules_calm(struct world *world)
{
	for (uint32_t a = 0; a < WORLD_NODES && !world->broken; a++) {
		if (!world->face.node[a].alive) {
			continue;
		}
		world->broken = own_delivered(world, a);
		world->broken = world->broken ? world->broken : lasts(world, a);
		for (uint32_t b = 0; b < a && !world->broken; b++) {
			world->broken = world->face.node[b].alive ? same_now(world, a, b) : NULL;
		}
	}
}
