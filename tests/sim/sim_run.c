/* SPDX-License-Identifier: BSD-3-Clause */
/* One run: a safety phase in which things go wrong, then a liveness phase in which nothing new does
 * and everything must settle. */
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <string.h>

#include "tests/sim/sim_check.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/sim_node.h"

#define SAFETY_SECONDS 12
#define CROWD_SECONDS  8
/* After the last fault; many nodes have much to pass on, and little memory for it. */
#define SETTLE_SECONDS		40
#define SETTLE_SECONDS_PER_NODE 3

uint64_t sim_random(struct sim *sim)
{
	uint64_t z = (sim->random_state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t sim_below(struct sim *sim, uint64_t below)
{
	return below ? sim_random(sim) % below : 0;
}

uint64_t sim_between(struct sim *sim, uint64_t low, uint64_t high)
{
	return low + sim_below(sim, high - low + 1);
}

bool sim_chance(struct sim *sim, uint32_t percent)
{
	return sim_below(sim, 100) < percent;
}

static void say(const struct sim *sim, FILE *to, const char *format, va_list args)
{
	uint64_t us = sim_now_us(sim) - 1000 * SECOND;

	fprintf(to, "%4llu.%06llu  ", (unsigned long long)(us / SECOND),
		(unsigned long long)(us % SECOND));
	vfprintf(to, format, args);
	fputc('\n', to);
}

void sim_trace(struct sim *sim, const char *format, ...)
{
	va_list args;

	if (!sim->options.trace) {
		return;
	}
	va_start(args, format);
	say(sim, stdout, format, args);
	va_end(args);
}

void sim_fail(struct sim *sim, const char *format, ...)
{
	uint64_t us = sim_now_us(sim) - 1000 * SECOND;
	va_list args;
	size_t used;

	if (sim->failure[0]) {
		return;
	}
	used = (size_t)snprintf(sim->failure, sizeof(sim->failure),
				"at %llu.%06llu s: ", (unsigned long long)(us / SECOND),
				(unsigned long long)(us % SECOND));
	va_start(args, format);
	vsnprintf(sim->failure + used, sizeof(sim->failure) - used, format, args);
	va_end(args);
	sim_trace(sim, "FAILED: %s", sim->failure);
}

static bool run_until(struct sim *sim, uint64_t limit_us)
{
	while (!sim->failure[0] && sim_clock_step(sim, limit_us)) {
	}
	return !sim->failure[0];
}

static bool build(struct sim *sim)
{
	if (sim_clock_new(&sim->clock) || sim_net_new(sim, &sim->net) ||
	    sim_check_new(&sim->check)) {
		return false;
	}
	for (uint32_t id = 1; id <= sim->node_count; id++) {
		if (sim_node_new(sim, id, &sim->nodes[id])) {
			return false;
		}
	}
	return true;
}

static void tear_down(struct sim *sim)
{
	sim->ending = true;
	sim->calm = true;
	for (uint32_t id = 1; id <= sim->node_count; id++) {
		sim_node_crash(sim, id);
	}
	sim_clock_drain(sim);
	for (uint32_t id = 1; id <= sim->node_count; id++) {
		sim_node_free(&sim->nodes[id]);
	}
	sim_net_free(&sim->net);
	sim_check_free(&sim->check);
	sim_clock_free(&sim->clock);
}

/* One ring of all nodes, and nothing held anywhere. */
static bool settled(struct sim *sim, char *why, size_t size)
{
	struct ringid ring = {0};

	for (uint32_t id = 1; id <= sim->node_count; id++) {
		struct sim_node *node = sim->nodes[id];
		struct totem_status status;
		struct engine_stats stats;

		if (!node->up) {
			snprintf(why, size, "node %u is down", id);
			return false;
		}
		engine_status(node->engine, &status, &stats);
		ring = id == 1 ? status.ring : ring;
		if (status.state != TOTEM_OPERATIONAL || status.members.count != sim->node_count ||
		    !ringid_equal(status.ring, ring)) {
			snprintf(why, size, "node %u is in state %s on a ring of %u", id,
				 totem_state_name(status.state), status.members.count);
			return false;
		}
		if (!sim_node_quiet(node, why, size)) {
			return false;
		}
		if (!engine_may_send(node->engine)) {
			snprintf(why, size, "the groups of node %u are not active", id);
			return false;
		}
	}
	return true;
}

static void liveness_phase(struct sim *sim)
{
	uint32_t seconds =
		SETTLE_SECONDS + (sim->crowd ? sim->node_count * SETTLE_SECONDS_PER_NODE : 0);
	uint64_t end = sim_now_us(sim) + seconds * SECOND;
	char why[200] = "";

	sim_trace(sim, "calm: nothing goes wrong from here on");
	sim->calm = true;
	sim_faults_end(sim);
	/* Settled once is not enough: programs may be about to join. */
	for (int quiet = 0; quiet < 4;) {
		if (!run_until(sim, sim_now_us(sim) + 500 * MS)) {
			return;
		}
		quiet = settled(sim, why, sizeof(why)) ? quiet + 1 : 0;
		if (quiet == 0 && sim_now_us(sim) >= end) {
			sim_fail(sim, "not settled %u s after the last fault: %s", seconds, why);
			return;
		}
	}
	if (sim_net_not_ready(sim->net) > 0) {
		sim_fail(sim, "%llu frames found no slot posted: the ring promised too much",
			 (unsigned long long)sim_net_not_ready(sim->net));
	}
	sim_check_end(sim);
}

/* One seed in fifty has many nodes, which live for a shorter time and say less; one in a thousand as
 * many as there can be. */
static uint32_t how_many_nodes(struct sim *sim)
{
	if (sim->options.seed % 1000 == 499) {
		return SIM_NODES_MAX;
	}
	if (sim->options.seed % 50 == 49) {
		uint32_t most = 6 + (uint32_t)sim_below(sim, SIM_NODES_MAX - 5);

		return (uint32_t)sim_between(sim, 6, most);
	}
	return 1 + (uint32_t)sim_below(sim, 5);
}

static void choose_kind(struct sim *sim)
{
	uint64_t seed = sim->options.seed;

	sim->node_count = how_many_nodes(sim);
	sim->crowd = sim->node_count > 5 ? sim->node_count * sim->node_count / 4 : 0;
	sim->chains = (seed ^ seed >> 3) & 1;
	sim->exact = (seed >> 1 ^ seed >> 4) & 1;
	sim->one_host = sim->exact && (seed & 4);
	if (sim->chains && sim->node_count < 3) {
		sim->node_count += 2;
	}
	sim->gentle = seed % 8 == 0;
	sim->nagging = seed % 4 == 1;
	sim->restless = seed % 7 == 3;
	sim->sealed = seed % 6 == 5;
	sim->clocks_wrap = seed % 9 == 4;
	sim->ring_seq_first = seed % 5 == 2 ? UINT32_MAX - 20 : 0;
}

const char *sim_run(const struct sim_options *options, struct sim *sim)
{
	memset(sim, 0, sizeof(*sim));
	sim->options = *options;
	sim->random_state = options->seed * 0x2545f4914f6cdd1dull + 1;
	choose_kind(sim);
	if (!build(sim)) {
		return "out of memory";
	}
	for (uint32_t id = 1; id <= sim->node_count; id++) {
		sim_node_start(sim, id);
	}
	sim_faults_start(sim);
	if (run_until(sim,
		      sim_now_us(sim) + (sim->crowd ? CROWD_SECONDS : SAFETY_SECONDS) * SECOND)) {
		liveness_phase(sim);
	}
	tear_down(sim);
	return sim->failure[0] ? sim->failure : NULL;
}
