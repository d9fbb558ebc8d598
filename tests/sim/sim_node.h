/* SPDX-License-Identifier: BSD-3-Clause */
/* One simulated daemon and its programs. */
#ifndef CORONET_SIM_NODE_H
#define CORONET_SIM_NODE_H

#include "base/list.h"
#include "engine/engine.h"
#include "tests/sim/sim.h"

enum sim_client_state {
	CLIENT_CLOSED,
	CLIENT_OPEN,
	CLIENT_JOINING,
	CLIENT_JOINED,
	CLIENT_LEAVING
};

struct sim_node;

/* Send memory of a client. */
struct sim_memory {
	const struct sim_node *node;
	uint8_t *base;
	int fd;
};

struct sim_client {
	enum sim_client_state state;
	uint32_t pid;	    /* unique in the whole run */
	uint32_t group;	    /* 0..SIM_GROUPS-1 while joining, joined or leaving */
	uint64_t stream;    /* index of its record in sim_check */
	uint64_t sent;	    /* messages accepted */
	uint64_t memory_at; /* next free byte of its send memory */
	uint64_t unsent;    /* bytes that the engine still holds */
	struct sim_memory *memory;
	uint32_t region;
};

struct sim_node {
	uint32_t id;
	bool up;
	bool paused;
	uint64_t turn_at_us; /* when a turn is scheduled; UINT64_MAX if none is */
	uint64_t life;	     /* grows with every start and crash: old events are recognised by it */
	uint64_t ring_seq;   /* durable */
	uint32_t next_pid;
	struct engine *engine;
	struct slab *slab;
	struct sim_client clients[SIM_CLIENTS];
	struct list held; /* bodies that slow programs hold */
	uint32_t held_count;
};

int sim_node_new(struct sim *sim, uint32_t id, struct sim_node **out);
void sim_node_free(struct sim_node **node);
void sim_node_start(struct sim *sim, uint32_t id);
void sim_node_crash(struct sim *sim, uint32_t id);
void sim_node_pause(struct sim *sim, uint32_t id, uint64_t for_us);
/* Something may be waiting for it: gives it a turn soon. */
void sim_node_wake(struct sim *sim, uint32_t id, uint64_t delay_us);
/* Everything that programs and peers could hold has come back: says what has not. */
bool sim_node_quiet(const struct sim_node *node, char *why, size_t size);

#endif
