/* SPDX-License-Identifier: BSD-3-Clause */
/* Acknowledgements: who has received a SAFE frame, and all before it, tells the other members at
 * once how far it has all (ACK). What all have said they have is safe, so a SAFE message costs the
 * way of its frame and the way of the answers, not two rotations of the token. Any ACK may be lost:
 * the token says the same a little later (token.c), and a later ACK says more.
 *
 * A member says the next ACK when what the last one was for has become safe here: with many SAFE
 * frames under way, each ACK answers all that have come meanwhile. */
#include "totem/totem_int.h"

void acks_reset(struct ring *ring)
{
	ring->acks = (struct acks){.low = ring->members.count > 1 ? 0 : UINT64_MAX};
}

/* Before anything is released: who answers late answers all the same. */
static void look_for_safe(struct ring *ring)
{
	struct acks *acks = &ring->acks;

	while (acks->looked < ring->window.aru) {
		acks->looked++;
		if (window_at(&ring->window, acks->looked)->guarantee == FRAME_SAFE) {
			acks->newest = acks->looked;
		}
	}
}

static void say(struct totem *t)
{
	struct ring *ring = t->ring;
	struct control *control = message_new(t, CONTROL_ACK);

	control->ack.ring = ring->id;
	control->ack.aru = ring->window.aru;
	for (uint32_t i = 0; i < ring->members.count; i++) {
		if (i != ring->me) {
			act_control(t, ring->members.id[i], control);
		}
	}
	ring->acks.told = ring->acks.newest;
}

/* Our aru may have moved, or what the others have said: raises `safe`, and says what is to be said.
 * What two visits of the token have covered needs no ACK any more. */
void acks_settle(struct totem *t)
{
	struct ring *ring = t->ring;
	const struct acks *acks = &ring->acks;
	uint64_t all = acks->low < ring->window.aru ? acks->low : ring->window.aru;

	check(t->state == TOTEM_OPERATIONAL);
	look_for_safe(ring);
	ring->safe = all > ring->safe ? all : ring->safe;
	if (acks->newest > acks->told && acks->newest > t->token.safe && ring->safe >= acks->told) {
		say(t);
	}
}

static void note(struct ring *ring, uint32_t index, uint64_t aru)
{
	struct acks *acks = &ring->acks;

	acks->aru[index] = aru;
	acks->high = aru > acks->high ? aru : acks->high;
	acks->low = UINT64_MAX;
	for (uint32_t i = 0; i < ring->members.count; i++) {
		if (i != ring->me && acks->aru[i] < acks->low) {
			acks->low = acks->aru[i];
		}
	}
}

/* While the token is here nobody else can have assigned a number. */
static bool beyond(const struct totem *t, const struct ring *ring, uint64_t aru)
{
	return aru > ring->window.released + TOTEM_WINDOW_MAX ||
	       (t->token.holding && aru > t->token.held.seq);
}

/* A member that has installed the ring before us may say it while we are still in recovery. One that
 * says less than before was overtaken. */
void ack_received(struct totem *t, uint32_t from, const struct control_ack *ack)
{
	struct ring *ring = ring_turning(t);
	int index;

	if ((t->state != TOTEM_OPERATIONAL && t->state != TOTEM_RECOVERY) ||
	    !ringid_equal(ack->ring, ring->id)) {
		return;
	}
	index = nodeset_index(&ring->members, from);
	if (index < 0) {
		reject(t, "ack: not from a member");
		return;
	}
	if (beyond(t, ring, ack->aru)) {
		reject(t, "ack: of a number that nobody can have assigned");
		return;
	}
	if (ack->aru <= ring->acks.aru[index]) {
		return;
	}
	note(ring, (uint32_t)index, ack->aru);
	if (t->state == TOTEM_OPERATIONAL) {
		deliver_ready(t);
	}
}
