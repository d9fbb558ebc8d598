/* SPDX-License-Identifier: BSD-3-Clause */
/* Ack timeouts, back-off and step timers; see timing.h. */
#include "verbs/timing.h"

#define ACK_CONTROL_MIN 14
#define ACK_CONTROL_MAX 16
#define ACK_BULK_MIN	16
#define ACK_BULK_MAX	18

static uint64_t silence_us(uint8_t timeout)
{
	return (VERBS_RETRY_COUNT + 1) * ((4096ull << timeout) / 1000);
}

uint8_t verbs_ack_timeout_control(uint32_t silent_ms)
{
	uint8_t timeout = ACK_CONTROL_MAX;

	while (timeout > ACK_CONTROL_MIN && silence_us(timeout) > silent_ms * 1000ull) {
		timeout--;
	}
	return timeout;
}

uint8_t verbs_ack_timeout_bulk(uint32_t silent_ms)
{
	uint8_t timeout = ACK_BULK_MIN;

	while (timeout < ACK_BULK_MAX && silence_us(timeout) < silent_ms * 1000ull) {
		timeout++;
	}
	return timeout;
}

uint32_t verbs_backoff_ms(uint32_t failures, uint32_t random)
{
	uint32_t full = VERBS_BACKOFF_MIN_MS;

	if (failures == 0) {
		return 0;
	}
	for (uint32_t i = 1; i < failures && full < VERBS_BACKOFF_MAX_MS; i++) {
		full *= 2;
	}
	if (full > VERBS_BACKOFF_MAX_MS) {
		full = VERBS_BACKOFF_MAX_MS;
	}
	return full / 2 + random % (full / 2 + 1);
}

uint32_t verbs_step_ms(uint32_t base_ms, uint32_t timeouts)
{
	static const uint8_t factors[] = {1, 2, 1, 4};
	uint32_t factor = factors[timeouts % (sizeof(factors) / sizeof(factors[0]))];

	return base_ms > UINT32_MAX / factor ? UINT32_MAX : base_ms * factor;
}
