/* SPDX-License-Identifier: BSD-3-Clause */
/* Ends in processes of their own: killed, stopped, restarted, and busy at the same time. */
#include "tests/conformance/conformance.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/puppet.h"
#include "tests/conformance/test.h"
#include "tests/conformance/traffic.h"

struct play {
	struct end end;
	struct puppet puppet;
};

#define play_test(function) cmocka_unit_test_setup_teardown(function, play_setup, play_teardown)

/* The end is `node`, the puppet the other of 1 and 2. */
static void play_begin(struct play *play, uint32_t node)
{
	play->end.node = node;
	end_open(&play->end);
	puppet_start(&play->puppet, 3 - node, 500);
	puppet_tell(&play->puppet, PUPPET_LINK, node, 0);
	assert_int_equal(end_peer_add(&play->end, 3 - node), 0);
	run_until(play->end.links[3 - node].is_up, &play->end);
	assert_int_equal(play->end.links[3 - node].incarnation, 500);
}

static int play_setup(void **state)
{
	*state = calloc(1, sizeof(struct play));
	return *state ? 0 : -1;
}

static void play_end(struct play *play)
{
	puppet_kill(&play->puppet);
	end_close(&play->end);
	memset(play, 0, sizeof(*play));
}

static int play_teardown(void **state)
{
	play_end(*state);
	free(*state);
	return 0;
}

/* What its memory holds is looked at while the poll that tells of it also finds out that it is dead: its frames are
 * taken first. */
static void look_at_the_dead(struct play *play, uint32_t peer, uint64_t key)
{
	uint64_t cookie = 100;

	puppet_kill(&play->puppet);
	while (cookie < 104) {
		assert_int_equal(end_look(&play->end, peer, key, 0, 1u << 20, cookie++), 0);
	}
}

static void killed__what_was_looked_at_stays(void **state)
{
	struct play *play = *state;

	for (uint32_t i = 0; i < 10; i++) {
		uint64_t key;

		play_begin(play, 1);
		if (!rig->ops->maps(play->end.t)) {
			play_end(play);
			return;
		}
		key = puppet_ask(&play->puppet, 1).area_key;
		puppet_tell(&play->puppet, PUPPET_LOAD, 1, 20);
		puppet_ask(&play->puppet, 1);
		look_at_the_dead(play, 2, key);
		run_until(play->end.links[2].downs == 1 && play->end.lent_count == 0, &play->end);
		play_end(play);
	}
}

/* Killed with frames lent and READs under way. */
static void killed(struct play *play, uint32_t node)
{
	uint32_t peer = 3 - node;
	struct transport_seg piece = end_seg(0, 100);
	uint64_t began_ms;
	uint64_t key;

	play_begin(play, node);
	key = puppet_ask(&play->puppet, node).area_key;
	puppet_signal(&play->puppet, SIGSTOP);
	for (uint32_t i = 0; i < 10; i++) {
		assert_int_equal(end_frame(&play->end, peer, &piece, 1, i), 0);
	}
	assert_int_equal(end_read(&play->end, peer, key, 0, end_seg(1u << 20, 1u << 20), 1), 0);
	began_ms = end_now_ms();
	puppet_kill(&play->puppet);
	run_until(play->end.links[peer].downs == 1 && play->end.lent_count == 0, &play->end);
	assert_true(end_now_ms() - began_ms < rig->gone_ms);
	assert_int_equal(play->end.links[peer].gones, 1);
	assert_int_equal(play->end.sent + play->end.failed, 10);
	/* And it stays gone. */
	run_for(100, &play->end);
	assert_int_equal(play->end.links[peer].ups, 1);
	play_end(play);
}

static void killed__higher_id_is_gone(void **state)
{
	for (uint32_t i = 0; i < 5; i++) {
		killed(*state, 1);
	}
}

static void killed__lower_id_is_gone(void **state)
{
	for (uint32_t i = 0; i < 5; i++) {
		killed(*state, 2);
	}
}

static void killed__and_restarted_is_another_incarnation(void **state)
{
	struct play *play = *state;

	play_begin(play, 1);
	for (uint32_t round = 1; round <= 3; round++) {
		puppet_kill(&play->puppet);
		puppet_start(&play->puppet, 2, 500 + round);
		puppet_tell(&play->puppet, PUPPET_LINK, 1, 0);
		run_until(play->end.links[2].ups == round + 1, &play->end);
		assert_int_equal(play->end.links[2].downs, round);
		assert_int_equal(play->end.links[2].gones, round);
		assert_int_equal(play->end.links[2].incarnation, 500 + round);
	}
}

/* A stopped process is not a dead one: no event; what is lent stays lent up to the limit, and
 * arrives in the end. */
static void stopped__is_not_down(void **state)
{
	struct play *play = *state;
	struct traffic traffic;
	uint64_t until_ms;
	uint64_t lent;

	play_begin(play, 1);
	puppet_tell(&play->puppet, PUPPET_LOAD, 1, 0);
	assert_false(puppet_ask(&play->puppet, 1).broken);
	puppet_signal(&play->puppet, SIGSTOP);
	traffic_begin(&traffic, &play->end, 2, 1000);
	until_ms = end_now_ms() + 500;
	do {
		traffic_pump(&traffic);
	} while (ends_step(RUN_ENDS(&play->end), 1, until_ms));
	lent = traffic.next - traffic.returned;
	assert_true(traffic.next < 1000);
	assert_int_equal(lent, END_DEPTH);
	assert_int_equal(play->end.links[2].downs, 0);
	assert_int_equal(play->end.failed, 0);
	puppet_signal(&play->puppet, SIGCONT);
	until_ms = end_now_ms() + 4 * rig->patience_ms;
	while (traffic.returned < 1000) {
		traffic_pump(&traffic);
		assert_true(ends_step(RUN_ENDS(&play->end), 1, until_ms));
	}
	run_for(50, &play->end);
	assert_false(puppet_ask(&play->puppet, 1).broken);
	assert_int_equal(puppet_ask(&play->puppet, 1).expected, 1000);
	assert_int_equal(play->end.links[2].downs, 0);
}

