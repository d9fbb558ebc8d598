/* SPDX-License-Identifier: BSD-3-Clause */
/* The client state table, as const data; here so that a test can go through every cell. */
#ifndef CORONET_PG_CLIENT_H
#define CORONET_PG_CLIENT_H

#include "pg/pg_int.h"

enum pg_client_effect {
	PG_DO_NOTHING,
	PG_DO_JOIN,
	PG_DO_LEAVE,
	PG_DO_MCAST,
	PG_DO_ABANDON, /* the process goes on without its client */
};

struct pg_client_cell {
	cs_error_t answer;
	enum pg_client_state next;
	enum pg_client_effect effect;
};

extern const struct pg_client_cell pg_client_table[PG_CLIENT_STATES][PG_CLIENT_EVENTS];

#endif
