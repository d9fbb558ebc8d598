/* SPDX-License-Identifier: BSD-3-Clause */
/* The queue of waiting events: order, reserved places, and what may follow what in one batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "verbs/queue.h"

static struct transport_event event_of(enum transport_event_kind kind, uint64_t cookie)
{
	return (struct transport_event){.kind = kind, .cookie = cookie};
}

static void queue__keeps_order_while_it_grows(void **state)
{
	struct event_queue queue;
	struct transport_event out[3];
	uint64_t in = 0, expected = 0;

	(void)state;
	assert_int_equal(verbs_queue_init(&queue, 4), 0);
	for (int round = 0; round < 500; round++) {
		for (int i = 0; i < 5; i++) {
			struct transport_event event = event_of(TRANSPORT_SENT, in++);

			assert_int_equal(verbs_queue_promise(&queue), 0);
			verbs_queue_fulfil(&queue, &event);
		}
		for (int i = verbs_queue_take(&queue, out, 3), k = 0; k < i; k++) {
			assert_true(out[k].cookie == expected++);
		}
	}
	while (verbs_queue_take(&queue, out, 3) > 0) {
		assert_true(out[0].cookie == expected);
		expected += 3;
	}
	assert_int_equal(queue.count, 0);
	assert_int_equal(queue.promised, 0);
	verbs_queue_fini(&queue);
}

/* Promises given long ago are kept although the queue has filled up since; spare events find room
 * as well. */
static void queue__has_room_for_everything_promised(void **state)
{
	struct event_queue queue;
	struct transport_event out[64];
	int taken = 0;

	(void)state;
	assert_int_equal(verbs_queue_init(&queue, 8), 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(verbs_queue_promise(&queue), 0);
	}
	for (uint64_t i = 0; i < 8; i++) {
		struct transport_event event = event_of(TRANSPORT_PEER_UP, i);

		verbs_queue_append(&queue, &event);
	}
	for (uint64_t i = 0; i < 999; i++) {
		struct transport_event event = event_of(TRANSPORT_SENT, i);

		verbs_queue_fulfil(&queue, &event);
	}
	verbs_queue_unpromise(&queue);
	assert_int_equal(queue.promised, 0);
	for (int n; (n = verbs_queue_take(&queue, out, 64)) > 0;) {
		taken += n;
	}
	assert_int_equal(taken, 1007);
	verbs_queue_fini(&queue);
}

static void take__puts_no_control_behind_a_frame(void **state)
{
	static const enum transport_event_kind kinds[] = {
		TRANSPORT_CONTROL, TRANSPORT_FRAME,   TRANSPORT_SENT,
		TRANSPORT_CONTROL, TRANSPORT_CONTROL,
	};
	struct event_queue queue;
	struct transport_event out[8];

	(void)state;
	assert_int_equal(verbs_queue_init(&queue, 8), 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct transport_event event = event_of(kinds[i], i);

		verbs_queue_append(&queue, &event);
	}
	assert_int_equal(verbs_queue_take(&queue, out, 8), 3);
	assert_int_equal(verbs_queue_take(&queue, out, 8), 2);
	assert_int_equal(out[0].cookie, 3);
	verbs_queue_fini(&queue);
}

static bool keep_even(void *ctx, const struct transport_event *event)
{
	struct event_queue *queue = ctx;

	if (event->cookie % 2 == 0) {
		return true;
	}
	/* As a slot that goes back to the receive pool does: the ring may move. */
	for (int i = 0; i < 100; i++) {
		assert_int_equal(verbs_queue_promise(queue), 0);
	}
	return false;
}

static void filter__keeps_the_rest_in_order(void **state)
{
	struct event_queue queue;
	struct transport_event out[64];
	int count;

	(void)state;
	assert_int_equal(verbs_queue_init(&queue, 64), 0);
	for (uint64_t i = 0; i < 40; i++) {
		struct transport_event event = event_of(TRANSPORT_SENT, i);

		verbs_queue_append(&queue, &event);
	}
	assert_int_equal(verbs_queue_take(&queue, out, 10), 10);
	verbs_queue_filter(&queue, keep_even, &queue);
	count = verbs_queue_take(&queue, out, 64);
	assert_int_equal(count, 15);
	for (int i = 0; i < count; i++) {
		assert_int_equal(out[i].cookie, 10 + 2 * i);
	}
	verbs_queue_fini(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queue__keeps_order_while_it_grows),
		cmocka_unit_test(queue__has_room_for_everything_promised),
		cmocka_unit_test(take__puts_no_control_behind_a_frame),
		cmocka_unit_test(filter__keeps_the_rest_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
