/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors, the timer and signals; what callbacks may do to the loop that runs them. */
#include "daemon/loop.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct loop *loop;
	int one[2], two[2];
	int ready, due, settled, raised;
	uint64_t due_at_ms;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){0};
	*state = &fixture;
	return loop_new(&fixture.loop) || pipe(fixture.one) || pipe(fixture.two);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	loop_free(&fixture->loop);
	loop_free(&fixture->loop);
	for (int i = 0; i < 2; i++) {
		close(fixture->one[i]);
		close(fixture->two[i]);
	}
	return 0;
}

static void stop(void *arg)
{
	struct fixture *fixture = arg;

	fixture->due++;
	fixture->due_at_ms = loop_now_ms(fixture->loop);
	loop_stop(fixture->loop);
}

static void run_for(struct fixture *fixture, uint64_t ms)
{
	loop_timer(fixture->loop, stop, fixture);
	loop_wake_at(fixture->loop, loop_now_ms(fixture->loop) + ms);
	loop_run(fixture->loop);
}

static void count(void *arg, short revents)
{
	assert_true(revents & POLLIN);
	((struct fixture *)arg)->ready++;
}

static void read_one(void *arg, short revents)
{
	struct fixture *fixture = arg;
	char byte;

	count(arg, revents);
	assert_int_equal(read(fixture->one[0], &byte, 1), 1);
}

static void loop_add__calls_while_ready(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(loop_add(fixture->loop, fixture->one[0], POLLIN, read_one, fixture), 0);
	assert_int_equal(write(fixture->one[1], "abc", 3), 3);
	run_for(fixture, 30);
	/* Level-triggered: one byte a call. */
	assert_int_equal(fixture->ready, 3);
}

static void loop_add__refuses_nonsense(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(loop_add(fixture->loop, -1, POLLIN, count, fixture), -EBADF);
	assert_int_equal(loop_add(fixture->loop, fixture->one[0], POLLIN, count, fixture), 0);
	assert_int_equal(loop_add(fixture->loop, fixture->one[0], POLLIN, count, fixture), -EEXIST);
	assert_int_equal(loop_mod(fixture->loop, fixture->two[0], POLLIN, count, fixture), -EBADF);
	loop_del(fixture->loop, fixture->two[0]);
	loop_del(fixture->loop, 12345);
	loop_del(fixture->loop, -1);
}

/* Both are ready; whoever comes first takes the other out, which must then not be called any more. */
static void delete_both(void *arg, short revents)
{
	struct fixture *fixture = arg;

	count(arg, revents);
	loop_del(fixture->loop, fixture->one[0]);
	loop_del(fixture->loop, fixture->two[0]);
}

static void loop_del__from_inside_a_callback(void **state)
{
	struct fixture *fixture = *state;

	loop_add(fixture->loop, fixture->one[0], POLLIN, delete_both, fixture);
	loop_add(fixture->loop, fixture->two[0], POLLIN, delete_both, fixture);
	assert_int_equal(write(fixture->one[1], "a", 1), 1);
	assert_int_equal(write(fixture->two[1], "a", 1), 1);
	run_for(fixture, 30);
	assert_int_equal(fixture->ready, 1);
}

static void replace(void *arg, short revents)
{
	struct fixture *fixture = arg;

	(void)revents;
	loop_del(fixture->loop, fixture->one[0]);
	assert_int_equal(loop_add(fixture->loop, fixture->one[0], POLLIN, read_one, fixture), 0);
}

static void loop_add__again_from_inside_its_own_callback(void **state)
{
	struct fixture *fixture = *state;

	loop_add(fixture->loop, fixture->one[0], POLLIN, replace, fixture);
	assert_int_equal(write(fixture->one[1], "a", 1), 1);
	run_for(fixture, 30);
	assert_int_equal(fixture->ready, 1);
}

static void loop_mod__changes_what_is_watched(void **state)
{
	struct fixture *fixture = *state;

	loop_add(fixture->loop, fixture->one[0], 0, count, fixture);
	assert_int_equal(write(fixture->one[1], "a", 1), 1);
	run_for(fixture, 20);
	assert_int_equal(fixture->ready, 0);
	assert_int_equal(loop_mod(fixture->loop, fixture->one[0], POLLIN, read_one, fixture), 0);
	run_for(fixture, 20);
	assert_int_equal(fixture->ready, 1);
}

