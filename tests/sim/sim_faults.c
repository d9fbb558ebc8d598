/* SPDX-License-Identifier: BSD-3-Clause */
/* What goes wrong: at random times, random kinds, for a random while. */
#include "tests/sim/sim_net.h"
#include "tests/sim/sim_node.h"

static void fault(struct sim *sim, uint32_t node, uint64_t arg);

static void next_fault(struct sim *sim)
{
	sim_at(sim, sim_between(sim, 5, 1500) * MS, fault, 0, 0);
}

static uint32_t any_node(struct sim *sim)
{
	return 1 + (uint32_t)sim_below(sim, sim->node_count);
}

static uint32_t another_node(struct sim *sim, uint32_t node)
{
	uint32_t other = 1 + (uint32_t)sim_below(sim, sim->node_count - 1);

	return other < node ? other : other + 1;
}

static void heal_one(struct sim *sim, uint32_t a, uint64_t b)
{
	sim_net_heal(sim, a, (uint32_t)b);
}

static void cut_for(struct sim *sim, uint32_t a, uint32_t b, uint64_t us)
{
	sim_net_cut(sim, a, b);
	sim_at(sim, us, heal_one, a, b);
}

/* Every path between two random halves is cut. */
static void partition(struct sim *sim)
{
	uint64_t side = sim_random(sim);
	uint64_t us = sim_between(sim, 10, 6000) * MS;

	for (uint32_t a = 1; a <= sim->node_count; a++) {
		for (uint32_t b = a + 1; b <= sim->node_count; b++) {
			if ((side >> a & 1) != (side >> b & 1)) {
				cut_for(sim, a, b, us + sim_below(sim, 50) * MS);
			}
		}
	}
}

static void restart(struct sim *sim, uint32_t node, uint64_t arg)
{
	(void)arg;
	sim_node_start(sim, node);
}

static void crash_and_restart(struct sim *sim, uint32_t node)
{
	sim_node_crash(sim, node);
	sim_at(sim, sim_between(sim, 1, 4000) * MS, restart, node, 0);
}

static void gentle_fault(struct sim *sim, uint32_t a)
{
	if (sim->node_count > 1 && sim_chance(sim, 50)) {
		sim_net_break_bulk(sim, a, another_node(sim, a));
	} else if (sim->node_count > 1) {
		sim_net_break(sim, a, another_node(sim, a), 40);
	}
}

static void fault(struct sim *sim, uint32_t node, uint64_t arg)
{
	uint32_t a = any_node(sim);
	uint64_t dice = sim_below(sim, 100);

	(void)node;
	(void)arg;
	if (sim->calm) {
		return;
	}
	if (sim->gentle) {
		gentle_fault(sim, a);
		next_fault(sim);
		return;
	}
	if (sim->node_count == 1) {
		dice = dice < 50 ? 80 : 95;
	}
	if (dice < 25) {
		sim_net_break_bulk(sim, a, another_node(sim, a));
	} else if (dice < 45) {
		sim_net_break(sim, a, another_node(sim, a), 400);
	} else if (dice < 55) {
		cut_for(sim, a, another_node(sim, a), sim_between(sim, 1, 3000) * MS);
	} else if (dice < 70) {
		partition(sim);
	} else if (dice < 88) {
		crash_and_restart(sim, a);
	} else {
		sim_node_pause(sim, a, sim_between(sim, 1, 2500) * MS);
	}
	next_fault(sim);
}

void sim_faults_start(struct sim *sim)
{
	sim->gentle = sim->options.seed % 8 == 0;
	sim_net_memory_short(sim, !sim->gentle);
	/* A ring that must not end has to be there first. */
	sim_at(sim, sim->gentle ? 4 * SECOND : 1, fault, 0, 0);
}

void sim_faults_end(struct sim *sim)
{
	sim_net_memory_short(sim, false);
	for (uint32_t a = 1; a <= sim->node_count; a++) {
		for (uint32_t b = a + 1; b <= sim->node_count; b++) {
			sim_net_heal(sim, a, b);
		}
		sim_node_start(sim, a);
	}
}
