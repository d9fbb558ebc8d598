/* SPDX-License-Identifier: BSD-3-Clause */
/* Random faults, a few hundred seeds: crashes, power loss, partitions, flaps, lost tails, pauses,
 * failing pulls, slow links; the checker watches every action. Then the faults stop, and one ring
 * must form and deliver everything. test_faults [FIRST [COUNT [verbose]]] runs other seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cluster.h"

static uint64_t first_seed = 1;
static uint64_t seeds = 200;
static bool verbose;

static enum frame_guarantee random_guarantee(struct cluster *cluster)
{
	static const enum frame_guarantee guarantees[] = {FRAME_UNORDERED, FRAME_AGREED,
							  FRAME_AGREED, FRAME_SAFE};

	return guarantees[cluster_random(cluster, 4)];
}

static void submit_some(struct cluster *cluster, uint32_t nodes)
{
	uint32_t node = (uint32_t)cluster_random(cluster, nodes);
	uint64_t count = cluster_random(cluster, 10) == 0 ? 60 : cluster_random(cluster, 8);

	for (uint64_t i = 0; i < count && cluster_alive(cluster, node); i++) {
		uint32_t pull_us = cluster_random(cluster, 8) == 0
					   ? (uint32_t)cluster_random(cluster, 3000) + 1
					   : 0;

		cluster_submit(cluster, node, random_guarantee(cluster), pull_us);
	}
}

static void partition(struct cluster *cluster, uint32_t nodes)
{
	uint32_t group[CLUSTER_MAX];

	for (uint32_t i = 0; i < nodes; i++) {
		group[i] = (uint32_t)cluster_random(cluster, 2);
	}
	cluster_partition(cluster, group);
}

static void fault_node(struct cluster *cluster, uint32_t node)
{
	if (!cluster_alive(cluster, node)) {
		cluster_start(cluster, node);
		return;
	}
	switch (cluster_random(cluster, 6)) {
	case 0:
		cluster_crash(cluster, node);
		return;
	case 1:
		cluster_vanish(cluster, node);
		return;
	case 2:
		cluster_leave(cluster, node);
		return;
	case 3:
		cluster_pause(cluster, node);
		return;
	case 4:
		cluster_fail_pulls(cluster, node, 3);
		return;
	default:
		cluster_resume(cluster, node);
		return;
	}
}

static void fault_link(struct cluster *cluster, uint32_t a, uint32_t b)
{
	switch (cluster_random(cluster, 6)) {
	case 0:
		cluster_cut(cluster, a, b);
		return;
	case 1:
		cluster_mend(cluster, a, b);
		return;
	case 2:
		cluster_flap(cluster, a, b);
		return;
	case 3:
		cluster_lose_bulk(cluster, a, b);
		return;
	case 4:
		cluster_lose_control(cluster, a, b, 1 + (uint32_t)cluster_random(cluster, 3));
		return;
	default:
		cluster_slow_bulk(cluster, a, b, (uint32_t)cluster_random(cluster, 4) * 1000);
		return;
	}
}

static void fault(struct cluster *cluster, uint32_t nodes)
{
	uint32_t a = (uint32_t)cluster_random(cluster, nodes);
	uint32_t b = (a + 1 + (uint32_t)cluster_random(cluster, nodes - 1)) % nodes;

	switch (cluster_random(cluster, 8)) {
	case 0:
		partition(cluster, nodes);
		return;
	case 1:
	case 2:
		cluster_heal(cluster);
		return;
	case 3:
	case 4:
		fault_node(cluster, a);
		return;
	default:
		fault_link(cluster, a, b);
		return;
	}
}

static void calm(struct cluster *cluster, uint32_t nodes)
{
	for (uint32_t i = 0; i < nodes; i++) {
		if (!cluster_alive(cluster, i)) {
			cluster_start(cluster, i);
		} else {
			cluster_resume(cluster, i);
		}
		for (uint32_t j = 0; j < nodes; j++) {
			if (i != j) {
				cluster_slow_bulk(cluster, i, j, 0);
				cluster_lose_control(cluster, i, j, 0);
			}
		}
		cluster_fail_pulls(cluster, i, 0);
	}
	cluster_heal(cluster);
}

static void live(struct cluster *cluster, uint32_t nodes)
{
	uint32_t message[CLUSTER_MAX];

	assert_true(cluster_run_until(cluster, cluster_settled, 600000));
	for (uint32_t i = 0; i < nodes; i++) {
		message[i] = cluster_submit(cluster, i, random_guarantee(cluster), 0);
	}
	assert_true(cluster_run_until(cluster, cluster_settled, 60000));
	for (uint32_t i = 0; i < nodes; i++) {
		for (uint32_t j = 0; j < nodes; j++) {
			assert_true(cluster_delivered(cluster, j, message[i]));
		}
	}
}

/* Most things happen to a busy ring; now and then there is time for all timers. */
static uint64_t random_time_us(struct cluster *cluster)
{
	switch (cluster_random(cluster, 5)) {
	case 0:
		return cluster_random(cluster, 1500000);
	case 1:
		return cluster_random(cluster, 20000);
	default:
		return cluster_random(cluster, 1500);
	}
}

static void run_seed(uint64_t seed)
{
	struct cluster_options options = {.nodes = 2 + (uint32_t)(seed % 4),
					  .seed = seed,
					  .slots = seed % 3 == 0 ? 146 : 0,
					  .delay_us_max = seed % 5 == 0 ? 2000 : 100,
					  .lag_us = seed % 7 == 0 ? 20000 : 0,
					  .verbose = verbose};
	struct cluster *cluster = cluster_new(&options);

	cluster_start_all(cluster);
	for (uint32_t i = 0; i < 150; i++) {
		submit_some(cluster, options.nodes);
		submit_some(cluster, options.nodes);
		cluster_run_us(cluster, random_time_us(cluster));
		if (cluster_random(cluster, 3) == 0) {
			fault(cluster, options.nodes);
		}
	}
	calm(cluster, options.nodes);
	live(cluster, options.nodes);
	cluster_free(&cluster);
}

static void totem_step__random_faults_keep_every_property(void **state)
{
	(void)state;
	for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
		if (verbose) {
			printf("seed %llu\n", (unsigned long long)seed);
		}
		run_seed(seed);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(totem_step__random_faults_keep_every_property),
	};

	first_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : first_seed;
	seeds = argc > 2 ? strtoull(argv[2], NULL, 10) : seeds;
	verbose = argc > 3;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
