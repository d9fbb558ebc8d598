/* SPDX-License-Identifier: BSD-3-Clause */
/* Links: how they come up, what a peer's end and return look like, who gets none. */
#include "tests/conformance/conformance.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/conformance/test.h"

static void open__twice_with_one_identity_is_refused(void **state)
{
	struct pair *pair = *state;
	struct end *twin = &pair->more[0];

	twin->node = pair->a.node;
	twin->incarnation = 5;
	assert_int_equal(end_try_open(twin, end_cluster()), -EADDRINUSE);
	assert_null(twin->t);
	/* The first is none the worse for it. */
	assert_int_equal(end_control(&pair->a, 2, "x", 1), 0);
	run_until(pair->b.controls.count == 1, &pair->a, &pair->b);
}

static void close__accepts_null(void **state)
{
	struct transport *none = NULL;

	(void)state;
	rig->ops->close(&none);
	assert_null(none);
}

static void close__with_everything_lent_is_quiet(void **state)
{
	struct pair *pair = *state;
	struct transport_seg piece = end_seg(0, 100);

	for (uint64_t i = 0; i < 4; i++) {
		assert_int_equal(end_frame(&pair->a, 2, &piece, 1, i), 0);
		assert_int_equal(end_read(&pair->a, 2, pair->b.slab.key, 0, end_seg(4096, 64), i),
				 0);
	}
	rig->ops->close(&pair->a.t);
	assert_null(pair->a.t);
	run_until(pair->b.links[1].downs == 1, &pair->b);
}

static void link__tells_the_incarnation_to_both(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(pair->a.links[2].incarnation, pair->b.incarnation);
	assert_int_equal(pair->b.links[1].incarnation, pair->a.incarnation);
	assert_int_equal(pair->a.links[2].ups, 1);
	assert_int_equal(pair->b.links[1].ups, 1);
}

/* `late` opens and adds its peer when the other has already found nobody there. */
static void come_late(struct end *early, struct end *late)
{
	end_open(early);
	assert_int_equal(end_peer_add(early, late->node), 0);
	run_for(100, early);
	assert_false(early->links[late->node].is_up);
	end_open(late);
	run_for(50, early, late);
	assert_false(early->links[late->node].is_up);
	assert_int_equal(end_peer_add(late, early->node), 0);
	run_until(early->links[late->node].is_up && late->links[early->node].is_up, early, late);
	assert_int_equal(early->links[late->node].downs + late->links[early->node].downs, 0);
}

static void link__comes_up_when_the_lower_id_is_late(void **state)
{
	struct pair *pair = *state;

	come_late(&pair->b, &pair->a);
}

static void link__comes_up_when_the_higher_id_is_late(void **state)
{
	struct pair *pair = *state;

	come_late(&pair->a, &pair->b);
}

static void links__make_a_full_mesh(void **state)
{
	struct pair *pair = *state;
	struct end *ends[5] = {&pair->a, &pair->b, &pair->more[0], &pair->more[1], &pair->more[2]};
	int count = rig->nodes_max < 5 ? (int)rig->nodes_max : 5;
	uint64_t until_ms;
	int up = 0;

	for (int i = 0; i < count; i++) {
		end_open(ends[i]);
		for (int j = 0; j < count; j++) {
			if (j != i) {
				assert_int_equal(end_peer_add(ends[i], ends[j]->node), 0);
			}
		}
	}
	until_ms = end_now_ms() + rig->patience_ms;
	while (up < count * (count - 1) && ends_step(ends, count, until_ms)) {
		up = 0;
		for (int i = 0; i < count; i++) {
			for (int j = 0; j < count; j++) {
				up += ends[i]->links[ends[j]->node].is_up;
			}
		}
	}
	assert_int_equal(up, count * (count - 1));
}

/* The process is over when its transport is closed, as far as a peer can tell. */
static void end_of_peer(struct end *stays, struct end *goes)
{
	uint64_t began_ms = end_now_ms();

	end_close(goes);
	run_until(stays->links[goes->node].downs == 1, stays);
	assert_int_equal(stays->links[goes->node].gones, 1);
	assert_true(end_now_ms() - began_ms < rig->gone_ms);
	assert_int_equal(end_control(stays, goes->node, "x", 1), -ENOTCONN);
}

static void close__is_seen_by_the_higher_id_as_gone(void **state)
{
	struct pair *pair = *state;

	end_of_peer(&pair->b, &pair->a);
}

