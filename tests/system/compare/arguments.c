/* SPDX-License-Identifier: BSD-3-Clause */
/* Every function with handles that are none, with NULL where a pointer is needed, and with two
 * faults at once. */
#include "compare.h"

#include <string.h>

static struct cpg_name long_group(void)
{
	struct cpg_name group = case_group();

	group.length = CPG_MAX_NAME_LENGTH + 1;
	return group;
}

/* --- Bad handles
 * --------------------------------------------------------------------------------- */

static cs_error_t bad_finalize(cpg_handle_t handle)
{
	return cpg_finalize(handle);
}

static cs_error_t bad_fd_get(cpg_handle_t handle)
{
	int fd;

	return cpg_fd_get(handle, &fd);
}

static cs_error_t bad_max_atomic(cpg_handle_t handle)
{
	uint32_t size;

	return cpg_max_atomic_msgsize_get(handle, &size);
}

static cs_error_t bad_context_get(cpg_handle_t handle)
{
	void *context;

	return cpg_context_get(handle, &context);
}

static cs_error_t bad_context_set(cpg_handle_t handle)
{
	return cpg_context_set(handle, NULL);
}

static cs_error_t bad_dispatch(cpg_handle_t handle)
{
	return cpg_dispatch(handle, CS_DISPATCH_ALL);
}

static cs_error_t bad_join(cpg_handle_t handle)
{
	struct cpg_name group = case_group();

	return cpg_join(handle, &group);
}

static cs_error_t bad_leave(cpg_handle_t handle)
{
	struct cpg_name group = case_group();

	return cpg_leave(handle, &group);
}

static cs_error_t bad_mcast(cpg_handle_t handle)
{
	return send_bytes(handle, "x", 1);
}

static cs_error_t bad_mcast_large(cpg_handle_t handle)
{
	return send_pattern(handle, 2000000, 1);
}

static cs_error_t bad_membership(cpg_handle_t handle)
{
	struct cpg_address members[CPG_MEMBERS_MAX];
	struct cpg_name group = case_group();
	int count = CPG_MEMBERS_MAX;

	return cpg_membership_get(handle, &group, members, &count);
}

static cs_error_t bad_local_get(cpg_handle_t handle)
{
	unsigned int node;

	return cpg_local_get(handle, &node);
}

static cs_error_t bad_flow(cpg_handle_t handle)
{
	cpg_flow_control_state_t state;

	return cpg_flow_control_state_get(handle, &state);
}

static cs_error_t bad_zcb_alloc(cpg_handle_t handle)
{
	void *buffer;

	return cpg_zcb_alloc(handle, 100, &buffer);
}

static cs_error_t bad_zcb_free(cpg_handle_t handle)
{
	cpg_handle_t good = open_handle(0);
	void *buffer = NULL;

	cpg_zcb_alloc(good, 100, &buffer);
	return cpg_zcb_free(handle, buffer);
}

static cs_error_t bad_zcb_mcast(cpg_handle_t handle)
{
	cpg_handle_t good = open_handle(0);
	void *buffer = NULL;

	cpg_zcb_alloc(good, 100, &buffer);
	return cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 100);
}

static cs_error_t bad_iteration(cpg_handle_t handle)
{
	cpg_iteration_handle_t iteration;

	return cpg_iteration_initialize(handle, CPG_ITERATION_ALL, NULL, &iteration);
}

static cs_error_t bad_iteration_next(cpg_handle_t handle)
{
	struct cpg_iteration_description_t description;

	return cpg_iteration_next(handle, &description);
}

static cs_error_t bad_iteration_finalize(cpg_handle_t handle)
{
	return cpg_iteration_finalize(handle);
}

