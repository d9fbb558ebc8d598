/* SPDX-License-Identifier: BSD-3-Clause */
/* Commit (paper: Membership Protocol): the commit token goes round twice. On the first rotation
 * each member enters what it has of its old ring; on the second everybody learns what all have
 * entered. On its third arrival the representative makes the first token of the new ring of it. */
#include "totem/totem_int.h"

static void entry_fill(struct totem *t)
{
	struct control_commit_entry *entry = &t->commit.entry[t->next->me];
	const struct ring *old = t->ring;

	*entry = (struct control_commit_entry){.filled = true};
	if (ring_exists(old)) {
		entry->old_ring = old->id;
		entry->aru = old->window.aru;
		entry->high = old->window.high;
		entry->high_delivered = old->delivered;
		entry->received = t->received;
		entry->obligation = t->obligation;
	}
}

static void commit_forward(struct totem *t)
{
	struct control *control = message_new(t, CONTROL_COMMIT);

	check(t->commit.entry[t->next->me].filled && t->next->members.count > 1);
	t->commit.token_seq++;
	control->commit = t->commit;
	token_sent(t, ring_after(t->next), control);
}

/* From here on the new ring's id may leave this machine: it is durable first. */
static void commit_begin(struct totem *t, enum totem_reason reason)
{
	check(t->state == TOTEM_GATHER && nodeset_has(&t->commit.members, t->config.node));
	act_persist(t, t->commit.ring.seq);
	ring_open(t, t->next, t->commit.ring, &t->commit.members);
	timer_stop(t, TIMER_JOIN);
	timer_stop(t, TIMER_CONSENSUS);
	timer_stop(t, TIMER_SILENCE);
	recovery_reset(t);
	entry_fill(t);
	state_enter(t, TOTEM_COMMIT, reason);
}

void commit_create(struct totem *t, const struct nodeset *members)
{
	check(members->id[0] == t->config.node && t->state == TOTEM_GATHER);
	t->commit = (struct control_commit){
		.ring = {t->config.node, t->gather.ring_seq + RING_SEQ_STEP}, .members = *members};
	commit_begin(t, TOTEM_REASON_CONSENSUS);
	if (members->count > 1) {
		commit_forward(t);
		return;
	}
	recovery_enter(t);
	token_start(t);
}

static bool all_filled(const struct control_commit *commit)
{
	for (uint32_t i = 0; i < commit->members.count; i++) {
		if (!commit->entry[i].filled) {
			return false;
		}
	}
	return true;
}

/* First arrival: it must be for exactly those that we agreed on, and newer than any ring we know.
 */
static void commit_accept(struct totem *t, const struct control_commit *commit, uint32_t me)
{
	struct nodeset alive = nodeset_subtract(&t->gather.proc, &t->gather.fail);

	if (!t->started || me == 0 || commit->ring.seq <= t->ring_seq ||
	    !nodeset_equal(&alive, &commit->members)) {
		return;
	}
	if (commit->entry[me].filled) {
		reject(t, "commit token: our entry was filled by somebody else");
		return;
	}
	t->commit = *commit;
	commit_begin(t, TOTEM_REASON_COMMIT_TOKEN);
	commit_forward(t);
}

static bool entry_untouched(const struct control_commit_entry *a,
			    const struct control_commit_entry *b)
{
	return a->filled == b->filled && a->received == b->received &&
	       ringid_equal(a->old_ring, b->old_ring) && a->aru == b->aru && a->high == b->high &&
	       a->high_delivered == b->high_delivered && a->obligation == b->obligation;
}

/* It has come round: everybody has entered what it has. */
static void commit_rotated(struct totem *t, const struct control_commit *commit)
{
	uint32_t me = t->next->me;

	check(t->state == TOTEM_COMMIT);
	if (!all_filled(commit) || !nodeset_equal(&commit->members, &t->commit.members) ||
	    !entry_untouched(&commit->entry[me], &t->commit.entry[me])) {
		reject(t, "commit token: came round incomplete or changed");
		return;
	}
	t->commit = *commit;
	recovery_enter(t);
	commit_forward(t);
}

void commit_received(struct totem *t, uint32_t from, const struct control_commit *commit)
{
	const struct nodeset *members = &commit->members;
	int me = nodeset_index(members, t->config.node);
	bool ours;

	if (me < 0 || from == t->config.node || nodeset_next(members, from) != t->config.node ||
	    !nodeset_has(members, from)) {
		reject(t, "commit token: not for us, or not from the member before us");
		return;
	}
	ours = t->state != TOTEM_GATHER && ringid_equal(commit->ring, t->next->id) &&
	       commit->token_seq > t->commit.token_seq;
	if (t->state == TOTEM_GATHER) {
		commit_accept(t, commit, (uint32_t)me);
	} else if (t->state == TOTEM_COMMIT && ours) {
		commit_rotated(t, commit);
	} else if (t->state == TOTEM_RECOVERY && ours && me == 0) {
		t->commit.token_seq = commit->token_seq;
		token_start(t);
	}
}
