/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages of all sizes through libcpg: whole, in order, with bounded memory. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <corosync/cpg.h>

#include "tests/unit/lib/program.h"
#include "tests/unit/lib/server.h"

#define MIB (1024u * 1024)

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

static void mcast__sizes(void **state)
{
	static const size_t sizes[] = {0,	 1,	   7,	    8,	     64,      255,
				       256,	 257,	   4096,    65536,   MIB - 1, MIB,
				       MIB + 1,	 1047552,  1047553, 3 * MIB, 8 * MIB, 9 * MIB,
				       20 * MIB, 64 * MIB, 0};
	struct program program;
	int count = sizeof(sizes) / sizeof(sizes[0]);

	(void)state;
	program_join(&program);
	for (int i = 0; i < count; i++) {
		program_send(&program, (uint64_t)i, sizes[i]);
		program_wait_messages(&program, i + 1);
		assert_true(program_last_is(&program, (uint64_t)i, sizes[i]));
		assert_int_equal(program.last_node, 1);
		assert_int_equal(program.last_pid, getpid());
		assert_int_equal(program.last_group.length, 1);
	}
	program_close(&program);
}

static void mcast__many_pieces(void **state)
{
	static struct iovec pieces[3000];
	struct program program;
	uint8_t *bytes = message_new(5, 3000 * 3);

	(void)state;
	for (size_t i = 0; i < 3000; i++) {
		pieces[i].iov_base = bytes + i * 3;
		pieces[i].iov_len = 3;
	}
	program_join(&program);
	assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, pieces, 200), CS_OK);
	program_wait_messages(&program, 1);
	assert_true(program_last_is(&program, 5, 600));
	assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, pieces, 3000), CS_OK);
	program_wait_messages(&program, 2);
	assert_true(program_last_is(&program, 5, 9000));
	free(bytes);
	program_close(&program);
}

static int in_order;

static void check_order(struct program *program)
{
	if (program->messages > in_order) {
		uint64_t n = (uint64_t)in_order++;

		assert_true(program_last_is(program, n, (n * 37) % 5000));
	}
}

static void mcast__twenty_thousand_in_order(void **state)
{
	struct program program;

	(void)state;
	in_order = 0;
	program_join(&program);
	program.hook = check_order;
	for (uint64_t n = 0; n < 20000; n++) {
		program_send(&program, n, (n * 37) % 5000);
	}
	program_wait_messages(&program, 20000);
	assert_int_equal(in_order, 20000);
	program_close(&program);
}

/* Without room the answer is TRY_AGAIN at once, and what was accepted is all delivered. */
static void mcast__full(void **state)
{
	cpg_flow_control_state_t flow;
	struct program program;
	cs_error_t error;
	int accepted = 0;

	(void)state;
	program_join(&program);
	server_command(server, SERVER_HOLD, 1, 0);
	while ((error = cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, NULL, 0)) == CS_OK) {
		accepted++;
	}
	assert_int_equal(error, CS_ERR_TRY_AGAIN);
	assert_true(accepted >= 1000);
	assert_int_equal(cpg_flow_control_state_get(program.handle, &flow), CS_OK);
	assert_int_equal(flow, CPG_FLOW_CONTROL_ENABLED);
	server_command(server, SERVER_HOLD, 0, 0);
	program_wait_messages(&program, accepted);
	assert_int_equal(cpg_flow_control_state_get(program.handle, &flow), CS_OK);
	assert_int_equal(flow, CPG_FLOW_CONTROL_DISABLED);
	program_close(&program);
}

/* The same with memory: 100,000-byte messages fill the common region long before the ring is
 * full. */
static void mcast__memory_full_and_back(void **state)
{
	uint8_t *bytes = message_new(1, 100000);
	struct iovec piece = {.iov_base = bytes, .iov_len = 100000};
	struct program program;

	(void)state;
	program_join(&program);
	for (int round = 0; round < 5; round++) {
		int before = program.messages;
		int accepted = 0;

		server_command(server, SERVER_HOLD, 1, 0);
		while (cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, &piece, 1) == CS_OK) {
			accepted++;
		}
		assert_in_range(accepted, 20, 42);
		server_command(server, SERVER_HOLD, 0, 0);
		program_wait_messages(&program, before + accepted);
		assert_true(program_last_is(&program, 1, 100000));
	}
	free(bytes);
	program_close(&program);
}

