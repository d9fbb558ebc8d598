/* SPDX-License-Identifier: BSD-3-Clause */
/* A growing list of messages; see messages.h. */
#include "config/messages.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#define MESSAGES_MAX 256u

static struct message *message_new(struct messages *messages)
{
	struct message *list;

	if (messages->count == MESSAGES_MAX) {
		return NULL;
	}
	list = realloc(messages->list, (messages->count + 1) * sizeof(*list));
	if (!list) {
		return NULL;
	}
	messages->list = list;
	return &list[messages->count++];
}

void messages_add(struct messages *messages, int priority, const char *format, ...)
{
	struct message *message = message_new(messages);
	va_list args;

	if (!message) {
		messages->dropped++;
		return;
	}
	message->priority = priority;
	va_start(args, format);
	vsnprintf(message->text, sizeof(message->text), format, args);
	va_end(args);
}

void messages_flush(struct messages *messages,
		    void (*say)(void *ctx, int priority, const char *text), void *ctx)
{
	char text[64];

	for (uint32_t i = 0; i < messages->count; i++) {
		say(ctx, messages->list[i].priority, messages->list[i].text);
	}
	if (messages->dropped > 0) {
		snprintf(text, sizeof(text), "%u more messages are left out", messages->dropped);
		say(ctx, LOG_WARNING, text);
	}
	messages_fini(messages);
}

void messages_fini(struct messages *messages)
{
	free(messages->list);
	*messages = (struct messages){0};
}
