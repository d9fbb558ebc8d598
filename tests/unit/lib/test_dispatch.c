/* SPDX-License-Identifier: BSD-3-Clause */
/* cpg_dispatch(3): its flags, what wakes it, what may be done inside callbacks, and the
 * descriptor that goes with it. */
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <corosync/cpg.h>

#include "tests/unit/lib/program.h"
#include "tests/unit/lib/server.h"

static struct server *server;

static int start(void **state)
{
	(void)state;
	server = server_start(NULL);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server_stop(&server);
	return 0;
}

static void flags__invalid(void **state)
{
	struct program program;

	(void)state;
	program_open(&program, 0);
	assert_int_equal(cpg_dispatch(program.handle, (cs_dispatch_flags_t)0),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_dispatch(program.handle, (cs_dispatch_flags_t)5),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_dispatch(program.handle, (cs_dispatch_flags_t)-1),
			 CS_ERR_INVALID_PARAM);
	program_close(&program);
}

static void flags__nothing_waits(void **state)
{
	struct program program;

	(void)state;
	program_open(&program, 0);
	assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ALL), CS_OK);
	assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ONE_NONBLOCKING),
			 CS_ERR_TRY_AGAIN);
	assert_int_equal(program_poll(&program, 0), 0);
	program_close(&program);
}

static void flags__one_at_a_time(void **state)
{
	struct program program;

	(void)state;
	program_join(&program);
	server_command(server, SERVER_REMOTE, 3, 1000);
	assert_int_equal(program_poll(&program, 1000), POLLIN);
	assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ONE), CS_OK);
	assert_int_equal(program.messages, 1);
	assert_int_equal(program_poll(&program, 0), POLLIN);
	assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ONE_NONBLOCKING), CS_OK);
	assert_int_equal(program.messages, 2);
	assert_int_equal(program_poll(&program, 0), POLLIN);
	assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ONE_NONBLOCKING), CS_OK);
	assert_int_equal(program_poll(&program, 0), 0);
	assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ONE_NONBLOCKING),
			 CS_ERR_TRY_AGAIN);
	server_command(server, SERVER_REMOTE, 5, 10);
	assert_int_equal(program_poll(&program, 1000), POLLIN);
	assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ALL), CS_OK);
	assert_int_equal(program.messages, 8);
	assert_int_equal(program_poll(&program, 0), 0);
	program_close(&program);
}

/* One poll, one dispatch, many thousand times: were the descriptor readable without an event, ONE
 * would wait for ever; were it not readable with one, poll would. */
static void fd__readable_exactly_while_events_wait(void **state)
{
	struct program program;
	int seen = 0;

	(void)state;
	program_join(&program);
	for (int i = 0; i < 3000; i++) {
		assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, NULL, 0), CS_OK);
		if (i % 3 == 0) {
			assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, NULL, 0),
					 CS_OK);
		}
		while (seen < i + 1 + i / 3 + 1) {
			assert_int_equal(program_poll(&program, 5000), POLLIN);
			assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ONE), CS_OK);
			assert_int_equal(program.messages, ++seen);
		}
		assert_int_equal(program_poll(&program, 0), 0);
	}
	program_close(&program);
}

/* The same from a program that looks again and again while events come: it races with the daemon. */
static void fd__never_readable_without_an_event(void **state)
{
	struct program program;
	int expected = 0;

	(void)state;
	program_join(&program);
	for (int i = 0; i < 500; i++) {
		server_command(server, SERVER_REMOTE, 1 + (uint64_t)i % 8, 10);
		expected += 1 + i % 8;
		while (program.messages < expected) {
			if (cpg_dispatch(program.handle, CS_DISPATCH_ONE_NONBLOCKING) != CS_OK &&
			    program_poll(&program, 0) == POLLIN) {
				assert_int_equal(cpg_dispatch(program.handle,
							      CS_DISPATCH_ONE_NONBLOCKING),
						 CS_OK);
			}
		}
		assert_int_equal(program_poll(&program, 2), 0);
	}
	program_close(&program);
}

