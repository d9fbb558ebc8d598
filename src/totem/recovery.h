/* SPDX-License-Identifier: BSD-3-Clause */
/* What a node remembers while a new ring is formed of old ones, and what recovery.c and ask.c do
 * with it. */
#ifndef CORONET_TOTEM_RECOVERY_H
#define CORONET_TOTEM_RECOVERY_H

#include "totem/totem.h"
#include "wire/control.h"

/* Messages of one round of requests. */
#define ASK_MESSAGES_MAX 64

/* What a member of our old ring held when recovery began. */
struct holding {
	bool known;
	uint64_t aru;
	uint32_t map_bytes;
	uint8_t map[CONTROL_HAVE_BYTES];
};

struct recovery {
	struct nodeset
		trans; /* members of the new ring that come from our old ring, we among them */
	uint64_t trans_mask;	 /* the same as bits of the new ring */
	struct nodeset obliged;	 /* whose messages are delivered even behind a gap */
	uint64_t high_delivered; /* highest number one of them delivered in the old configuration */
	struct holding holdings[NODES_MAX];   /* by index in the new ring */
	bool united;			      /* all holdings are known; `wanted` is their union */
	bool done;			      /* all that is wanted is here */
	uint64_t top;			      /* highest wanted */
	uint32_t need;			      /* wanted and not here */
	uint32_t asked;			      /* of these, requested and unanswered */
	uint32_t attempt;		      /* chooses another holder each time */
	bool moved;			      /* something came since the timer was set */
	uint8_t wanted[TOTEM_WINDOW_MAX / 8]; /* by number modulo the window */
};

/* recovery.c */
void recovery_reset(struct totem *t);
void recovery_enter(struct totem *t);
bool holding_has(const struct holding *holding, uint64_t seq);
void recovery_ask(struct totem *t);
void recovery_frame(struct totem *t, uint64_t seq);
void recovery_answered(struct totem *t, uint64_t seq);
void recovery_timer(struct totem *t);
bool recovery_wants(const struct recovery *recovery, uint64_t seq);
void have_received(struct totem *t, uint32_t from, const struct control_have *have);
void ask_received(struct totem *t, uint32_t from, const struct control_ask *ask);

#endif
