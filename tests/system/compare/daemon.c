/* SPDX-License-Identifier: BSD-3-Clause */
/* Phases in which something happens to the daemon: it is absent, ends, stands still, or does not
 * like its client. The script tells its process id in COMPARE_DAEMON. */
#include "compare.h"

#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UNTOUCHED 0x1122334455667788ull

/* As in the daemons' configuration. */
enum {
	USER_ALLOWED = 12345,
	GROUP_ALLOWED = 23456,
	STRANGER = 34567
};

static void signal_daemon(int number)
{
	const char *pid = getenv("COMPARE_DAEMON");

	if (!pid || kill((pid_t)strtol(pid, NULL, 10), number) != 0) {
		say("cannot signal the daemon", "%s", pid ? pid : "COMPARE_DAEMON is not set");
	}
}

int run_without_daemon(void)
{
	cpg_model_v1_data_t data = {.model = CPG_MODEL_V1};
	cpg_callbacks_t callbacks = {deliver_cb, confchg_cb};
	cpg_handle_t handle = UNTOUCHED;
	void *context;

	say_error("initialize", cpg_initialize(&handle, &callbacks));
	say("handle", "%s", handle == UNTOUCHED ? "untouched" : "written");
	say_error("use of the handle", cpg_context_get(handle, &context));
	say_error("finalize of the handle", cpg_finalize(handle));
	say_error("model_initialize",
		  cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&data, NULL));
	say_error("wrong model", cpg_model_initialize(&handle, 9, NULL, NULL));
	data.flags = 2;
	say_error("wrong flags",
		  cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&data, NULL));
	return 0;
}

static void *dispatch_for_ever(void *data)
{
	return (void *)(uintptr_t)cpg_dispatch(*(cpg_handle_t *)data, CS_DISPATCH_BLOCKING);
}

/* Local ones first, then those that need the daemon. */
static void call_everything(cpg_handle_t handle, cpg_iteration_handle_t iteration, void *buffer)
{
	struct cpg_name group = case_group(), other = group_of("other", 5);
	struct cpg_address members[CPG_MEMBERS_MAX];
	struct cpg_iteration_description_t item;
	cpg_flow_control_state_t flow;
	cpg_iteration_handle_t another;
	unsigned int node = 77;
	uint32_t size;
	void *context, *second = NULL;
	int count = 77, fd;

	say_error("fd_get", cpg_fd_get(handle, &fd));
	say_error("max_atomic_msgsize_get", cpg_max_atomic_msgsize_get(handle, &size));
	say_error("context_get", cpg_context_get(handle, &context));
	say_error("context_set", cpg_context_set(handle, NULL));
	say_error("flow_control_state_get", cpg_flow_control_state_get(handle, &flow));
	say_error("mcast_joined", send_bytes(handle, "x", 1));
	say_error("mcast_joined large", send_pattern(handle, 2000000, 1));
	say_error("join", cpg_join(handle, &other));
	say_error("leave", cpg_leave(handle, &group));
	say_error("membership_get", cpg_membership_get(handle, &group, members, &count));
	say("count", "%d", count);
	say_error("local_get", cpg_local_get(handle, &node));
	say("node", "%u", node);
	say_error("zcb_mcast_joined", cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 10));
	say_error("zcb_free", cpg_zcb_free(handle, buffer));
	say_error("zcb_alloc", cpg_zcb_alloc(handle, 100, &second));
	say_error("iteration_initialize",
		  cpg_iteration_initialize(handle, CPG_ITERATION_ALL, NULL, &another));
	say_error("iteration_next", cpg_iteration_next(iteration, &item));
	say_error("iteration_finalize", cpg_iteration_finalize(iteration));
}

static void restart_daemon(void)
{
	const char *command = getenv("COMPARE_RESTART");

	fflush(stdout);
	if (!command || system(command) != 0) {
		say("cannot restart the daemon", "%s", command ? command : "no COMPARE_RESTART");
	}
}

static int poll_now(cpg_handle_t handle)
{
	struct pollfd poller = {.events = POLLIN};

	cpg_fd_get(handle, &poller.fd);
	poll(&poller, 1, 20000);
	return poller.revents;
}

static void after_the_end(cpg_handle_t handle, cpg_handle_t waiting)
{
	void *context;

	say_error("dispatch of waiting events", cpg_dispatch(waiting, CS_DISPATCH_ALL));
	say("waiting events", "%s", recorded());
	say_error("dispatch again", cpg_dispatch(waiting, CS_DISPATCH_ALL));
	say_error("ONE", cpg_dispatch(waiting, CS_DISPATCH_ONE));
	say_error("BLOCKING", cpg_dispatch(waiting, CS_DISPATCH_BLOCKING));
	say_error("ONE_NONBLOCKING", cpg_dispatch(waiting, CS_DISPATCH_ONE_NONBLOCKING));
	restart_daemon();
	say_error("old handle, daemon is back", send_bytes(handle, "x", 1));
	say_error("finalize", cpg_finalize(handle));
	say_error("after finalize", cpg_context_get(handle, &context));
}

