/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers that the program writes itself and hands over: sent without a copy, given back once, and
 * the descriptor says when to go on. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/lib/program.h"
#include "tests/unit/lib/server.h"

#define MIB	    (1024u * 1024)
#define BUFFERS_MAX 5000

static void *buffer_new(struct program *program, uint64_t n, size_t size)
{
	void *buffer = NULL;
	uint8_t *bytes = message_new(n, size);

	assert_int_equal(coronet_cpg_zcb_alloc(program->handle, size, &buffer), CS_OK);
	assert_int_equal((uintptr_t)buffer % 64, 0);
	memcpy(buffer, bytes, size);
	free(bytes);
	return buffer;
}

static cs_error_t hand_over(struct program *program, void *buffer, size_t size)
{
	return coronet_cpg_zcb_mcast_joined(program->handle, CPG_TYPE_AGREED, buffer, size);
}

static void handover__nothing_is_copied(void **state)
{
	const size_t sizes[] = {1, 4000, 70000, 3 * MIB};
	struct server *server = server_start(NULL);
	struct program program;
	int count = 0;

	(void)state;
	program_join_extended(&program, CORONET_CPG_DELIVER_IN_PLACE);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		void *buffer = buffer_new(&program, i, sizes[i]);

		for (int again = 0; again < 50; again++) {
			assert_int_equal(hand_over(&program, buffer, sizes[i]), CS_OK);
			program_wait_completions(&program, ++count);
			assert_ptr_equal(program.completed, buffer);
			program_wait_messages(&program, count);
			assert_true(program_last_is(&program, i, sizes[i]));
		}
		assert_int_equal(coronet_cpg_zcb_free(program.handle, buffer), CS_OK);
	}
	assert_int_equal(program_stats(&program).messages_sent, count);
	assert_int_equal(program_stats(&program).bytes_copied_sending, 0);
	assert_int_equal(program_stats(&program).bytes_copied_delivering, 0);
	program_close(&program);
	server_stop_empty(&server);
}

static void handover__a_copy_is_counted(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;

	(void)state;
	program_join_extended(&program, 0);
	program_send(&program, 1, 5000);
	assert_int_equal(program_stats(&program).bytes_copied_sending, 5000);
	assert_int_equal(program_stats(&program).bytes_sent, 5000);
	program_wait_messages(&program, 1);
	program_close(&program);
	server_stop_empty(&server);
}

/* Many at once: each comes back exactly once, told in batches. */
static int back[64];
static void *many[64];

static void count_back(struct program *program)
{
	for (int i = 0; i < 64 && program->completed; i++) {
		back[i] += many[i] == program->completed;
	}
	program->completed = NULL;
}

static void handover__each_comes_back_once(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;

	(void)state;
	program_join_extended(&program, CORONET_CPG_DELIVER_IN_PLACE);
	program.hook = count_back;
	memset(back, 0, sizeof(back));
	for (int i = 0; i < 64; i++) {
		many[i] = buffer_new(&program, (uint64_t)i, 40000);
	}
	for (int round = 1; round <= 20; round++) {
		for (int i = 0; i < 64; i++) {
			assert_int_equal(hand_over(&program, many[i], 40000), CS_OK);
		}
		program_wait_completions(&program, 64 * round);
		for (int i = 0; i < 64; i++) {
			assert_int_equal(back[i], round);
		}
	}
	assert_int_equal(program.completions, 64 * 20);
	program_wait_messages(&program, 64 * 20);
	program_close(&program);
	server_stop_empty(&server);
}

