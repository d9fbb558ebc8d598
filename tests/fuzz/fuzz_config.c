/* SPDX-License-Identifier: BSD-3-Clause */
/* Any text as a configuration: it is taken or refused, with a reason, and nothing else happens. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct messages messages = {0};
	struct config *config = NULL;
	int code = config_parse("fuzz", (const char *)data, size, &messages, &config);

	if ((code == 0) != (config != NULL)) {
		abort();
	}
	if (code != 0 && messages.count == 0) {
		abort();
	}
	if (config && (config->node_count == 0 || config->totem.token_ms < 30 ||
		       config->copy_size_bytes > config->eager_size_bytes)) {
		abort();
	}
	config_free(&config);
	messages_fini(&messages);
	return 0;
}
