/* SPDX-License-Identifier: BSD-3-Clause */
/* What goes wrong: at random times, random kinds, for a random while. One function per kind; the
 * table says how often each comes. */
#include "tests/sim/sim_net.h"
#include "tests/sim/sim_node.h"

#define KEYS_MAX    30

#define ISLANDS_MAX 4

static uint32_t any_node(struct sim *sim)
{
	return 1 + (uint32_t)sim_below(sim, sim->node_count);
}

static uint32_t another_node(struct sim *sim, uint32_t node)
{
	uint32_t other = 1 + (uint32_t)sim_below(sim, sim->node_count - 1);

	return other < node ? other : other + 1;
}

/* ---- links ---- */

static void bulk_breaks(struct sim *sim, uint32_t a)
{
	sim_net_break_bulk(sim, a, another_node(sim, a));
}

static void link_breaks(struct sim *sim, uint32_t a)
{
	sim_net_break(sim, a, another_node(sim, a), 400);
}

static void heal_one(struct sim *sim, uint32_t from, uint64_t to)
{
	sim_net_heal(sim, from, (uint32_t)to);
}

static void cut_one_way_for(struct sim *sim, uint32_t from, uint32_t to, uint64_t us)
{
	sim_net_cut(sim, from, to);
	sim_at(sim, us, heal_one, from, to);
}

static void cut_for(struct sim *sim, uint32_t a, uint32_t b, uint64_t us)
{
	cut_one_way_for(sim, a, b, us);
	cut_one_way_for(sim, b, a, us);
}

static void link_is_cut(struct sim *sim, uint32_t a)
{
	cut_for(sim, a, another_node(sim, a), sim_between(sim, 1, 3000) * MS);
}

/* Long enough for the link to break, or not. */
static void one_way_cut(struct sim *sim, uint32_t a)
{
	cut_one_way_for(sim, a, another_node(sim, a), sim_between(sim, 1, 3000) * MS);
}

/* Nothing breaks: it is late. */
static void one_way_stall(struct sim *sim, uint32_t a)
{
	cut_one_way_for(sim, a, another_node(sim, a), sim_between(sim, 1, 900) * MS);
}

/* A node that hears everybody and is heard by nobody, or the reverse. */
static void one_way_isolation(struct sim *sim, uint32_t a)
{
	bool mute = sim_chance(sim, 50);
	uint64_t us = sim_between(sim, 10, 3000) * MS;

	for (uint32_t b = 1; b <= sim->node_count; b++) {
		if (b != a) {
			cut_one_way_for(sim, mute ? a : b, mute ? b : a, us);
		}
	}
}

static void flap(struct sim *sim, uint32_t a, uint64_t arg)
{
	uint32_t b = arg & 0xff;
	uint64_t left = arg >> 8;

	if (sim->calm || left == 0) {
		return;
	}
	if (sim_chance(sim, 30)) {
		sim_net_break(sim, a, b, 20);
	} else {
		cut_for(sim, a, b, sim_between(sim, 1, 60) * MS);
	}
	sim_at(sim, sim_between(sim, 5, 200) * MS, flap, a, b | (left - 1) << 8);
}

static void link_flaps(struct sim *sim, uint32_t a)
{
	flap(sim, a, another_node(sim, a) | sim_between(sim, 3, 25) << 8);
}

/* ---- partitions ---- */

/* Every path between two islands is cut; they find each other at once, or nearly so. */
static void split(struct sim *sim, uint64_t us, uint64_t spread_us)
{
	uint64_t islands = sim_between(sim, 2, ISLANDS_MAX);
	uint64_t island[SIM_NODES_MAX + 1];

	for (uint32_t a = 1; a <= sim->node_count; a++) {
		island[a] = sim_below(sim, islands);
	}
	for (uint32_t a = 1; a <= sim->node_count; a++) {
		for (uint32_t b = a + 1; b <= sim->node_count; b++) {
			if (island[a] != island[b]) {
				cut_for(sim, a, b, us + sim_below(sim, spread_us));
			}
		}
	}
}

static void split_again(struct sim *sim, uint32_t node, uint64_t us)
{
	(void)node;
	if (!sim->calm) {
		split(sim, us, 50 * MS);
	}
}

static void partition(struct sim *sim, uint32_t a)
{
	(void)a;
	split(sim, sim_between(sim, 10, 6000) * MS, sim_chance(sim, 50) ? 1 : 50 * MS);
}

/* The islands are split in turn. */
static void nested_partition(struct sim *sim, uint32_t a)
{
	uint64_t us = sim_between(sim, 500, 6000) * MS;

	(void)a;
	split(sim, us, 50 * MS);
	sim_at(sim, us / 3, split_again, 0, us / 3);
}

/* The merge has hardly begun when there is another partition. */
static void merge_cut_short(struct sim *sim, uint32_t a)
{
	uint64_t us = sim_between(sim, 400, 3000) * MS;

	(void)a;
	split(sim, us, 1);
	sim_at(sim, us + sim_between(sim, 20, 900) * MS, split_again, 0,
	       sim_between(sim, 10, 2000) * MS);
}

/* ---- nodes ---- */

static void crash(struct sim *sim, uint32_t a)
{
	bool forgets = sim_chance(sim, 10);

	sim_node_crash_and_restart(sim, a);
	if (forgets && !sim->nodes[a]->up) {
		sim_node_forget(sim, a);
	}
}

static void crash_in_step(struct sim *sim, uint32_t a)
{
	sim_node_doom(sim, a, (uint32_t)sim_below(sim, 40));
}

