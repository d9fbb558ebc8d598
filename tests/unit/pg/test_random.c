/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random runs: clients come, go and talk while rings break, merge and nodes crash. Every run is decided
 * by its seed; after a failure run "test_random SEED" to see that one alone.
 */
#include "check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define SEEDS 250
#define STEPS 3000
#define NODES 4

static uint64_t first_seed = 1;
static uint64_t seeds = SEEDS;

static volatile uint64_t running;

/* Names the command that shows the failure again; the abort goes on after this. */
static void on_abort(int number)
{
	char text[80];
	int length = snprintf(text, sizeof(text), "replay: tests/unit/pg/test_random %llu\n",
			      (unsigned long long)running);

	signal(number, SIG_DFL);
	if (write(STDERR_FILENO, text, (size_t)length) != length) {
		_exit(1);
	}
}

struct run {
	struct world world;
	struct check check;
};

static uint32_t pick_node(struct run *r)
{
	return 1 + world_random(&r->world, NODES);
}

static void random_open(struct run *r, uint32_t id, uint32_t client)
{
	bool initial = world_random(&r->world, 2);

	check_opened(&r->check, id, client, initial);
	world_open(&r->world, id, client, initial);
}

static void random_close(struct run *r, uint32_t id, uint32_t client)
{
	check_closed(&r->check, id, client);
	world_close(&r->world, id, client);
}

static void random_join(struct run *r, uint32_t id, uint32_t client)
{
	uint32_t group = world_random(&r->world, CHECK_GROUPS);
	uint32_t pid = 100 + world_random(&r->world, 8);
	struct world_node *node = &r->world.node[id - 1];
	cs_error_t answer = pg_join(node->pg, client, pid, &check_group[group]);

	if (answer == CS_OK) {
		check_joined(&r->check, id, client, pid, group);
	}
	world_collect(&r->world, node);
}

static void random_leave(struct run *r, uint32_t id, uint32_t client)
{
	if (world_leave(&r->world, id, client) == CS_OK) {
		check_left(&r->check, id, client);
	}
}

static void random_mcast(struct run *r, uint32_t id, uint32_t client)
{
	bool unordered = world_random(&r->world, 6) == 0;
	struct pg_payload payload = {.size = check_tag(&r->check, id, client, unordered)};
	struct world_node *node = &r->world.node[id - 1];

	if (pg_mcast(node->pg, client, unordered ? FRAME_UNORDERED : FRAME_AGREED, &payload) ==
	    CS_OK) {
		check_sent(&r->check, id, client, unordered);
	}
	world_collect(&r->world, node);
}

static void random_client(struct run *r)
{
	uint32_t id = pick_node(r);
	uint32_t client = world_random(&r->world, WORLD_CLIENTS);

	if (!r->world.node[id - 1].up) {
		return;
	}
	if (!r->check.client[id - 1][client].open) {
		random_open(r, id, client);
		return;
	}
	switch (world_random(&r->world, 32)) {
	case 0:
		random_close(r, id, client);
		return;
	case 1:
		random_leave(r, id, client);
		return;
	case 2:
	case 3:
	case 4:
		random_join(r, id, client);
		return;
	default:
		random_mcast(r, id, client);
		return;
	}
}

static void random_reform(struct run *r)
{
	uint32_t component[WORLD_NODES_MAX];
	uint32_t branch[WORLD_NODES_MAX];
	uint32_t rings = 1 + world_random(&r->world, 3);
	uint32_t branches = 1 + (world_random(&r->world, 4) == 0);

	for (uint32_t i = 0; i < NODES; i++) {
		component[i] = 1 + world_random(&r->world, rings);
		branch[i] = world_random(&r->world, branches);
	}
	world_reform(&r->world, component, branch, true);
}

static void random_fault(struct run *r)
{
	uint32_t id = pick_node(r);

	if (world_random(&r->world, 3) != 0) {
		random_reform(r);
		return;
	}
	if (r->world.node[id - 1].up) {
		check_crashed(&r->check, id);
		world_crash(&r->world, id);
	} else {
		world_restart(&r->world, id);
	}
	random_reform(r);
}

static void random_step(struct run *r)
{
	struct world_node *node = &r->world.node[pick_node(r) - 1];
	uint32_t what = world_random(&r->world, 1000);

	if (what < 220) {
		random_client(r);
	} else if (what < 400) {
		world_order(&r->world, node);
	} else if (what < 970) {
		world_deliver(&r->world, node);
	} else if (what < 995) {
		world_early(&r->world, node, world_random(&r->world, 4));
	} else {
		random_fault(r);
	}
}

static void make_quiet(struct run *r)
{
	for (uint32_t id = 1; id <= NODES; id++) {
		if (!r->world.node[id - 1].up) {
			world_restart(&r->world, id);
		}
	}
	world_heal(&r->world);
	world_settle(&r->world);
	check_quiet(&r->check);
}

static void run_seed(struct run *r, uint64_t seed)
{
	static const struct pg_limits limits = {.clients_max = WORLD_CLIENTS, .members_max = 24};

	running = seed;
	world_init(&r->world, NODES, &limits, seed);
	r->world.gated = seed % 3 == 0;
	check_init(&r->check, &r->world);
	world_heal(&r->world);
	for (uint32_t i = 0; i < STEPS; i++) {
		random_step(r);
		if (i == STEPS / 2) {
			make_quiet(r);
		}
	}
	make_quiet(r);
	check_fini(&r->check);
	world_fini(&r->world);
}

static void print_counts(const struct check *c)
{
	static const char *const name[] = {"", "join", "leave", "nodedown", "nodeup", "procdown"};

	for (uint32_t i = CPG_REASON_JOIN; i <= CPG_REASON_PROCDOWN; i++) {
		print_message("%s %llu  ", name[i], (unsigned long long)c->reasons[i]);
	}
	print_message("totem %llu  messages %llu (%llu unordered)  confirmed %llu\n",
		      (unsigned long long)c->totem, (unsigned long long)c->messages,
		      (unsigned long long)c->early, (unsigned long long)c->compared);
}

static void random_runs__keep_every_property(void **state)
{
	static struct run r;

	(void)state;
	signal(SIGABRT, on_abort);
	for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
		run_seed(&r, seed);
	}
	print_counts(&r.check);
	for (uint32_t i = CPG_REASON_JOIN; seeds == SEEDS && i <= CPG_REASON_PROCDOWN; i++) {
		assert_true(r.check.reasons[i] > seeds);
	}
	assert_true(seeds < SEEDS || r.check.compared > 300 * seeds);
	assert_true(seeds < SEEDS || r.check.messages > 100 * seeds);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_runs__keep_every_property),
	};

	if (argc > 1) {
		first_seed = strtoull(argv[1], NULL, 10);
		seeds = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
