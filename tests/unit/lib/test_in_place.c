/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages that are read where they arrived, and held there: no byte is copied, nobody else waits,
 * and what is held never changes. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/lib/program.h"
#include "tests/unit/lib/server.h"

#define MIB   (1024u * 1024)
#define SLOTS 256u
#define HELD  600

static struct server_options small = {.slots = SLOTS, .inline_max_bytes = 256};

static size_t expected_size;

static void check_in_order(struct program *program)
{
	assert_int_equal(program->last_size, expected_size);
	assert_true(message_is(program->msg, (uint64_t)program->messages - 1, expected_size));
}

static void open_checked(struct program *program, size_t size)
{
	program_join_extended(program, CORONET_CPG_DELIVER_IN_PLACE);
	expected_size = size;
	program->hook = check_in_order;
}

static void in_place__nothing_is_copied(void **state)
{
	const size_t sizes[] = {257, 4000, 60000, 5 * MIB};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct server *server = server_start(&small);
		struct program program;

		open_checked(&program, sizes[i]);
		for (int n = 1; n <= 100; n++) {
			server_command(server, SERVER_REMOTE, 1, sizes[i]);
			program_wait_messages(&program, n);
		}
		assert_int_equal(program_stats(&program).bytes_delivered, 100 * sizes[i]);
		assert_int_equal(program_stats(&program).bytes_copied_delivering, 0);
		assert_int_equal(server_state(server).spilled, 0);
		program_close(&program);
		server_stop_empty(&server);
	}
}

static void in_place__stock_handles_copy_once(void **state)
{
	struct server *server = server_start(&small);
	struct program program;

	(void)state;
	program_join_extended(&program, 0);
	server_command(server, SERVER_REMOTE, 10, 4000);
	program_wait_messages(&program, 10);
	assert_int_equal(program_stats(&program).bytes_copied_delivering, 10 * 4000);
	program_close(&program);
	server_stop_empty(&server);
}

static void in_place__a_batch_larger_than_the_grants(void **state)
{
	struct server *server;
	struct program program;

	(void)state;
	program_not_under_valgrind(); /* who reads too slowly gets copies */
	server = server_start(&small);
	open_checked(&program, 4000);
	for (int i = 0; i < 200; i++) {
		server_command(server, SERVER_REMOTE, 10, 4000);
	}
	program_wait_messages(&program, 2000);
	assert_int_equal(program_stats(&program).bytes_copied_delivering, 0);
	assert_int_equal(server_state(server).spilled, 0);
	program_close(&program);
	server_stop_empty(&server);
}

static void write_into(struct program *program)
{
	program->msg[0]++;
}

