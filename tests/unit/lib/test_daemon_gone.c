/* SPDX-License-Identifier: BSD-3-Clause */
/* What programs get when the daemon is not there, not ready, does not want them, dies or stands
 * still; and what becomes of what a program had sent when the program dies. */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <corosync/cpg.h>

#include "tests/unit/lib/program.h"
#include "tests/unit/lib/server.h"

static void initialize__no_daemon(void **state)
{
	struct server *server = server_start(NULL);
	cpg_handle_t handle = 77;

	(void)state;
	setenv("CORONET_RUN_DIR", "/nowhere/at/all", 1);
	assert_int_equal(cpg_initialize(&handle, NULL), CS_ERR_LIBRARY);
	setenv("CORONET_RUN_DIR", server_dir(server), 1);
	server_kill(server, SIGKILL); /* leaves its socket */
	assert_int_equal(cpg_initialize(&handle, NULL), CS_ERR_LIBRARY);
	assert_int_equal(handle, 77);
	server_stop(&server);
	assert_int_equal(cpg_initialize(&handle, NULL), CS_ERR_LIBRARY);
}

static void initialize__not_ready(void **state)
{
	struct server_options options = {.not_ready = true};
	struct server *server = server_start(&options);
	cpg_handle_t handle = 77;

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(cpg_initialize(&handle, NULL), CS_ERR_TRY_AGAIN);
	}
	assert_int_equal(handle, 77);
	server_command(server, SERVER_READY, 0, 0);
	assert_int_equal(cpg_initialize(&handle, NULL), CS_OK);
	assert_int_equal(cpg_finalize(handle), CS_OK);
	assert_int_equal(server_state(server).disconnected, 0);
	server_stop(&server);
}

static int initialize_as(uid_t uid, gid_t gid)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		cpg_handle_t handle;
		cs_error_t error;

		if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid)) {
			_exit(100);
		}
		error = cpg_initialize(&handle, NULL);
		_exit((int)error);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void initialize__not_allowed(void **state)
{
	struct server_options options = {.deny = true};
	struct server *server;

	(void)state;
	if (getuid() != 0) {
		skip();
	}
	server = server_start(&options);
	assert_int_equal(initialize_as(65534, 65534), CS_ERR_ACCESS);
	assert_int_equal(initialize_as(65534, 0), CS_OK);
	assert_int_equal(initialize_as(0, 0), CS_OK);
	assert_true(server_logged(server, "uid 65534 gid 65534 may not connect"));
	server_stop(&server);
	server = server_start(NULL);
	assert_int_equal(initialize_as(65534, 65534), CS_OK);
	server_stop(&server);
}

/* What a user's third connection is answered. */
static int third_as(uid_t uid)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		cpg_handle_t handle;
		cs_error_t error = CS_OK;

		if (setresuid(uid, uid, uid)) {
			_exit(100);
		}
		for (int i = 0; i < 3 && error == CS_OK; i++) {
			error = cpg_initialize(&handle, NULL);
			if (i < 2 && error != CS_OK) {
				_exit(101);
			}
		}
		_exit((int)error);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void initialize__one_user_has_his_share(void **state)
{
	struct server_options options = {.user_connections_max = 2};
	struct server *server;
	cpg_handle_t handle;

	(void)state;
	if (getuid() != 0) {
		skip();
	}
	server = server_start(&options);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(third_as(65534), CS_ERR_NO_RESOURCES);
		assert_int_equal(third_as(0), CS_OK);
	}
	assert_int_equal(server_log_lines(server, "uid 65534, has 2 connections"), 1);
	assert_int_equal(cpg_initialize(&handle, NULL), CS_OK);
	assert_int_equal(cpg_finalize(handle), CS_OK);
	server_stop(&server);
}

static void initialize__daemon_without_descriptors(void **state)
{
	struct server_options options = {.files_max = 40};
	struct server *server;
	cpg_handle_t handles[40];
	cpg_handle_t more;
	int opened = 0;

	(void)state;
	program_not_under_valgrind(); /* it has its own idea of descriptors */
	server = server_start(&options);
	while (opened < 40 && cpg_initialize(&handles[opened], NULL) == CS_OK) {
		opened++;
	}
	assert_in_range(opened, 5, 15);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(cpg_initialize(&more, NULL), CS_ERR_LIBRARY);
	}
	assert_int_equal(cpg_finalize(handles[--opened]), CS_OK);
	assert_int_equal(cpg_initialize(&more, NULL), CS_OK);
	assert_int_equal(cpg_finalize(more), CS_OK);
	while (opened > 0) {
		assert_int_equal(cpg_finalize(handles[--opened]), CS_OK);
	}
	server_stop(&server);
}

