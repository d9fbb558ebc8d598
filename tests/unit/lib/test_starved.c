/* SPDX-License-Identifier: BSD-3-Clause */
/* Send memory that does not come back: somebody on another node of this host keeps it, and may keep it for
 * ever. The program goes on with other memory, within its limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <poll.h>
#include <time.h>

#include "tests/unit/lib/program.h"
#include "tests/unit/lib/server.h"

#define LARGE	 1000000u /* four of them fill the common region */
#define ALL	 36	  /* and eight each of the other four regions */
#define LIMIT_MS 15000u

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static cs_error_t send_now(struct program *program, uint64_t n, size_t size)
{
	uint8_t *message = message_new(n, size);
	struct iovec piece = {.iov_base = message, .iov_len = size};
	cs_error_t error = cpg_mcast_joined(program->handle, CPG_TYPE_AGREED, &piece, 1);

	free(message);
	return error;
}

/* False: still refused after LIMIT_MS. */
static bool send_in_time(struct program *program, uint64_t n, size_t size)
{
	uint64_t until_ms = now_ms() + LIMIT_MS;
	cs_error_t error;

	while ((error = send_now(program, n, size)) == CS_ERR_TRY_AGAIN && now_ms() < until_ms) {
		poll(NULL, 0, 5);
	}
	assert_true(error == CS_OK || error == CS_ERR_TRY_AGAIN);
	return error == CS_OK;
}

static int fill(struct program *program)
{
	int count = 0;

	while (send_now(program, (uint64_t)count, LARGE) == CS_OK) {
		count++;
	}
	return count;
}

static void starved__goes_on_with_other_memory(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;
	int count;

	(void)state;
	program_join(&program);
	server_command(server, SERVER_HOLD, 1, 0);
	count = fill(&program);
	assert_int_equal(count, 4);
	while (send_in_time(&program, (uint64_t)count, LARGE)) {
		count++;
	}
	assert_int_equal(count, ALL);
	server_command(server, SERVER_HOLD, 0, 0);
	program_wait_messages(&program, count);
	assert_true(program_last_is(&program, (uint64_t)count - 1, LARGE));
	program_close(&program);
	server_stop_empty(&server);
}

/* What is there for small messages is of no use to a large one. */
static void starved__although_small_messages_find_room(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;
	uint64_t until_ms = now_ms() + LIMIT_MS;
	cs_error_t error = CS_ERR_TRY_AGAIN;
	int count;

	(void)state;
	program_join(&program);
	server_command(server, SERVER_HOLD, 1, 0);
	count = fill(&program);
	while (error == CS_ERR_TRY_AGAIN && now_ms() < until_ms) {
		assert_int_equal(send_now(&program, 0, 100), CS_OK);
		count++;
		error = send_now(&program, 0, LARGE);
		poll(NULL, 0, 5);
	}
	assert_int_equal(error, CS_OK);
	server_command(server, SERVER_HOLD, 0, 0);
	program_wait_messages(&program, count + 1);
	program_close(&program);
	server_stop_empty(&server);
}

/* A program that waits to be told is told to try again, although nothing has come back. */
static void starved__sendable_comes_all_the_same(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;
	cpg_flow_control_state_t flow;
	int count;

	(void)state;
	program_join_extended(&program, 0);
	server_command(server, SERVER_HOLD, 1, 0);
	count = fill(&program);
	assert_int_equal(count, 4);
	assert_int_equal(send_now(&program, 0, 190000), CS_OK);
	while (send_now(&program, 0, 1) == CS_OK) {
		count++;
	}
	assert_int_equal(cpg_flow_control_state_get(program.handle, &flow), CS_OK);
	assert_int_equal(flow, CPG_FLOW_CONTROL_ENABLED);
	assert_int_equal(program.sendables, 0);
	program_wait_sendables(&program, 1);
	assert_int_equal(cpg_flow_control_state_get(program.handle, &flow), CS_OK);
	assert_int_equal(flow, CPG_FLOW_CONTROL_DISABLED);
	assert_int_equal(send_now(&program, 7, 1000), CS_OK);
	server_command(server, SERVER_HOLD, 0, 0);
	program_wait_messages(&program, count + 2);
	assert_true(program_last_is(&program, 7, 1000));
	program_close(&program);
	server_stop_empty(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starved__goes_on_with_other_memory),
		cmocka_unit_test(starved__although_small_messages_find_room),
		cmocka_unit_test(starved__sendable_comes_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
