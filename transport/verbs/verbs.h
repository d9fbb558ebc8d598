/* SPDX-License-Identifier: BSD-3-Clause */
/* The RDMA transport: reliable connections through librdmacm on InfiniBand, RoCE and soft-RoCE. */
#ifndef CORONET_VERBS_H
#define CORONET_VERBS_H

#include "transport.h"

/* The port that daemons listen on when the ring address names none. */
#define VERBS_PORT_DEFAULT 5405

extern const struct transport_ops transport_verbs;

/* For tests: hangs up the bulk channel to the node as a fault would, so that both sides find it
 * broken. */
void verbs_break_bulk(struct transport *t, uint32_t node);

#endif
