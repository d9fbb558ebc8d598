/* SPDX-License-Identifier: BSD-3-Clause */
/* Every function of libcpg with good and bad arguments, against a daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <corosync/cpg.h>

#include "tests/unit/lib/program.h"
#include "tests/unit/lib/server.h"

static struct server *server;
static char text[] = "some text";
static const struct cpg_name too_long = {.length = 129};
static const cpg_handle_t bad_handles[] = {0, 1, 0x1234567800000000ull, UINT64_MAX,
					   0xffffffff00000000ull};

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

static void every_function_on(cpg_handle_t handle)
{
	struct iovec piece = {.iov_base = text, .iov_len = 1};
	cpg_flow_control_state_t flow = (cpg_flow_control_state_t)77;
	struct cpg_address members[4];
	struct cpg_name name = group_g;
	cpg_iteration_handle_t iteration = 77;
	void *pointer = &flow;
	uint32_t size = 77;
	unsigned int node = 77;
	int number = 77;

	assert_int_equal(cpg_finalize(handle), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_fd_get(handle, &number), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_max_atomic_msgsize_get(handle, &size), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_context_get(handle, &pointer), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_context_set(handle, NULL), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_dispatch(handle, CS_DISPATCH_ALL), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_join(handle, &name), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_leave(handle, &name), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_membership_get(handle, &name, members, &number), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_local_get(handle, &node), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_flow_control_state_get(handle, &flow), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_zcb_alloc(handle, 1, &pointer), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_zcb_free(handle, pointer), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, pointer, 1),
			 CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_iteration_initialize(handle, CPG_ITERATION_ALL, NULL, &iteration),
			 CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_iteration_finalize(handle), CS_ERR_BAD_HANDLE);
	/* nothing was written */
	assert_int_equal(number, 77);
	assert_int_equal(size, 77);
	assert_int_equal(node, 77);
	assert_int_equal(iteration, 77);
	assert_int_equal(flow, 77);
	assert_ptr_equal(pointer, &flow);
}

static void handle__never_given_out(void **state)
{
	struct cpg_iteration_description_t description;

	(void)state;
	for (size_t i = 0; i < sizeof(bad_handles) / sizeof(bad_handles[0]); i++) {
		every_function_on(bad_handles[i]);
		assert_int_equal(cpg_iteration_next(bad_handles[i], &description),
				 CS_ERR_BAD_HANDLE);
	}
}

static void handle__finalized(void **state)
{
	struct program program;
	cpg_handle_t old;

	(void)state;
	program_open(&program, 0);
	old = program.handle;
	program_close(&program);
	every_function_on(old);
	program_open(&program, 0); /* takes the same place in the table */
	assert_int_equal((uint32_t)program.handle, (uint32_t)old);
	every_function_on(old);
	program_close(&program);
}

/* The name's length is looked at before the handle, all else after it. */
static void handle__order_of_checks(void **state)
{
	struct cpg_name name = too_long;
	cpg_iteration_handle_t iteration;
	struct cpg_address members[4];
	int entries = 4;

	(void)state;
	assert_int_equal(cpg_join(0, &too_long), CS_ERR_NAME_TOO_LONG);
	assert_int_equal(cpg_leave(0, &too_long), CS_ERR_NAME_TOO_LONG);
	assert_int_equal(cpg_membership_get(0, &name, members, &entries), CS_ERR_NAME_TOO_LONG);
	assert_int_equal(cpg_iteration_initialize(0, CPG_ITERATION_ONE_GROUP, &name, &iteration),
			 CS_ERR_NAME_TOO_LONG);
	assert_int_equal(cpg_iteration_next(0, NULL), CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_fd_get(0, NULL), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_dispatch(0, (cs_dispatch_flags_t)9), CS_ERR_BAD_HANDLE);
}

static void initialize__arguments(void **state)
{
	cpg_model_v1_data_t model = {.flags = 2};
	cpg_callbacks_t callbacks = {NULL, NULL};
	cpg_handle_t handle = 77;

	(void)state;
	assert_int_equal(cpg_initialize(NULL, &callbacks), CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_model_initialize(NULL, CPG_MODEL_V1, NULL, NULL),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_model_initialize(&handle, (cpg_model_t)2, NULL, NULL),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_model_initialize(&handle, (cpg_model_t)0, NULL, NULL),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&model,
					      NULL),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(handle, 77);
	assert_int_equal(server_state(server).connected, 0);
	assert_int_equal(cpg_initialize(&handle, NULL), CS_OK);
	assert_int_equal(cpg_finalize(handle), CS_OK);
	assert_int_equal(cpg_initialize(&handle, &callbacks), CS_OK);
	assert_int_equal(cpg_finalize(handle), CS_OK);
	assert_int_equal(cpg_model_initialize(&handle, CPG_MODEL_V1, NULL, NULL), CS_OK);
	assert_int_equal(cpg_finalize(handle), CS_OK);
	model.flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF;
	model.model = (cpg_model_t)99; /* not looked at */
	assert_int_equal(cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&model,
					      NULL),
			 CS_OK);
	assert_int_equal(cpg_finalize(handle), CS_OK);
}

