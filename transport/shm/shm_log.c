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

void shm_log_peer(struct shm_peer *peer, int priority, const char *text)
{
	if (peer->last_error == text) {
		return;
	}
	peer->last_error = text;
	shm_log(&peer->transport->config, priority, "shm: node %u: %s", peer->node, text);
}