static void stopped__control_is_refused_in_the_end(void **state)
{
	struct play *play = *state;
	uint32_t accepted = 0;
	int result = 0;

	play_begin(play, 2);
	puppet_signal(&play->puppet, SIGSTOP);
	while (accepted < 100000 && result == 0) {
		result = end_control(&play->end, 1, "x", 1);
		accepted += result == 0;
		if (accepted % 16 == 0) {
			end_turn(&play->end);
		}
	}
	assert_int_equal(result, -ENOBUFS);
	run_for(200, &play->end);
	assert_int_equal(play->end.links[1].downs, 0);
	puppet_signal(&play->puppet, SIGCONT);
}

/* Both processes send all they can; the bulk channel is broken now and then from either side. */
static void load(struct play *play, uint32_t breaks_wanted)
{
	struct traffic traffic;
	uint64_t count = rig->load_frames;
	uint64_t until_ms = end_now_ms() + 8 * rig->patience_ms;
	uint32_t breaks = 0;

	play_begin(play, 1);
	traffic_begin(&traffic, &play->end, 2, count);
	puppet_tell(&play->puppet, PUPPET_LOAD, 1, count);
	/* It has heard it before the first frame comes. */
	puppet_ask(&play->puppet, 1);
	while (!traffic_done(&traffic, count)) {
		const struct end_link *link = &play->end.links[2];

		traffic_pump(&traffic);
		if (breaks < breaks_wanted && link->bulk_ups >= breaks &&
		    traffic.expected > (breaks + 1) * count / (breaks_wanted + 2)) {
			if (breaks % 2) {
				puppet_tell(&play->puppet, PUPPET_BREAK, 1, 0);
				run_until(link->bulk_ups > breaks, &play->end);
			} else {
				rig->break_bulk(play->end.t, 2);
			}
			breaks++;
		}
		assert_true(ends_step(RUN_ENDS(&play->end), 1, until_ms));
	}
	assert_false(traffic.broken);
	for (uint64_t late_ms = end_now_ms() + rig->patience_ms; end_now_ms() < late_ms;) {
		struct puppet_status status = puppet_ask(&play->puppet, 1);

		assert_false(status.broken);
		if (status.expected == count && status.returned == count) {
			break;
		}
		run_for(10, &play->end);
	}
	assert_int_equal(puppet_ask(&play->puppet, 1).expected, count);
	assert_int_equal(puppet_ask(&play->puppet, 1).returned, count);
	assert_int_equal(puppet_ask(&play->puppet, 1).link.downs + play->end.links[2].downs, 0);
	assert_int_equal(breaks, breaks_wanted);
	if (breaks_wanted == 0) {
		assert_int_equal(traffic.repeated, 0);
	}
}

static void load__between_processes(void **state)
{
	load(*state, 0);
}

static void load__between_processes_with_breaks(void **state)
{
	load(*state, 6);
}

/* Fencing in the middle of a busy peer's copying: what is written into returned memory is never
 * delivered there. The puppet judges. */
static void fence__in_the_middle_of_load(void **state)
{
	struct play *play = *state;
	struct traffic traffic;

	play_begin(play, 1);
	for (uint32_t round = 0; round < 20; round++) {
		/* Nobody counts on completeness here: each round begins at 0 on both sides. */
		puppet_tell(&play->puppet, PUPPET_LOAD, 1, 0);
		assert_int_equal(puppet_ask(&play->puppet, 1).expected, 0);
		traffic_begin(&traffic, &play->end, 2, 10000);
		for (uint64_t until_ms = end_now_ms() + 3;;) {
			traffic_pump(&traffic);
			if (!ends_step(RUN_ENDS(&play->end), 1, until_ms)) {
				break;
			}
		}
		end_fence(&play->end, 2);
		memset(end_area(&play->end, 0), 0xbb, END_DEPTH * END_SLOT_BYTES);
		run_until(play->end.links[2].ups == round + 2 && play->end.lent_count == 0,
			  &play->end);
		assert_false(puppet_ask(&play->puppet, 1).broken);
	}
}

int conformance_processes(void)
{
	const struct CMUnitTest tests[] = {
		play_test(killed__higher_id_is_gone),
		play_test(killed__what_was_looked_at_stays),
		play_test(killed__lower_id_is_gone),
		play_test(killed__and_restarted_is_another_incarnation),
		play_test(stopped__is_not_down),
		play_test(stopped__control_is_refused_in_the_end),
		play_test(load__between_processes),
		play_test(load__between_processes_with_breaks),
		play_test(fence__in_the_middle_of_load),
	};

	if (!rig->processes) {
		return 0;
	}
	return cmocka_run_group_tests_name("processes", tests, NULL, NULL);
}
