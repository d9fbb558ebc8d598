/* SPDX-License-Identifier: BSD-3-Clause */
/* Handles: initialize, finalize, context, descriptor, what needs no group; and
 * libcorosync_common. */
#include "compare.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UNTOUCHED 0x1122334455667788ull

static void common_strerror(void)
{
	char what[32];

	for (int value = -1; value <= 102; value++) {
		snprintf(what, sizeof(what), "%d", value);
		if (value <= 35 || value >= 99) {
			say(what, "%s", cs_strerror((cs_error_t)value));
		}
	}
}

static void common_errno(void)
{
	static const int values[] = {
		0,	   EBADF,      ENOMEM,	      ENOMSG,	 ENOBUFS, ETIMEDOUT, EAGAIN,
		EBADE,	   ETIME,      EINVAL,	      EBUSY,	 EACCES,  EOVERFLOW, EEXIST,
		ENOSPC,	   EINTR,      ENOENT,	      ENODEV,	 ENOSYS,  ENOTSUP,   EBADMSG,
		EMSGSIZE,  E2BIG,      ECONNREFUSED,  ENOTCONN,	 EMFILE,  EPIPE,     EIO,
		EPERM,	   ECONNRESET, ENOENT,	      ENOTEMPTY, -1,	  -ENOENT,   ESTALE,
		ECANCELED, EFAULT,     EADDRNOTAVAIL, ENODATA,	 EISCONN};
	char what[32];

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		snprintf(what, sizeof(what), "%d", -values[i]);
		say(what, "%s %s", error_name(qb_to_cs_error(-values[i])),
		    error_name(hdb_error_to_cs(-values[i])));
	}
}

static void initialize(void)
{
	cpg_callbacks_t callbacks = {deliver_cb, confchg_cb};
	struct cpg_name group = case_group();
	cpg_handle_t handle = 0;
	void *context = &handle;

	say_error("initialize", cpg_initialize(&handle, &callbacks));
	/* It is not asked again. */
	memset(&callbacks, 0x55, sizeof(callbacks));
	say_error("context", cpg_context_get(handle, &context));
	say("first context", "%s", context ? "something" : "NULL");
	say_error("join", cpg_join(handle, &group));
	settle(handle, 1);
	say("events", "%s", recorded());
	say_error("finalize", cpg_finalize(handle));
	say_error("finalize again", cpg_finalize(handle));
}

static void initialize_no_callbacks(void)
{
	cpg_callbacks_t callbacks = {NULL, NULL};
	struct cpg_name group = case_group();
	cpg_handle_t handle = 0;

	say_error("callbacks NULL", cpg_initialize(&handle, NULL));
	say_error("finalize", cpg_finalize(handle));
	say_error("both callbacks NULL", cpg_initialize(&handle, &callbacks));
	say_error("join", cpg_join(handle, &group));
	say_error("one event", cpg_dispatch(handle, CS_DISPATCH_ONE));
	say_error("send", send_bytes(handle, "x", 1));
	say_error("another event", cpg_dispatch(handle, CS_DISPATCH_ONE));
	say_error("no third", cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING));
	say_error("finalize", cpg_finalize(handle));
}

static void initialize_no_deliver_large(void)
{
	cpg_callbacks_t callbacks = {NULL, confchg_cb};
	struct cpg_name group = case_group();
	cpg_handle_t handle = 0;
	cs_error_t error = CS_OK;

	say_error("initialize", cpg_initialize(&handle, &callbacks));
	say_error("join", cpg_join(handle, &group));
	settle(handle, 1);
	say_error("send 2,000,000 bytes", send_pattern(handle, 2000000, 1));
	/* Nothing tells when it has come. */
	for (int i = 0; i < 40 && error == CS_OK; i++) {
		pause_ms(100);
		error = cpg_dispatch(handle, CS_DISPATCH_ALL);
	}
	say_error("dispatch", error);
	say("events", "%s", recorded());
}

static void model(void)
{
	cpg_model_v1_data_t data = {.model = 77, .cpg_confchg_fn = confchg_cb};
	struct cpg_name group = case_group();
	cpg_handle_t handle = UNTOUCHED;
	void *context = NULL;

	say_error("wrong number in the data",
		  cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&data, &data));
	say_error("context", cpg_context_get(handle, &context));
	say("context", "%s", context == &data ? "as given" : "another");
	memset(&data, 0x55, sizeof(data));
	say_error("join", cpg_join(handle, &group));
	settle(handle, 1);
	say("events", "%s", recorded());
	say_error("finalize", cpg_finalize(handle));
	say_error("data NULL", cpg_model_initialize(&handle, CPG_MODEL_V1, NULL, NULL));
	say_error("finalize", cpg_finalize(handle));
}

static void model_unknown(void)
{
	cpg_model_v1_data_t data = {.model = CPG_MODEL_V1};
	cpg_handle_t handle = UNTOUCHED;

	say_error("model 0", cpg_model_initialize(&handle, 0, (cpg_model_data_t *)&data, NULL));
	say_error("model 2", cpg_model_initialize(&handle, 2, (cpg_model_data_t *)&data, NULL));
	say_error("model 2, data NULL", cpg_model_initialize(&handle, 2, NULL, NULL));
	say("handle", "%s", handle == UNTOUCHED ? "untouched" : "written");
}

