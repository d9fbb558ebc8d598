/* SPDX-License-Identifier: BSD-3-Clause */
/* The chain as a plan: who reads from whom, in which pieces, and how long one waits. What engines
 * make of it is the simulator's. */
#include "engine/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/frame.h"

#define KIB 1024u
#define MIB (1024u * 1024)

static struct nodeset members_of(uint32_t count)
{
	struct nodeset set = {0};

	for (uint32_t i = 0; i < count; i++) {
		set.id[set.count++] = 10 * (i + 1);
	}
	return set;
}

static struct chain_plan plan_of(const struct nodeset *members, uint32_t sender, uint32_t me)
{
	struct chain_plan plan;

	assert_true(chain_plan(members, sender, me, &plan));
	return plan;
}

static void chain_plan__begins_behind_the_sender(void **state)
{
	struct nodeset members = members_of(5);
	struct chain_plan plan = plan_of(&members, 40, 50);

	(void)state;
	assert_int_equal(plan.predecessor, 40);
	assert_int_equal(plan.successor, 10);
	assert_int_equal(plan.position, 1);
	plan = plan_of(&members, 40, 10);
	assert_int_equal(plan.predecessor, 50);
	assert_int_equal(plan.successor, 20);
	assert_int_equal(plan.position, 2);
	plan = plan_of(&members, 40, 30);
	assert_int_equal(plan.predecessor, 20);
	assert_int_equal(plan.successor, 0);
	assert_int_equal(plan.position, 4);
}

/* From every sender, in rings of every size: followed from the sender on, the chain passes all
 * others once. */
static void chain_plan__passes_everybody_once(void **state)
{
	(void)state;
	for (uint32_t count = 2; count <= NODES_MAX; count++) {
		struct nodeset members = members_of(count);

		for (uint32_t i = 0; i < count; i++) {
			uint32_t sender = members.id[i];
			uint32_t before = sender;
			uint32_t at = nodeset_next(&members, sender);

			for (uint32_t position = 1; position < count; position++) {
				struct chain_plan plan = plan_of(&members, sender, at);

				assert_int_equal(plan.position, position);
				assert_int_equal(plan.predecessor, before);
				before = at;
				at = plan.successor;
			}
			assert_int_equal(at, 0);
		}
	}
}

static void chain_plan__none_for_the_sender_and_for_strangers(void **state)
{
	struct nodeset members = members_of(3);
	struct chain_plan plan;

	(void)state;
	assert_false(chain_plan(&members, 10, 10, &plan));
	assert_int_equal(plan.position, 0);
	assert_false(chain_plan(&members, 11, 10, &plan));
	assert_false(chain_plan(&members, 10, 11, &plan));
	assert_int_equal(plan.position, 0);
	assert_int_equal(plan.successor, 0);
}

static void chain_chunk__about_64_of_them_that_frames_can_name(void **state)
{
	(void)state;
	assert_int_equal(chain_chunk(ENGINE_CHAIN, 1, 2), 16 * KIB);
	assert_int_equal(chain_chunk(ENGINE_CHAIN, MIB, 7), 16 * KIB);
	assert_int_equal(chain_chunk(ENGINE_CHAIN, MIB + 1, 7), 16 * KIB);
	assert_int_equal(chain_chunk(ENGINE_CHAIN, MIB + 64, 7), 20 * KIB);
	assert_int_equal(chain_chunk(ENGINE_CHAIN, 64 * MIB, 7), MIB);
	for (uint64_t size = 1; size <= MESSAGE_SIZE_MAX; size += size / 3 + 1) {
		uint32_t chunk = chain_chunk(ENGINE_CHAIN, size, 2);

		assert_int_equal(chunk % FRAME_CHUNK_UNIT, 0);
		assert_in_range(chunk, FRAME_CHUNK_UNIT, READ_SIZE_MAX);
		assert_true(size / chunk <= 64);
	}
}

static void chain_chunk__none_where_a_chain_gains_nothing(void **state)
{
	(void)state;
	assert_int_equal(chain_chunk(ENGINE_DIRECT, 64 * MIB, 63), 0);
	assert_int_equal(chain_chunk(ENGINE_CHAIN, 64 * MIB, 1), 0);
	assert_int_equal(chain_chunk(ENGINE_AUTO, 64 * MIB, 3), 0);
	assert_int_equal(chain_chunk(ENGINE_AUTO, 256 * KIB - 1, 63), 0);
	assert_int_equal(chain_chunk(ENGINE_AUTO, 256 * KIB, 4), 16 * KIB);
}

/* Who stands further behind waits longer, and nobody as long as the ring would. */
static void chain_patience__grows_along_the_chain(void **state)
{
	(void)state;
	for (uint32_t token_ms = 100; token_ms <= 3600000; token_ms *= 3) {
		assert_in_range(chain_patience_ms(token_ms, 1), token_ms / 8, token_ms / 4);
		for (uint32_t position = 1; position < NODES_MAX; position++) {
			assert_true(chain_patience_ms(token_ms, position) >=
				    chain_patience_ms(token_ms, position - 1));
			assert_in_range(chain_patience_ms(token_ms, position), 1, token_ms / 2);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain_plan__begins_behind_the_sender),
		cmocka_unit_test(chain_plan__passes_everybody_once),
		cmocka_unit_test(chain_plan__none_for_the_sender_and_for_strangers),
		cmocka_unit_test(chain_chunk__about_64_of_them_that_frames_can_name),
		cmocka_unit_test(chain_chunk__none_where_a_chain_gains_nothing),
		cmocka_unit_test(chain_patience__grows_along_the_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