/* A program without callbacks: events count, nothing is called. */
static void events__without_callbacks(void **state)
{
	cpg_handle_t handle;

	(void)state;
	assert_int_equal(cpg_initialize(&handle, NULL), CS_OK);
	assert_int_equal(cpg_join(handle, &group_g), CS_OK);
	assert_int_equal(cpg_dispatch(handle, CS_DISPATCH_ONE), CS_OK); /* join */
	server_command(server, SERVER_REMOTE, 1, 3u << 20);
	server_command(server, SERVER_RING, 3, 0);
	server_command(server, SERVER_REMOTE, 1, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING), CS_OK);
	}
	assert_int_equal(cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_TRY_AGAIN);
	assert_int_equal(cpg_finalize(handle), CS_OK);
	assert_int_equal(server_state(server).extents_taken, 0);
}

static void totem__initial_and_later(void **state)
{
	struct program with;
	struct program without;

	(void)state;
	program_open(&with, CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF);
	program_open(&without, 0);
	assert_int_equal(cpg_join(with.handle, &group_g), CS_OK);
	program_wait_totems(&with, 1);
	assert_int_equal(with.confchgs, 1);
	assert_int_equal(with.ring_nodes, 1);
	assert_int_equal(without.totems, 0);
	server_command(server, SERVER_RING, 64, 0);
	program_wait_totems(&with, 2);
	program_wait_totems(&without, 1);
	assert_int_equal(with.ring_nodes, 64);
	assert_int_equal(without.ring_nodes, 64);
	assert_int_equal(with.ring.nodeid, 1);
	assert_int_equal(with.ring.seq, 68);
	program_close(&with);
	program_close(&without);
}

static void finalize_now(struct program *program)
{
	assert_int_equal(cpg_finalize(program->handle), CS_OK);
}

static void callback__finalizes(void **state)
{
	static const cs_dispatch_flags_t flags[] = {CS_DISPATCH_ONE, CS_DISPATCH_ALL,
						    CS_DISPATCH_BLOCKING,
						    CS_DISPATCH_ONE_NONBLOCKING};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct program program;

		program_join(&program);
		server_command(server, SERVER_REMOTE, 3, 1000);
		program.hook = finalize_now;
		assert_int_equal(cpg_dispatch(program.handle, flags[i]), CS_ERR_BAD_HANDLE);
		assert_int_equal(program.messages, 1);
		assert_int_equal(cpg_dispatch(program.handle, flags[i]), CS_ERR_BAD_HANDLE);
		free(program.last);
	}
	assert_int_equal(server_state(server).connected, 0);
}

static void dispatch_deeper(struct program *program)
{
	int seen = program->messages;

	if (seen < 5) {
		assert_int_equal(cpg_dispatch(program->handle, CS_DISPATCH_ONE), CS_OK);
		assert_true(program->messages > seen);
	}
}

static void callback__dispatches(void **state)
{
	struct program program;

	(void)state;
	program_join(&program);
	server_command(server, SERVER_REMOTE, 5, 2000);
	program.hook = dispatch_deeper;
	assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ONE), CS_OK);
	assert_int_equal(program.messages, 5);
	program_close(&program);
}

static void call_everything(struct program *program)
{
	struct cpg_iteration_description_t description;
	cpg_iteration_handle_t iteration;
	struct cpg_name name = group_g;
	struct cpg_address members[4];
	unsigned int node;
	int entries = 4;
	void *buffer;

	program->hook = NULL;
	assert_int_equal(cpg_membership_get(program->handle, &name, members, &entries), CS_OK);
	assert_int_equal(cpg_local_get(program->handle, &node), CS_OK);
	assert_int_equal(cpg_iteration_initialize(program->handle, CPG_ITERATION_ALL, NULL,
						  &iteration),
			 CS_OK);
	assert_int_equal(cpg_iteration_next(iteration, &description), CS_OK);
	assert_int_equal(cpg_iteration_finalize(iteration), CS_OK);
	assert_int_equal(cpg_zcb_alloc(program->handle, 10, &buffer), CS_OK);
	assert_int_equal(cpg_zcb_mcast_joined(program->handle, CPG_TYPE_AGREED, buffer, 10), CS_OK);
	assert_int_equal(cpg_zcb_free(program->handle, buffer), CS_OK);
	assert_int_equal(cpg_mcast_joined(program->handle, CPG_TYPE_AGREED, NULL, 0), CS_OK);
	assert_int_equal(cpg_leave(program->handle, &name), CS_OK);
}