static void local_functions__arguments(void **state)
{
	struct program program;
	cpg_flow_control_state_t flow;
	void *context = NULL;
	uint32_t size;
	int fd;

	(void)state;
	program_open(&program, 0);
	assert_int_equal(cpg_fd_get(program.handle, NULL), CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_max_atomic_msgsize_get(program.handle, NULL), CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_context_get(program.handle, NULL), CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_flow_control_state_get(program.handle, NULL), CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_local_get(program.handle, NULL), CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_fd_get(program.handle, &fd), CS_OK);
	assert_int_equal(cpg_max_atomic_msgsize_get(program.handle, &size), CS_OK);
	assert_int_equal(size, 1047552);
	assert_int_equal(cpg_context_get(program.handle, &context), CS_OK);
	assert_ptr_equal(context, &program);
	assert_int_equal(cpg_context_set(program.handle, &size), CS_OK);
	assert_int_equal(cpg_context_get(program.handle, &context), CS_OK);
	assert_ptr_equal(context, &size);
	assert_int_equal(cpg_context_set(program.handle, NULL), CS_OK);
	assert_int_equal(cpg_context_get(program.handle, &context), CS_OK);
	assert_null(context);
	assert_int_equal(cpg_flow_control_state_get(program.handle, &flow), CS_OK);
	assert_int_equal(flow, CPG_FLOW_CONTROL_DISABLED);
	program_close(&program);
}

static void join_leave__arguments(void **state)
{
	struct cpg_name other = {.length = 5, .value = "other"};
	struct program program;

	(void)state;
	program_open(&program, 0);
	assert_int_equal(cpg_join(program.handle, NULL), CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_leave(program.handle, NULL), CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_join(program.handle, &too_long), CS_ERR_NAME_TOO_LONG);
	assert_int_equal(cpg_leave(program.handle, &too_long), CS_ERR_NAME_TOO_LONG);
	assert_int_equal(cpg_leave(program.handle, &group_g), CS_ERR_NOT_EXIST);
	assert_int_equal(cpg_join(program.handle, &group_g), CS_OK);
	assert_int_equal(cpg_join(program.handle, &group_g), CS_ERR_EXIST);
	assert_int_equal(cpg_join(program.handle, &other), CS_ERR_EXIST);
	program_wait_confchgs(&program, 1);
	assert_int_equal(cpg_leave(program.handle, &other), CS_OK); /* the joined one is left */
	program_wait_confchgs(&program, 2);
	assert_int_equal(program.last_group.length, 1);
	assert_int_equal(cpg_leave(program.handle, &group_g), CS_ERR_NOT_EXIST);
	program_close(&program);
}

static void mcast__arguments(void **state)
{
	struct iovec pieces[2] = {{.iov_base = NULL, .iov_len = 1},
				  {.iov_base = text, .iov_len = SIZE_MAX}};
	struct program program;

	(void)state;
	program_open(&program, 0);
	assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, NULL, 0),
			 CS_ERR_NOT_EXIST);
	program_close(&program);
	program_join(&program);
	assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, NULL, 1),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, pieces, 1),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, pieces + 1, 1),
			 CS_ERR_TOO_BIG);
	pieces[0].iov_base = text;
	assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, pieces, 2),
			 CS_ERR_TOO_BIG);
	pieces[1].iov_len = (64u << 20) + 1;
	assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_AGREED, pieces + 1, 1),
			 CS_ERR_TOO_BIG);
	assert_int_equal(cpg_mcast_joined(program.handle, (cpg_guarantee_t)99, pieces, 1), CS_OK);
	assert_int_equal(cpg_mcast_joined(program.handle, (cpg_guarantee_t)-1, pieces, 0), CS_OK);
	assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_SAFE, NULL, 0), CS_OK);
	assert_int_equal(cpg_mcast_joined(program.handle, CPG_TYPE_UNORDERED, pieces, 1), CS_OK);
	program_wait_messages(&program, 4);
	assert_int_equal(program.bytes, 2);
	assert_int_equal(server_state(server).disconnected, 0);
	program_close(&program);
}

