/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs that do not read: what they keep is bounded, what is beyond is copied out, and at the
 * limit they lose their connection. Nobody else notices. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <corosync/cpg.h>

#include "tests/unit/lib/program.h"
#include "tests/unit/lib/server.h"

#define MIB   (1024u * 1024)
#define SLOTS 256u

static void wait_for_room(struct server *server)
{
	for (int i = 0; i < 2000 && server_state(server).waiting > 0; i++) {
		poll(NULL, 0, 5);
	}
	assert_int_equal(server_state(server).waiting, 0);
}

static void send_2000(struct server *server)
{
	for (int i = 0; i < 200; i++) {
		server_command(server, SERVER_REMOTE, 10, 4000);
	}
}

/* 2,000 frames for a slab of 256: the ring waits a moment, then goes on without the sleeper. */
static void slots__a_sleeper_keeps_few(void **state)
{
	struct server_options options = {.slots = SLOTS};
	struct server *server = server_start(&options);
	struct program program;

	(void)state;
	program_join(&program);
	send_2000(server);
	wait_for_room(server);
	assert_true(server_state(server).slots_taken <= SLOTS / 2);
	assert_true(server_state(server).spilled > 2000 - SLOTS);
	for (int i = 0; i < 20; i++) {
		server_command(server, SERVER_REMOTE, 10, 4000);
		assert_true(server_state(server).slots_taken <= SLOTS / 2);
	}
	program_wait_messages(&program, 2200);
	assert_true(program_last_is(&program, 2199, 4000));
	assert_int_equal(program.bytes, 2200 * 4000);
	assert_int_equal(server_state(server).disconnected, 0);
	program_close(&program);
	server_stop_empty(&server);
}

/* What was copied out for the sleeper is nothing that it has read: the ring waits for it once. */
static void slots__a_sleeper_is_waited_for_once(void **state)
{
	struct server_options options = {.slots = SLOTS};
	struct server *server = server_start(&options);
	struct program program;

	(void)state;
	program_join(&program);
	send_2000(server);
	wait_for_room(server);
	for (int i = 0; i < 80; i++) {
		server_command(server, SERVER_REMOTE, 10, 100);
		assert_true(server_state(server).slots_taken <= SLOTS / 2);
		poll(NULL, 0, 5);
	}
	program_wait_messages(&program, 2800);
	program_close(&program);
	server_stop_empty(&server);
}

/* Joins, says so, and when it is told sends a little, says so, and sleeps. */
static pid_t send_behind_full_slots(int talk)
{
	struct program sleeper;
	pid_t child = fork();
	char byte;

	if (child != 0) {
		return child;
	}
	program_join(&sleeper);
	if (write(talk, "", 1) != 1 || read(talk, &byte, 1) != 1) {
		_exit(1);
	}
	program_send(&sleeper, 0, 1000);
	if (write(talk, "", 1) != 1) {
		_exit(1);
	}
	pause();
	_exit(1);
}

/* It has kept all slots until it is killed, and what it has sent last needs one. */
static void slots__a_dead_sleeper_frees_them(void **state)
{
	struct server_options options = {.slots = SLOTS};
	struct server *server = server_start(&options);
	pid_t child;
	int talk[2];
	char byte;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, talk), 0);
	child = send_behind_full_slots(talk[1]);
	assert_int_equal(read(talk[0], &byte, 1), 1);
	for (int i = 0; i < 30; i++) {
		server_command(server, SERVER_REMOTE, 10, 4000);
	}
	assert_int_equal(write(talk[0], "", 1), 1);
	assert_int_equal(read(talk[0], &byte, 1), 1);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (int i = 0; i < 500 && server_state(server).connected > 0; i++) {
		poll(NULL, 0, 10);
	}
	assert_int_equal(server_state(server).connected, 0);
	close(talk[0]);
	close(talk[1]);
	server_stop_empty(&server);
}

/* The same for one that reads: it is waited for, and nothing is copied. */
static void slots__a_reader_is_waited_for(void **state)
{
	struct server_options options = {.slots = SLOTS};
	struct server *server = server_start(&options);
	struct program program;

	(void)state;
	program_join(&program);
	send_2000(server);
	program_wait_messages(&program, 2000);
	assert_true(program_last_is(&program, 1999, 4000));
	assert_int_equal(server_state(server).spilled, 0);
	program_close(&program);
	server_stop_empty(&server);
}

static uint64_t expected;

static void check_order(struct program *program)
{
	assert_true(program_last_is(program, expected, 3000 + expected));
	expected++;
	(void)program;
}

/* Kept, copied out and inlined messages come in one order. */
static void slots__order_is_kept(void **state)
{
	struct server_options options = {.slots = SLOTS, .inline_max_bytes = 256};
	struct server *server = server_start(&options);
	struct program program;

	(void)state;
	program_join(&program);
	expected = 0;
	program.hook = check_order;
	for (uint64_t n = 0; n < 500; n++) {
		server_command(server, SERVER_REMOTE, 1, 3000 + n);
		wait_for_room(server);
		if (n % 50 == 49) {
			cpg_dispatch(program.handle, CS_DISPATCH_ONE);
		}
	}
	program_wait_messages(&program, 500);
	program_close(&program);
	server_stop_empty(&server);
}

