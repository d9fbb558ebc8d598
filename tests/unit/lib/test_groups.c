/* SPDX-License-Identifier: BSD-3-Clause */
/* Joins, leaves, members, iterations: many handles, large groups, odd names. */
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

/* Again and again with one handle, in turn with other groups; nothing of the left group comes any
 * more. */
static void leave__then_join_again(void **state)
{
	struct cpg_name other = {.length = 5, .value = "other"};
	struct program program;

	(void)state;
	program_open(&program, 0);
	for (int i = 0; i < 10; i++) {
		const struct cpg_name *group = i % 2 ? &other : &group_g;

		assert_int_equal(cpg_join(program.handle, group), CS_OK);
		assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, NULL, 0), CS_OK);
		program_wait_messages(&program, i + 1);
		assert_int_equal(program.confchgs, 2 * i + 1);
		assert_int_equal(program.first_joined.reason, CPG_REASON_JOIN);
		assert_int_equal(program.members, 1);
		assert_int_equal(cpg_leave(program.handle, group), CS_OK);
		assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, NULL, 0),
				 CS_ERR_NOT_EXIST);
		program_wait_confchgs(&program, 2 * i + 2);
		assert_int_equal(program.members, 0);
		assert_int_equal(program.first_left.reason, CPG_REASON_LEAVE);
		assert_int_equal(program.first_left.pid, getpid());
		server_command(server, SERVER_REMOTE, 1, 100);
	}
	assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ALL), CS_OK);
	assert_int_equal(program.messages, 10);
	program_close(&program);
}

static void names__empty_and_binary(void **state)
{
	static const struct cpg_name names[] = {{.length = 0},
						{.length = 2, .value = "a"},
						{.length = 1, .value = "a"},
						{.length = 3, .value = "a\0b"},
						{.length = 128, .value = "full"}};
	struct program programs[5];

	(void)state;
	for (int i = 0; i < 5; i++) {
		program_open(&programs[i], 0);
		assert_int_equal(cpg_join(programs[i].handle, &names[i]), CS_OK);
		assert_int_equal(cpg_mcast_joined(programs[i].handle, CPG_TYPE_AGREED, NULL, 0),
				 CS_OK);
	}
	for (int i = 0; i < 5; i++) {
		struct cpg_name name = names[i];
		struct cpg_address members[4];
		int entries = 4;

		program_wait_messages(&programs[i], 1);
		assert_int_equal(programs[i].messages, 1);
		assert_int_equal(programs[i].members, 1);
		assert_memory_equal(&programs[i].last_group, &names[i], sizeof(names[i]));
		assert_int_equal(cpg_membership_get(programs[i].handle, &name, members, &entries),
				 CS_OK);
		assert_int_equal(entries, 1);
	}
	for (int i = 0; i < 5; i++) {
		program_close(&programs[i]);
	}
}

/* What stands behind a name does not leave the process. */
static void names__tail_is_cleared(void **state)
{
	struct cpg_name name = {.length = 1};
	struct cpg_iteration_description_t found;
	cpg_iteration_handle_t iteration;
	struct program program;

	(void)state;
	memset(name.value, 'z', sizeof(name.value));
	program_open(&program, 0);
	assert_int_equal(cpg_join(program.handle, &name), CS_OK);
	program_wait_confchgs(&program, 1);
	assert_int_equal(cpg_iteration_initialize(program.handle, CPG_ITERATION_ALL, NULL,
						  &iteration),
			 CS_OK);
	assert_int_equal(cpg_iteration_next(iteration, &found), CS_OK);
	assert_int_equal(found.group.value[0], 'z');
	for (int i = 1; i < CPG_MAX_NAME_LENGTH; i++) {
		assert_int_equal(found.group.value[i], 0);
	}
	program_close(&program); /* ends the iteration */
	assert_int_equal(cpg_iteration_next(iteration, &found), CS_ERR_BAD_HANDLE);
}

