/* SPDX-License-Identifier: BSD-3-Clause */
/* Log texts. */
#include "shm/shm_log.h"

#include <stdarg.h>
#include <stdio.h>

void shm_log(const struct transport_config *config, int priority, const char *format, ...)
{
	char text[512];
	va_list args;

	if (!config->log) {
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	config->log(config->log_ctx, priority, text);
}

#define LINE_EVERY_MS 5000
#define LINES_AT_ONCE 10

static bool line_due(struct shm_pace *pace, uint64_t now_ms)
{
	if (!shm_pace_may(pace, now_ms, LINE_EVERY_MS, LINES_AT_ONCE, NULL)) {
		return false;
	}
	shm_pace_take(pace, now_ms, LINE_EVERY_MS);
	return true;
}

bool shm_log_guest(struct transport *t)
{
	return line_due(&t->guest_log_pace, t->now_ms);
}

void shm_log_peer(struct shm_peer *peer, int priority, const char *what, const char *why)
{
	if (peer->last_error == why || !line_due(&peer->log_pace, peer->transport->now_ms)) {
		return;
	}
	peer->last_error = why;
	shm_log(&peer->transport->config, priority, "shm: node %u: %s %s", peer->node, what, why);
}
