/* SPDX-License-Identifier: BSD-3-Clause */
/* What must hold. The nodes report what they see as it happens; each property is one function in
 * sim_check.c. */
#ifndef CORONET_SIM_CHECK_H
#define CORONET_SIM_CHECK_H

#include "engine/engine.h"
#include "tests/sim/sim.h"

/* What every message of a simulated program begins with. */
struct sim_message {
	uint64_t magic;
	uint64_t stream;
	uint64_t number; /* per stream, from 1 */
	uint64_t size;
	uint32_t node;
	uint32_t pid;
	uint32_t group;
	uint32_t guarantee;
};
#define SIM_MAGIC 0x636f726f6e657421ull

/* Fills message->size bytes: the head, and a pattern that follows from it. */
void sim_pattern_write(const struct sim_message *message, uint8_t *bytes);

int sim_check_new(struct sim_check **out);
void sim_check_free(struct sim_check **check);

/* A ring event at a node. life tells restarts apart. */
void sim_check_transitional(struct sim *sim, uint32_t node, uint64_t life, struct ringid old_ring,
			    const struct nodeset *members);
void sim_check_regular(struct sim *sim, uint32_t node, uint64_t life, struct ringid ring,
		       const struct nodeset *members);
void sim_check_ordered(struct sim *sim, uint32_t node, uint64_t life,
		       const struct frame_info *info);

/* A program's view. Streams are numbered; one per (connection, join). */
uint64_t sim_check_stream_new(struct sim *sim, uint32_t node, uint32_t pid, uint32_t group);
void sim_check_sent(struct sim *sim, uint64_t stream, const struct sim_message *message);
/* The engine did not take the last one. */
void sim_check_refused(struct sim *sim, uint64_t stream);
void sim_check_delivered(struct sim *sim, uint64_t stream, uint32_t node, uint32_t pid,
			 const uint8_t *bytes, uint64_t size);
void sim_check_confchg(struct sim *sim, uint64_t stream, const struct engine_confchg *confchg);
/* The groups of this node have activated the view of that ring; told once per program. */
void sim_check_activated(struct sim *sim, uint32_t node, struct ringid ring);
/* The program closed, left or died with its node: nothing more is owed to it. */
void sim_check_stream_end(struct sim *sim, uint64_t stream, bool crashed);

/* After the liveness phase. */
void sim_check_end(struct sim *sim);

#endif
