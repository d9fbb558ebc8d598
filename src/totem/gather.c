/* SPDX-License-Identifier: BSD-3-Clause */
/* Gather (paper: Membership Protocol): nodes tell each other whom they have heard of (proc) and
 * whom they take as failed (fail). Both sets only grow until a ring is installed, so proposals
 * become equal; when those of all that are left are, the lowest id makes the commit token. */
#include "totem/totem_int.h"

/* Proposals that change faster than this are said together. */
#define JOIN_GAP_MS 2

/* Asked at least twice, and a little more than token_ms in all. */
static uint64_t silence_ms(const struct totem *t)
{
	uint64_t eighth = t->config.token_ms / 8;
	uint64_t twice = 2 * (uint64_t)t->config.join_ms;

	return eighth > twice ? eighth : twice;
}

static void join_send(struct totem *t)
{
	struct control *control = message_new(t, CONTROL_JOIN);

	check(t->state == TOTEM_GATHER && nodeset_subset(&t->gather.fail, &t->gather.proc));
	check(nodeset_has(&t->gather.proc, t->config.node));
	control->join.ring_seq = t->ring_seq;
	control->join.proc = t->gather.proc;
	control->join.fail = t->gather.fail;
	act_control(t, 0, control);
	t->gather.changed = false;
	t->gather.join_sent_ms = t->now_ms;
	timer_set(t, TIMER_JOIN, t->config.join_ms);
}

static void agree_alone(struct totem *t)
{
	t->gather.agreed.count = 0;
	nodeset_add(&t->gather.agreed, t->config.node);
}

void gather_changed(struct totem *t)
{
	check(t->state == TOTEM_GATHER);
	check(!nodeset_has(&t->gather.fail, t->config.node));
	agree_alone(t);
	t->gather.changed = true;
	timer_set(t, TIMER_CONSENSUS, t->config.consensus_ms);
}

void gather_add(struct totem *t, uint32_t node)
{
	if (!nodeset_has(&t->gather.proc, node) && nodeset_add(&t->gather.proc, node)) {
		gather_changed(t);
	}
}

void gather_fail(struct totem *t, uint32_t node)
{
	check(node != t->config.node);
	if (!nodeset_has(&t->gather.fail, node) && nodeset_add(&t->gather.proc, node)) {
		nodeset_add(&t->gather.fail, node);
		gather_changed(t);
	}
}

/* The sets of the ring that breaks are where a new proposal starts; those of a membership that
 * did not come about are kept. */
static void start_sets(struct totem *t)
{
	struct gather *gather = &t->gather;

	if (t->state == TOTEM_OPERATIONAL) {
		gather->proc = t->ring->members;
		gather->fail.count = 0;
	}
	nodeset_add(&gather->proc, t->config.node);
	for (uint32_t i = 0; i < t->peer_count; i++) {
		if (t->peers[i].gone && nodeset_has(&gather->proc, t->peers[i].node)) {
			nodeset_add(&gather->fail, t->peers[i].node);
		}
	}
}

void gather_enter(struct totem *t, enum totem_reason reason)
{
	start_sets(t);
	if (t->state == TOTEM_COMMIT || t->state == TOTEM_RECOVERY) {
		ring_drop(t, t->next);
	}
	token_forget(t);
	for (uint32_t i = 0; i < TIMERS; i++) {
		timer_stop(t, (enum timer)i);
	}
	t->gather.ring_seq = t->ring_seq;
	t->gather.heard.count = 0;
	t->gather.join_sent_ms = 0;
	t->gather.settle_until_ms = 0;
	state_enter(t, TOTEM_GATHER, reason);
	gather_changed(t);
	if (reason == TOTEM_REASON_TOKEN_LOST) {
		t->gather.silent = nodeset_subtract(&t->gather.proc, &t->gather.fail);
		timer_set(t, TIMER_SILENCE, silence_ms(t));
	}
}

/* Who has been lost is known by who does not agree in time. If all agree and yet no commit token
 * came, they have to say so again. */
void gather_timer_consensus(struct totem *t)
{
	struct gather *gather = &t->gather;
	struct nodeset alive = nodeset_subtract(&gather->proc, &gather->fail);
	struct nodeset silent = nodeset_subtract(&alive, &gather->agreed);

	check(t->state == TOTEM_GATHER);
	state_enter(t, TOTEM_GATHER, TOTEM_REASON_CONSENSUS_TIMEOUT);
	nodeset_merge(&gather->fail, &silent);
	gather_changed(t);
}

/* Somebody has made the token get lost. Who lives has lost it too and says so; who has said nothing has
 * been silent for longer than token_ms now, which is what that time is for. Others may take consensus_ms to agree. */