int run_daemon_ends(void)
{
	struct cpg_name group = case_group(), other = group_of("waiting", 7);
	cpg_handle_t handle = open_joined(&group), waiting = open_joined(&other), blocked;
	cpg_iteration_handle_t iteration = 0;
	void *buffer = NULL, *result = NULL;
	pthread_t thread;

	blocked = open_handle(0);
	pthread_create(&thread, NULL, dispatch_for_ever, &blocked);
	cpg_zcb_alloc(handle, 100, &buffer);
	cpg_iteration_initialize(handle, CPG_ITERATION_ALL, NULL, &iteration);
	for (size_t size = 1; size <= 3; size++) {
		send_bytes(waiting, "xyz", size);
	}
	pause_ms(1000);
	signal_daemon(SIGKILL);
	pthread_join(thread, &result);
	say_error("the blocked dispatch", (cs_error_t)(uintptr_t)result);
	say("poll", "%s%s", poll_now(handle) & POLLIN ? "in" : "",
	    poll_now(handle) & POLLHUP ? " hang-up" : "");
	call_everything(handle, iteration, buffer);
	after_the_end(handle, waiting);
	handle = open_handle(0);
	say_error("new handle, join", join_patiently(handle, &group));
	settle(handle, 1);
	say("events", "%s", recorded());
	say_error("finalize", cpg_finalize(handle));
	return 0;
}

/* --- A daemon that stands still
 * ------------------------------------------------------------------ */

static void *continue_later(void *data)
{
	(void)data;
	pause_ms(1500);
	signal_daemon(SIGCONT);
	return NULL;
}

static bool took_long(const struct timespec *start)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	return (end.tv_sec - start->tv_sec) * 1000 + (end.tv_nsec - start->tv_nsec) / 1000000 >
	       1000;
}

static void stopped_question(void)
{
	cpg_handle_t handle = open_handle(0);
	struct timespec start;
	unsigned int node;
	pthread_t thread;

	signal_daemon(SIGSTOP);
	pthread_create(&thread, NULL, continue_later, NULL);
	clock_gettime(CLOCK_MONOTONIC, &start);
	say_error("local_get", cpg_local_get(handle, &node));
	say("waited", "%s", took_long(&start) ? "yes" : "no");
	pthread_join(thread, NULL);
}

static void stopped_initialize(void)
{
	cpg_callbacks_t callbacks = {deliver_cb, confchg_cb};
	struct timespec start;
	cpg_handle_t handle;
	pthread_t thread;

	signal_daemon(SIGSTOP);
	pthread_create(&thread, NULL, continue_later, NULL);
	clock_gettime(CLOCK_MONOTONIC, &start);
	say_error("initialize", cpg_initialize(&handle, &callbacks));
	say("waited", "%s", took_long(&start) ? "yes" : "no");
	pthread_join(thread, NULL);
}

/* However little room there is, the caller is told at once. */
static void stopped_sends(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	uint8_t *bytes = pattern(1000);
	cs_error_t error = CS_OK;

	signal_daemon(SIGSTOP);
	for (int i = 0; i < 2000000 && error == CS_OK; i++) {
		error = send_bytes(handle, bytes, 1000);
	}
	say_error("the last of many sends", error);
	free(bytes);
}

int run_daemon_stops(void)
{
	static const struct test tests[] = {{"stopped-question", stopped_question, false},
					    {"stopped-initialize", stopped_initialize, false},
					    {"stopped-sends", stopped_sends, true},
					    {NULL, NULL, false}};

	for (const struct test *test = tests; test->name; test++) {
		run_case(test);
		signal_daemon(SIGCONT);
		pause_ms(500);
	}
	return 0;
}

/* --- Who may connect
 * ----------------------------------------------------------------------------- */

static void connect_as(const char *what, uid_t user, gid_t group, gid_t supplementary)
{
	cpg_callbacks_t callbacks = {deliver_cb, confchg_cb};
	cpg_handle_t handle;
	cs_error_t error;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (setgroups(1, &supplementary) != 0 || setgid(group) != 0 || setuid(user) != 0) {
			say(what, "cannot become that user");
			_exit(1);
		}
		do {
			error = cpg_initialize(&handle, &callbacks);
		} while (error == CS_ERR_TRY_AGAIN && (pause_ms(20), true));
		say_error(what, error);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

int run_access(void)
{
	connect_as("stranger", STRANGER, STRANGER, STRANGER);
	connect_as("user of uidgid", USER_ALLOWED, STRANGER, STRANGER);
	connect_as("group of uidgid", STRANGER, GROUP_ALLOWED, STRANGER);
	connect_as("one of several groups", STRANGER, STRANGER, GROUP_ALLOWED);
	connect_as("group 0", STRANGER, 0, STRANGER);
	return 0;
}