static void close__is_seen_by_the_lower_id_as_gone(void **state)
{
	struct pair *pair = *state;

	end_of_peer(&pair->a, &pair->b);
}

/* Down, gone, and up again with another incarnation; twice, so that nothing of the first time is
 * in the way. */
static void restart(struct end *stays, struct end *again)
{
	for (uint32_t round = 1; round <= 2; round++) {
		end_close(again);
		again->incarnation += 10;
		end_open(again);
		assert_int_equal(end_peer_add(again, stays->node), 0);
		run_until(stays->links[again->node].ups == round + 1, stays, again);
		assert_int_equal(stays->links[again->node].downs, round);
		assert_int_equal(stays->links[again->node].gones, round);
		assert_int_equal(stays->links[again->node].incarnation, again->incarnation);
		run_until(again->links[stays->node].is_up, stays, again);
		assert_int_equal(end_control(again, stays->node, "hello", 5), 0);
		run_until(stays->controls.count == round, stays, again);
	}
}

static void restart__of_the_lower_id_is_a_new_incarnation(void **state)
{
	struct pair *pair = *state;

	restart(&pair->b, &pair->a);
}

static void restart__of_the_higher_id_is_a_new_incarnation(void **state)
{
	struct pair *pair = *state;

	restart(&pair->a, &pair->b);
}

static void peer_add__refuses_what_cannot_be(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(end_peer_add(&pair->a, pair->b.node), -EEXIST);
}

static void peer_remove__ends_the_link_and_returns_what_is_lent(void **state)
{
	struct pair *pair = *state;
	struct transport_seg piece = end_seg(0, 100);

	for (uint64_t i = 0; i < 5; i++) {
		assert_int_equal(end_frame(&pair->a, 2, &piece, 1, i), 0);
	}
	rig->ops->peer_remove(pair->a.t, 2);
	pair->a.links[2].is_up = false;
	run_until(pair->a.lent_count == 0 && pair->b.links[1].downs == 1, &pair->a, &pair->b);
	assert_int_equal(pair->a.sent + pair->a.failed, 5);
	assert_int_equal(pair->b.links[1].gones, 0);
	assert_int_equal(end_control(&pair->a, 2, "x", 1), -ENOTCONN);
	run_for(100, &pair->a, &pair->b);
	assert_int_equal(pair->a.links[2].ups, 1);
	assert_int_equal(pair->a.links[2].downs, 0);
}

static void peer_remove__and_add_make_a_new_link(void **state)
{
	struct pair *pair = *state;

	rig->ops->peer_remove(pair->b.t, 1);
	pair->b.links[1].is_up = false;
	run_until(pair->a.links[2].downs == 1, &pair->a, &pair->b);
	assert_int_equal(end_peer_add(&pair->b, 1), 0);
	run_until(pair->a.links[2].is_up && pair->b.links[1].is_up, &pair->a, &pair->b);
	assert_int_equal(pair->b.links[1].downs, 0);
	assert_int_equal(end_control(&pair->b, 1, "x", 1), 0);
	run_until(pair->a.controls.count == 1, &pair->a, &pair->b);
}

static void stranger__gets_no_link(void **state)
{
	struct pair *pair = *state;
	struct end *stranger = &pair->more[0];

	end_open(stranger);
	assert_int_equal(end_peer_add(stranger, 1), 0);
	assert_int_equal(end_peer_add(stranger, 2), 0);
	run_for(400, &pair->a, &pair->b, stranger);
	assert_int_equal(stranger->links[1].ups + stranger->links[2].ups, 0);
	assert_int_equal(pair->a.links[3].ups + pair->b.links[3].ups, 0);
	/* The others notice nothing. */
	assert_int_equal(pair->a.links[2].downs + pair->b.links[1].downs, 0);
}

static void other_cluster__gets_no_link(void **state)
{
	struct pair *pair = *state;
	struct end *other = &pair->more[0];
	char name[80];

	end_open(&pair->a);
	assert_int_equal(end_peer_add(&pair->a, other->node), 0);
	/* Longer by a letter; and no other run of the suite on this host has it. */
	snprintf(name, sizeof(name), "%sx", end_cluster());
	assert_int_equal(end_try_open(other, name), 0);
	assert_int_equal(end_peer_add(other, pair->a.node), 0);
	run_for(400, &pair->a, other);
	assert_int_equal(other->links[1].ups + pair->a.links[3].ups, 0);
}

