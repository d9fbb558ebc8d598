/* SPDX-License-Identifier: BSD-3-Clause */
/* The bulk channel breaks: it is redialled, its tail is sent again, and nobody's membership
 * changes. */
#include "tests/conformance/conformance.h"

#include <errno.h>
#include <string.h>

#include "tests/conformance/test.h"
#include "tests/conformance/traffic.h"

static void no_membership_change(const struct pair *pair)
{
	assert_int_equal(pair->a.links[2].downs + pair->b.links[1].downs, 0);
	assert_int_equal(pair->a.links[2].ups, 1);
	assert_int_equal(pair->b.links[1].ups, 1);
}

static bool bulk_came_back(const struct pair *pair, uint32_t times)
{
	return pair->a.links[2].bulk_ups >= times && pair->b.links[1].bulk_ups >= times;
}

static void break_and_return(struct pair *pair, struct end *breaker, uint32_t node)
{
	for (uint32_t round = 1; round <= 3; round++) {
		rig->break_bulk(breaker->t, node);
		run_until(bulk_came_back(pair, round), &pair->a, &pair->b);
		assert_int_equal(pair->a.links[2].bulk_downs, round);
		assert_int_equal(pair->b.links[1].bulk_downs, round);
	}
	no_membership_change(pair);
}

static void break__by_the_lower_id_is_redialled(void **state)
{
	struct pair *pair = *state;

	break_and_return(pair, &pair->a, 2);
}

static void break__by_the_higher_id_is_redialled(void **state)
{
	struct pair *pair = *state;

	break_and_return(pair, &pair->b, 1);
}

/* Frames that nobody has taken: whatever happened to them, they arrive, in order; and some that
 * went out while it was broken. */
static void break__resends_the_tail(void **state)
{
	struct pair *pair = *state;
	uint32_t distinct = 0;

	for (uint32_t i = 0; i < 16; i++) {
		struct transport_seg piece = end_seg(i * 64u, 64);

		pattern_fill(end_area(&pair->a, i * 64u), 64, i);
		if (i == 10) {
			rig->break_bulk(pair->a.t, 2);
		}
		assert_int_equal(end_frame(&pair->a, 2, &piece, 1, i), 0);
	}
	run_until(bulk_came_back(pair, 1) && pair->a.lent_count == 0, &pair->a, &pair->b);
	run_until(pair->b.frames.count > 0 &&
			  pattern_holds(pair->b.frames.items[pair->b.frames.count - 1].bytes, 64,
					15),
		  &pair->a, &pair->b);
	assert_int_equal(pair->a.sent, 16);
	assert_int_equal(pair->a.failed, 0);
	for (uint32_t i = 0; i < pair->b.frames.count; i++) {
		/* Either the next one, or one that came before. */
		if (pattern_holds(pair->b.frames.items[i].bytes, 64, distinct)) {
			distinct++;
		}
	}
	assert_int_equal(distinct, 16);
	no_membership_change(pair);
}

static void break__leaves_control_alone(void **state)
{
	struct pair *pair = *state;

	rig->break_bulk(pair->b.t, 1);
	for (uint32_t i = 0; i < 50; i++) {
		assert_int_equal(end_control(&pair->a, 2, &i, sizeof(i)), 0);
		assert_int_equal(end_control(&pair->b, 1, &i, sizeof(i)), 0);
		run_until(pair->a.controls.count == i + 1 && pair->b.controls.count == i + 1,
			  &pair->a, &pair->b);
	}
	run_until(bulk_came_back(pair, 1), &pair->a, &pair->b);
	no_membership_change(pair);
}

/* Frames are accepted while the channel is down, up to bulk_depth as ever. */
static void break__keeps_the_accounting(void **state)
{
	struct pair *pair = *state;
	struct transport_seg piece = end_seg(0, 10);
	uint32_t accepted = 0;

	rig->break_bulk(pair->a.t, 2);
	while (accepted <= END_DEPTH && end_frame(&pair->a, 2, &piece, 1, accepted) == 0) {
		accepted++;
	}
	assert_int_equal(accepted, END_DEPTH);
	run_until(pair->a.lent_count == 0, &pair->a, &pair->b);
	assert_int_equal(pair->a.sent, END_DEPTH);
	no_membership_change(pair);
}

static void break__under_load_loses_nothing(void **state)
{
	struct pair *pair = *state;
	uint64_t count = rig->load_frames / 2;
	uint64_t until_ms = end_now_ms() + 8 * rig->patience_ms;
	struct traffic there, back;
	uint32_t breaks = 0;

	traffic_begin(&there, &pair->a, 2, count);
	traffic_begin(&back, &pair->b, 1, count);
	while (!traffic_done(&there, count) || !traffic_done(&back, count)) {
		traffic_pump(&there);
		traffic_pump(&back);
		/* The next break once both have seen the channel back, somewhere on the way. */
		if (breaks < 5 && back.expected > (breaks + 1) * count / 8 &&
		    bulk_came_back(pair, breaks)) {
			rig->break_bulk(breaks % 2 ? pair->a.t : pair->b.t, breaks % 2 ? 2 : 1);
			breaks++;
		}
		assert_true(ends_step(RUN_ENDS(&pair->a, &pair->b), 2, until_ms));
	}
	assert_false(there.broken || back.broken);
	assert_int_equal(breaks, 5);
	assert_int_equal(pair->a.failed + pair->b.failed, 0);
	no_membership_change(pair);
}

/* A READ that was under way is done once: with its bytes, or with an error. */
static void break__ends_reads_once(void **state)
{
	struct pair *pair = *state;
	uint32_t issued = 0;

	pattern_fill(end_area(&pair->b, 0), 1024 * 1024, 5);
	for (uint32_t round = 1; round <= 5; round++) {
		while (issued < round * 4) {
			uint64_t at = 2 * 1024 * 1024 + (issued % 4) * 1024 * 1024ull;

			assert_int_equal(end_read(&pair->a, 2, pair->b.slab.key, END_AREA_OFFSET,
						  end_seg(at, 1024 * 1024), issued),
					 0);
			issued++;
		}
		if (round % 2) {
			end_turn(&pair->a);
		}
		rig->break_bulk(pair->a.t, 2);
		run_until(pair->a.lent_count == 0 && bulk_came_back(pair, round), &pair->a,
			  &pair->b);
	}
	assert_int_equal(pair->a.read_count, issued);
	for (uint32_t i = 0; i < issued; i++) {
		uint64_t at = 2 * 1024 * 1024 + (pair->a.reads[i].cookie % 4) * 1024 * 1024ull;

		if (pair->a.reads[i].status == 0) {
			assert_true(pattern_holds(end_area(&pair->a, at), 1024 * 1024, 5));
		}
	}
	no_membership_change(pair);
}

int conformance_bulk(void)
{
	const struct CMUnitTest tests[] = {
		pair_test(break__by_the_lower_id_is_redialled),
		pair_test(break__by_the_higher_id_is_redialled),
		pair_test(break__resends_the_tail),
		pair_test(break__leaves_control_alone),
		pair_test(break__keeps_the_accounting),
		pair_test(break__under_load_loses_nothing),
		pair_test(break__ends_reads_once),
	};

	return cmocka_run_group_tests_name("bulk breaks", tests, NULL, NULL);
}