/* Large messages use memory of their own, which is given back when it has been idle. */
static void mcast__large_memory_goes_back(void **state)
{
	struct program program;

	(void)state;
	program_join(&program);
	assert_int_equal(server_state(server).regions, 1);
	program_send(&program, 1, 30 * MIB);
	program_wait_messages(&program, 1);
	assert_int_equal(server_state(server).regions, 2);
	program_send(&program, 2, 10);
	program_wait_messages(&program, 2);
	poll(NULL, 0, 2100);
	program_send(&program, 3, 10);
	program_wait_messages(&program, 3);
	assert_int_equal(server_state(server).regions, 1);
	program_close(&program);
	assert_int_equal(server_state(server).regions, 0);
}

static void set_files(rlim_t max)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Memory for a large message comes as a descriptor. Without room for it the message is refused, the daemon has
 * its memory back, and the handle is as good as before. */
static void mcast__no_descriptor_left(void **state)
{
	uint8_t *bytes = message_new(1, 2 * MIB);
	struct iovec piece = {.iov_base = bytes, .iov_len = 2 * MIB};
	struct program program;
	struct rlimit before;

	(void)state;
	program_join(&program);
	getrlimit(RLIMIT_NOFILE, &before);
	for (int i = 0; i < 3; i++) {
		set_files(3);
		assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, &piece, 1),
				 CS_ERR_NO_MEMORY);
		set_files(before.rlim_cur);
		for (int k = 0; k < 500 && server_state(server).regions > 1; k++) {
			poll(NULL, 0, 10);
		}
		assert_int_equal(server_state(server).regions, 1);
	}
	program_send(&program, 1, 2 * MIB);
	program_wait_messages(&program, 1);
	assert_int_equal(server_state(server).regions, 2);
	free(bytes);
	program_close(&program);
}

static void *ask_members(void *data)
{
	struct program *program = data;
	struct cpg_address members[CPG_MEMBERS_MAX];
	struct cpg_name group = group_g;
	int count = CPG_MEMBERS_MAX;

	assert_int_equal(cpg_membership_get(program->handle, &group, members, &count), CS_OK);
	return NULL;
}

/* A thread waits for an answer that comes when the ring takes messages again; nobody else waits with it. */
static void mcast__while_another_thread_waits(void **state)
{
	uint8_t *bytes = message_new(1, 2 * MIB);
	struct iovec piece = {.iov_base = bytes, .iov_len = 2 * MIB};
	struct program program;
	cs_error_t error;
	pthread_t thread;

	(void)state;
	program_join(&program);
	server_command(server, SERVER_HOLD, 1, 0);
	program_send(&program, 0, 10);
	pthread_create(&thread, NULL, ask_members, &program);
	poll(NULL, 0, 100);
	alarm(60);
	error = cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, &piece, 1);
	assert_true(error == CS_ERR_TRY_AGAIN || error == CS_OK); /* when the thread is late */
	program_send(&program, 1, 10);
	alarm(0);
	server_command(server, SERVER_HOLD, 0, 0);
	pthread_join(thread, NULL);
	program_send(&program, 2, 2 * MIB);
	program_wait_messages(&program, error == CS_OK ? 4 : 3);
	free(bytes);
	program_close(&program);
}

/* What the caller writes into its buffer after the call reaches nobody. */
static void zcb__buffer_is_free_after_the_call(void **state)
{
	struct program program;
	void *buffer;

	(void)state;
	program_join(&program);
	assert_int_equal(cpg_zcb_alloc(program.handle, 5 * MIB, &buffer), CS_OK);
	for (uint64_t n = 0; n < 4; n++) {
		uint8_t *bytes = message_new(n, 5 * MIB);
		cs_error_t error;

		memcpy(buffer, bytes, 5 * MIB);
		free(bytes);
		server_command(server, SERVER_HOLD, 1, 0);
		error = cpg_zcb_mcast_joined(program.handle, CPG_TYPE_AGREED, buffer, 5 * MIB);
		assert_int_equal(error, CS_OK);
		memset(buffer, 0xff, 5 * MIB);
		server_command(server, SERVER_HOLD, 0, 0);
		program_wait_messages(&program, (int)n + 1);
		assert_true(program_last_is(&program, n, 5 * MIB));
	}
	assert_int_equal(cpg_zcb_free(program.handle, buffer), CS_OK);
	program_close(&program);
}