/* Nothing goes over a new link before its PEER_UP, also when the loss of the old one is still to
 * be reported. */
static void link__takes_nothing_until_it_is_reported(void **state)
{
	struct pair *pair = *state;
	struct transport_seg piece = end_seg(0, 100);
	uint64_t until_ms = end_now_ms() + rig->patience_ms;
	struct end *a = &pair->a;

	a->batch = 1;
	for (uint32_t round = 1; round <= 3; round++) {
		end_fence(&pair->b, 1);
		while (a->links[2].ups <= round) {
			assert_true(ends_step(RUN_ENDS(a, &pair->b), 2, until_ms));
			/* end.c checks the answers. */
			(void)end_control(a, 2, "early", 5);
			(void)end_frame(a, 2, &piece, 1, round);
			(void)end_read(a, 2, pair->b.slab.key, 0, end_seg(4096, 8), round);
		}
		run_until(a->lent_count == 0 && pair->b.links[1].ups > round, a, &pair->b);
	}
	assert_int_equal(a->links[2].downs, 3);
}

static void device__is_named(void **state)
{
	struct pair *pair = *state;
	const char *device = rig->ops->device(pair->a.t);

	assert_non_null(device);
	assert_true(strlen(device) > 0);
}

static void peer_stats__count(void **state)
{
	struct pair *pair = *state;
	struct transport_seg piece = end_seg(0, 1000);
	struct transport_peer_stats stats;

	assert_int_equal(rig->ops->peer_stats(pair->a.t, 7, &stats), -ENOENT);
	assert_int_equal(end_control(&pair->a, 2, "abc", 3), 0);
	assert_int_equal(end_frame(&pair->a, 2, &piece, 1, 1), 0);
	assert_int_equal(end_read(&pair->a, 2, pair->b.slab.key, 0, end_seg(4096, 64), 2), 0);
	run_until(pair->a.lent_count == 0 && pair->b.controls.count + pair->b.frames.count == 2,
		  &pair->a, &pair->b);
	assert_int_equal(rig->ops->peer_stats(pair->a.t, 2, &stats), 0);
	assert_true(stats.up);
	assert_int_equal(stats.control_sent, 1);
	assert_int_equal(stats.frames_sent, 1);
	assert_true(stats.bytes_sent >= 1000);
	assert_int_equal(stats.reads, 1);
	assert_int_equal(stats.read_bytes, 64);
	assert_int_equal(rig->ops->peer_stats(pair->b.t, 1, &stats), 0);
	assert_int_equal(stats.control_received, 1);
	assert_int_equal(stats.frames_received, 1);
	assert_true(stats.bytes_received >= 1000);
}

static void idle__asks_for_no_turn(void **state)
{
	struct pair *pair = *state;
	uint64_t deadline_ms;

	run_for(50, &pair->a, &pair->b);
	deadline_ms = rig->ops->next_deadline_ms(pair->a.t);
	/* A deadline that has passed already would make its owner spin. */
	assert_true(deadline_ms > end_now_ms());
}

int conformance_links(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close__accepts_null),
		pair_test(open__twice_with_one_identity_is_refused),
		pair_test(close__with_everything_lent_is_quiet),
		pair_test(link__tells_the_incarnation_to_both),
		closed_test(link__comes_up_when_the_lower_id_is_late),
		closed_test(link__comes_up_when_the_higher_id_is_late),
		closed_test(links__make_a_full_mesh),
		pair_test(close__is_seen_by_the_higher_id_as_gone),
		pair_test(close__is_seen_by_the_lower_id_as_gone),
		pair_test(restart__of_the_lower_id_is_a_new_incarnation),
		pair_test(restart__of_the_higher_id_is_a_new_incarnation),
		pair_test(peer_add__refuses_what_cannot_be),
		pair_test(peer_remove__ends_the_link_and_returns_what_is_lent),
		pair_test(peer_remove__and_add_make_a_new_link),
		pair_test(stranger__gets_no_link),
		closed_test(other_cluster__gets_no_link),
		pair_test(link__takes_nothing_until_it_is_reported),
		pair_test(device__is_named),
		pair_test(peer_stats__count),
		pair_test(idle__asks_for_no_turn),
	};

	return cmocka_run_group_tests_name("links", tests, NULL, NULL);
}
