/* SPDX-License-Identifier: BSD-3-Clause */
/* What a peer can cause as often as it likes happens so often and no more: a few times at once, then once
 * in a while. */
#ifndef CORONET_SHM_PACE_H
#define CORONET_SHM_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Zero at first: when all that has happened is paid for. */
struct shm_pace {
	uint64_t paid_ms;
};

/* Whether it may happen now; if not, *wait_ms is for how long not (may be NULL). */
static inline bool shm_pace_may(const struct shm_pace *pace, uint64_t now_ms, uint32_t every_ms,
				uint32_t at_once, uint64_t *wait_ms)
{
	uint64_t most_ms = now_ms + (uint64_t)every_ms * at_once;

	if (wait_ms) {
		*wait_ms = pace->paid_ms > most_ms ? pace->paid_ms - most_ms : 0;
	}
	return pace->paid_ms <= most_ms;
}

/* It happens. */
static inline void shm_pace_take(struct shm_pace *pace, uint64_t now_ms, uint32_t every_ms)
{
	pace->paid_ms = (pace->paid_ms > now_ms ? pace->paid_ms : now_ms) + every_ms;
}

#endif
