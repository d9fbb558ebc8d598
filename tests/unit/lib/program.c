/* SPDX-License-Identifier: BSD-3-Clause */
/* A program that records its callbacks. */
#include "tests/unit/lib/program.h"

#include <poll.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/lib/server.h"

const struct cpg_name group_g = {.length = 1, .value = "g"};

static struct program *program_of(cpg_handle_t handle)
{
	void *context = NULL;

	assert_int_equal(cpg_context_get(handle, &context), CS_OK);
	return context;
}

static void after(struct program *program)
{
	if (program->hook) {
		program->hook(program);
	}
}

static void on_deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t node,
		       uint32_t pid, void *msg, size_t size)
{
	struct program *program = program_of(handle);

	program->messages++;
	program->bytes += size;
	program->last = realloc(program->last, size ? size : 1);
	memcpy(program->last, msg, size);
	program->msg = msg;
	if (!program->in_place) {
		memset(msg, 0xee, size); /* the program may write into it */
	}
	program->last_size = size;
	program->last_node = node;
	program->last_pid = pid;
	program->last_group = *group;
	after(program);
}

static void on_confchg(cpg_handle_t handle, const struct cpg_name *group,
		       const struct cpg_address *members, size_t members_count,
		       const struct cpg_address *left, size_t left_count,
		       const struct cpg_address *joined, size_t joined_count)
{
	struct program *program = program_of(handle);

	for (size_t i = 1; i < members_count; i++) {
		assert_true(members[i - 1].nodeid < members[i].nodeid ||
			    (members[i - 1].nodeid == members[i].nodeid &&
			     members[i - 1].pid < members[i].pid));
	}
	program->confchgs++;
	program->members = members_count;
	program->left = left_count;
	program->joined = joined_count;
	program->last_group = *group;
	if (left_count > 0) {
		program->first_left = left[0];
	}
	if (joined_count > 0) {
		program->first_joined = joined[0];
	}
	after(program);
}

static void on_totem(cpg_handle_t handle, struct cpg_ring_id ring, uint32_t count,
		     const uint32_t *members)
{
	struct program *program = program_of(handle);

	for (uint32_t i = 1; i < count; i++) {
		assert_true(members[i - 1] < members[i]);
	}
	program->totems++;
	program->ring = ring;
	program->ring_nodes = count;
	after(program);
}

void program_open(struct program *program, unsigned int flags)
{
	cpg_model_v1_data_t model = {.cpg_deliver_fn = on_deliver,
				     .cpg_confchg_fn = on_confchg,
				     .cpg_totem_confchg_fn = on_totem,
				     .flags = flags};

	memset(program, 0, sizeof(*program));
	assert_int_equal(cpg_model_initialize(&program->handle, CPG_MODEL_V1,
					      (cpg_model_data_t *)&model, program),
			 CS_OK);
}

void program_join(struct program *program)
{
	program_open(program, 0);
	assert_int_equal(cpg_join(program->handle, &group_g), CS_OK);
	program_wait_confchgs(program, 1);
}

static void on_completed(cpg_handle_t handle, void *buffer)
{
	struct program *program = program_of(handle);

	program->completions++;
	program->completed = buffer;
	after(program);
}

static void on_sendable(cpg_handle_t handle)
{
	struct program *program = program_of(handle);

	program->sendables++;
	after(program);
}

void program_join_extended(struct program *program, unsigned int flags)
{
	coronet_cpg_model_data_t model = {.cpg_deliver_fn = on_deliver,
					  .cpg_confchg_fn = on_confchg,
					  .cpg_totem_confchg_fn = on_totem,
					  .flags = flags,
					  .size = sizeof(model),
					  .completed_fn = on_completed,
					  .sendable_fn = on_sendable};

	memset(program, 0, sizeof(*program));
	program->in_place = flags & CORONET_CPG_DELIVER_IN_PLACE;
	assert_int_equal(cpg_model_initialize(&program->handle, CORONET_CPG_MODEL,
					      (cpg_model_data_t *)&model, program),
			 CS_OK);
	assert_int_equal(cpg_join(program->handle, &group_g), CS_OK);
	program_wait_confchgs(program, 1);
}

void program_close(struct program *program)
{
	assert_int_equal(cpg_finalize(program->handle), CS_OK);
	free(program->last);
	program->last = NULL;
}

uint8_t *message_new(uint64_t n, size_t size)
{
	uint8_t *bytes = malloc(size ? size : 1);

	for (size_t i = 0; i < size; i++) {
		bytes[i] = server_fill(n, i);
	}
	return bytes;
}

void program_send(struct program *program, uint64_t n, size_t size)
{
	uint8_t *bytes = message_new(n, size);
	struct iovec piece = {.iov_base = bytes, .iov_len = size};
	cs_error_t error;

	while ((error = cpg_mcast_joined(program->handle, CPG_TYPE_AGREED, &piece, 1)) ==
	       CS_ERR_TRY_AGAIN) {
		assert_int_equal(cpg_dispatch(program->handle, CS_DISPATCH_ALL), CS_OK);
		poll(NULL, 0, 1);
	}
	assert_int_equal(error, CS_OK);
	free(bytes);
}

void program_not_under_valgrind(void)
{
	if (getenv("CORONET_VALGRIND")) {
		skip();
	}
}

static void wait_for(struct program *program, const int *counter, int count)
{
	time_t end = time(NULL) + 20;

	while (*counter < count) {
		assert_true(time(NULL) < end);
		program_poll(program, 1000);
		assert_int_equal(cpg_dispatch(program->handle, CS_DISPATCH_ALL), CS_OK);
	}
}

void program_wait_messages(struct program *program, int count)
{
	wait_for(program, &program->messages, count);
}

void program_wait_confchgs(struct program *program, int count)
{
	wait_for(program, &program->confchgs, count);
}

void program_wait_totems(struct program *program, int count)
{
	wait_for(program, &program->totems, count);
}

void program_wait_completions(struct program *program, int count)
{
	wait_for(program, &program->completions, count);
}

void program_wait_sendables(struct program *program, int count)
{
	wait_for(program, &program->sendables, count);
}

struct coronet_cpg_stats program_stats(const struct program *program)
{
	struct coronet_cpg_stats stats;

	assert_int_equal(coronet_cpg_stats_get(program->handle, &stats, sizeof(stats)), CS_OK);
	return stats;
}

bool message_is(const uint8_t *bytes, uint64_t n, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != server_fill(n, i)) {
			return false;
		}
	}
	return true;
}

bool program_last_is(const struct program *program, uint64_t n, size_t size)
{
	return program->last_size == size && message_is(program->last, n, size);
}

short program_poll(const struct program *program, int timeout_ms)
{
	struct pollfd event = {.events = POLLIN};

	assert_int_equal(cpg_fd_get(program->handle, &event.fd), CS_OK);
	poll(&event, 1, timeout_ms);
	return event.revents;
}