static void in_place__writing_is_a_fault(void **state)
{
	struct server *server = server_start(&small);
	struct program program;
	int status;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		program_join_extended(&program, CORONET_CPG_DELIVER_IN_PLACE);
		program.hook = write_into;
		server_command(server, SERVER_REMOTE, 1, 4000);
		program_wait_messages(&program, 1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	server_stop_empty(&server);
}

/* --- holds --- */

static uint8_t *held[HELD];
static int held_count;

static void hold_all(struct program *program)
{
	check_in_order(program);
	assert_int_equal(coronet_cpg_hold(program->handle, program->msg), CS_OK);
	assert_int_equal(coronet_cpg_hold(program->handle, program->msg), CS_ERR_EXIST);
	held[held_count++] = program->msg;
}

static void open_holding(struct program *program, size_t size)
{
	open_checked(program, size);
	held_count = 0;
	program->hook = hold_all;
}

static void check_held(struct program *program)
{
	assert_int_equal(program_stats(program).messages_held, held_count);
	for (int i = 0; i < held_count; i++) {
		assert_true(message_is(held[i], (uint64_t)i, expected_size));
	}
}

/* Every third, then the rest: nobody has promised an order. */
static void release_all(struct program *program)
{
	for (int first = 2; first >= 0; first--) {
		for (int i = first; i < held_count; i += 3) {
			assert_int_equal(coronet_cpg_release(program->handle, held[i]), CS_OK);
			assert_int_equal(coronet_cpg_release(program->handle, held[i]),
					 CS_ERR_NOT_EXIST);
		}
	}
	assert_int_equal(program_stats(program).messages_held, 0);
}

static void hold__does_not_change_and_stops_nobody(void **state)
{
	struct server *server = server_start(&small);
	struct program program;

	(void)state;
	open_holding(&program, 4000);
	server_command(server, SERVER_REMOTE, 20, 4000);
	program_wait_messages(&program, 20);
	assert_int_equal(program_stats(&program).bytes_copied_delivering, 0);
	program.hook = check_in_order;
	for (int i = 0; i < 200; i++) {
		server_command(server, SERVER_REMOTE, 10, 4000);
	}
	program_wait_messages(&program, 2020);
	assert_true(server_state(server).slots_taken >= 20);
	assert_int_equal(server_state(server).handle.held_bytes, 20 * 4000);
	check_held(&program);
	release_all(&program);
	program_close(&program);
	server_stop_empty(&server);
}

/* An eighth of the slots can be held; what is beyond is copied, and nothing is lost. */
static void hold__beyond_the_grant_is_copied(void **state)
{
	struct server *server = server_start(&small);
	struct program program;

	(void)state;
	open_holding(&program, 4000);
	for (int i = 0; i < HELD / 10; i++) {
		server_command(server, SERVER_REMOTE, 10, 4000);
	}
	program_wait_messages(&program, HELD);
	assert_int_equal(program_stats(&program).bytes_copied_delivering,
			 (HELD - SLOTS / 8) * 4000);
	assert_int_equal(server_state(server).slots_taken, SLOTS / 8);
	check_held(&program);
	release_all(&program);
	program_close(&program);
	server_stop_empty(&server);
}

/* The grants come back: what follows a release is not copied. */
static void hold__released_memory_is_granted_again(void **state)
{
	struct server *server = server_start(&small);
	struct program program;

	(void)state;
	open_holding(&program, 4000);
	for (int round = 1; round <= 10; round++) {
		held_count = 0;
		server_command(server, SERVER_REMOTE, 30, 4000);
		program_wait_messages(&program, round * 30);
		release_all(&program);
	}
	assert_int_equal(program_stats(&program).bytes_copied_delivering, 0);
	program_close(&program);
	server_stop_empty(&server);
}

/* Extents of 160 MiB: 20 can be held by one program. */
static void hold__large_ones_leave_room_for_the_ring(void **state)
{
	struct server *server = server_start(&small);
	struct program program;

	(void)state;
	open_holding(&program, 8 * MIB);
	server_command(server, SERVER_REMOTE, 6, 8 * MIB);
	program_wait_messages(&program, 6);
	assert_int_equal(program_stats(&program).bytes_copied_delivering, 4 * 8 * MIB);
	program.hook = check_in_order;
	server_command(server, SERVER_REMOTE, 40, 8 * MIB);
	program_wait_messages(&program, 46);
	check_held(&program);
	release_all(&program);
	program_close(&program);
	server_stop_empty(&server);
}

/* It holds everything that it sends itself, and can go on sending. */
static void hold__leaves_a_sender_its_memory(void **state)
{
	const size_t sizes[] = {20000, 600000, 2 * MIB, 8 * MIB, 32 * MIB};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct server *server = server_start(&small);
		struct program program;

		open_holding(&program, sizes[i]);
		for (int n = 0; n < 12; n++) {
			program_send(&program, (uint64_t)n, sizes[i]);
			program_wait_messages(&program, n + 1);
		}
		check_held(&program);
		release_all(&program);
		program_close(&program);
		server_stop_empty(&server);
	}
}

static void hold__of_a_program_that_dies(void **state)
{
	struct server *server = server_start(&small);
	struct program program;
	int status;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0) {
		open_holding(&program, 4000);
		server_command(server, SERVER_REMOTE, 100, 4000);
		program_wait_messages(&program, 100);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	server_stop_empty(&server);
}

static void hold__ends_with_the_handle(void **state)
{
	struct server *server = server_start(&small);
	struct program program;

	(void)state;
	open_holding(&program, 4000);
	server_command(server, SERVER_REMOTE, 10, 4000);
	program_wait_messages(&program, 10);
	program_close(&program);
	server_stop_empty(&server);
}

