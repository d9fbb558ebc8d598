/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the configuration share: a text in, a configuration or messages out. */
#ifndef CORONET_TESTS_CONFIG_FIXTURE_H
#define CORONET_TESTS_CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "config/exit_code.h"

#define HEAD  "totem {\nversion: 2\n"
#define NODES "nodelist {\nnode {\nnodeid: 1\nname: a\n}\nnode {\nnodeid: 2\nname: b\n}\n}\n"
/* A whole configuration; `totem` goes into that section, from line 3 on. */
#define WHOLE(totem) HEAD totem "}\n" NODES

struct parsed {
	int code;
	struct config *config;
	struct messages messages;
};

static inline struct parsed parse_sized(const char *text, size_t size)
{
	struct parsed parsed = {0};

	parsed.code = config_parse("f", text, size, &parsed.messages, &parsed.config);
	return parsed;
}

static inline struct parsed parse(const char *text)
{
	return parse_sized(text, strlen(text));
}

static inline void parsed_free(struct parsed *parsed)
{
	config_free(&parsed->config);
	messages_fini(&parsed->messages);
}

/* How many messages contain the text. */
static inline int told(const struct parsed *parsed, const char *text)
{
	int count = 0;

	for (uint32_t i = 0; i < parsed->messages.count; i++) {
		count += strstr(parsed->messages.list[i].text, text) != NULL;
	}
	return count;
}

static inline void show(const struct parsed *parsed)
{
	for (uint32_t i = 0; i < parsed->messages.count; i++) {
		print_message("said: %s\n", parsed->messages.list[i].text);
	}
}

/* The text is refused with this code and exactly this last message. */
static inline void assert_refused(const char *text, int code, const char *message)
{
	struct parsed parsed = parse(text);

	if (parsed.code != code || parsed.messages.count == 0) {
		show(&parsed);
	}
	assert_int_equal(parsed.code, code);
	assert_null(parsed.config);
	assert_true(parsed.messages.count > 0);
	assert_string_equal(parsed.messages.list[parsed.messages.count - 1].text, message);
	parsed_free(&parsed);
}

static inline struct parsed parse_good(const char *text)
{
	struct parsed parsed = parse(text);

	if (parsed.code) {
		show(&parsed);
	}
	assert_int_equal(parsed.code, EXIT_OK);
	assert_non_null(parsed.config);
	return parsed;
}

/* The text is taken, and this is one of the messages; NULL: there are none. */
static inline void assert_told(const char *text, const char *message)
{
	struct parsed parsed = parse_good(text);

	if (message == NULL ? parsed.messages.count > 0 : told(&parsed, message) == 0) {
		show(&parsed);
		fail_msg("expected: %s", message ? message : "no message");
	}
	parsed_free(&parsed);
}

#endif