/* The 1 MiB of the reference's limit and around it, where its receivers got stuck. */
static void zcb__lengths_around_one_mib(void **state)
{
	static const size_t sizes[] = {1048384, 1048392, 1048393, 1048575, 1048576, 1048577};
	struct program program;
	void *buffer;

	(void)state;
	program_join(&program);
	assert_int_equal(cpg_zcb_alloc(program.handle, 2 * MIB, &buffer), CS_OK);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(cpg_zcb_mcast_joined(program.handle, CPG_TYPE_AGREED, buffer,
						      sizes[i]),
				 CS_OK);
		program_wait_messages(&program, i + 1);
		assert_int_equal(program.last_size, sizes[i]);
	}
	program_close(&program);
}

static void zcb__not_joined(void **state)
{
	struct program program;
	void *buffer;

	(void)state;
	program_open(&program, 0);
	assert_int_equal(cpg_zcb_alloc(program.handle, 10, &buffer), CS_OK);
	assert_int_equal(cpg_zcb_mcast_joined(program.handle, CPG_TYPE_AGREED, buffer, 10),
			 CS_ERR_NOT_EXIST);
	program_close(&program);
}

static void remote__slots_and_extents(void **state)
{
	static const size_t sizes[] = {0, 1, 300, 65536, 65537, 5 * MIB, 64 * MIB};
	struct program program;
	uint64_t n = 0;

	(void)state;
	program_join(&program);
	for (int i = 0; i < 7; i++) {
		server_command(server, SERVER_REMOTE, 1, sizes[i]);
		program_wait_messages(&program, i + 1);
		assert_true(program_last_is(&program, sizes[i] ? n++ : 0, sizes[i]));
		assert_int_equal(program.last_node, 2);
		assert_int_equal(program.last_pid, 222);
	}
	program_close(&program);
	assert_int_equal(server_state(server).slots_taken, 0);
	assert_int_equal(server_state(server).extents_taken, 0);
}

/* Another process reads what this one sent straight from its send memory; when that is gone, so
 * is the mapping. */
static void receive_and_answer(void)
{
	struct program program;

	program_join(&program);
	program_wait_messages(&program, 20);
	for (int i = 0; i < 20; i++) {
		program_wait_messages(&program, 21 + 2 * i);
		assert_true(program_last_is(&program, 500, 3000));
		program_send(&program, 600, 70000);
		program_wait_messages(&program, 22 + 2 * i);
	}
	program_close(&program);
}

static void mcast__between_processes(void **state)
{
	struct program program;
	int status = 1;
	pid_t child;

	(void)state;
	program_join(&program);
	child = fork();
	if (child == 0) {
		receive_and_answer();
		_exit(0);
	}
	program_wait_confchgs(&program, 2);
	for (uint64_t n = 0; n < 20; n++) {
		program_send(&program, n, n % 2 ? 2 * MIB : 20000);
	}
	for (int i = 0; i < 20; i++) {
		program_send(&program, 500, 3000);
		program_wait_messages(&program, 22 + 2 * i);
		assert_true(program_last_is(&program, 600, 70000));
		assert_int_equal(program.last_pid, child);
	}
	program_wait_confchgs(&program, 3);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(program.first_left.pid, child);
	assert_int_equal(program.first_left.reason, CPG_REASON_PROCDOWN);
	program_close(&program);
	assert_int_equal(server_state(server).regions, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mcast__sizes),
		cmocka_unit_test(mcast__many_pieces),
		cmocka_unit_test(mcast__twenty_thousand_in_order),
		cmocka_unit_test(mcast__full),
		cmocka_unit_test(mcast__memory_full_and_back),
		cmocka_unit_test(mcast__large_memory_goes_back),
		cmocka_unit_test(mcast__no_descriptor_left),
		cmocka_unit_test(mcast__while_another_thread_waits),
		cmocka_unit_test(zcb__buffer_is_free_after_the_call),
		cmocka_unit_test(zcb__lengths_around_one_mib),
		cmocka_unit_test(zcb__not_joined),
		cmocka_unit_test(remote__slots_and_extents),
		cmocka_unit_test(mcast__between_processes),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
