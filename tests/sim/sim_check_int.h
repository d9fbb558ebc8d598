/* SPDX-License-Identifier: BSD-3-Clause */
/* What the checkers remember of a run. */
#ifndef CORONET_SIM_CHECK_INT_H
#define CORONET_SIM_CHECK_INT_H

#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim_check.h"
#include "tests/sim/sim_node.h"

/* Rings count from 1; numbers.list has them begin elsewhere. */
#define PLACE_BEFORE_FIRST 0ull

/* A growing array of plain elements. */
#define VECTOR(type)                    \
	struct {                        \
		type *at;               \
		size_t count, capacity; \
	}
#define PUSH(vector, element)                                                                   \
	do {                                                                                    \
		if ((vector).count == (vector).capacity) {                                      \
			(vector).capacity = (vector).capacity ? 2 * (vector).capacity : 16;     \
			(vector).at =                                                           \
				realloc((vector).at, (vector).capacity * sizeof(*(vector).at)); \
			if (!(vector).at) {                                                     \
				abort();                                                        \
			}                                                                       \
		}                                                                               \
		(vector).at[(vector).count++] = (element);                                      \
	} while (0)

struct place {
	struct ringid ring;
	uint64_t seq;
};

struct ordered {
	uint64_t seq;
	uint32_t origin;
	enum frame_guarantee guarantee;
	bool in_transitional;
};

/* One installation of a ring by one life of a node. */
struct install {
	uint32_t node;
	uint64_t life;
	struct ringid ring;
	struct nodeset members;
	bool left; /* another ring follows */
	bool transitional_seen;
	struct nodeset transitional;
	struct ringid prev; /* seq 0: none */
	struct ringid next;
	VECTOR(struct ordered) ordered;
};

struct sent {
	bool known;
	struct sim_message message;
	bool placed;
	struct place place;
	uint64_t view;	    /* in regular configurations; 0: none yet */
	uint64_t safe_view; /* SAFE, and somebody has had it in a regular one: its view; else 0 */
};

struct seen {
	VECTOR(uint8_t) numbers;
	uint64_t last_ordered;
	bool together; /* the sender has been in the view since last_ordered */
};

struct digest {
	uint64_t ordered;   /* messages and views, in their order */
	uint64_t unordered; /* the set of the others */
	uint32_t ordered_count, unordered_count;
};

/* What one program saw on one ring. */
struct chapter {
	size_t install; /* index */
	uint64_t path;	/* how its node came there since the last view that the groups activated */
	bool whole;	/* it was in the group when the ring began, and still when it ended */
	bool active;	/* the groups have activated the ring's view */
	struct digest all;
	struct digest since_active;
};

struct stream {
	uint32_t node, pid, group;
	bool ended;
	bool started;  /* own join seen */
	uint64_t view; /* index into views; 0: none */
	uint64_t own_delivered;
	VECTOR(struct sent) sent;
	VECTOR(struct seen) seen; /* by sending stream */
	VECTOR(struct chapter) chapters;
};

struct view {
	uint32_t count;
	struct cpg_address *members;
};

struct current {
	uint64_t life;
	size_t install; /* index + 1; 0: none */
	struct place place;
	bool placing;  /* a frame is being delivered in its place */
	uint64_t path; /* digest of the rings since the last one whose view was activated */
	struct ringid activated;
};

struct sim_check {
	VECTOR(struct install) installs;
	VECTOR(struct stream) streams;
	VECTOR(struct view) views;
	struct current current[SIM_NODES_MAX + 1];
	VECTOR(size_t) installs_of[SIM_NODES_MAX + 1]; /* indices */
};

/* sim_check_ring.c */
struct install *find_install(struct sim *sim, uint32_t node, struct ringid ring);
bool has_place(const struct install *install, uint64_t seq);
void check_rings(struct sim *sim);

/* sim_check_programs.c: the ring just installed begins a chapter for each program of its node. */
uint64_t mix(uint64_t a, uint64_t b);
void chapters_begin(struct sim *sim, uint32_t node);
void check_programs(struct sim *sim);

#endif