static void all_crash(struct sim *sim, uint32_t a)
{
	(void)a;
	for (uint32_t b = 1; b <= sim->node_count; b++) {
		if (sim_chance(sim, 80)) {
			sim_node_crash_and_restart(sim, b);
		}
	}
}

static void stop(struct sim *sim, uint32_t a)
{
	sim_node_pause(sim, a, sim_between(sim, 1, 2500) * MS);
}

static void slow(struct sim *sim, uint32_t a)
{
	sim_node_slow(sim, a, sim_between(sim, 100, 20000), sim_between(sim, 50, 3000) * MS);
}

static void clock_leaps(struct sim *sim, uint32_t a)
{
	sim_node_clock_leaps(sim, a, sim_between(sim, 1, 5000) * MS);
}

static void programs_stuck(struct sim *sim, uint32_t a)
{
	sim_node_stuck(sim, a, sim_between(sim, 10, 2000) * MS);
}

/* Everybody is told, one after the other, and some while they are down. */
static void key_changes(struct sim *sim, uint32_t a)
{
	(void)a;
	if (sim->key_number == KEYS_MAX) {
		return;
	}
	sim->key_number++;
	sim_trace(sim, "fault: the key is changed to key %u", sim->key_number);
	for (uint32_t id = 1; id <= sim->node_count; id++) {
		sim_at(sim, sim_below(sim, 2000) * MS, sim_node_take_key, id, sim->key_number);
	}
}

/* ---- when ---- */

struct kind {
	void (*happens)(struct sim *sim, uint32_t a);
	uint32_t weight;
	bool needs_two; /* nodes */
	bool gentle;	/* links break for a moment only, or somebody is slow */
};

static const struct kind kinds[] = {
	{bulk_breaks, 20, true, true},
	{link_breaks, 14, true, false},
	{link_is_cut, 7, true, false},
	{one_way_cut, 6, true, false},
	{one_way_stall, 5, true, false},
	{one_way_isolation, 3, true, false},
	{link_flaps, 3, true, false},
	{partition, 9, true, false},
	{nested_partition, 3, true, false},
	{merge_cut_short, 4, true, false},
	{crash, 10, false, false},
	{crash_in_step, 8, false, false},
	{all_crash, 1, false, false},
	{stop, 8, false, false},
	{slow, 4, false, false},
	{clock_leaps, 4, false, false},
	{programs_stuck, 4, false, false},
	{key_changes, 4, false, true},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool possible(const struct sim *sim, const struct kind *kind)
{
	return (kind->happens != key_changes || sim->sealed) &&
	       (sim->node_count > 1 || !kind->needs_two) && (!sim->gentle || kind->gentle);
}

static void something_happens(struct sim *sim)
{
	uint64_t sum = 0;
	uint64_t dice;

	for (size_t i = 0; i < KINDS; i++) {
		sum += possible(sim, &kinds[i]) ? kinds[i].weight : 0;
	}
	dice = sim_below(sim, sum);
	for (size_t i = 0; sum > 0; i++) {
		uint64_t weight = possible(sim, &kinds[i]) ? kinds[i].weight : 0;

		if (dice < weight) {
			kinds[i].happens(sim, any_node(sim));
			return;
		}
		dice -= weight;
	}
}

static void gentle_fault(struct sim *sim, uint32_t a)
{
	if (sim->node_count > 1 && sim_chance(sim, 50)) {
		sim_net_break(sim, a, another_node(sim, a), 40);
	} else {
		something_happens(sim);
	}
}

static void fault(struct sim *sim, uint32_t node, uint64_t arg)
{
	(void)node;
	(void)arg;
	if (sim->calm) {
		return;
	}
	if (sim->gentle) {
		gentle_fault(sim, any_node(sim));
	} else {
		something_happens(sim);
	}
	sim_at(sim, sim_between(sim, 5, 1500) * MS, fault, 0, 0);
}

static void nag(struct sim *sim, uint32_t node, uint64_t arg)
{
	(void)arg;
	if (sim->calm) {
		return;
	}
	if (sim_chance(sim, 40)) {
		sim_node_doom(sim, node, (uint32_t)sim_below(sim, 12));
	} else if (sim_chance(sim, 30)) {
		for (uint32_t a = 1; a <= sim->node_count; a++) {
			sim_node_start(sim, a);
		}
	} else {
		something_happens(sim);
	}
}

void sim_faults_at_state(struct sim *sim, uint32_t node, bool operational)
{
	if (sim->nagging && !sim->calm && sim_chance(sim, operational ? 4 : 8)) {
		sim_at(sim, sim_chance(sim, 50) ? 0 : sim_below(sim, 3 * MS), nag, node, 0);
	}
}

static void set_clocks(struct sim *sim)
{
	for (uint32_t a = 1; a <= sim->node_count; a++) {
		sim->nodes[a]->pace = (uint32_t)sim_between(sim, 900, 1100);
	}
}

void sim_faults_start(struct sim *sim)
{
	sim_net_memory_short(sim, !sim->gentle);
	if (sim->options.seed % 3 == 1 && !sim->gentle) {
		set_clocks(sim);
	}
	/* A ring that must not end has to be there first. */
	sim_at(sim, sim->gentle ? 4 * SECOND : 1, fault, 0, 0);
}

void sim_faults_end(struct sim *sim)
{
	sim_net_memory_short(sim, false);
	for (uint32_t a = 1; a <= sim->node_count; a++) {
		for (uint32_t b = a + 1; b <= sim->node_count; b++) {
			sim_net_heal_all(sim, a, b);
		}
		sim->nodes[a]->doom = 0;
		sim->nodes[a]->slow_until_us = 0;
		sim->nodes[a]->stuck_until_us = 0;
		sim_node_start(sim, a);
	}
}
