/* SPDX-License-Identifier: BSD-3-Clause */
/* What anybody can cause as often as he likes is logged a few times a minute. */
#ifndef CORONET_BASE_SELDOM_H
#define CORONET_BASE_SELDOM_H

#include <stdbool.h>
#include <stdint.h>

/* Ends a line that is logged seldom; its number is *unlogged. */
#define SELDOM_MORE "; %u more like it since the last such line"

/* One for each kind of line; zero at first. */
struct seldom {
	uint64_t since_ms; /* of the minute's first line; 0: none */
	uint32_t lines;	   /* in that minute */
	uint32_t unlogged; /* since the last line */
};

/* True when a line is due, of at most `most` a minute; *unlogged is how many had none since the last. */
bool seldom_due(struct seldom *seldom, uint32_t most, uint64_t now_ms, uint32_t *unlogged);

#endif
