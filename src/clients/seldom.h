/* SPDX-License-Identifier: BSD-3-Clause */
/* Whom and what the log is seldom told about. */
#ifndef CORONET_CLIENTS_SELDOM_H
#define CORONET_CLIENTS_SELDOM_H

#include "base/seldom.h"

struct seldom_lines {
	struct seldom mute;	    /* they say no hello */
	struct seldom crowd;	    /* users with too many connections */
	struct seldom denied;	    /* who may not connect */
	struct seldom full;	    /* no place for a connection */
	struct seldom disconnected; /* by a broken rule */
	struct seldom slow;	    /* because it does not read */
	struct seldom memory;	    /* send memory that cannot be had */
};

#endif
