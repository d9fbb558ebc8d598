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
	struct sim_memory *next;
	const struct sim_node *node;
	bool one_host; /* others may map it */
	uint8_t *base;
	uint64_t used; /* first bytes */
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
	uint32_t key_number; /* likewise */
	uint32_t doom; /* it dies after so many less one more actions; 1: it has; 0: it will not */
	uint32_t pace; /* of its clock, in thousandths */
	uint64_t clock_base_us;
	uint64_t slow_us, slow_until_us; /* what each turn takes longer */
	uint64_t stuck_until_us;	 /* its programs read nothing */
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
void sim_node_crash_and_restart(struct sim *sim, uint32_t id);
/* It dies after that many actions more: messages, deliveries, what is made durable. The rest of the
 * step in which that happens is lost. */
void sim_node_doom(struct sim *sim, uint32_t id, uint32_t actions);
/* One action; false when it has died in this step, so that nothing must come of it. */
bool sim_node_acts(struct sim *sim, uint32_t id);
void sim_node_slow(struct sim *sim, uint32_t id, uint64_t turn_us, uint64_t for_us);
void sim_node_stuck(struct sim *sim, uint32_t id, uint64_t for_us);
void sim_node_clock_leaps(struct sim *sim, uint32_t id, uint64_t us);
void sim_node_forget(struct sim *sim, uint32_t id);
/* The cluster's key is replaced on its disk, and the daemon told. */
void sim_node_take_key(struct sim *sim, uint32_t id, uint64_t number);
void sim_node_pause(struct sim *sim, uint32_t id, uint64_t for_us);
/* Something may be waiting for it: gives it a turn soon. */
void sim_node_wake(struct sim *sim, uint32_t id, uint64_t delay_us);
/* Everything that programs and peers could hold has come back: says what has not. */
bool sim_node_quiet(const struct sim_node *node, char *why, size_t size);

#endif
