/* SPDX-License-Identifier: BSD-3-Clause */
/* Polling: batches are bounded, and the descriptor says when there is something. */
#include "tests/conformance/conformance.h"

#include <poll.h>

#include "tests/conformance/puppet.h"
#include "tests/conformance/test.h"
#include "tests/conformance/traffic.h"

static bool readable(const struct end *end, int wait_ms)
{
	struct pollfd fd = {.fd = rig->ops->fd(end->t), .events = POLLIN};

	return poll(&fd, 1, wait_ms) == 1;
}

static bool due(const struct end *end)
{
	return rig->ops->next_deadline_ms(end->t) <= end_now_ms();
}

/* ends_step polls only when the descriptor says so: with one event a poll, it must keep saying
 * so until the last. */
static void poll__gives_no_more_than_asked_and_keeps_the_rest(void **state)
{
	struct pair *pair = *state;
	struct transport_seg piece = end_seg(0, 500);

	pair->a.batch = 1;
	pair->b.batch = 1;
	for (uint32_t i = 0; i < 20; i++) {
		assert_int_equal(end_frame(&pair->a, 2, &piece, 1, i), 0);
		assert_int_equal(end_control(&pair->a, 2, &i, sizeof(i)), 0);
		assert_int_equal(end_read(&pair->b, 1, pair->a.slab.key, 0, end_seg(65536, 64), i),
				 0);
		if (i % 4 == 3) {
			run_until(pair->b.controls.count == i + 1, &pair->a, &pair->b);
		}
	}
	run_until(pair->b.frames.count == 20 && pair->b.controls.count == 20 &&
			  pair->a.lent_count == 0 && pair->b.lent_count == 0,
		  &pair->a, &pair->b);
}

static void poll__with_no_room_takes_nothing(void **state)
{
	struct pair *pair = *state;
	struct transport_event event;

	assert_int_equal(end_control(&pair->a, 2, "kept", 4), 0);
	assert_int_equal(rig->ops->poll(pair->b.t, end_now_ms(), &event, 0), 0);
	run_until(pair->b.controls.count == 1, &pair->a, &pair->b);
}

static void fd__is_the_same_for_life(void **state)
{
	struct pair *pair = *state;
	int fd = rig->ops->fd(pair->a.t);

	end_fence(&pair->a, 2);
	run_until(pair->a.links[2].ups == 2, &pair->a, &pair->b);
	assert_int_equal(rig->ops->fd(pair->a.t), fd);
}

/* An owner that trusts the descriptor must not be made to spin. */
static void fd__rests_when_nothing_happens(void **state)
{
	struct pair *pair = *state;
	uint32_t turns = 0;

	if (rig->wait) {
		skip();
	}
	assert_int_equal(end_control(&pair->a, 2, "x", 1), 0);
	run_until(pair->b.controls.count == 1, &pair->a, &pair->b);
	run_for(100, &pair->a, &pair->b);
	for (uint32_t i = 0; i < 50; i++) {
		bool a = readable(&pair->a, 10) || due(&pair->a);
		bool b = readable(&pair->b, 0) || due(&pair->b);

		turns += a + b;
		if (a) {
			end_turn(&pair->a);
		}
		if (b) {
			end_turn(&pair->b);
		}
	}
	/* Some housekeeping is nobody's business. */
	assert_true(turns <= 10);
}

static void fd__rests_while_frames_wait_for_slots(void **state)
{
	struct pair *pair = *state;
	struct transport_seg piece = end_seg(0, 10);
	uint32_t turns = 0;
	uint32_t sender_turns = 0;

	if (rig->wait) {
		skip();
	}
	pair->b.no_slots = true;
	ends_pair(&pair->a, &pair->b);
	assert_int_equal(end_frame(&pair->a, 2, &piece, 1, 1), 0);
	run_for(50, &pair->a, &pair->b);
	for (uint32_t i = 0; i < 20; i++) {
		if (readable(&pair->b, 10) || due(&pair->b)) {
			end_turn(&pair->b);
			turns++;
		}
	}
	assert_true(turns <= 10);
	/* Whoever sent them looks now and then, and does not take a processor for it. */
	for (uint64_t end_ms = end_now_ms() + 200; end_now_ms() < end_ms;) {
		if (readable(&pair->a, 1) || due(&pair->a)) {
			end_turn(&pair->a);
			sender_turns++;
		}
	}
	assert_true(sender_turns <= 60);
	end_post_slots(&pair->b);
	run_until(pair->b.frames.count == 1, &pair->a, &pair->b);
}

/* One message goes to and fro between two processes that both sleep between their turns. A
 * wake-up that is lost once is found. */
static void fd__loses_no_wake_up(void **state)
{
	struct pair *pair = *state;
	struct puppet puppet = {.pid = 0};
	uint32_t count = rig->load_frames < 5000 ? 300 : 20000;

	if (!rig->processes) {
		skip();
	}
	end_open(&pair->a);
	puppet_start(&puppet, 2, 77);
	/* First: once it knows us a link and the first message may come within one turn of its. */
	puppet_tell(&puppet, PUPPET_ECHO, 1, 0);
	puppet_tell(&puppet, PUPPET_LINK, 1, 0);
	assert_int_equal(end_peer_add(&pair->a, 2), 0);
	run_until(pair->a.links[2].is_up, &pair->a);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(end_control(&pair->a, 2, &i, sizeof(i)), 0);
		run_until(pair->a.controls.count == 1, &pair->a);
		assert_memory_equal(pair->a.controls.items[0].bytes, &i, sizeof(i));
		end_forget(&pair->a);
	}
	puppet_end(&puppet);
}

/* Turns of both, whatever their descriptors say. */
static void turns_until(struct pair *pair, uint32_t controls)
{
	uint64_t limit_ms = end_now_ms() + 20000;

	while (pair->b.controls.count < controls) {
		assert_true(end_now_ms() < limit_ms);
		end_turn(&pair->a);
		end_turn(&pair->b);
	}
}

/* An owner that polls all the time gets everything, and can trust the descriptor again afterwards. */
static void stay_awake__needs_no_descriptor(void **state)
{
	struct pair *pair = *state;
	uint32_t sent = 0;

	if (rig->wait) {
		skip();
	}
	for (int round = 0; round < 20; round++) {
		rig->ops->stay_awake(pair->b.t, true);
		for (int i = 0; i < 20; i++) {
			assert_int_equal(end_control(&pair->a, 2, &sent, sizeof(sent)), 0);
			turns_until(pair, ++sent);
		}
		rig->ops->stay_awake(pair->b.t, false);
		if (round % 2) {
			/* Came before it was asked to wake us. */
			assert_int_equal(end_control(&pair->a, 2, &sent, sizeof(sent)), 0);
			sent++;
		}
		end_turn(&pair->b);
		assert_int_equal(end_control(&pair->a, 2, &sent, sizeof(sent)), 0);
		sent++;
		run_until(pair->b.controls.count == sent, &pair->a, &pair->b);
	}
}

int conformance_polling(void)
{
	const struct CMUnitTest tests[] = {
		pair_test(poll__gives_no_more_than_asked_and_keeps_the_rest),
		pair_test(poll__with_no_room_takes_nothing),
		pair_test(fd__is_the_same_for_life),
		pair_test(fd__rests_when_nothing_happens),
		pair_test(stay_awake__needs_no_descriptor),
		closed_test(fd__rests_while_frames_wait_for_slots),
		closed_test(fd__loses_no_wake_up),
	};

	return cmocka_run_group_tests_name("polling", tests, NULL, NULL);
}
