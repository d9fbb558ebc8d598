/* SPDX-License-Identifier: BSD-3-Clause */
/* The four states, which may follow which, and the life of a ring's record. */
#include "totem/totem_int.h"

#include <string.h>

static const char *const state_names[TOTEM_STATES] = {"operational", "gather", "commit",
						      "recovery"};

static const char *const reason_names[TOTEM_REASONS] = {
	[TOTEM_REASON_START] = "started",
	[TOTEM_REASON_TOKEN_LOST] = "the token was lost",
	[TOTEM_REASON_JOIN_RECEIVED] = "a node sent a join",
	[TOTEM_REASON_FOREIGN_RING] = "another ring was found",
	[TOTEM_REASON_CONSENSUS_TIMEOUT] = "no consensus in time",
	[TOTEM_REASON_PEER_GONE] = "a member's process ended",
	[TOTEM_REASON_PEER_LEFT] = "a member said that it leaves",
	[TOTEM_REASON_FAILED_TO_RECEIVE] = "a member does not receive",
	[TOTEM_REASON_CONSENSUS] = "all agree on the members",
	[TOTEM_REASON_COMMIT_TOKEN] = "the commit token came",
	[TOTEM_REASON_COMMIT_ROTATED] = "the commit token came round",
	[TOTEM_REASON_RECOVERED] = "all members have what there is of their old rings",
	[TOTEM_REASON_CONTRADICTION] = "the token contradicts the frames that are here",
};

/* [from][to]: the state diagram of the paper. */
static const bool legal[TOTEM_STATES][TOTEM_STATES] = {
	[TOTEM_OPERATIONAL] = {[TOTEM_GATHER] = true},
	[TOTEM_GATHER] = {[TOTEM_GATHER] = true, [TOTEM_COMMIT] = true},
	[TOTEM_COMMIT] = {[TOTEM_GATHER] = true, [TOTEM_RECOVERY] = true},
	[TOTEM_RECOVERY] = {[TOTEM_GATHER] = true, [TOTEM_OPERATIONAL] = true},
};

const char *totem_state_name(enum totem_state state)
{
	return (uint32_t)state < TOTEM_STATES ? state_names[state] : "unknown";
}

const char *totem_reason_name(enum totem_reason reason)
{
	return (uint32_t)reason < TOTEM_REASONS ? reason_names[reason] : "unknown";
}

void state_enter(struct totem *t, enum totem_state state, enum totem_reason reason)
{
	struct totem_action *action = act(t, TOTEM_ACT_STATE);

	check(legal[t->state][state]);
	t->state = state;
	t->reason = reason;
	action->state = state;
	action->reason = reason;
	action->ring = state == TOTEM_COMMIT || state == TOTEM_RECOVERY ? t->next->id : t->ring->id;
}

bool ring_exists(const struct ring *ring)
{
	return ring->id.seq != 0;
}

void ring_open(struct totem *t, struct ring *ring, struct ringid id, const struct nodeset *members)
{
	int me = nodeset_index(members, t->config.node);

	check(me >= 0 && id.seq != 0 && id.rep == members->id[0] && !ring_exists(ring));
	ring->id = id;
	ring->members = *members;
	ring->all = UINT64_MAX >> (NODES_MAX - members->count);
	ring->me = (uint32_t)me;
	ring->high_seq = 0;
	ring->delivered = 0;
	ring->safe = 0;
	acks_reset(ring);
	window_reset(&ring->window);
}

struct ring *ring_turning(const struct totem *t)
{
	return t->state == TOTEM_RECOVERY ? t->next : t->ring;
}

/* The record keeps its members: actions of this step may still point at them. */
void ring_drop(struct totem *t, struct ring *ring)
{
	while (ring->window.here > 0) {
		act_release(t, window_take(&ring->window));
	}
	ring->id = (struct ringid){0, 0};
}

uint32_t ring_after(const struct ring *ring)
{
	return nodeset_next(&ring->members, ring->members.id[ring->me]);
}

uint32_t ring_before(const struct ring *ring)
{
	uint32_t count = ring->members.count;

	check(ring->me < count);
	return ring->members.id[(ring->me + count - 1) % count];
}
