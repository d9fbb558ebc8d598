/* SPDX-License-Identifier: BSD-3-Clause */
/* What the members of a ring have said that they have (ACK). Included only in this directory. */
#ifndef CORONET_TOTEM_ACK_H
#define CORONET_TOTEM_ACK_H

#include "totem/totem.h"
#include "wire/control.h"

struct ring;

/* Of one ring: what the others have said, and we. */
struct acks {
	uint64_t aru[NODES_MAX]; /* all received up to, by index; ours is not kept here */
	uint64_t low;		 /* of the others: all of them have these */
	uint64_t high;
	uint64_t looked; /* our frames up to here have been looked at... */
	uint64_t newest; /* ...this is the last SAFE one of them... */
	uint64_t told;	 /* ...and this was, when we said our last ACK */
};

/* Of a ring whose members are known, before anything came. */
void acks_reset(struct ring *ring);
/* When our aru may have moved: raises ring->safe, and tells the others what they wait for. */
void acks_settle(struct totem *t);
void ack_received(struct totem *t, uint32_t from, const struct control_ack *ack);

#endif