static void gone__every_function(void **state)
{
	struct server *server = server_start(NULL);
	struct cpg_iteration_description_t description;
	cpg_iteration_handle_t iteration, second = 77;
	struct cpg_name name = group_g;
	struct cpg_address members[4];
	struct program program;
	cpg_flow_control_state_t flow;
	void *buffer, *context;
	unsigned int node = 77;
	int entries = 4;
	uint32_t size;

	(void)state;
	program_join(&program);
	assert_int_equal(cpg_iteration_initialize(program.handle, CPG_ITERATION_ALL, NULL,
						  &iteration),
			 CS_OK);
	assert_int_equal(cpg_zcb_alloc(program.handle, 10, &buffer), CS_OK);
	server_kill(server, SIGKILL);

	assert_int_equal(program_poll(&program, 0), POLLIN | POLLHUP);
	assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, NULL, 0),
			 CS_ERR_LIBRARY);
	assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ONE), CS_ERR_LIBRARY);
	assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ALL), CS_ERR_LIBRARY);
	assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_BLOCKING), CS_ERR_LIBRARY);
	assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ONE_NONBLOCKING), CS_ERR_LIBRARY);
	assert_int_equal(cpg_join(program.handle, &name), CS_ERR_LIBRARY);
	assert_int_equal(cpg_leave(program.handle, &name), CS_ERR_LIBRARY);
	assert_int_equal(cpg_membership_get(program.handle, &name, members, &entries),
			 CS_ERR_LIBRARY);
	assert_int_equal(entries, 4);
	assert_int_equal(cpg_local_get(program.handle, &node), CS_ERR_LIBRARY);
	assert_int_equal(node, 77);
	assert_int_equal(cpg_iteration_initialize(program.handle, CPG_ITERATION_ALL, NULL, &second),
			 CS_ERR_LIBRARY);
	assert_int_equal(second, 77);
	assert_int_equal(cpg_iteration_next(iteration, &description), CS_ERR_LIBRARY);
	assert_int_equal(cpg_iteration_finalize(iteration), CS_ERR_LIBRARY);
	assert_int_equal(cpg_iteration_finalize(iteration), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_zcb_mcast_joined(program.handle, CPG_TYPE_AGREED, buffer, 10),
			 CS_ERR_LIBRARY);
	assert_int_equal(cpg_zcb_alloc(program.handle, 10, &context), CS_ERR_LIBRARY);
	assert_int_equal(cpg_zcb_free(program.handle, buffer), CS_OK); /* no daemon needed */
	assert_int_equal(cpg_fd_get(program.handle, &entries), CS_OK);
	assert_int_equal(cpg_context_get(program.handle, &context), CS_OK);
	assert_int_equal(cpg_context_set(program.handle, context), CS_OK);
	assert_int_equal(cpg_max_atomic_msgsize_get(program.handle, &size), CS_OK);
	assert_int_equal(cpg_flow_control_state_get(program.handle, &flow), CS_OK);
	assert_int_equal(cpg_finalize(program.handle), CS_ERR_LIBRARY);
	assert_int_equal(cpg_finalize(program.handle), CS_ERR_BAD_HANDLE);
	free(program.last);
	server_stop(&server);
}

/* What the daemon had told before it died is still told: from the slab, from another process's
 * memory, from the ring itself. */
static void gone__events_first(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;

	(void)state;
	program_join(&program);
	program_send(&program, 9, 5000); /* in our own send memory */
	server_command(server, SERVER_REMOTE, 1, 0);
	server_command(server, SERVER_REMOTE, 1, 100);
	server_command(server, SERVER_REMOTE, 1, 60000);
	server_command(server, SERVER_REMOTE, 1, 1u << 20);
	server_command(server, SERVER_MEMBERS, 100, 0);
	poll(NULL, 0, 50);
	server_kill(server, SIGKILL);
	assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_BLOCKING), CS_ERR_LIBRARY);
	assert_int_equal(program.messages, 5);
	assert_int_equal(program.members, 101);
	assert_true(program_last_is(&program, 2, 1u << 20));
	assert_int_equal(cpg_finalize(program.handle), CS_ERR_LIBRARY);
	free(program.last);
	server_stop(&server);
}

