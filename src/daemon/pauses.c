/* SPDX-License-Identifier: BSD-3-Clause */
/* See pauses.h. */
#include "daemon/pauses.h"

void pauses_expect(struct pauses *pauses, uint64_t now_ms, uint64_t due_ms)
{
	/* What is overdue already is no pause: it has been waiting for its turn. */
	pauses->due_ms = due_ms > now_ms ? due_ms : now_ms;
}

uint64_t pauses_note(struct pauses *pauses, uint64_t now_ms, uint64_t limit_ms)
{
	uint64_t late_ms = now_ms - pauses->due_ms;

	if (pauses->due_ms == 0 || now_ms < pauses->due_ms || late_ms < limit_ms) {
		return 0;
	}
	pauses->count++;
	pauses->longest_ms = late_ms > pauses->longest_ms ? late_ms : pauses->longest_ms;
	return late_ms;
}