static size_t expected_size;

static void check_large(struct program *program)
{
	assert_true(program_last_is(program, expected++, expected_size));
}

static void open_checked(struct program *program, size_t size)
{
	program_join(program);
	expected = 0;
	expected_size = size;
	program->hook = check_large;
}

/* 400 MB for extents of 160 MiB: the ring waits a moment for the sleeper, then goes on without
 * it. */
static void extents__the_ring_goes_on(void **state)
{
	struct server_options options = {.queue_max_bytes = 1024ull * MIB};
	struct server *server = server_start(&options);
	struct program program;

	(void)state;
	open_checked(&program, 20 * MIB);
	server_command(server, SERVER_REMOTE, 20, 20 * MIB);
	assert_true(server_state(server).waiting > 0);
	wait_for_room(server);
	assert_true(server_state(server).spilled >= 12);
	program_wait_messages(&program, 20);
	program_close(&program);
	server_stop_empty(&server);
}

/* Its small messages wait in slots because it reads many; the large ones behind them are not waited for. */
static void extents__behind_slots(void **state)
{
	struct server_options options = {.slots = 1024, .queue_max_bytes = 1024ull * MIB};
	struct server *server = server_start(&options);
	struct program program;

	(void)state;
	program_join(&program);
	server_command(server, SERVER_REMOTE, 900, 4000);
	server_command(server, SERVER_REMOTE, 10, 10 * MIB);
	for (int i = 0; i < 6; i++) {
		for (int k = 0; k < 130; k++) {
			assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ONE), CS_OK);
		}
		server_command(server, SERVER_REMOTE, 130, 4000);
		poll(NULL, 0, 25);
	}
	assert_int_equal(program.messages, 780);
	assert_true(server_state(server).spilled > 0);
	program_wait_messages(&program, 1690);
	program_close(&program);
	server_stop_empty(&server);
}

static void extents__a_reader_costs_no_copy(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;

	(void)state;
	open_checked(&program, 60 * MIB);
	for (int i = 0; i < 6; i++) {
		server_command(server, SERVER_REMOTE, 1, 60 * MIB);
		program_wait_messages(&program, i + 1);
	}
	assert_int_equal(server_state(server).spilled, 0);
	program_close(&program);
	server_stop_empty(&server);
}

/* The first message stands in the ring when it has to move; it is read from its new place. */
static void extents__moved_while_in_the_ring(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;

	(void)state;
	open_checked(&program, 60 * MIB);
	for (int round = 0; round < 3; round++) {
		server_command(server, SERVER_REMOTE, 3, 60 * MIB);
		wait_for_room(server);
		for (int i = 0; i < 200 && server_state(server).spilled < (uint64_t)round + 1;
		     i++) {
			poll(NULL, 0, 10);
		}
		assert_true(server_state(server).spilled > (uint64_t)round);
		program_wait_messages(&program, 3 * round + 3);
	}
	program_close(&program);
	server_stop_empty(&server);
}

static void check_order_10000(struct program *program)
{
	assert_true(program_last_is(program, expected++, 10000));
}

static void limit__the_sleeper_is_disconnected(void **state)
{
	struct server_options options = {.queue_max_bytes = 4 * MIB};
	struct server *server = server_start(&options);
	struct program sleeper;
	struct program other;
	struct cpg_name name = {.length = 1, .value = "o"};
	int told;

	(void)state;
	program_join(&sleeper);
	program_open(&other, 0);
	assert_int_equal(cpg_join(other.handle, &name), CS_OK);
	program_wait_confchgs(&other, 1);
	for (int i = 0; i < 100 && server_state(server).disconnected == 0; i++) {
		server_command(server, SERVER_REMOTE, 10, 10000);
		wait_for_room(server);
		program_send(&other, (uint64_t)i, 5000);
		program_wait_messages(&other, i + 1);
	}
	assert_int_equal(server_state(server).disconnected, 1);
	assert_true(server_logged(server, "clients.queue_max is exceeded"));
	/* what was told before is there, then the end */
	server_command(server, SERVER_REMOTE, 200, 10000);
	sleeper.hook = check_order_10000;
	expected = 0;
	assert_int_equal(cpg_dispatch(sleeper.handle, CS_DISPATCH_BLOCKING), CS_ERR_LIBRARY);
	told = sleeper.messages; /* from a copy: their slots have been used anew */
	assert_true(told > 0);
	assert_true(program_last_is(&sleeper, (uint64_t)told - 1, 10000));
	assert_int_equal(cpg_finalize(sleeper.handle), CS_ERR_LIBRARY);
	free(sleeper.last);
	program_send(&other, 1, 10);
	program_wait_messages(&other, other.messages + 1);
	program_close(&other);
	server_stop_empty(&server);
}

static uint32_t counted_pid;
static int counted;