void gather_timer_silence(struct totem *t)
{
	struct gather *gather = &t->gather;
	struct nodeset silent = nodeset_subtract(&gather->silent, &gather->heard);

	check(t->state == TOTEM_GATHER);
	nodeset_del(&silent, t->config.node);
	silent = nodeset_subtract(&silent, &gather->fail);
	if (silent.count > 0) {
		state_enter(t, TOTEM_GATHER, TOTEM_REASON_CONSENSUS_TIMEOUT);
		nodeset_merge(&gather->fail, &silent);
		gather_changed(t);
	}
}

void gather_timer_join(struct totem *t)
{
	check(t->state == TOTEM_GATHER);
	join_send(t);
}

static void join_merge(struct totem *t, uint32_t from, const struct control_join *join)
{
	struct gather *gather = &t->gather;

	if (!nodeset_merge(&gather->proc, &join->proc)) {
		reject(t, "join: more nodes than a ring can have");
	}
	if (nodeset_has(&join->fail, t->config.node)) {
		/* It has given us up: neither can be in the other's ring. */
		gather_fail(t, from);
	} else {
		struct nodeset fail = nodeset_intersect(&join->fail, &gather->proc);

		nodeset_merge(&gather->fail, &fail);
	}
	gather_changed(t);
}

/* A stranger that takes members of our ring as failed that speak to us, because it has no link to
 * them, would tear our ring apart: rather we do without it. */
static bool grudge(const struct totem *t, uint32_t from, const struct control_join *join)
{
	struct nodeset ours = nodeset_intersect(&join->fail, &t->ring->members);
	struct nodeset alive = nodeset_intersect(&ours, &t->gather.heard);

	return ring_exists(t->ring) && !nodeset_has(&t->ring->members, from) &&
	       !nodeset_subset(&alive, &t->gather.fail);
}

/* Paper, Membership Protocol: a join message in the gather state. */
static void join_weigh(struct totem *t, uint32_t from, const struct control_join *join)
{
	struct gather *gather = &t->gather;

	if (nodeset_has(&gather->fail, from)) {
		return;
	}
	nodeset_add(&gather->heard, from);
	if (grudge(t, from, join)) {
		gather_fail(t, from);
		return;
	}
	if (join->ring_seq > gather->ring_seq) {
		gather->ring_seq = join->ring_seq;
	}
	if (!nodeset_subset(&join->proc, &gather->proc) ||
	    !nodeset_subset(&join->fail, &gather->fail)) {
		join_merge(t, from, join);
	}
	if (nodeset_equal(&join->proc, &gather->proc) &&
	    nodeset_equal(&join->fail, &gather->fail)) {
		nodeset_add(&gather->agreed, from);
	}
}

/* One that takes members of ours as failed, because it has met nobody for a while, comes to a
 * ring of its own first, and merges from there with no grudge. */
static bool stranger_welcome(struct totem *t, uint32_t from, const struct control_join *join)
{
	struct nodeset grudges = nodeset_intersect(&join->fail, &t->ring->members);

	return merge_allowed(t, from) && grudges.count == 0;
}

/* Whether a join that reaches us outside gather is a reason to enter it. */
static bool join_matters(struct totem *t, uint32_t from, const struct control_join *join)
{
	switch (t->state) {
	case TOTEM_GATHER:
		return true;
	case TOTEM_OPERATIONAL:
		/* A member's join that it sent before this ring came about is old news. */
		return nodeset_has(&t->ring->members, from) ? join->ring_seq >= t->ring->id.seq
							    : stranger_welcome(t, from, join);
	case TOTEM_COMMIT:
	case TOTEM_RECOVERY:
		return nodeset_has(&t->next->members, from) && join->ring_seq >= t->next->id.seq;
	}
	return false;
}

void join_received(struct totem *t, uint32_t from, const struct control_join *join)
{
	if (!join_matters(t, from, join)) {
		return;
	}
	if (t->state != TOTEM_GATHER) {
		gather_enter(t, TOTEM_REASON_JOIN_RECEIVED);
	}
	join_weigh(t, from, join);
}

/* At the end of every step: say a changed proposal, and see whether all agree. */
void gather_settle(struct totem *t)
{
	struct gather *gather = &t->gather;
	struct nodeset alive;

	if (gather->changed) {
		if (gather->join_sent_ms != 0 && t->now_ms < gather->join_sent_ms + JOIN_GAP_MS) {
			timer_shorten(t, TIMER_JOIN, JOIN_GAP_MS);
			return;
		}
		join_send(t);
	}
	alive = nodeset_subtract(&gather->proc, &gather->fail);
	check(nodeset_has(&alive, t->config.node) && !ring_exists(t->next));
	if (t->now_ms >= gather->settle_until_ms && nodeset_subset(&alive, &gather->agreed) &&
	    alive.id[0] == t->config.node) {
		commit_create(t, &alive);
	}
}
