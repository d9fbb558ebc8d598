/* SPDX-License-Identifier: BSD-3-Clause */
/* cpg_dispatch: every flag with nothing, one and several events; calls from callbacks; other
 * threads and signals. */
#include "compare.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

static const cs_dispatch_flags_t all_flags[] = {CS_DISPATCH_ONE, CS_DISPATCH_ALL,
						CS_DISPATCH_BLOCKING, CS_DISPATCH_ONE_NONBLOCKING};
static const char *const flag_names[] = {"ONE", "ALL", "BLOCKING", "ONE_NONBLOCKING"};

static void empty(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);

	say_error("ALL", cpg_dispatch(handle, CS_DISPATCH_ALL));
	say_error("ONE_NONBLOCKING", cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING));
}

/* Three events wait for the dispatch of each flag that does not block. */
static void waiting(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);

	for (int i = 0; i < 4; i++) {
		if (all_flags[i] == CS_DISPATCH_BLOCKING) {
			continue;
		}
		for (int k = 0; k < 3; k++) {
			send_bytes(handle, "xyz", (size_t)k + 1);
		}
		pause_ms(500);
		say_error(flag_names[i], cpg_dispatch(handle, all_flags[i]));
		say("events", "%u", recorded_count());
		settle(handle, 3);
		say("then", "%s", recorded());
	}
}

static void odd_flag(int flag)
{
	say_error("result", cpg_dispatch(open_handle(0), (cs_dispatch_flags_t)flag));
}

static void flag_0(void)
{
	odd_flag(0);
}

static void flag_5(void)
{
	odd_flag(5);
}

/* --- Calls inside callbacks
 * ---------------------------------------------------------------------- */

static void finalize_inside(cpg_handle_t handle)
{
	record("finalize %s", error_name(cpg_finalize(handle)));
}

static void finalize_in_callback(void)
{
	struct cpg_name group = case_group();

	for (int i = 0; i < 4; i++) {
		cpg_handle_t handle = open_joined(&group);

		send_bytes(handle, "a", 1);
		send_bytes(handle, "b", 1);
		pause_ms(300);
		on_event = finalize_inside;
		say_error(flag_names[i], cpg_dispatch(handle, all_flags[i]));
		on_event = NULL;
		say("events", "%s", recorded());
		say_error("after that", cpg_dispatch(handle, CS_DISPATCH_ALL));
		pause_ms(200);
	}
}

static void leave_inside(cpg_handle_t handle)
{
	struct cpg_name group = case_group();

	on_event = NULL;
	record("leave %s", error_name(cpg_leave(handle, &group)));
}

static void leave_in_callback(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_handle(0);

	on_event = leave_inside;
	join_patiently(handle, &group);
	settle(handle, 3);
	say("events", "%s", recorded());
}

static void send_inside(cpg_handle_t handle)
{
	if (recorded_count() < 5) {
		record("send %s", error_name(send_bytes(handle, "again", 5)));
	}
}

static void send_in_callback(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_handle(0);

	on_event = send_inside;
	join_patiently(handle, &group);
	settle(handle, 5);
	say("events", "%s", recorded());
}

static void dispatch_inside(cpg_handle_t handle)
{
	on_event = NULL;
	record("inner begins");
	record("inner %s", error_name(cpg_dispatch(handle, CS_DISPATCH_ONE)));
}

static void dispatch_in_callback(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);

	send_bytes(handle, "a", 1);
	send_bytes(handle, "bb", 2);
	send_bytes(handle, "ccc", 3);
	on_event = dispatch_inside;
	settle(handle, 5);
	say("events", "%s", recorded());
}

static void ask_inside(cpg_handle_t handle)
{
	struct cpg_address members[CPG_MEMBERS_MAX];
	struct cpg_name group = case_group();
	cpg_iteration_handle_t iteration = 0;
	unsigned int node;
	void *context;
	int fd, count = CPG_MEMBERS_MAX;

	on_event = NULL;
	record("local_get %s", error_name(cpg_local_get(handle, &node)));
	record("membership_get %s",
	       error_name(cpg_membership_get(handle, &group, members, &count)));
	record("members %d", count);
	record("fd_get %s", error_name(cpg_fd_get(handle, &fd)));
	record("context_get %s", error_name(cpg_context_get(handle, &context)));
	record("iteration %s",
	       error_name(cpg_iteration_initialize(handle, CPG_ITERATION_ALL, NULL, &iteration)));
	record("iteration end %s", error_name(cpg_iteration_finalize(iteration)));
	record("join %s", error_name(cpg_join(handle, &group)));
}

