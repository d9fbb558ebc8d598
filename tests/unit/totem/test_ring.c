/* SPDX-License-Identifier: BSD-3-Clause */
/* A ring that works: forming, ordering, guarantees, requests, flow, rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster.h"
#include "wire/control.h"

static struct cluster *make(uint32_t nodes, uint64_t seed)
{
	struct cluster_options options = {.nodes = nodes, .seed = seed};

	return cluster_new(&options);
}

static struct cluster *make_formed(uint32_t nodes, uint64_t seed)
{
	struct cluster *cluster = make(nodes, seed);

	cluster_start_all(cluster);
	assert_true(cluster_run_until(cluster, cluster_formed, 5000));
	return cluster;
}

static void totem_step__one_node_forms_a_ring_and_delivers(void **state)
{
	struct cluster *cluster = make_formed(1, 1);
	uint32_t agreed = cluster_submit(cluster, 0, FRAME_AGREED, 0);
	uint32_t safe = cluster_submit(cluster, 0, FRAME_SAFE, 0);
	uint64_t steps;

	(void)state;
	assert_true(cluster_delivered(cluster, 0, agreed));
	assert_true(cluster_run_until(cluster, cluster_settled, 10));
	assert_true(cluster_delivered(cluster, 0, safe));
	steps = cluster_steps(cluster);
	cluster_run_ms(cluster, 10000);
	assert_true(cluster_steps(cluster) - steps < 3);
	cluster_free(&cluster);
}

static void totem_step__three_nodes_deliver_the_same_order(void **state)
{
	struct cluster *cluster = make_formed(3, 2);

	(void)state;
	for (uint32_t i = 0; i < 300; i++) {
		assert_int_not_equal(cluster_submit(cluster, i % 3, FRAME_AGREED, 0), 0);
		cluster_run_ms(cluster, i % 7 == 0 ? 1 : 0);
	}
	assert_true(cluster_run_until(cluster, cluster_settled, 5000));
	for (uint32_t i = 1; i <= 300; i++) {
		assert_true(cluster_delivered(cluster, 0, i) && cluster_delivered(cluster, 1, i) &&
			    cluster_delivered(cluster, 2, i));
	}
	cluster_free(&cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(totem_step__one_node_forms_a_ring_and_delivers),
		cmocka_unit_test(totem_step__three_nodes_deliver_the_same_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
