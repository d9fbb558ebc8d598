/* SPDX-License-Identifier: BSD-3-Clause */
/* Merge (paper: Membership Protocol): a representative tells linked nodes that are not members of
 * its ring, and who hears of another ring gathers. Where links are such that a common ring cannot
 * come about, attempts become rare: each that ends without a node doubles the time until the next
 * with it. */
#include "totem/totem_int.h"

/* The longest pause is merge_ms times two to the power of this. */
#define DOUBLINGS_MAX 10

bool merge_allowed(struct totem *t, uint32_t node)
{
	const struct peer *peer = peer_find(t, node);

	return peer && peer->linked && !peer->gone && t->now_ms >= peer->quiet_until_ms;
}

static bool foreign(const struct totem *t, const struct peer *peer)
{
	return peer->linked && !peer->gone && !nodeset_has(&t->ring->members, peer->node);
}

void merge_timer(struct totem *t)
{
	struct control *control = message_new(t, CONTROL_MERGE);
	bool any = false;

	check(t->state == TOTEM_OPERATIONAL && t->ring->me == 0);
	control->ring = t->ring->id;
	for (uint32_t i = 0; i < t->peer_count; i++) {
		if (!foreign(t, &t->peers[i])) {
			continue;
		}
		any = true;
		if (merge_allowed(t, t->peers[i].node)) {
			act_control(t, t->peers[i].node, control);
		}
	}
	if (any) {
		timer_set(t, TIMER_MERGE, t->config.merge_ms);
	}
}

void merge_soon(struct totem *t)
{
	check(t->state == TOTEM_OPERATIONAL);
	if (t->ring->me == 0) {
		timer_set(t, TIMER_MERGE, 0);
	}
}

/* A member in another ring has left us without our noticing, unless the message is older than our
 * ring. */
void merge_received(struct totem *t, uint32_t from, struct ringid ring)
{
	bool member = nodeset_has(&t->ring->members, from);

	if (t->state != TOTEM_OPERATIONAL || ringid_equal(ring, t->ring->id)) {
		return;
	}
	if (member ? ring.seq <= t->ring->id.seq : !merge_allowed(t, from)) {
		return;
	}
	gather_enter(t, TOTEM_REASON_FOREIGN_RING);
	gather_add(t, from);
}

/* A ring has been installed: who took part in the talks and is not in it has cost us an attempt. */
void merge_judge(struct totem *t)
{
	check(t->state == TOTEM_OPERATIONAL);
	for (uint32_t i = 0; i < t->peer_count; i++) {
		struct peer *peer = &t->peers[i];

		if (nodeset_has(&t->ring->members, peer->node)) {
			peer->attempts = 0;
			peer->quiet_until_ms = 0;
		} else if (peer->linked && nodeset_has(&t->gather.proc, peer->node)) {
			if (peer->attempts < DOUBLINGS_MAX) {
				peer->attempts++;
			}
			peer->quiet_until_ms =
				t->now_ms + ((uint64_t)t->config.merge_ms << peer->attempts);
		}
	}
}