static void ask_in_callback(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_handle(0);

	on_event = ask_inside;
	join_patiently(handle, &group);
	settle(handle, 9);
	say("events", "%s", recorded());
}

/* --- Threads and signals
 * ------------------------------------------------------------------------- */

static void *send_later(void *data)
{
	cpg_handle_t handle = *(cpg_handle_t *)data;

	pause_ms(700);
	send_bytes(handle, "late", 4);
	return NULL;
}

static void one_waits(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	pthread_t thread;

	pthread_create(&thread, NULL, send_later, &handle);
	say_error("ONE", cpg_dispatch(handle, CS_DISPATCH_ONE));
	say("events", "%s", recorded());
	pthread_join(thread, NULL);
}

static void nothing(int number)
{
	(void)number;
}

static void signals(void)
{
	struct sigaction action = {.sa_handler = nothing};
	struct itimerval often = {{0, 50000}, {0, 50000}}, never = {{0, 0}, {0, 0}};
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	pthread_t thread;
	unsigned int node;
	sigset_t blocked, before;

	/* The alarms are for the thread that dispatches. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &blocked, &before);
	pthread_create(&thread, NULL, send_later, &handle);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	say_error("ONE", cpg_dispatch(handle, CS_DISPATCH_ONE));
	say("events", "%s", recorded());
	say_error("local_get", cpg_local_get(handle, &node));
	say_error("ALL", cpg_dispatch(handle, CS_DISPATCH_ALL));
	setitimer(ITIMER_REAL, &never, NULL);
	pthread_join(thread, NULL);
}

static cpg_handle_t shared;

static void *dispatch_for_ever(void *data)
{
	(void)data;
	say_error("the blocked dispatch", cpg_dispatch(shared, CS_DISPATCH_BLOCKING));
	return NULL;
}

static void finalize_wakes(void)
{
	struct cpg_name group = case_group();
	pthread_t thread;

	shared = open_joined(&group);
	pthread_create(&thread, NULL, dispatch_for_ever, NULL);
	pause_ms(500);
	say_error("finalize", cpg_finalize(shared));
	pthread_join(thread, NULL);
}

static void *dispatch_once(void *data)
{
	(void)data;
	say_error("dispatch", cpg_dispatch(shared, CS_DISPATCH_ONE));
	return NULL;
}

static void small_stack(void)
{
	struct cpg_name group = case_group();
	pthread_attr_t attributes;
	pthread_t thread;

	shared = open_joined(&group);
	send_bytes(shared, "x", 1);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 << 10);
	pthread_create(&thread, &attributes, dispatch_once, NULL);
	pthread_join(thread, NULL);
	say("events", "%s", recorded());
}

static void *ask_often(void *data)
{
	unsigned int *wrong = data;

	for (int i = 0; i < 3000; i++) {
		unsigned int node = 0;

		*wrong += cpg_local_get(shared, &node) != CS_OK || node != 1;
	}
	return NULL;
}

static void two_ask(void)
{
	unsigned int wrong[2] = {0, 0};
	pthread_t threads[2];

	shared = open_handle(0);
	pthread_create(&threads[0], NULL, ask_often, &wrong[0]);
	pthread_create(&threads[1], NULL, ask_often, &wrong[1]);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	say("answers", "%s", wrong[0] + wrong[1] ? "some wrong" : "all right");
}

const struct test dispatch_tests[] = {{"dispatch-empty", empty, false},
				      {"dispatch-waiting", waiting, false},
				      {"dispatch-flag-0", flag_0, true},
				      {"dispatch-flag-5", flag_5, true},
				      {"finalize-in-callback", finalize_in_callback, false},
				      {"leave-in-callback", leave_in_callback, false},
				      {"send-in-callback", send_in_callback, false},
				      {"dispatch-in-callback", dispatch_in_callback, false},
				      {"ask-in-callback", ask_in_callback, false},
				      {"dispatch-one-waits", one_waits, false},
				      {"dispatch-signals", signals, false},
				      {"finalize-wakes-dispatch", finalize_wakes, true},
				      {"dispatch-small-stack", small_stack, false},
				      {"two-threads-ask", two_ask, true},
				      {NULL, NULL, false}};
