/* SPDX-License-Identifier: BSD-3-Clause */
/* What engines on the fake transport are set up with, where it does not matter to a test. */
#ifndef CORONET_TEST_SMALL_RING_H
#define CORONET_TEST_SMALL_RING_H

#include "engine/engine.h"

#define SMALL_RING(self)                                                                       \
	{                                                                                      \
		.node = (self), .token_ms = 1000, .token_retransmit_ms = 200, .hold_ms = 100,  \
		.join_ms = 50, .consensus_ms = 1200, .merge_ms = 200, .fail_recv_const = 2500, \
		.seqno_unchanged_const = 30, .window_size = 32, .max_messages = 17,            \
		.accelerated_window = 8, .miss_count_const = 5                                 \
	}
#define SMALL_GROUPS                                \
	{                                           \
		.clients_max = 4, .members_max = 64 \
	}

#endif
