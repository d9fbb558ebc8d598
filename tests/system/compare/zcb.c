/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers of cpg_zcb_alloc. */
#include "compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *alloc(cpg_handle_t handle, size_t size)
{
	void *buffer = NULL;
	cs_error_t error = cpg_zcb_alloc(handle, size, &buffer);

	if (error != CS_OK) {
		say_error("cannot allocate", error);
	}
	return buffer;
}

static void sizes(void)
{
	static const size_t values[] = {0, 1, 100, 65536, 1048576, 5000000};
	cpg_handle_t handle = open_handle(0);
	char what[32];

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		void *buffer = NULL;

		snprintf(what, sizeof(what), "alloc %zu", values[i]);
		say_error(what, cpg_zcb_alloc(handle, values[i], &buffer));
		say("pointer", "%s%s", buffer ? "some" : "none",
		    (uintptr_t)buffer % 8 ? ", not aligned" : "");
		memset(buffer, 0x42, values[i]);
		say_error("free", cpg_zcb_free(handle, buffer));
	}
}

static void alloc_absurd(void)
{
	cpg_handle_t handle = open_handle(0);
	void *buffer = &handle;

	say_error("alloc of an exbibyte", cpg_zcb_alloc(handle, (size_t)1 << 60, &buffer));
	say("pointer", "%s", buffer == &handle ? "untouched" : "written");
}

static void sends(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	uint8_t *bytes = pattern(60000), *buffer = alloc(handle, 60000);

	memcpy(buffer, bytes, 60000);
	say_error("all of it", cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 60000));
	say_error("some of it", cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 100));
	say_error("nothing", cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 0));
	memset(buffer, 1, 60000);
	say_error("used again", cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 60000));
	memset(buffer, 2, 60000);
	say_error("odd guarantee", cpg_zcb_mcast_joined(handle, 99, buffer, 60000));
	say_error("free", cpg_zcb_free(handle, buffer));
	settle(handle, 5);
	say("events", "%s", recorded());
	free(bytes);
}

static void not_joined(void)
{
	cpg_handle_t handle = open_handle(0);

	say_error("send", cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, alloc(handle, 100), 100));
}

static void after_leave(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);

	cpg_leave(handle, &group);
	say_error("send", cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, alloc(handle, 100), 100));
}

static void largest(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	uint8_t *buffer = alloc(handle, 2 << 20);

	memset(buffer, 7, 2 << 20);
	say_error("1,048,392 bytes",
		  cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 1048392));
	settle(handle, 1);
	say("events", "%s", recorded());
}

/* The reference accepts these and cannot deliver them, nor anything after them. */
static void above_largest(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	uint8_t *buffer = alloc(handle, 2 << 20);
	cs_error_t error = CS_OK;

	memset(buffer, 7, 2 << 20);
	say_error("1,048,393 bytes",
		  cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 1048393));
	say_error("1 byte", send_bytes(handle, "x", 1));
	for (int i = 0; i < 40 && recorded_count() < 2; i++) {
		pause_ms(50);
		error = cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING);
	}
	say("events", "%s", recorded());
	if (error == CS_ERR_TRY_AGAIN) {
		int fd;

		cpg_fd_get(handle, &fd);
		say("readable with nothing to dispatch", "%s", readable(fd, 0) ? "yes" : "no");
	}
}

static void too_large(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	uint8_t *buffer = alloc(handle, 2 << 20);

	memset(buffer, 7, 2 << 20);
	say_error("1,048,577 bytes",
		  cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 1048577));
	settle(handle, 0);
	say("events", "%s", recorded());
}

static void far_too_large(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	uint8_t *buffer = alloc(handle, (64 << 20) + 1);

	say_error("64 MiB and 1",
		  cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, (64 << 20) + 1));
}

static void beyond_end(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	uint8_t *buffer = alloc(handle, 10);

	/* What follows in the reference's file of one page is zero. */
	say_error("100 bytes of 10", cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, 100));
	settle(handle, 0);
	say("got more than was allocated", "%s", recorded_count() ? "yes" : "no");
}

static void free_twice(void)
{
	cpg_handle_t handle = open_handle(0);
	void *buffer = alloc(handle, 100);

	say_error("free", cpg_zcb_free(handle, buffer));
	say_error("free again", cpg_zcb_free(handle, buffer));
}

static void free_foreign(void)
{
	static uint64_t foreign[512];

	say_error("free", cpg_zcb_free(open_handle(0), foreign + 256));
}

static void kept_past_finalize(void)
{
	cpg_handle_t handle = open_handle(0);
	uint8_t *buffer = alloc(handle, 5000);

	say_error("finalize", cpg_finalize(handle));
	memset(buffer, 5, 5000);
	say("buffer", "%s", buffer[4999] == 5 ? "still there" : "lost");
}

const struct test zcb_tests[] = {{"zcb-sizes", sizes, false},
				 {"zcb-absurd", alloc_absurd, false},
				 {"zcb-send", sends, false},
				 {"zcb-not-joined", not_joined, false},
				 {"zcb-after-leave", after_leave, false},
				 {"zcb-largest", largest, false},
				 {"zcb-above-largest", above_largest, false},
				 {"zcb-too-large", too_large, false},
				 {"zcb-far-too-large", far_too_large, false},
				 {"zcb-beyond-end", beyond_end, false},
				 {"zcb-free-twice", free_twice, false},
				 {"zcb-free-foreign", free_foreign, false},
				 {"zcb-kept", kept_past_finalize, false},
				 {NULL, NULL, false}};
