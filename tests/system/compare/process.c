/* SPDX-License-Identifier: BSD-3-Clause */
/* fork, the end of a process, and what a library does to its process; and the cases that harm
 * the reference's daemon. */
#include "compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs in a child of the case; returns when it has ended. */
static void in_child(void (*run)(cpg_handle_t handle), cpg_handle_t handle)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		run(handle);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void nothing(cpg_handle_t handle)
{
	(void)handle;
}

static void child_sends(cpg_handle_t handle)
{
	say_error("send in the child", send_bytes(handle, "child", 5));
}

static void child_finalizes(cpg_handle_t handle)
{
	say_error("finalize in the child", cpg_finalize(handle));
}

static void fork_idle(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);

	in_child(nothing, handle);
	say_error("send", send_bytes(handle, "x", 1));
	settle(handle, 1);
	say("events", "%s", recorded());
}

static void fork_sends(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);

	in_child(child_sends, handle);
	settle(handle, 1);
	say("events", "%s", recorded());
}

static void fork_finalizes(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);

	in_child(child_finalizes, handle);
	pause_ms(300);
	say_error("send", send_bytes(handle, "x", 1));
	say_error("dispatch", cpg_dispatch(handle, CS_DISPATCH_ALL));
	say_error("finalize", cpg_finalize(handle));
}

static void child_keeps(cpg_handle_t handle)
{
	struct cpg_name group = case_group();

	/* The grandchild keeps the connection after its parent, the member, is gone. */
	(void)handle;
	open_joined(&group);
	if (fork() == 0) {
		pause_ms(1500);
		_exit(0);
	}
}

static void fork_keeps(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t watcher = open_handle(0);
	struct cpg_address members[CPG_MEMBERS_MAX];
	int count = CPG_MEMBERS_MAX;

	in_child(child_keeps, 0);
	cpg_membership_get(watcher, &group, members, &count);
	say("members while the connection is open", "%d", count);
	for (int i = 0; i < 300 && count > 0; i++) {
		pause_ms(50);
		count = CPG_MEMBERS_MAX;
		cpg_membership_get(watcher, &group, members, &count);
	}
	say("members afterwards", "%d", count);
}

static void side_effects(void)
{
	/* The process's own generator: its first number, if nobody has used it, is always the
	 * same. */
	long (*generator)(void) = random;
	struct cpg_name group = case_group();
	cpg_handle_t handle;
	void *buffer;

	umask(027);
	handle = open_joined(&group);
	cpg_zcb_alloc(handle, 100, &buffer);
	say("generator of random", "%s", generator() == 1804289383 ? "untouched" : "used");
	say("umask", "%03o", (unsigned int)umask(0));
}

const struct test process_tests[] = {
	{"fork-idle", fork_idle, false},	   {"fork-sends", fork_sends, false},
	{"fork-finalizes", fork_finalizes, false}, {"fork-keeps", fork_keeps, false},
	{"side-effects", side_effects, false},	   {NULL, NULL, false}};

/* --- What the reference's daemon does not get over
 * ----------------------------------------------- */

static void say_count(const char *what, struct cpg_name group, int wanted)
{
	cpg_handle_t watcher = open_handle(0);
	struct cpg_address members[CPG_MEMBERS_MAX];
	int count = -1;

	for (int i = 0; i < 40 && count != wanted; i++) {
		pause_ms(50);
		count = CPG_MEMBERS_MAX;
		cpg_membership_get(watcher, &group, members, &count);
	}
	say(what, "%d", count);
}

static void leave_another(cpg_handle_t handle)
{
	struct cpg_name group = case_group(), other = group_of("another", 7);

	handle = open_joined(&group);
	name_process(getpid(), "me");
	say_error("leave of another group", cpg_leave(handle, &other));
	settle(handle, 1);
	say("events", "%s", recorded());
}

static void wrong_leave(void)
{
	in_child(leave_another, 0);
	say_count("members after the process", case_group(), 0);
}

static void join_nameless(cpg_handle_t handle)
{
	struct cpg_name group = group_of("", 0);

	handle = open_handle(0);
	say_error("join", cpg_join(handle, &group));
	settle(handle, 1);
	say("events", "%s", recorded());
	say_error("send", send_bytes(handle, "x", 1));
	settle(handle, 1);
	say("events", "%s", recorded());
}

static void nameless(void)
{
	in_child(join_nameless, 0);
	say_count("members after the process", group_of("", 0), 0);
}

static void zcb_foreign(void)
{
	static uint64_t foreign[512];
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);
	unsigned int node;

	memset(foreign, 0x41, sizeof(foreign));
	say_error("send", cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, foreign + 256, 100));
	pause_ms(500);
	say_error("the daemon", cpg_local_get(handle, &node));
}

const struct test dirty_tests[] = {{"leave-another-name", wrong_leave, false},
				   {"nameless-group", nameless, false},
				   {"zcb-foreign-send", zcb_foreign, false},
				   {NULL, NULL, false}};