static void count_messages(struct program *program)
{
	counted += program->messages > 0 && program->last_pid == counted_pid;
	program->last_pid = 0;
}

static void send_and_sleep(struct server *server, int ready)
{
	struct program sleeper;

	program_join(&sleeper);
	server_command(server, SERVER_HOLD, 1, 0);
	for (uint64_t n = 0; n < 30; n++) {
		program_send(&sleeper, n, 1000);
	}
	if (write(ready, "", 1) == 1) {
		pause();
	}
}

/* It is told nothing more, but what it had sent is delivered before the others see it go. */
static void limit__what_the_sleeper_sent_is_delivered(void **state)
{
	struct server_options options = {.queue_max_bytes = 4 * MIB};
	struct server *server = server_start(&options);
	struct program program;
	int ready[2];
	char byte;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	program_join(&program);
	child = fork();
	if (child == 0) {
		send_and_sleep(server, ready[1]);
	}
	counted_pid = (uint32_t)child;
	counted = 0;
	program.hook = count_messages;
	assert_int_equal(read(ready[0], &byte, 1), 1);
	for (int i = 0; i < 100 && server_state(server).disconnected == 0; i++) {
		server_command(server, SERVER_REMOTE, 20, 10000);
		program_wait_messages(&program, 20 * (i + 1));
	}
	assert_int_equal(server_state(server).disconnected, 1);
	assert_int_equal(counted, 0);
	server_command(server, SERVER_HOLD, 0, 0);
	program_wait_confchgs(&program, 3);
	assert_int_equal(counted, 30);
	assert_int_equal(program.first_left.pid, child);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	program_close(&program);
	server_stop_empty(&server);
}

/* Small events count as well: 1 MiB of queue is a few thousand of them. */
static void limit__counts_small_events(void **state)
{
	struct server_options options = {.queue_max_bytes = 1 * MIB, .inline_max_bytes = 256};
	struct server *server = server_start(&options);
	struct program sleeper;

	(void)state;
	program_join(&sleeper);
	for (int i = 0; i < 200 && server_state(server).disconnected == 0; i++) {
		server_command(server, SERVER_REMOTE, 200, 10);
		poll(NULL, 0, 5); /* until it counts as one that lags, the ring waits */
	}
	assert_int_equal(server_state(server).disconnected, 1);
	assert_int_equal(cpg_dispatch(sleeper.handle, CS_DISPATCH_BLOCKING), CS_ERR_LIBRARY);
	assert_true(sleeper.messages > 1000);
	assert_int_equal(cpg_finalize(sleeper.handle), CS_ERR_LIBRARY);
	free(sleeper.last);
	server_stop_empty(&server);
}

/* A member that stands still keeps at most half of a sender's memory: the sender goes on. */
static void send_memory__the_sender_goes_on(void **state)
{
	struct server *server = server_start(NULL);
	struct program sender;
	pid_t child;
	int ready[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	program_join(&sender);
	child = fork();
	if (child == 0) {
		struct program sleeper;

		program_join(&sleeper);
		if (write(ready[1], "", 1) != 1) {
			_exit(1);
		}
		pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	for (int i = 0; i < 300; i++) {
		program_send(&sender, (uint64_t)i, i % 30 ? 100000 : 3 * MIB);
		program_wait_messages(&sender, i + 1);
	}
	assert_true(server_state(server).spilled > 200);
	assert_int_equal(server_state(server).disconnected, 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	program_close(&sender);
	poll(NULL, 0, 50);
	server_stop_empty(&server);
}

/* A reader that wakes up late gets everything, from memory copied out long ago. */
static void spill__read_late(void **state)
{
	struct server_options options = {.slots = 64};
	struct server *server = server_start(&options);
	struct program program;

	(void)state;
	program_join(&program);
	for (int round = 0; round < 5; round++) {
		int before = program.messages;

		for (int i = 0; i < 30; i++) {
			server_command(server, SERVER_REMOTE, 10, 50000);
		}
		program_wait_messages(&program, before + 300);
		assert_true(program_last_is(&program, (uint64_t)before + 299, 50000));
	}
	program_close(&program);
	server_stop_empty(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots__a_sleeper_keeps_few),
		cmocka_unit_test(slots__a_sleeper_is_waited_for_once),
		cmocka_unit_test(slots__a_dead_sleeper_frees_them),
		cmocka_unit_test(slots__a_reader_is_waited_for),
		cmocka_unit_test(slots__order_is_kept),
		cmocka_unit_test(extents__the_ring_goes_on),
		cmocka_unit_test(extents__behind_slots),
		cmocka_unit_test(extents__a_reader_costs_no_copy),
		cmocka_unit_test(extents__moved_while_in_the_ring),
		cmocka_unit_test(limit__the_sleeper_is_disconnected),
		cmocka_unit_test(limit__what_the_sleeper_sent_is_delivered),
		cmocka_unit_test(limit__counts_small_events),
		cmocka_unit_test(send_memory__the_sender_goes_on),
		cmocka_unit_test(spill__read_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