static void bad_handles(void)
{
	static const struct {
		const char *name;
		cs_error_t (*call)(cpg_handle_t handle);
	} calls[] = {{"finalize", bad_finalize},
		     {"fd_get", bad_fd_get},
		     {"max_atomic_msgsize_get", bad_max_atomic},
		     {"context_get", bad_context_get},
		     {"context_set", bad_context_set},
		     {"dispatch", bad_dispatch},
		     {"join", bad_join},
		     {"leave", bad_leave},
		     {"mcast_joined", bad_mcast},
		     {"mcast_joined large", bad_mcast_large},
		     {"membership_get", bad_membership},
		     {"local_get", bad_local_get},
		     {"flow_control_state_get", bad_flow},
		     {"zcb_alloc", bad_zcb_alloc},
		     {"zcb_free", bad_zcb_free},
		     {"zcb_mcast_joined", bad_zcb_mcast},
		     {"iteration_initialize", bad_iteration},
		     {"iteration_next", bad_iteration_next},
		     {"iteration_finalize", bad_iteration_finalize}};
	cpg_handle_t finalized = open_handle(0);

	cpg_finalize(finalized);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		say(calls[i].name, "%s %s %s", error_name(calls[i].call(0)),
		    error_name(calls[i].call(0x123456789abcull)),
		    error_name(calls[i].call(finalized)));
	}
}

/* Which of two faults is told. */
static void two_faults(void)
{
	struct cpg_name name = long_group(), good = case_group();
	struct cpg_address members[CPG_MEMBERS_MAX];
	cpg_iteration_handle_t iteration;
	int count = CPG_MEMBERS_MAX;

	say_error("join", cpg_join(0, &name));
	say_error("leave", cpg_leave(0, &name));
	say_error("membership_get", cpg_membership_get(0, &name, members, &count));
	say_error("membership_get, list NULL", cpg_membership_get(0, &good, NULL, &count));
	say_error("membership_get, count NULL", cpg_membership_get(0, &good, members, NULL));
	say_error("membership_get, long name and NULL", cpg_membership_get(0, &name, NULL, NULL));
	say_error("iteration_initialize",
		  cpg_iteration_initialize(0, CPG_ITERATION_ONE_GROUP, &name, &iteration));
	say_error("iteration_initialize, type", cpg_iteration_initialize(0, 9, &good, &iteration));
	say_error("iteration_initialize, NULL",
		  cpg_iteration_initialize(0, CPG_ITERATION_ALL, NULL, NULL));
	say_error("iteration_initialize, long name and type",
		  cpg_iteration_initialize(0, 9, &name, &iteration));
	say_error("iteration_next, NULL", cpg_iteration_next(0, NULL));
}

static void long_names(void)
{
	cpg_handle_t handle = open_handle(0);
	struct cpg_name name = long_group();
	struct cpg_address members[CPG_MEMBERS_MAX];
	cpg_iteration_handle_t iteration;
	int count = CPG_MEMBERS_MAX;

	say_error("join", cpg_join(handle, &name));
	say_error("leave", cpg_leave(handle, &name));
	say_error("membership_get", cpg_membership_get(handle, &name, members, &count));
	say_error("iteration_initialize",
		  cpg_iteration_initialize(handle, CPG_ITERATION_ONE_GROUP, &name, &iteration));
	name.length = 0xffffffff;
	say_error("join, 4,294,967,295", cpg_join(handle, &name));
}

/* --- NULL
 * ---------------------------------------------------------------------------------------- */

static void null_initialize(void)
{
	cpg_callbacks_t callbacks = {deliver_cb, confchg_cb};

	say_error("handle", cpg_initialize(NULL, &callbacks));
}

static void null_model_initialize(void)
{
	cpg_model_v1_data_t data = {.model = CPG_MODEL_V1};

	say_error("handle",
		  cpg_model_initialize(NULL, CPG_MODEL_V1, (cpg_model_data_t *)&data, NULL));
}

static void null_fd(void)
{
	say_error("fd", cpg_fd_get(open_handle(0), NULL));
}

