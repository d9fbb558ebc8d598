/* SPDX-License-Identifier: BSD-3-Clause */
/* Deterministic simulation: N daemons' engines in one process, over a simulated transport, on
 * virtual time. Everything that happens follows from the seed. The room's files:
 *   sim_clock   virtual time: what happens next
 *   sim_net     the transport contract with RC semantics: in order while it lives, stalls, breaks
 *               with unknown outcome
 *   sim_node    one daemon: engine, durable ring sequence, clients with random habits
 *   sim_faults  what goes wrong, and when
 *   sim_check   one function per property that must hold
 *   sim_main    runs seeds, prints the command that replays a failing one */
#ifndef CORONET_SIM_H
#define CORONET_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SIM_NODES_MAX 64
#define SIM_CLIENTS   3 /* programs per node */
#define SIM_GROUPS    3
#define MS	      1000ull /* microseconds */
#define SECOND	      (1000 * MS)

struct sim;

/* --- random numbers: splitmix64, one stream per run --- */
uint64_t sim_random(struct sim *sim);
/* 0..below-1 */
uint64_t sim_below(struct sim *sim, uint64_t below);
/* low..high, both included */
uint64_t sim_between(struct sim *sim, uint64_t low, uint64_t high);
bool sim_chance(struct sim *sim, uint32_t percent);

/* --- time --- */
uint64_t sim_now_us(const struct sim *sim);
/* fn(sim, node, arg) at now + delay; events of the same time keep their order of insertion. */
typedef void (*sim_fn)(struct sim *sim, uint32_t node, uint64_t arg);
void sim_at(struct sim *sim, uint64_t delay_us, sim_fn fn, uint32_t node, uint64_t arg);

/* --- what a run is --- */
struct sim_options {
	uint64_t seed;
	bool trace;
};

struct sim_clock;
struct sim_net;
struct sim_node;
struct sim_check;

struct sim {
	struct sim_options options;
	uint64_t random_state;
	struct sim_clock *clock;
	struct sim_net *net;
	struct sim_check *check;
	struct sim_node *nodes[SIM_NODES_MAX + 1]; /* by node id, 1..node_count */
	uint32_t node_count;
	bool one_host; /* nodes map each other's memory */
	bool chains;   /* most nodes send large messages along chains */
	/* What a READ brings is what is there, so nothing carries a digest: bytes of something
	 * else would be delivered. */
	bool exact;
	bool restless;	  /* programs come and go all the time */
	bool nagging;	  /* things go wrong just when the ring changes its state */
	bool clocks_wrap; /* 32 bits of milliseconds are about to run over */
	uint32_t crowd;	  /* with many nodes each sends less: milliseconds between its bursts */
	uint64_t ring_seq_first;
	bool sealed;	     /* nodes have a key, and nothing passes between them in the clear */
	uint32_t key_number; /* the last key that nodes were given */
	bool gentle;	     /* links break for a moment only: no ring may end because of that */
	bool calm;	     /* the liveness phase: nothing new goes wrong, programs fall silent */
	bool ending;	     /* the run is over: no node starts again */
	char failure[512];
};

/* Records the first failure and says where in time it was; the run ends. */
__attribute__((format(printf, 2, 3))) void sim_fail(struct sim *sim, const char *format, ...);
__attribute__((format(printf, 2, 3))) void sim_trace(struct sim *sim, const char *format, ...);

/* --- sim_clock --- */
int sim_clock_new(struct sim_clock **out);
void sim_clock_free(struct sim_clock **clock);
/* Runs the next event; false when there is none before the limit (time is then the limit). */
bool sim_clock_step(struct sim *sim, uint64_t limit_us);
/* Runs what is left after every node has ended: it only frees. */
void sim_clock_drain(struct sim *sim);

/* --- sim_faults --- */
void sim_faults_start(struct sim *sim);
/* A ring has entered a state: that may be the moment for a fault. */
void sim_faults_at_state(struct sim *sim, uint32_t node, bool operational);
/* Heals every link, starts every node. */
void sim_faults_end(struct sim *sim);

/* --- one run: NULL, or the failure --- */
const char *sim_run(const struct sim_options *options, struct sim *sim);

#endif