static void handover__refuses_what_is_not_its_own(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;
	struct program other;
	uint8_t *buffer;
	uint8_t here[100];
	void *out;

	(void)state;
	program_join_extended(&program, 0);
	program_open(&other, 0);
	buffer = buffer_new(&program, 1, 1000);
	assert_int_equal(hand_over(&program, here, 10), CS_ERR_INVALID_PARAM);
	assert_int_equal(hand_over(&program, NULL, 10), CS_ERR_INVALID_PARAM);
	assert_int_equal(hand_over(&program, buffer + 1, 10), CS_ERR_INVALID_PARAM);
	assert_int_equal(hand_over(&program, buffer, 1001), CS_ERR_INVALID_PARAM);
	assert_int_equal(hand_over(&program, buffer, SIZE_MAX), CS_ERR_INVALID_PARAM);
	assert_int_equal(hand_over(&program, buffer, 0), CS_ERR_INVALID_PARAM);
	assert_int_equal(hand_over(&other, buffer, 10), CS_ERR_INVALID_PARAM);
	assert_int_equal(coronet_cpg_zcb_free(other.handle, buffer), CS_ERR_INVALID_PARAM);
	assert_int_equal(coronet_cpg_zcb_free(program.handle, here), CS_ERR_INVALID_PARAM);
	assert_int_equal(coronet_cpg_zcb_alloc(program.handle, 0, &out), CS_ERR_INVALID_PARAM);
	assert_int_equal(coronet_cpg_zcb_alloc(program.handle, 10, NULL), CS_ERR_INVALID_PARAM);
	assert_int_equal(coronet_cpg_zcb_alloc(program.handle, 64 * MIB + 1, &out), CS_ERR_TOO_BIG);
	assert_int_equal(coronet_cpg_zcb_alloc(0, 10, &out), CS_ERR_BAD_HANDLE);
	assert_int_equal(coronet_cpg_zcb_completed(program.handle, &out), CS_ERR_TRY_AGAIN);
	assert_int_equal(coronet_cpg_zcb_completed(program.handle, NULL), CS_ERR_INVALID_PARAM);
	server_command(server, SERVER_HOLD, 1, 0);
	assert_int_equal(hand_over(&program, buffer, 10), CS_OK);
	assert_int_equal(hand_over(&program, buffer, 10), CS_ERR_INVALID_PARAM);
	server_command(server, SERVER_HOLD, 0, 0);
	program_wait_completions(&program, 1);
	assert_int_equal(coronet_cpg_zcb_free(program.handle, buffer), CS_OK);
	assert_int_equal(coronet_cpg_zcb_free(program.handle, buffer), CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_leave(program.handle, &group_g), CS_OK);
	buffer = buffer_new(&program, 1, 1000);
	assert_int_equal(hand_over(&program, buffer, 10), CS_ERR_NOT_EXIST);
	assert_int_equal(program_stats(&program).messages_sent, 1);
	program_close(&other);
	program_close(&program);
	server_stop_empty(&server);
}

/* Freed on its way: sent all the same, and nobody hears of it again. */
static void handover__freed_on_its_way(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;

	(void)state;
	program_join_extended(&program, 0);
	for (int i = 1; i <= 100; i++) {
		void *buffer = buffer_new(&program, 7, 100000);

		assert_int_equal(hand_over(&program, buffer, 100000), CS_OK);
		assert_int_equal(coronet_cpg_zcb_free(program.handle, buffer), CS_OK);
		program_wait_messages(&program, i);
		assert_true(program_last_is(&program, 7, 100000));
	}
	assert_int_equal(program.completions, 0);
	program_close(&program);
	server_stop_empty(&server);
}

static void handover__polled_for(void **state)
{
	struct server *server = server_start(NULL);
	coronet_cpg_model_data_t model = {.size = sizeof(model)};
	struct program program = {0};
	void *buffer;
	void *out = NULL;
	cs_error_t error;

	(void)state;
	assert_int_equal(cpg_model_initialize(&program.handle, CORONET_CPG_MODEL,
					      (cpg_model_data_t *)&model, &program),
			 CS_OK);
	assert_int_equal(cpg_join(program.handle, &group_g), CS_OK);
	buffer = buffer_new(&program, 1, 1000);
	assert_int_equal(hand_over(&program, buffer, 1000), CS_OK);
	while ((error = coronet_cpg_zcb_completed(program.handle, &out)) == CS_ERR_TRY_AGAIN) {
		assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ALL), CS_OK);
		poll(NULL, 0, 1);
	}
	assert_int_equal(error, CS_OK);
	assert_ptr_equal(out, buffer);
	assert_int_equal(cpg_finalize(program.handle), CS_OK);
	server_stop_empty(&server);
}

static void alloc__ends_and_begins_again(void **state)
{
	static void *buffers[BUFFERS_MAX];
	struct server *server = server_start(NULL);
	struct program program;
	int count = 0;
	void *out;

	(void)state;
	program_join_extended(&program, 0);
	while (coronet_cpg_zcb_alloc(program.handle, 1 * MIB, &out) == CS_OK) {
		memset(out, 1, 1 * MIB);
		buffers[count++] = out;
		assert_true(count < BUFFERS_MAX);
	}
	assert_int_equal(coronet_cpg_zcb_alloc(program.handle, 1 * MIB, &out), CS_ERR_TRY_AGAIN);
	assert_true(count > 100);
	/* Whoever has taken all can still send in the stock way. */
	for (int i = 1; i <= 100; i++) {
		program_send(&program, (uint64_t)i, 5000);
		program_wait_messages(&program, i);
	}
	for (int i = 0; i < count; i++) {
		assert_int_equal(coronet_cpg_zcb_free(program.handle, buffers[i]), CS_OK);
	}
	assert_int_equal(coronet_cpg_zcb_alloc(program.handle, 1 * MIB, &out), CS_OK);
	program_close(&program);
	server_stop_empty(&server);
}