static void hold__empty_and_small_ones(void **state)
{
	const size_t sizes[] = {0, 1, 256};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct server *server = server_start(&small);
		struct program program;

		open_holding(&program, sizes[i]);
		server_command(server, SERVER_REMOTE, 5, sizes[i]);
		program_wait_messages(&program, 5);
		check_held(&program);
		release_all(&program);
		program_close(&program);
		server_stop_empty(&server);
	}
}

static void ask_for_another(struct program *program)
{
	uint8_t here = 0;

	assert_int_equal(coronet_cpg_hold(program->handle, &here), CS_ERR_NOT_EXIST);
	assert_int_equal(coronet_cpg_hold(program->handle, NULL), CS_ERR_NOT_EXIST);
	assert_int_equal(coronet_cpg_release(program->handle, program->msg), CS_ERR_NOT_EXIST);
}

static void hold__refuses_what_is_not_delivered(void **state)
{
	struct server *server = server_start(&small);
	struct program program;
	struct program stock;

	(void)state;
	program_join_extended(&program, CORONET_CPG_DELIVER_IN_PLACE);
	program.hook = ask_for_another;
	server_command(server, SERVER_REMOTE, 1, 4000);
	program_wait_messages(&program, 1);
	assert_int_equal(coronet_cpg_hold(program.handle, program.msg), CS_ERR_NOT_EXIST);
	assert_int_equal(coronet_cpg_hold(0, program.msg), CS_ERR_BAD_HANDLE);
	assert_int_equal(coronet_cpg_release(0, program.msg), CS_ERR_BAD_HANDLE);
	program_close(&program);
	program_join(&stock);
	stock.hook = ask_for_another;
	server_command(server, SERVER_REMOTE, 1, 4000);
	program_wait_messages(&stock, 1);
	program_close(&stock);
	server_stop_empty(&server);
}

/* A slow reader's messages are moved away from the ring's memory; it finds them, in place or not. */
static void in_place__moved_before_it_was_read(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;

	(void)state;
	open_checked(&program, 18 * MIB);
	server_command(server, SERVER_REMOTE, 20, 18 * MIB);
	for (int i = 0; i < 500 && server_state(server).spilled < 5; i++) {
		poll(NULL, 0, 10);
	}
	assert_true(server_state(server).spilled >= 5);
	program_wait_messages(&program, 20);
	program_close(&program);
	server_stop_empty(&server);
}

/* Moved while the callback of an earlier one runs: that one stays where it is. */
static void sleep_in_callback(struct program *program)
{
	check_in_order(program);
	if (program->messages == 1) {
		poll(NULL, 0, 600);
		check_in_order(program);
	}
}

static void in_place__stays_while_its_callback_runs(void **state)
{
	struct server_options options = {.queue_max_bytes = 1024ull * MIB};
	struct server *server = server_start(&options);
	struct program program;

	(void)state;
	open_checked(&program, 18 * MIB);
	program.hook = sleep_in_callback;
	server_command(server, SERVER_REMOTE, 20, 18 * MIB);
	program_wait_messages(&program, 20);
	assert_true(server_state(server).spilled > 0);
	program_close(&program);
	server_stop_empty(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_place__nothing_is_copied),
		cmocka_unit_test(in_place__stock_handles_copy_once),
		cmocka_unit_test(in_place__a_batch_larger_than_the_grants),
		cmocka_unit_test(in_place__writing_is_a_fault),
		cmocka_unit_test(in_place__moved_before_it_was_read),
		cmocka_unit_test(in_place__stays_while_its_callback_runs),
		cmocka_unit_test(hold__does_not_change_and_stops_nobody),
		cmocka_unit_test(hold__beyond_the_grant_is_copied),
		cmocka_unit_test(hold__released_memory_is_granted_again),
		cmocka_unit_test(hold__large_ones_leave_room_for_the_ring),
		cmocka_unit_test(hold__leaves_a_sender_its_memory),
		cmocka_unit_test(hold__of_a_program_that_dies),
		cmocka_unit_test(hold__ends_with_the_handle),
		cmocka_unit_test(hold__empty_and_small_ones),
		cmocka_unit_test(hold__refuses_what_is_not_delivered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
