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

void shm_log_peer(struct shm_peer *peer, int priority, const char *what, const char *why)
{
	if (peer->last_error == why) {
		return;
	}
	peer->last_error = why;
	shm_log(&peer->transport->config, priority, "shm: node %u: %s %s", peer->node, what, why);
}