static void null_max_atomic(void)
{
	say_error("size", cpg_max_atomic_msgsize_get(open_handle(0), NULL));
}

static void null_context(void)
{
	say_error("context", cpg_context_get(open_handle(0), NULL));
}

static void null_local(void)
{
	say_error("node", cpg_local_get(open_handle(0), NULL));
}

static void null_flow(void)
{
	say_error("state", cpg_flow_control_state_get(open_handle(0), NULL));
}

static void null_join(void)
{
	say_error("group", cpg_join(open_handle(0), NULL));
}

static void null_leave(void)
{
	struct cpg_name group = case_group();

	say_error("group", cpg_leave(open_joined(&group), NULL));
}

static void null_membership(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_handle(0);
	struct cpg_address members[CPG_MEMBERS_MAX];
	int count = CPG_MEMBERS_MAX;

	say_error("list", cpg_membership_get(handle, &group, NULL, &count));
	say_error("count", cpg_membership_get(handle, &group, members, NULL));
	say_error("group", cpg_membership_get(handle, NULL, members, &count));
}

static void null_mcast(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);

	say_error("no pieces", cpg_mcast_joined(handle, CPG_TYPE_AGREED, NULL, 0));
	settle(handle, 1);
	say("events", "%s", recorded());
	say_error("one piece", cpg_mcast_joined(handle, CPG_TYPE_AGREED, NULL, 1));
}

static void null_piece(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	struct iovec iov[2] = {{NULL, 0}, {NULL, 5}};

	say_error("empty piece at NULL", cpg_mcast_joined(handle, CPG_TYPE_AGREED, iov, 1));
	settle(handle, 1);
	say("events", "%s", recorded());
	say_error("5 bytes at NULL", cpg_mcast_joined(handle, CPG_TYPE_AGREED, iov, 2));
}

static void null_zcb_alloc(void)
{
	say_error("buffer", cpg_zcb_alloc(open_handle(0), 100, NULL));
}

static void null_zcb_free(void)
{
	say_error("buffer", cpg_zcb_free(open_handle(0), NULL));
}

static void null_zcb_mcast(void)
{
	struct cpg_name group = case_group();

	say_error("buffer", cpg_zcb_mcast_joined(open_joined(&group), CPG_TYPE_AGREED, NULL, 100));
}

static void null_iteration(void)
{
	cpg_handle_t handle = open_handle(0);
	cpg_iteration_handle_t iteration;

	say_error("handle", cpg_iteration_initialize(handle, CPG_ITERATION_ALL, NULL, NULL));
	say_error("group",
		  cpg_iteration_initialize(handle, CPG_ITERATION_ONE_GROUP, NULL, &iteration));
	say_error("initialize",
		  cpg_iteration_initialize(handle, CPG_ITERATION_ALL, NULL, &iteration));
	say_error("description", cpg_iteration_next(iteration, NULL));
	say_error("finalize", cpg_iteration_finalize(iteration));
}

const struct test argument_tests[] = {{"bad-handle", bad_handles, false},
				      {"two-faults", two_faults, false},
				      {"long-name", long_names, false},
				      {"null-initialize", null_initialize, false},
				      {"null-model-initialize", null_model_initialize, false},
				      {"null-fd-get", null_fd, false},
				      {"null-max-atomic", null_max_atomic, false},
				      {"null-context-get", null_context, false},
				      {"null-local-get", null_local, false},
				      {"null-flow-control", null_flow, false},
				      {"null-join", null_join, false},
				      {"null-leave", null_leave, false},
				      {"null-membership", null_membership, false},
				      {"null-mcast", null_mcast, false},
				      {"null-piece", null_piece, false},
				      {"null-zcb-alloc", null_zcb_alloc, false},
				      {"null-zcb-free", null_zcb_free, false},
				      {"null-zcb-mcast", null_zcb_mcast, false},
				      {"null-iteration", null_iteration, false},
				      {NULL, NULL, false}};