static void membership__arguments(void **state)
{
	struct cpg_name name = group_g;
	struct cpg_name unknown = {.length = 3, .value = "abc"};
	struct cpg_address members[4];
	struct program program;
	int entries = 4;

	(void)state;
	program_join(&program);
	assert_int_equal(cpg_membership_get(program.handle, NULL, members, &entries),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_membership_get(program.handle, &name, NULL, &entries),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_membership_get(program.handle, &name, members, NULL),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_membership_get(program.handle, &name, members, &entries), CS_OK);
	assert_int_equal(entries, 1);
	assert_int_equal(members[0].nodeid, 1);
	assert_int_equal(members[0].reason, 0);
	entries = 4;
	assert_int_equal(cpg_membership_get(program.handle, &unknown, members, &entries), CS_OK);
	assert_int_equal(entries, 0);
	program_close(&program);
}

static void iteration__arguments(void **state)
{
	struct cpg_iteration_description_t description = {.pid = 77};
	cpg_iteration_handle_t iteration = 77;
	struct cpg_name name = group_g;
	struct program program;

	(void)state;
	program_open(&program, 0);
	assert_int_equal(cpg_iteration_initialize(program.handle, CPG_ITERATION_ALL, NULL, NULL),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_iteration_initialize(program.handle, CPG_ITERATION_ALL, &name,
						  &iteration),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_iteration_initialize(program.handle, CPG_ITERATION_ONE_GROUP, NULL,
						  &iteration),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_iteration_initialize(program.handle, (cpg_iteration_type_t)0, NULL,
						  &iteration),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_iteration_initialize(program.handle, (cpg_iteration_type_t)4, NULL,
						  &iteration),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(iteration, 77);
	assert_int_equal(cpg_iteration_initialize(program.handle, CPG_ITERATION_ALL, NULL,
						  &iteration),
			 CS_OK);
	assert_int_equal(cpg_iteration_next(iteration, NULL), CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_iteration_next(iteration, &description), CS_ERR_NO_SECTIONS);
	assert_int_equal(cpg_iteration_next(iteration, &description), CS_ERR_NO_SECTIONS);
	assert_int_equal(description.pid, 77);
	assert_int_equal(cpg_iteration_finalize(iteration), CS_OK);
	assert_int_equal(cpg_iteration_finalize(iteration), CS_ERR_BAD_HANDLE);
	assert_int_equal(cpg_iteration_next(iteration, &description), CS_ERR_BAD_HANDLE);
	program_close(&program);
}

static void zcb__arguments(void **state)
{
	struct program program;
	char own[16] = "not from alloc";
	void *buffer = NULL;

	(void)state;
	program_join(&program);
	assert_int_equal(cpg_zcb_alloc(program.handle, 1, NULL), CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_zcb_alloc(program.handle, (64u << 20) + 1, &buffer), CS_ERR_TOO_BIG);
	assert_int_equal(cpg_zcb_alloc(program.handle, SIZE_MAX, &buffer), CS_ERR_TOO_BIG);
	assert_null(buffer);
	assert_int_equal(cpg_zcb_free(program.handle, NULL), CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_zcb_free(program.handle, own), CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_zcb_mcast_joined(program.handle, CPG_TYPE_AGREED, own, 1),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_zcb_mcast_joined(program.handle, CPG_TYPE_AGREED, NULL, 0),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_zcb_alloc(program.handle, 0, &buffer), CS_OK);
	assert_int_equal(cpg_zcb_mcast_joined(program.handle, CPG_TYPE_AGREED, buffer, 0), CS_OK);
	assert_int_equal(cpg_zcb_mcast_joined(program.handle, CPG_TYPE_AGREED, buffer, 1),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_zcb_free(program.handle, buffer), CS_OK);
	assert_int_equal(cpg_zcb_free(program.handle, buffer), CS_ERR_INVALID_PARAM);
	assert_int_equal(cpg_zcb_alloc(program.handle, 100, &buffer), CS_OK);
	assert_int_equal(cpg_zcb_mcast_joined(program.handle, CPG_TYPE_AGREED, buffer,
					      (64u << 20) + 1),
			 CS_ERR_TOO_BIG);
	assert_int_equal(cpg_zcb_mcast_joined(program.handle, CPG_TYPE_AGREED, (char *)buffer + 1,
					      1),
			 CS_ERR_INVALID_PARAM);
	program_wait_messages(&program, 1);
	program_close(&program); /* frees the buffer */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handle__never_given_out),
		cmocka_unit_test(handle__finalized),
		cmocka_unit_test(handle__order_of_checks),
		cmocka_unit_test(initialize__arguments),
		cmocka_unit_test(local_functions__arguments),
		cmocka_unit_test(join_leave__arguments),
		cmocka_unit_test(mcast__arguments),
		cmocka_unit_test(membership__arguments),
		cmocka_unit_test(iteration__arguments),
		cmocka_unit_test(zcb__arguments),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