static void loop_wake_at__not_before_its_time(void **state)
{
	struct fixture *fixture = *state;
	uint64_t start_ms = loop_now_ms(fixture->loop);

	run_for(fixture, 50);
	assert_int_equal(fixture->due, 1);
	assert_in_range(fixture->due_at_ms - start_ms, 50, 5000);
}

static void loop_wake_at__the_earlier_of_two_counts(void **state)
{
	struct fixture *fixture = *state;
	uint64_t start_ms = loop_now_ms(fixture->loop);

	loop_timer(fixture->loop, stop, fixture);
	loop_wake_at(fixture->loop, start_ms + 60000);
	loop_wake_at(fixture->loop, start_ms + 20);
	loop_wake_at(fixture->loop, UINT64_MAX);
	loop_wake_at(fixture->loop, start_ms + 30000);
	loop_run(fixture->loop);
	assert_in_range(fixture->due_at_ms - start_ms, 20, 5000);
}

/* A deadline that is always passed must not keep descriptors from their turn. */
static void due_again(void *arg)
{
	struct fixture *fixture = arg;

	fixture->due++;
	loop_wake_at(fixture->loop, 0);
	if (fixture->ready == 3 || fixture->due > 10000) {
		loop_stop(fixture->loop);
	}
}

static void loop_wake_at__lets_descriptors_have_their_turn(void **state)
{
	struct fixture *fixture = *state;

	loop_add(fixture->loop, fixture->one[0], POLLIN, read_one, fixture);
	assert_int_equal(write(fixture->one[1], "abc", 3), 3);
	loop_timer(fixture->loop, due_again, fixture);
	loop_wake_at(fixture->loop, 0);
	loop_run(fixture->loop);
	assert_int_equal(fixture->ready, 3);
	assert_in_range(fixture->due, 1, 100);
}

static void settle(void *arg)
{
	((struct fixture *)arg)->settled++;
}

static void loop_settle__runs_after_each_callback(void **state)
{
	struct fixture *fixture = *state;

	loop_settle(fixture->loop, settle, fixture);
	loop_add(fixture->loop, fixture->one[0], POLLIN, read_one, fixture);
	assert_int_equal(write(fixture->one[1], "ab", 2), 2);
	run_for(fixture, 20);
	assert_int_equal(fixture->settled, 3);
}

static void raised(void *arg, int number)
{
	struct fixture *fixture = arg;

	assert_int_equal(number, SIGUSR1);
	fixture->raised++;
	loop_stop(fixture->loop);
}

static void loop_signal__comes_as_a_callback(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(loop_signal(fixture->loop, SIGUSR1, raised, fixture), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(fixture->raised, 0);
	loop_run(fixture->loop);
	assert_int_equal(fixture->raised, 1);
}

static void again_and_again(void *arg)
{
	struct fixture *fixture = arg;

	if (++fixture->due == 100) {
		loop_stop(fixture->loop);
	}
	loop_wake_at(fixture->loop, 0);
}

/* What is due at once waits for no descriptor. */
static void loop_wake_at__in_the_past_does_not_sleep(void **state)
{
	struct fixture *fixture = *state;
	uint64_t began_ms = loop_now_ms(fixture->loop);

	loop_timer(fixture->loop, again_and_again, fixture);
	loop_wake_at(fixture->loop, 0);
	loop_run(fixture->loop);
	assert_int_equal(fixture->due, 100);
	assert_true(loop_now_ms(fixture->loop) - began_ms < 2000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(loop_add__calls_while_ready),
		TEST(loop_add__refuses_nonsense),
		TEST(loop_del__from_inside_a_callback),
		TEST(loop_add__again_from_inside_its_own_callback),
		TEST(loop_mod__changes_what_is_watched),
		TEST(loop_wake_at__not_before_its_time),
		TEST(loop_wake_at__the_earlier_of_two_counts),
		TEST(loop_wake_at__lets_descriptors_have_their_turn),
		TEST(loop_wake_at__in_the_past_does_not_sleep),
		TEST(loop_settle__runs_after_each_callback),
		TEST(loop_signal__comes_as_a_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
