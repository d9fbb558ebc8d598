/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is linked, and who is certainly dead. The driver reports links; what follows for the
 * membership is decided here. */
#include "totem/totem_int.h"

/* While a link to a member is down, this many retransmissions of the token must fail before it
 * counts as lost. */
#define LINK_DOWN_RETRANSMITS 4

uint64_t link_down_wait_ms(const struct totem *t)
{
	return LINK_DOWN_RETRANSMITS * (uint64_t)t->config.token_retransmit_ms;
}

struct peer *peer_find(struct totem *t, uint32_t node)
{
	for (uint32_t i = 0; i < t->peer_count; i++) {
		if (t->peers[i].node == node) {
			return &t->peers[i];
		}
	}
	return NULL;
}

bool peer_linked(struct totem *t, uint32_t node)
{
	const struct peer *peer = peer_find(t, node);

	return peer && peer->linked;
}

static struct peer *find_or_add(struct totem *t, uint32_t node)
{
	struct peer *peer = peer_find(t, node);

	if (!peer && t->peer_count < NODES_MAX) {
		peer = &t->peers[t->peer_count++];
		*peer = (struct peer){.node = node};
	}
	return peer;
}

/* A token or commit token that the broken link may have swallowed is said again. */
void peer_up(struct totem *t, uint32_t node)
{
	struct peer *peer = find_or_add(t, node);

	if (!peer || node == t->config.node || node == 0) {
		reject(t, "link to a node beyond the limit, or to ourselves");
		return;
	}
	peer->reborn = peer->reborn || peer->gone;
	peer->linked = true;
	peer->gone = false;
	peer->attempts = 0;
	peer->quiet_until_ms = 0;
	if (t->token.awaiting && t->token.sent_to == node) {
		token_timer_retransmit(t);
	}
	if (t->state == TOTEM_GATHER && t->started) {
		timer_set(t, TIMER_JOIN, 0);
	} else if (t->state == TOTEM_OPERATIONAL) {
		merge_soon(t);
	}
}

/* The member will not come back as it was: no reason to wait for timers. */
static void member_gone(struct totem *t, uint32_t node, enum totem_reason reason)
{
	const struct ring *ring = t->state == TOTEM_OPERATIONAL ? t->ring : t->next;

	if (t->state == TOTEM_GATHER) {
		if (t->started && nodeset_has(&t->gather.proc, node)) {
			gather_fail(t, node);
		}
		return;
	}
	check(node != t->config.node);
	if (nodeset_has(&ring->members, node)) {
		gather_enter(t, reason);
		gather_fail(t, node);
	}
}

/* A link error is a hint, not a death: the token decides, a little sooner. */
void peer_down(struct totem *t, uint32_t node, bool gone)
{
	struct peer *peer = find_or_add(t, node);
	const struct ring *ring = t->state == TOTEM_OPERATIONAL ? t->ring : t->next;

	if (!peer) {
		return;
	}
	peer->linked = false;
	if (gone) {
		peer->gone = true;
		member_gone(t, node, TOTEM_REASON_PEER_GONE);
	} else if (t->state != TOTEM_GATHER && nodeset_has(&ring->members, node)) {
		timer_shorten(t, TIMER_TOKEN_LOSS, link_down_wait_ms(t));
	}
}

void peer_leaves(struct totem *t, uint32_t node)
{
	struct peer *peer = peer_find(t, node);

	check(peer != NULL);
	peer->gone = true;
	member_gone(t, node, TOTEM_REASON_PEER_LEFT);
}
