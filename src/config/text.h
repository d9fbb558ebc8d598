/* SPDX-License-Identifier: BSD-3-Clause */
/* The grammar of corosync.conf(5), line by line: sections open and close, keys have values. What they mean is not known here. */
#ifndef CORONET_CONFIG_TEXT_H
#define CORONET_CONFIG_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define CONFIG_LINE_MAX 510 /* bytes of one line without its end */
#define CONFIG_PATH_MAX 254 /* names of the open sections and of a key, joined by dots */

enum config_item_kind {
	CONFIG_OPEN,
	CONFIG_CLOSE,
	CONFIG_KEY
};

struct config_item {
	enum config_item_kind kind;
	uint32_t line;
	char name[CONFIG_LINE_MAX + 1];
	char value[CONFIG_LINE_MAX + 1];
};

/* Begins with text and left set, the rest zero. */
struct config_text {
	const char *text; /* borrowed; need not end with a NUL */
	size_t left;
	uint32_t line; /* of the last item or error */
};

/* The next item: 1, 0 at the end, or -EINVAL with the reason in `why`, a constant string. */
int config_text_next(struct config_text *text, struct config_item *item, const char **why);

#endif
