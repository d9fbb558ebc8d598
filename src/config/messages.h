/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages that are collected before it is known where the log goes: while a configuration is read. */
#ifndef CORONET_CONFIG_MESSAGES_H
#define CORONET_CONFIG_MESSAGES_H

#include <stdint.h>

#define MESSAGE_TEXT_MAX 1024

struct message {
	int priority; /* as in syslog(3) */
	char text[MESSAGE_TEXT_MAX];
};

/* Begins as all zeros. What does not fit into memory or above the limit is counted. */
struct messages {
	struct message *list;
	uint32_t count;
	uint32_t dropped;
};

__attribute__((format(printf, 3, 4))) void messages_add(struct messages *messages, int priority,
							const char *format, ...);
/* Hands them over in order, then empties the list. */
void messages_flush(struct messages *messages,
		    void (*say)(void *ctx, int priority, const char *text), void *ctx);
void messages_fini(struct messages *messages);

#endif
