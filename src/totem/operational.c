/* SPDX-License-Identifier: BSD-3-Clause */
/* Entry into a ring (paper: Recovery Protocol, last step): the old ring's messages and the two
 * configurations come out in the order of extended virtual synchrony, nodes left behind are
 * fenced, the new ring takes the old one's place. */
#include "totem/totem_int.h"

static void announce(struct totem *t, enum totem_action_kind kind, struct ringid ring,
		     const struct nodeset *members)
{
	struct nodeset *copy = &t->outbox.sets[kind == TOTEM_ACT_REGULAR];
	struct totem_action *action = act(t, kind);

	*copy = *members;
	action->ring = ring;
	action->members = copy;
}

/* A process that ended took its access to our memory along; any other former member may still be
 * reading from it. */
static void fence_left(struct totem *t)
{
	for (uint32_t i = 0; i < t->ring->members.count; i++) {
		uint32_t node = t->ring->members.id[i];
		struct peer *peer = peer_find(t, node);

		if (nodeset_has(&t->next->members, node) || (peer && peer->reborn)) {
			continue;
		}
		if (peer) {
			peer->linked = false;
		}
		act(t, TOTEM_ACT_FENCE)->to = node;
	}
}

static void swap_rings(struct totem *t)
{
	struct ring *old = t->ring;

	check(!ring_exists(old) && ring_exists(t->next));
	t->ring = t->next;
	t->next = old;
	t->capacity_from = 0;
	t->received = false;
	t->obligation = 0;
	for (uint32_t i = 0; i < t->peer_count; i++) {
		struct peer *peer = &t->peers[i];

		/* A member's process is a living one, although we may have had no link to it yet. */
		peer->gone = peer->gone && !nodeset_has(&t->ring->members, peer->node);
		peer->reborn = false;
	}
}

void ring_install(struct totem *t)
{
	struct ringid old_id = {t->config.node, 0};
	uint64_t from = 0;

	check(t->state == TOTEM_RECOVERY && t->recovery.done && ring_exists(t->next));
	if (ring_exists(t->ring)) {
		old_id = t->ring->id;
		from = deliver_old_regular(t);
	}
	announce(t, TOTEM_ACT_TRANSITIONAL, old_id, &t->recovery.trans);
	if (ring_exists(t->ring)) {
		deliver_old_transitional(t, from);
		/* Before the memory of its frames is reused. */
		fence_left(t);
		ring_drop(t, t->ring);
	}
	swap_rings(t);
	backlog_return(t);
	announce(t, TOTEM_ACT_REGULAR, t->ring->id, &t->ring->members);
	state_enter(t, TOTEM_OPERATIONAL, TOTEM_REASON_RECOVERED);
	t->counters.configurations++;
	merge_judge(t);
	merge_soon(t);
}