struct caller {
	pthread_t thread;
	cpg_handle_t handle;
	int what;
	cs_error_t result;
};

static void *call(void *arg)
{
	struct caller *caller = arg;
	struct cpg_name name = group_g;
	struct cpg_address members[4];
	cpg_iteration_handle_t iteration;
	unsigned int node;
	int entries = 4;
	cs_error_t result;

	switch (caller->what) {
	case 0:
		result = cpg_dispatch(caller->handle, CS_DISPATCH_BLOCKING);
		break;
	case 1:
		result = cpg_local_get(caller->handle, &node);
		break;
	case 2:
		result = cpg_membership_get(caller->handle, &name, members, &entries);
		break;
	case 3:
		result = cpg_iteration_initialize(caller->handle, CPG_ITERATION_ALL, NULL,
						  &iteration);
		break;
	case 4:
		result = cpg_leave(caller->handle, &name);
		break;
	case 5:
		result = cpg_initialize(&caller->handle, NULL);
		break;
	default:
		result = cpg_finalize(caller->handle);
		break;
	}
	__atomic_store_n(&caller->result, result, __ATOMIC_RELEASE);
	return NULL;
}

static bool waits(const struct caller *caller)
{
	return __atomic_load_n(&caller->result, __ATOMIC_ACQUIRE) == 0;
}

/* The daemon stands still: calls wait. It is killed: all of them notice. */
static void gone__while_calls_wait(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;
	struct caller callers[7];
	struct timespec before, after;

	(void)state;
	program_join(&program);
	kill(server_pid(server), SIGSTOP);
	for (int i = 0; i < 7; i++) {
		callers[i].handle = program.handle;
		callers[i].what = i;
		callers[i].result = (cs_error_t)0;
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
		poll(NULL, 0, 30);
	}
	for (int i = 1; i < 7; i++) {
		assert_true(waits(&callers[i]));
	}
	clock_gettime(CLOCK_MONOTONIC, &before);
	server_kill(server, SIGKILL);
	for (int i = 0; i < 7; i++) {
		pthread_join(callers[i].thread, NULL);
	}
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec <= 1);
	assert_int_equal(callers[0].result, CS_ERR_BAD_HANDLE); /* finalized */
	for (int i = 1; i < 7; i++) {
		assert_int_equal(callers[i].result, CS_ERR_LIBRARY);
	}
	free(program.last);
	server_stop(&server);
}

/* A daemon that stands still costs a sender no time: it is told to try again. */
static void stopped__mcast_does_not_spin(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;
	struct timespec before, after;
	cs_error_t error = CS_OK;
	int accepted = 0;

	(void)state;
	program_join(&program);
	kill(server_pid(server), SIGSTOP);
	clock_gettime(CLOCK_MONOTONIC, &before);
	while (error == CS_OK) {
		error = cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, NULL, 0);
		accepted += error == CS_OK;
	}
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, NULL, 0),
				 CS_ERR_TRY_AGAIN);
	}
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec <= 1);
	kill(server_pid(server), SIGCONT);
	program_wait_messages(&program, accepted);
	program_close(&program);
	server_stop(&server);
}

static void handle_signal(int number)
{
	(void)number;
}

/* Signals without SA_RESTART neither end a call nor lose its answer. */
static void signals__do_not_surface(void **state)
{
	struct sigaction action = {.sa_handler = handle_signal};
	struct server *server = server_start(NULL);
	struct program program;
	struct caller callers[2];

	(void)state;
	sigaction(SIGUSR1, &action, NULL);
	program_join(&program);
	kill(server_pid(server), SIGSTOP);
	for (int i = 0; i < 2; i++) {
		callers[i].handle = program.handle;
		callers[i].what = i;
		callers[i].result = (cs_error_t)0;
		pthread_create(&callers[i].thread, NULL, call, &callers[i]);
	}
	for (int i = 0; i < 20; i++) {
		poll(NULL, 0, 5);
		pthread_kill(callers[0].thread, SIGUSR1);
		pthread_kill(callers[1].thread, SIGUSR1);
	}
	assert_true(waits(&callers[0]));
	assert_true(waits(&callers[1]));
	kill(server_pid(server), SIGCONT);
	pthread_join(callers[1].thread, NULL);
	assert_int_equal(callers[1].result, CS_OK);
	program_close(&program);
	pthread_join(callers[0].thread, NULL);
	assert_int_equal(callers[0].result, CS_ERR_BAD_HANDLE);
	server_stop(&server);
}