/* 10,000 members: lists that are longer than the ring between daemon and program. */
static void members__ten_thousand(void **state)
{
	static struct cpg_address members[10001];
	struct cpg_name name = group_g;
	struct program program;
	int entries;

	(void)state;
	program_join(&program);
	server_command(server, SERVER_MEMBERS, 10000, 0);
	server_command(server, SERVER_REMOTE, 1, 10);
	program_wait_messages(&program, 1);
	assert_int_equal(program.confchgs, 2);
	assert_int_equal(program.members, 10001);
	assert_int_equal(program.joined, 10000);
	assert_int_equal(program.left, 0);
	assert_int_equal(program.first_joined.reason, CPG_REASON_NODEUP);

	entries = 10001;
	assert_int_equal(cpg_membership_get(program.handle, &name, members, &entries), CS_OK);
	assert_int_equal(entries, 10001);
	assert_int_equal(members[10000].pid, 10999);
	members[100].pid = 7;
	entries = 100;
	assert_int_equal(cpg_membership_get(program.handle, &name, members, &entries),
			 CS_ERR_NO_SPACE);
	assert_int_equal(entries, 10001);
	assert_int_equal(members[99].pid, 1098);
	assert_int_equal(members[100].pid, 7);
	members[128].pid = 7;
	entries = 0; /* cannot be a size: as many as are customary */
	assert_int_equal(cpg_membership_get(program.handle, &name, members, &entries),
			 CS_ERR_NO_SPACE);
	assert_int_equal(members[127].pid, 1126);
	assert_int_equal(members[128].pid, 7);
	entries = -5;
	assert_int_equal(cpg_membership_get(program.handle, &name, members, &entries),
			 CS_ERR_NO_SPACE);
	entries = 70000;
	assert_int_equal(cpg_membership_get(program.handle, &name, members, &entries),
			 CS_ERR_NO_SPACE);
	assert_int_equal(members[128].pid, 7);
	program_close(&program);
}

static int walk(cpg_handle_t handle, cpg_iteration_type_t type, const struct cpg_name *group,
		uint32_t *nodes)
{
	struct cpg_iteration_description_t found;
	cpg_iteration_handle_t iteration;
	cs_error_t error;
	int count = 0;

	*nodes = 0;
	assert_int_equal(cpg_iteration_initialize(handle, type, group, &iteration), CS_OK);
	while ((error = cpg_iteration_next(iteration, &found)) == CS_OK) {
		*nodes += found.nodeid;
		count++;
	}
	assert_int_equal(error, CS_ERR_NO_SECTIONS);
	assert_int_equal(cpg_iteration_next(iteration, &found), CS_ERR_NO_SECTIONS);
	assert_int_equal(cpg_iteration_finalize(iteration), CS_OK);
	return count;
}

static void iteration__kinds(void **state)
{
	struct cpg_name other = {.length = 5, .value = "other"};
	struct cpg_name unknown = {.length = 7, .value = "unknown"};
	struct program a;
	struct program b;
	uint32_t nodes;

	(void)state;
	program_join(&a); /* beside the 10,000 of the test before */
	program_open(&b, 0);
	assert_int_equal(cpg_join(b.handle, &other), CS_OK);
	program_wait_confchgs(&b, 1);
	assert_int_equal(walk(a.handle, CPG_ITERATION_ALL, NULL, &nodes), 10002);
	assert_int_equal(nodes, 20002);
	assert_int_equal(walk(a.handle, CPG_ITERATION_ONE_GROUP, &other, &nodes), 1);
	assert_int_equal(nodes, 1);
	assert_int_equal(walk(a.handle, CPG_ITERATION_ONE_GROUP, &unknown, &nodes), 0);
	assert_true(walk(a.handle, CPG_ITERATION_NAME_ONLY, NULL, &nodes) >= 2);
	assert_int_equal(nodes, 0);
	program_close(&a);
	program_close(&b);
}

static void handles__forty_at_once(void **state)
{
	struct program programs[40];

	(void)state;
	for (int i = 0; i < 40; i++) {
		struct cpg_name name = {.length = 1};

		name.value[0] = (char)('A' + i);
		program_open(&programs[i], 0);
		assert_int_equal(cpg_join(programs[i].handle, &name), CS_OK);
		program_send(&programs[i], (uint64_t)i, 500);
	}
	for (int i = 39; i >= 0; i--) {
		program_wait_messages(&programs[i], 1);
		assert_true(program_last_is(&programs[i], (uint64_t)i, 500));
		program_close(&programs[i]);
	}
	assert_int_equal(server_state(server).connected, 0);
}

static void handles__more_than_the_daemon_takes(void **state)
{
	cpg_handle_t handles[70];
	int opened = 0;

	(void)state;
	while (opened < 70 && cpg_initialize(&handles[opened], NULL) == CS_OK) {
		opened++;
	}
	assert_int_equal(opened, 64);
	for (int i = 0; i < opened; i++) {
		assert_int_equal(cpg_finalize(handles[i]), CS_OK);
	}
	assert_int_equal(cpg_initialize(&handles[0], NULL), CS_OK);
	assert_int_equal(cpg_finalize(handles[0]), CS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leave__then_join_again),
		cmocka_unit_test(names__empty_and_binary),
		cmocka_unit_test(names__tail_is_cleared),
		cmocka_unit_test(members__ten_thousand),
		cmocka_unit_test(iteration__kinds),
		cmocka_unit_test(handles__forty_at_once),
		cmocka_unit_test(handles__more_than_the_daemon_takes),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
