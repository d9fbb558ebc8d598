/* SPDX-License-Identifier: BSD-3-Clause */
/* What the status says about each handle: its group, what it has not read, why its sends wait. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <corosync/cpg.h>

#include "tests/unit/lib/program.h"
#include "tests/unit/lib/server.h"

#define SLOTS 256u

static struct server *server;

static void start(uint32_t inline_max_bytes)
{
	struct server_options options = {.slots = SLOTS, .inline_max_bytes = inline_max_bytes};

	server = server_start(&options);
}

static struct server_handle handle(void)
{
	return server_state(server).handle;
}

static void handle__group_and_process(void **state)
{
	const struct cpg_name other = {.length = 2, .value = "h2"};
	struct program first;
	struct program second;

	(void)state;
	start(0);
	assert_int_equal(server_state(server).handles, 0);
	program_join(&first);
	program_open(&second, 0);
	assert_int_equal(server_state(server).handles, 2);
	assert_int_equal(handle().pid, getpid());
	assert_int_equal(handle().group_length, 0);
	assert_int_equal(cpg_join(second.handle, &other), CS_OK);
	assert_int_equal(handle().group_length, 2);
	assert_int_equal(handle().group_first, 'h');
	program_wait_confchgs(&second, 1);
	assert_int_equal(cpg_leave(second.handle, &other), CS_OK);
	assert_int_equal(handle().group_length, 0);
	program_close(&second);
	assert_int_equal(server_state(server).handles, 1);
	assert_int_equal(handle().group_length, 1);
	program_close(&first);
	server_stop(&server);
}

/* Until it is read, wherever it lies: in the ring, in the slab, or put aside. */
static void unread(uint32_t inline_max_bytes, uint64_t count, uint64_t size)
{
	struct program program;
	uint64_t before;

	start(inline_max_bytes);
	program_join(&program);
	assert_int_equal(handle().unread_bytes, 0);
	server_command(server, SERVER_REMOTE, count, size);
	/* Until it counts as one that lags, the ring waits. */
	for (int i = 0; i < 400 && handle().unread_bytes < count * size; i++) {
		poll(NULL, 0, 5);
	}
	assert_in_range(handle().unread_bytes, count * size, count * (size + 1000));
	before = handle().unread_bytes;
	assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ONE), CS_OK);
	assert_in_range(handle().unread_bytes, (count - 1) * size, before - size);
	program_wait_messages(&program, (int)count);
	cpg_dispatch(program.handle, CS_DISPATCH_ALL);
	/* Regions that are gone are told with the next event. */
	assert_in_range(handle().unread_bytes, 0, 1000);
	program_close(&program);
	server_stop(&server);
}

static void unread__in_the_ring(void **state)
{
	(void)state;
	unread(256, 20, 100);
}

static void unread__inlined_beyond_the_ring(void **state)
{
	(void)state;
	unread(256, 5000, 200);
}

static void unread__in_the_slab(void **state)
{
	(void)state;
	unread(0, 10, 4000);
}

static void unread__put_aside(void **state)
{
	(void)state;
	unread(0, 200, 4000);
}

static void queue__counts_what_is_put_aside(void **state)
{
	struct program program;

	(void)state;
	start(0);
	program_join(&program);
	server_command(server, SERVER_REMOTE, 10, 4000);
	assert_in_range(handle().queue_bytes, 0, 10 * 1000);
	server_command(server, SERVER_REMOTE, 190, 4000);
	/* After a moment of waiting for it. */
	for (int i = 0; i < 400 && handle().queue_bytes < (200 - SLOTS / 2) * 4000; i++) {
		poll(NULL, 0, 5);
	}
	assert_in_range(handle().queue_bytes, (200 - SLOTS / 2) * 4000, 200 * 5000);
	program_wait_messages(&program, 200);
	server_state(server);
	assert_int_equal(handle().queue_bytes, 0);
	program_close(&program);
	server_stop(&server);
}

static void sends__wait_for_the_ring(void **state)
{
	struct program program;

	(void)state;
	start(0);
	program_join(&program);
	program_send(&program, 0, 1000);
	program_wait_messages(&program, 1);
	assert_false(handle().waits_for_ring);
	server_command(server, SERVER_HOLD, 1, 0);
	program_send(&program, 1, 1000);
	for (int i = 0; i < 500 && !handle().waits_for_ring; i++) {
		poll(NULL, 0, 10);
	}
	assert_true(handle().waits_for_ring);
	server_command(server, SERVER_HOLD, 0, 0);
	program_wait_messages(&program, 2);
	assert_false(handle().waits_for_ring);
	assert_false(handle().waits_for_memory);
	program_close(&program);
	server_stop(&server);
}

/* While its own messages are held back, a program fills its send memory. */
static void sends__wait_for_memory(void **state)
{
	static uint8_t bytes[1000 * 1000];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct program program;
	int sent = 0;

	(void)state;
	start(0);
	program_join(&program);
	server_command(server, SERVER_HOLD, 1, 0);
	while (sent < 100 && cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, &iov, 1) == CS_OK) {
		sent++;
	}
	assert_in_range(sent, 1, 99);
	for (int i = 0; i < 500 && !handle().waits_for_memory; i++) {
		poll(NULL, 0, 10);
	}
	assert_true(handle().waits_for_memory);
	server_command(server, SERVER_HOLD, 0, 0);
	program_wait_messages(&program, sent);
	program_send(&program, 1, 1000);
	program_wait_messages(&program, sent + 1);
	assert_false(handle().waits_for_memory);
	assert_int_equal(handle().sends_on_way, 0);
	program_close(&program);
	server_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handle__group_and_process),
		cmocka_unit_test(unread__in_the_ring),
		cmocka_unit_test(unread__inlined_beyond_the_ring),
		cmocka_unit_test(unread__in_the_slab),
		cmocka_unit_test(unread__put_aside),
		cmocka_unit_test(queue__counts_what_is_put_aside),
		cmocka_unit_test(sends__wait_for_the_ring),
		cmocka_unit_test(sends__wait_for_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
