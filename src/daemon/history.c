/* SPDX-License-Identifier: BSD-3-Clause */
/* See history.h. */
#include "daemon/history.h"

#include <inttypes.h>
#include <stdio.h>

/* What first disturbed the ring is the reason that people ask for, not what followed from it. */
void history_state(struct history *history, enum totem_state state, enum totem_reason reason,
		   uint64_t now_ms)
{
	if (state == TOTEM_GATHER && !history->disturbed) {
		history->disturbed = true;
		history->reason = reason;
		history->since_ms = now_ms;
	}
}

const struct history_change *history_ring(struct history *history, struct ringid ring,
					  const struct nodeset *members, uint64_t now_ms)
{
	struct history_change *change = &history->changes[history->count % HISTORY_MAX];

	*change = (struct history_change){
		.ring = ring,
		.members = *members,
		.joined = nodeset_subtract(members, &history->members),
		.left = nodeset_subtract(&history->members, members),
		.reason = history->reason,
		.took_ms = history->disturbed ? (uint32_t)(now_ms - history->since_ms) : 0,
	};
	clock_gettime(CLOCK_REALTIME, &change->time);
	history->members = *members;
	history->disturbed = false;
	history->count++;
	return change;
}

const struct history_change *history_at(const struct history *history, uint64_t i)
{
	if (i >= history->count || i >= HISTORY_MAX) {
		return NULL;
	}
	return &history->changes[(history->count - 1 - i) % HISTORY_MAX];
}

void ring_id_text(struct ringid ring, char text[RING_ID_TEXT_MAX])
{
	snprintf(text, RING_ID_TEXT_MAX, "%" PRIu32 ".%" PRIx64, ring.rep, ring.seq);
}

void node_list_text(const struct nodeset *nodes, char text[NODE_LIST_TEXT_MAX])
{
	size_t used = 0;

	snprintf(text, NODE_LIST_TEXT_MAX, "none");
	for (uint32_t i = 0; i < nodes->count && used < NODE_LIST_TEXT_MAX; i++) {
		used += (size_t)snprintf(text + used, NODE_LIST_TEXT_MAX - used, "%s%" PRIu32,
					 i > 0 ? " " : "", nodes->id[i]);
	}
}
