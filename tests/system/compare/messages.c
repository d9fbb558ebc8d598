/* SPDX-License-Identifier: BSD-3-Clause */
/* cpg_mcast_joined: sizes, pieces, guarantees, and sends that nobody can get. */
#include "compare.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void sizes(void)
{
	static const size_t values[] = {0,	 1,	  7,	   8,	    100,     4000,    65536,
					1047551, 1047552, 1047553, 1048576, 3000000, 10000000};
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	char what[32];

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		snprintf(what, sizeof(what), "%zu bytes", values[i]);
		say_error(what, send_pattern(handle, values[i], 1));
		settle(handle, 1);
		say("events", "%s", recorded());
	}
}

static void sizes_in_a_row(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	cs_error_t error = CS_OK;

	for (size_t size = 0; size < 40 && error == CS_OK; size++) {
		error = send_pattern(handle, size * size * 11, 1);
	}
	say_error("sends", error);
	say_error("a large one", send_pattern(handle, 2500000, 3));
	say_error("a small one", send_pattern(handle, 3, 1));
	settle(handle, 42);
	say("events", "%s", recorded());
}

static void pieces(void)
{
	static const unsigned int values[] = {0, 1, 2, 3, 17, 62, 63};
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	char what[32];

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		snprintf(what, sizeof(what), "%u pieces", values[i]);
		say_error(what, send_pattern(handle, 1000, values[i]));
	}
	say_error("100 pieces, large", send_pattern(handle, 2000000, 100));
	/* More pieces than bytes: most are empty. */
	say_error("40 pieces of 3 bytes", send_pattern(handle, 3, 40));
	settle(handle, 9);
	say("events", "%s", recorded());
}

static void pieces_70(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);

	say_error("70 pieces", send_pattern(handle, 1000, 70));
	settle(handle, 1);
	say("events", "%s", recorded());
}

static void pieces_2000(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);

	say_error("2,000 pieces", send_pattern(handle, 100000, 2000));
	settle(handle, 1);
	say("events", "%s", recorded());
}

static void guarantees(void)
{
	static const int values[] = {
		CPG_TYPE_UNORDERED, CPG_TYPE_FIFO, CPG_TYPE_AGREED, CPG_TYPE_SAFE, 4, 99, -1};
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	char hello[] = "hello";
	struct iovec iov = {.iov_base = hello, .iov_len = 5};
	char what[32];

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		snprintf(what, sizeof(what), "guarantee %d", values[i]);
		say_error(what, cpg_mcast_joined(handle, (cpg_guarantee_t)values[i], &iov, 1));
		settle(handle, 1);
		say("events", "%s", recorded());
	}
}

static void not_joined(void)
{
	cpg_handle_t handle = open_handle(0);

	say_error("nothing", send_bytes(handle, NULL, 0));
	say_error("1 byte", send_bytes(handle, "x", 1));
	settle(handle, 0);
	say("events", "%s", recorded());
}

static void not_joined_large(void)
{
	say_error("2,000,000 bytes", send_pattern(open_handle(0), 2000000, 1));
}

/* The callback may write where the message is, and it is aligned. */
static bool aligned = true;

static void scribble(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid,
		     void *message, size_t size)
{
	(void)handle;
	(void)group;
	(void)node;
	(void)pid;
	aligned = aligned && (uintptr_t)message % 8 == 0;
	memset(message, 0x77, size);
	record("message of %zu", size);
}

static void writable(void)
{
	cpg_callbacks_t callbacks = {scribble, NULL};
	struct cpg_name group = case_group();
	cpg_handle_t handle;

	say_error("initialize", cpg_initialize(&handle, &callbacks));
	say_error("join", join_patiently(handle, &group));
	/* The reference gives up a large message in whose midst a member joins. */
	say_error("dispatch", cpg_dispatch(handle, CS_DISPATCH_ONE));
	say_error("send", send_pattern(handle, 5, 1));
	say_error("send", send_pattern(handle, 50000, 1));
	say_error("send", send_pattern(handle, 5000000, 1));
	settle(handle, 3);
	say("events", "%s", recorded());
	say("aligned", "%s", aligned ? "yes" : "no");
}

/* The buffer is the caller's again when the call returns. */
static void buffer_reuse(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	uint8_t *bytes = calloc(1, 60000);

	for (int i = 1; i <= 5; i++) {
		memset(bytes, i, 60000);
		say_error("send", send_bytes(handle, bytes, 60000));
		memset(bytes, 0xee, 60000);
	}
	free(bytes);
	settle(handle, 5);
	say("events", "%s", recorded());
}

static void many(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	unsigned int accepted = 0, delivered = 0;

	for (unsigned int i = 0; i < 3000; i++) {
		uint32_t number = i;

		while (send_bytes(handle, &number, sizeof(number)) == CS_ERR_TRY_AGAIN) {
			pause_ms(1);
		}
		accepted++;
		cpg_dispatch(handle, CS_DISPATCH_ALL);
		delivered += recorded_count();
		recorded();
	}
	settle(handle, accepted - delivered);
	delivered += recorded_count();
	say("accepted", "%u", accepted);
	say("delivered", "%u", delivered);
}

static void lengths_wrap(void)
{
	static char byte;
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	struct iovec iov[2] = {{&byte, SIZE_MAX / 2 + 1}, {&byte, SIZE_MAX / 2 + 2}};

	say_error("send", cpg_mcast_joined(handle, CPG_TYPE_AGREED, iov, 2));
	settle(handle, 0);
	say("events", "%s", recorded());
}

static void largest(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);

	say_error("64 MiB", send_pattern(handle, 64u << 20, 1));
	settle(handle, 1);
	say("events", "%s", recorded());
}

static void too_large(void)
{
	struct cpg_name group = case_group();

	say_error("64 MiB and 1", send_pattern(open_joined(&group), (64u << 20) + 1, 1));
}

const struct test message_tests[] = {{"message-sizes", sizes, false},
				     {"message-row", sizes_in_a_row, false},
				     {"message-pieces", pieces, false},
				     {"message-pieces-70", pieces_70, false},
				     {"message-pieces-2000", pieces_2000, false},
				     {"message-guarantee", guarantees, false},
				     {"message-not-joined", not_joined, false},
				     {"message-not-joined-large", not_joined_large, false},
				     {"message-writable", writable, false},
				     {"message-buffer", buffer_reuse, false},
				     {"message-many", many, false},
				     {"message-lengths-wrap", lengths_wrap, false},
				     {"message-largest", largest, false},
				     {"message-too-large", too_large, false},
				     {NULL, NULL, false}};