static void callback__calls_everything(void **state)
{
	struct program program;

	(void)state;
	program_join(&program);
	program.hook = call_everything;
	server_command(server, SERVER_REMOTE, 1, 10);
	program_wait_confchgs(&program, 2);
	assert_int_equal(program.messages, 3);
	program_close(&program);
}

struct sleeper {
	pthread_t thread;
	cpg_handle_t handle;
	cs_dispatch_flags_t flags;
	cs_error_t result;
};

static void *sleep_in_dispatch(void *arg)
{
	struct sleeper *sleeper = arg;

	sleeper->result = cpg_dispatch(sleeper->handle, sleeper->flags);
	return NULL;
}

static void finalize__wakes_all_dispatchers(void **state)
{
	struct program program;
	struct sleeper sleepers[6];

	(void)state;
	program_join(&program);
	for (int i = 0; i < 6; i++) {
		sleepers[i].handle = program.handle;
		sleepers[i].flags = i % 2 ? CS_DISPATCH_ONE : CS_DISPATCH_BLOCKING;
		assert_int_equal(pthread_create(&sleepers[i].thread, NULL, sleep_in_dispatch,
						&sleepers[i]),
				 0);
	}
	poll(NULL, 0, 50);
	program_close(&program);
	for (int i = 0; i < 6; i++) {
		pthread_join(sleepers[i].thread, NULL);
		assert_int_equal(sleepers[i].result, CS_ERR_BAD_HANDLE);
	}
}

/* The descriptor is closed when the last call is over, not before: nobody polls a stranger's. */
static void finalize__closes_the_descriptor(void **state)
{
	struct program program;
	struct pollfd event = {.events = POLLIN};

	(void)state;
	program_open(&program, 0);
	assert_int_equal(cpg_fd_get(program.handle, &event.fd), CS_OK);
	program_close(&program);
	assert_int_equal(poll(&event, 1, 0), 1);
	assert_int_equal(event.revents, POLLNVAL);
}

static void *run_on_small_stack(void *arg)
{
	struct program *program = arg;

	program_wait_messages(program, 2);
	return NULL;
}

static void stack__64_kib_is_enough(void **state)
{
	struct program program;
	pthread_attr_t attributes;
	pthread_t thread;

	(void)state;
	program_join(&program);
	server_command(server, SERVER_REMOTE, 1, 20u << 20);
	server_command(server, SERVER_MEMBERS, 5000, 0);
	server_command(server, SERVER_REMOTE, 1, 60000);
	pthread_attr_init(&attributes);
	assert_int_equal(pthread_attr_setstacksize(&attributes, 65536), 0);
	assert_int_equal(pthread_create(&thread, &attributes, run_on_small_stack, &program), 0);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attributes);
	assert_int_equal(program.members, 5001);
	program_close(&program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags__invalid),
		cmocka_unit_test(flags__nothing_waits),
		cmocka_unit_test(flags__one_at_a_time),
		cmocka_unit_test(fd__readable_exactly_while_events_wait),
		cmocka_unit_test(fd__never_readable_without_an_event),
		cmocka_unit_test(events__without_callbacks),
		cmocka_unit_test(totem__initial_and_later),
		cmocka_unit_test(callback__finalizes),
		cmocka_unit_test(callback__dispatches),
		cmocka_unit_test(callback__calls_everything),
		cmocka_unit_test(finalize__wakes_all_dispatchers),
		cmocka_unit_test(finalize__closes_the_descriptor),
		cmocka_unit_test(stack__64_kib_is_enough),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