/* Accepted means delivered, also when the sender is killed in the next moment and the engine has
 * no room just then. */
static void killed__messages_are_delivered(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;
	int ready[2];
	char byte;
	pid_t child;

	(void)state;
	program_join(&program);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		struct program sender;

		program_join(&sender);
		server_command(server, SERVER_HOLD, 1, 0);
		for (uint64_t n = 0; n < 200; n++) {
			program_send(&sender, n, 1000 + n);
		}
		if (write(ready[1], "", 1) != 1) {
			_exit(1);
		}
		pause();
	}
	program_wait_confchgs(&program, 2);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	poll(NULL, 0, 50);
	assert_int_equal(server_state(server).connected, 2); /* still has messages to hand over */
	server_command(server, SERVER_HOLD, 0, 0);
	program_wait_confchgs(&program, 3);
	assert_int_equal(program.messages, 200);
	assert_true(program_last_is(&program, 199, 1199));
	assert_int_equal(program.first_left.reason, CPG_REASON_PROCDOWN);
	assert_int_equal(program.first_left.pid, child);
	close(ready[0]);
	close(ready[1]);
	program_close(&program);
	assert_int_equal(server_state(server).regions, 0);
	server_stop(&server);
}

static void finalize__messages_are_delivered(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;
	int status = 1;
	pid_t child;

	(void)state;
	program_join(&program);
	child = fork();
	if (child == 0) {
		struct program sender;

		program_open(&sender, 0);
		assert_int_equal(cpg_join(sender.handle, &group_g), CS_OK);
		for (uint64_t n = 0; n < 200; n++) {
			program_send(&sender, n, 1000);
		}
		assert_int_equal(cpg_finalize(sender.handle), CS_OK);
		_exit(0);
	}
	program_wait_confchgs(&program, 3);
	assert_int_equal(program.messages, 200);
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	program_close(&program);
	server_stop(&server);
}

/* After fork the handle is the child's as well as the parent's; whoever uses it speaks with the
 * joiner's process id. */
static void fork__child_uses_the_handle(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;
	int status = 1;
	pid_t child;

	(void)state;
	program_join(&program);
	child = fork();
	if (child == 0) {
		program_send(&program, 3, 300);
		program_wait_messages(&program, 1);
		_exit(program_last_is(&program, 3, 300) && program.last_pid == (uint32_t)getppid()
			      ? 0
			      : 1);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	program_close(&program);
	server_stop(&server);
}

static void fork__child_does_nothing(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;
	pid_t child;

	(void)state;
	program_join(&program);
	child = fork();
	if (child == 0) {
		_exit(0);
	}
	waitpid(child, NULL, 0);
	program_send(&program, 3, 300);
	program_wait_messages(&program, 1);
	program_close(&program);
	server_stop(&server);
}

static void restart__new_handles_work(void **state)
{
	struct server *server = server_start(NULL);
	struct server *second;
	struct program old, new;

	(void)state;
	program_join(&old);
	server_kill(server, SIGTERM);
	second = server_start(NULL);
	assert_int_equal(cpg_dispatch(old.handle, CS_DISPATCH_ALL), CS_ERR_LIBRARY);
	program_join(&new);
	assert_int_equal(cpg_dispatch(old.handle, CS_DISPATCH_ALL), CS_ERR_LIBRARY);
	assert_int_equal(cpg_finalize(old.handle), CS_ERR_LIBRARY);
	program_close(&new);
	server_stop(&second);
	server_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(initialize__no_daemon),
		cmocka_unit_test(initialize__not_ready),
		cmocka_unit_test(initialize__not_allowed),
		cmocka_unit_test(initialize__one_user_has_his_share),
		cmocka_unit_test(initialize__daemon_without_descriptors),
		cmocka_unit_test(gone__every_function),
		cmocka_unit_test(gone__events_first),
		cmocka_unit_test(gone__while_calls_wait),
		cmocka_unit_test(stopped__mcast_does_not_spin),
		cmocka_unit_test(signals__do_not_surface),
		cmocka_unit_test(killed__messages_are_delivered),
		cmocka_unit_test(finalize__messages_are_delivered),
		cmocka_unit_test(fork__child_uses_the_handle),
		cmocka_unit_test(fork__child_does_nothing),
		cmocka_unit_test(restart__new_handles_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
