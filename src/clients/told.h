/* SPDX-License-Identifier: BSD-3-Clause */
/* The status text that programs were told last (query.c). */
#ifndef CORONET_CLIENTS_TOLD_H
#define CORONET_CLIENTS_TOLD_H

#include <stdint.h>

struct told_status {
	char *text;
	uint64_t since_ms;
	uint32_t count; /* texts made since then */
};

#endif
