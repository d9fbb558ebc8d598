/* SPDX-License-Identifier: BSD-3-Clause */
/* The numbers that decide how long a silent path is tolerated and how often a lost peer is dialled.
 * Pure functions. */
#ifndef CORONET_VERBS_TIMING_H
#define CORONET_VERBS_TIMING_H

#include <stdint.h>

/* Seven tries in all. Never 7: soft-RoCE takes that for "retry for ever" (Linux 6.1). */
#define VERBS_RETRY_COUNT 6
/* "For ever", in the InfiniBand encoding: a receiver out of slots is late, not broken. */
#define VERBS_RNR_RETRY 7
/* 0.64 ms, in the InfiniBand encoding; the default of 0 means 655 ms. */
#define VERBS_MIN_RNR_TIMER  12

#define VERBS_BACKOFF_MIN_MS 50
#define VERBS_BACKOFF_MAX_MS 1000

/* The adapter's ack timeout T: one try lasts 4.096 us * 2^T, and a silent path is reported after
 * VERBS_RETRY_COUNT + 1 tries. Control: the largest T of 14..16 that reports within silent_ms.
 * Bulk: one more step of patience, 16..18, because breaking it costs a resend. */
uint8_t verbs_ack_timeout_control(uint32_t silent_ms);
uint8_t verbs_ack_timeout_bulk(uint32_t silent_ms);

/* Pause before the next dial after `failures` failed ones in a row (0: at once); doubling, between
 * half and all of it by `random`. */
uint32_t verbs_backoff_ms(uint32_t failures, uint32_t random);

/* How long one step of dialling may take after `timeouts` steps in a row took too long. Longer now
 * and then, so that a busy peer is not given up for ever because it needs more than the first
 * guess; short again in between, because what was sent into a hole before it closed has to be sent
 * once more. One, two or four times base_ms. */
uint32_t verbs_step_ms(uint32_t base_ms, uint32_t timeouts);

#endif