/* --- being told when to send --- */

static void fill_the_ring(struct program *program)
{
	struct iovec piece = {.iov_base = program, .iov_len = 1};

	while (cpg_mcast_joined(program->handle, CPG_TYPE_AGREED, &piece, 1) == CS_OK) {
	}
}

/* Until the daemon takes no more: before that it may find room again while we are still filling. */
static void fill_for_good(struct program *program)
{
	do {
		assert_int_equal(cpg_dispatch(program->handle, CS_DISPATCH_ALL), CS_OK);
		fill_the_ring(program);
	} while (program_poll(program, 50) != 0);
}

static void sendable__the_descriptor_says_so(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;
	cpg_flow_control_state_t flow;

	(void)state;
	program_join_extended(&program, 0);
	for (int round = 1; round <= 3; round++) {
		int told;

		server_command(server, SERVER_HOLD, 1, 0);
		fill_for_good(&program);
		assert_int_equal(cpg_flow_control_state_get(program.handle, &flow), CS_OK);
		assert_int_equal(flow, CPG_FLOW_CONTROL_ENABLED);
		assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ALL), CS_OK);
		assert_int_equal(program_poll(&program, 50), 0);
		told = program.sendables;
		server_command(server, SERVER_HOLD, 0, 0);
		program_wait_sendables(&program, told + 1);
		assert_int_equal(cpg_flow_control_state_get(program.handle, &flow), CS_OK);
		assert_int_equal(flow, CPG_FLOW_CONTROL_DISABLED);
		while (program_poll(&program, 100) != 0) {
			assert_int_equal(cpg_dispatch(program.handle, CS_DISPATCH_ALL), CS_OK);
		}
		assert_int_equal(program.sendables, told + 1);
	}
	program_close(&program);
	server_stop_empty(&server);
}

/* Whoever is never refused is never told. */
static void sendable__only_who_was_refused(void **state)
{
	struct server *server = server_start(NULL);
	struct program program;

	(void)state;
	program_join_extended(&program, 0);
	for (int i = 0; i < 100; i++) {
		program_send(&program, (uint64_t)i, 100);
	}
	program_wait_messages(&program, 100);
	assert_int_equal(program.sendables, 0);
	program_close(&program);
	server_stop_empty(&server);
}

static void model__is_checked(void **state)
{
	struct server *server = server_start(NULL);
	coronet_cpg_model_data_t model = {.size = sizeof(model)};
	cpg_model_data_t *data = (cpg_model_data_t *)&model;
	struct coronet_cpg_stats stats[2];
	cpg_handle_t handle;

	(void)state;
	assert_int_equal(cpg_model_initialize(&handle, CORONET_CPG_MODEL, NULL, NULL),
			 CS_ERR_INVALID_PARAM);
	model.flags = 0x200;
	assert_int_equal(cpg_model_initialize(&handle, CORONET_CPG_MODEL, data, NULL),
			 CS_ERR_INVALID_PARAM);
	model.flags = 0;
	model.size--;
	assert_int_equal(cpg_model_initialize(&handle, CORONET_CPG_MODEL, data, NULL),
			 CS_ERR_INVALID_PARAM);
	model.size++;
	/* In place is no word of the stock model. */
	model.flags = CORONET_CPG_DELIVER_IN_PLACE;
	assert_int_equal(cpg_model_initialize(&handle, CPG_MODEL_V1, data, NULL),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_model_initialize(&handle, CORONET_CPG_MODEL, data, NULL), CS_OK);
	memset(stats, 0xff, sizeof(stats));
	assert_int_equal(coronet_cpg_stats_get(handle, stats, sizeof(stats)), CS_OK);
	assert_int_equal(stats[0].messages_held, 0);
	assert_int_equal(stats[1].messages_held, 0);
	assert_int_equal(coronet_cpg_stats_get(handle, NULL, 0), CS_ERR_INVALID_PARAM);
	assert_int_equal(coronet_cpg_stats_get(0, stats, sizeof(stats)), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_finalize(handle), CS_OK);
	server_stop_empty(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model__is_checked),
		cmocka_unit_test(handover__nothing_is_copied),
		cmocka_unit_test(handover__a_copy_is_counted),
		cmocka_unit_test(handover__each_comes_back_once),
		cmocka_unit_test(handover__refuses_what_is_not_its_own),
		cmocka_unit_test(handover__freed_on_its_way),
		cmocka_unit_test(handover__polled_for),
		cmocka_unit_test(alloc__ends_and_begins_again),
		cmocka_unit_test(sendable__the_descriptor_says_so),
		cmocka_unit_test(sendable__only_who_was_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
