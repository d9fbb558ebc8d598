/* SPDX-License-Identifier: BSD-3-Clause */
/* What anybody can cause as often as he likes is logged a few times a minute. */
#ifndef CORONET_CLIENTS_SELDOM_H
#define CORONET_CLIENTS_SELDOM_H

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

/* Whom and what such lines are about. */
struct seldom_lines {
	struct seldom mute;	    /* they say no hello */
	struct seldom crowd;	    /* users with too many connections */
	struct seldom denied;	    /* who may not connect */
	struct seldom full;	    /* no place for a connection */
	struct seldom disconnected; /* by a broken rule */
	struct seldom slow;	    /* because it does not read */
	struct seldom memory;	    /* send memory that cannot be had */
};

/* True when a line is due, of at most `most` a minute; *unlogged is how many had none since the last. */
bool seldom_due(struct seldom *seldom, uint32_t most, uint64_t now_ms, uint32_t *unlogged);

#endif
