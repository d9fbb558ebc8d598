/* SPDX-License-Identifier: BSD-3-Clause */
/* Times in which the daemon should have run and did not: it was stopped, found no processor, or hung in a call. What the others see then is a lost
 * token, and only this daemon can say why. A function without I/O. */
#ifndef CORONET_DAEMON_PAUSES_H
#define CORONET_DAEMON_PAUSES_H

#include <stdint.h>

/* Begins as all zeros. */
struct pauses {
	uint64_t due_ms; /* when it wants to run next; 0: not known yet */
	uint64_t count;
	uint64_t longest_ms;
};

/* It wants to run at `due_ms` at the latest; UINT64_MAX: only when something happens. */
void pauses_expect(struct pauses *pauses, uint64_t now_ms, uint64_t due_ms);

/* It runs now. Returns by how many milliseconds too late when that is `limit_ms` or more, else 0. */
uint64_t pauses_note(struct pauses *pauses, uint64_t now_ms, uint64_t limit_ms);

#endif
