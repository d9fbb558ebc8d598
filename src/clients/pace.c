/* SPDX-License-Identifier: BSD-3-Clause */
/* How fast a client reads. */
#include "clients/pace.h"

static void begin(struct pace *pace, uint64_t now_ms)
{
	pace->since_ms = now_ms;
	pace->freed = pace->read = 0;
}

uint64_t pace_look(struct pace *pace, uint32_t enough, uint64_t now_ms)
{
	/* When nobody has looked for so long, what was freed meanwhile says nothing. */
	if (pace->looked_ms + PACE_GRACE_MS < now_ms) {
		begin(pace, now_ms);
	} else if (now_ms >= pace->since_ms + PACE_GRACE_MS) {
		pace->lagging = pace->freed < enough && pace->read < PACE_MESSAGES;
		begin(pace, now_ms);
	}
	pace->looked_ms = now_ms;
	return pace->since_ms + PACE_GRACE_MS;
}
