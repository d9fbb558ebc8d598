/* SPDX-License-Identifier: BSD-3-Clause */
/* The last changes of the ring, with their reasons: for the log and for coronet-status(8). */
#ifndef CORONET_DAEMON_HISTORY_H
#define CORONET_DAEMON_HISTORY_H

#include <stdint.h>
#include <time.h>

#include "base/nodeset.h"
#include "base/ringid.h"
#include "totem/totem.h"

#define HISTORY_MAX 32

/* A ring that was installed, and why the one before it ended. */
struct history_change {
	struct timespec time; /* CLOCK_REALTIME */
	struct ringid ring;
	struct nodeset members, joined, left;
	enum totem_reason reason;
	uint32_t took_ms; /* from the first doubt to the installation */
};

struct history {
	struct history_change
		changes[HISTORY_MAX]; /* a ring, the newest at (count - 1) % HISTORY_MAX */
	uint64_t count;
	struct nodeset members; /* of the installed ring */
	bool disturbed;		/* since `since_ms`, for `reason` */
	enum totem_reason reason;
	uint64_t since_ms;
};

/* Begins as all zeros. The ring changed its state, or installed a regular configuration. */
void history_state(struct history *history, enum totem_state state, enum totem_reason reason,
		   uint64_t now_ms);
const struct history_change *history_ring(struct history *history, struct ringid ring,
					  const struct nodeset *members, uint64_t now_ms);

/* The i-th newest, 0 is the last; NULL when there are not as many. */
const struct history_change *history_at(const struct history *history, uint64_t i);

/* "1.2f", as cpg callbacks show it: node and sequence in hexadecimal. */
#define RING_ID_TEXT_MAX 32
void ring_id_text(struct ringid ring, char text[RING_ID_TEXT_MAX]);
/* "1 2 3", or "none". */
#define NODE_LIST_TEXT_MAX 768
void node_list_text(const struct nodeset *nodes, char text[NODE_LIST_TEXT_MAX]);

#endif