static void model_flags(void)
{
	cpg_model_v1_data_t data = {.model = CPG_MODEL_V1, .flags = 2};
	cpg_handle_t handle = UNTOUCHED;

	say_error("flags 2",
		  cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&data, NULL));
	say("handle", "%s", handle == UNTOUCHED ? "untouched" : "written");
	data.flags = 0x80000001;
	say_error("flags 0x80000001",
		  cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&data, NULL));
	say_error("use of the handle", cpg_context_set(handle, NULL));
	data.flags = 1;
	say_error("flags 1",
		  cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&data, NULL));
	say_error("finalize", cpg_finalize(handle));
}

static void many_handles(void)
{
	cpg_handle_t handles[40];
	unsigned int distinct = 0, finalized = 0;

	for (size_t i = 0; i < 40; i++) {
		handles[i] = open_handle(0);
		distinct++;
		for (size_t k = 0; k < i; k++) {
			if (handles[k] == handles[i]) {
				distinct--;
			}
		}
	}
	for (size_t i = 0; i < 40; i++) {
		finalized += cpg_finalize(handles[i]) == CS_OK;
	}
	say("distinct", "%u", distinct);
	say("finalized", "%u", finalized);
}

static void stale(void)
{
	cpg_handle_t first = open_handle(0), second;
	void *context;

	say_error("finalize", cpg_finalize(first));
	second = open_handle(0);
	say("same value", "%s", first == second ? "yes" : "no");
	say_error("old handle", cpg_context_get(first, &context));
	say_error("new handle", cpg_context_get(second, &context));
	say_error("finalize old handle", cpg_finalize(first));
	say_error("finalize new handle", cpg_finalize(second));
}

static void context(void)
{
	cpg_handle_t handle = open_handle(0);
	void *got = &handle;

	say_error("get", cpg_context_get(handle, &got));
	say("first", "%s", got ? "something" : "NULL");
	say_error("set", cpg_context_set(handle, &got));
	say_error("get", cpg_context_get(handle, &got));
	say("then", "%s", got == &got ? "as set" : "another");
	say_error("set NULL", cpg_context_set(handle, NULL));
	say_error("get", cpg_context_get(handle, &got));
	say("at last", "%s", got ? "something" : "NULL");
}

static void questions(void)
{
	cpg_handle_t handle = open_handle(0);
	cpg_flow_control_state_t flow = 77;
	unsigned int node = 77;
	uint32_t size = 77;

	say_error("max_atomic_msgsize_get", cpg_max_atomic_msgsize_get(handle, &size));
	say("size", "%u", size);
	say_error("flow_control_state_get", cpg_flow_control_state_get(handle, &flow));
	say("state", "%u", (unsigned int)flow);
	say_error("local_get", cpg_local_get(handle, &node));
	say("node", "%u", node);
}

static void fd_kind(void)
{
	cpg_handle_t handle = open_handle(0);
	int fd = -1, again = -1, type = -1, domain = -1;
	socklen_t size = sizeof(int);

	say_error("fd_get", cpg_fd_get(handle, &fd));
	say_error("fd_get again", cpg_fd_get(handle, &again));
	say("same", "%s", fd == again ? "yes" : "no");
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
	say("stream", "%s", type == SOCK_STREAM ? "yes" : "no");
	say("unix", "%s", domain == AF_UNIX ? "yes" : "no");
	say("close on exec", "%s", fcntl(fd, F_GETFD) & FD_CLOEXEC ? "yes" : "no");
	say("non-blocking", "%s", fcntl(fd, F_GETFL) & O_NONBLOCK ? "yes" : "no");
	cpg_finalize(handle);
	say("open after finalize", "%s", fcntl(fd, F_GETFD) >= 0 ? "yes" : "no");
}

static void fd_polling(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_handle(0);
	unsigned int node;
	int fd = -1, same = -1;

	cpg_fd_get(handle, &fd);
	say("readable at first", "%s", readable(fd, 200) ? "yes" : "no");
	cpg_local_get(handle, &node);
	say("readable after a question", "%s", readable(fd, 200) ? "yes" : "no");
	join_patiently(handle, &group);
	say("readable after a join", "%s", readable(fd, 20000) ? "yes" : "no");
	say("still readable", "%s", readable(fd, 0) ? "yes" : "no");
	cpg_dispatch(handle, CS_DISPATCH_ONE);
	say("readable after one event", "%s", readable(fd, 200) ? "yes" : "no");
	send_bytes(handle, "one", 3);
	send_bytes(handle, "two", 3);
	pause_ms(300);
	cpg_dispatch(handle, CS_DISPATCH_ONE);
	say("readable with one of two left", "%s", readable(fd, 20000) ? "yes" : "no");
	cpg_dispatch(handle, CS_DISPATCH_ALL);
	say("readable after all", "%s", readable(fd, 200) ? "yes" : "no");
	cpg_fd_get(handle, &same);
	say("same descriptor", "%s", fd == same ? "yes" : "no");
	say("events", "%s", recorded());
}

const struct test handle_tests[] = {{"common-strerror", common_strerror, false},
				    {"common-errno", common_errno, false},
				    {"initialize", initialize, false},
				    {"initialize-no-callbacks", initialize_no_callbacks, false},
				    {"initialize-no-deliver-large", initialize_no_deliver_large,
				     false},
				    {"model", model, false},
				    {"model-unknown", model_unknown, false},
				    {"model-flags", model_flags, false},
				    {"many-handles", many_handles, false},
				    {"stale-handle", stale, false},
				    {"context", context, false},
				    {"questions", questions, false},
				    {"fd-kind", fd_kind, false},
				    {"fd-polling", fd_polling, false},
				    {NULL, NULL, false}};
