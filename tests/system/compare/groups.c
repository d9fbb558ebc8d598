/* SPDX-License-Identifier: BSD-3-Clause */
/* Joining, leaving, names, and who is asked about. */
#include "compare.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* cpg_membership_get with room for "room" entries, in text. */
static void say_members(const char *what, cpg_handle_t handle, struct cpg_name group, int room)
{
	struct cpg_address members[CPG_MEMBERS_MAX];
	char text[256] = "";
	size_t length = 0;
	int count = room;
	cs_error_t error;

	memset(members, 0x33, sizeof(members));
	error = cpg_membership_get(handle, &group, members, &count);
	for (int i = 0; error == CS_OK && i < count && i < 8; i++) {
		length += (size_t)snprintf(text + length, sizeof(text) - length, " %u:%s/%u",
					   members[i].nodeid,
					   members[i].pid == (uint32_t)getpid() ? "me" : "other",
					   members[i].reason);
	}
	say(what, "%s %d%s", error_name(error), count, text);
}

/* What the daemon knows is behind what was asked for by a moment. */
static void wait_members(cpg_handle_t handle, struct cpg_name group, int wanted)
{
	struct cpg_address members[CPG_MEMBERS_MAX];
	int count = CPG_MEMBERS_MAX;

	for (int i = 0; i < 500; i++) {
		count = CPG_MEMBERS_MAX;
		if (cpg_membership_get(handle, &group, members, &count) != CS_OK ||
		    count == wanted) {
			return;
		}
		pause_ms(20);
	}
}

static void join(void)
{
	struct cpg_name group = case_group(), other = group_of("other", 5);
	cpg_handle_t handle = open_handle(0);

	say_error("join", cpg_join(handle, &group));
	say_error("send at once", send_bytes(handle, "at once", 7));
	say_error("join again", cpg_join(handle, &group));
	say_error("join another", cpg_join(handle, &other));
	settle(handle, 2);
	say("events", "%s", recorded());
	say_error("join again later", cpg_join(handle, &group));
	say_error("join another later", cpg_join(handle, &other));
	say_members("members", handle, group, CPG_MEMBERS_MAX);
	say_members("members of another", handle, other, CPG_MEMBERS_MAX);
}

static void join_second_handle(void)
{
	struct cpg_name group = case_group(), other = group_of("join-second", 11);
	cpg_handle_t first = open_joined(&group), second = open_handle(0);

	say_error("same group", cpg_join(second, &group));
	say_error("another group", cpg_join(second, &other));
	settle(second, 1);
	say("events", "%s", recorded());
	say_error("finalize", cpg_finalize(second));
	settle(first, 0);
	say("events of the first", "%s", recorded());
}

static void join_other_process(void)
{
	struct cpg_name group = case_group();
	pid_t peer = start_peer(&group);
	cpg_handle_t handle = open_handle(0);

	/* Lists ascend by process id; the peer's is the higher one unless the numbers have just
	 * wrapped. */
	say_members("members before", handle, group, CPG_MEMBERS_MAX);
	say_error("join", cpg_join(handle, &group));
	settle(handle, 1);
	say("events", "%s", recorded());
	say_members("members", handle, group, CPG_MEMBERS_MAX);
	kill_peer(peer);
	settle(handle, 1);
	say("events of the end", "%s", recorded());
	say_members("members after", handle, group, CPG_MEMBERS_MAX);
}

static void join_after_finalize(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);

	say_error("finalize", cpg_finalize(handle));
	handle = open_handle(0);
	say_error("join, with patience", join_patiently(handle, &group));
	settle(handle, 1);
	say("events", "%s", recorded());
}

static void initial_ring(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_handle(CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF);

	settle(handle, 0);
	say("events before", "%s", recorded());
	say_error("join", cpg_join(handle, &group));
	settle(handle, 2);
	say("events", "%s", recorded());
}

static void leave(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_handle(0);

	say_error("not joined", cpg_leave(handle, &group));
	join_patiently(handle, &group);
	settle(handle, 1);
	recorded();
	say_error("leave", cpg_leave(handle, &group));
	say_error("leave again", cpg_leave(handle, &group));
	settle(handle, 1);
	say("events", "%s", recorded());
	say_members("members", handle, group, CPG_MEMBERS_MAX);
	say_error("leave later", cpg_leave(handle, &group));
}

static void leave_at_once(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_handle(0);

	say_error("join", cpg_join(handle, &group));
	say_error("send", send_bytes(handle, "x", 1));
	say_error("leave", cpg_leave(handle, &group));
	settle(handle, 3);
	say("events", "%s", recorded());
}

static void leave_then_send(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);

	say_error("leave", cpg_leave(handle, &group));
	say_error("send", send_bytes(handle, "x", 1));
	say_error("send large", send_pattern(handle, 2000000, 1));
	settle(handle, 1);
	say_error("send later", send_bytes(handle, "x", 1));
	settle(handle, 0);
	say("events", "%s", recorded());
}

static void leave_then_join(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group);

	say_error("leave", cpg_leave(handle, &group));
	settle(handle, 1);
	recorded();
	say_error("join again", join_patiently(handle, &group));
	settle(handle, 0);
	say("events", "%s", recorded());
}

static void leave_then_join_another(void)
{
	struct cpg_name group = case_group(), other = group_of("leave-then-other", 16);
	cpg_handle_t handle = open_joined(&group);

	say_error("leave", cpg_leave(handle, &group));
	settle(handle, 1);
	recorded();
	say_error("join another", join_patiently(handle, &other));
	settle(handle, 1);
	say("events", "%s", recorded());
}

/* What happens in the group afterwards is none of the leaver's business. */
static void leave_others_go_on(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_joined(&group), watcher = open_handle(0);
	pid_t peer;

	say_error("leave", cpg_leave(handle, &group));
	settle(handle, 1);
	recorded();
	peer = start_peer(&group);
	wait_members(watcher, group, 1);
	settle(handle, 0);
	say("events", "%s", recorded());
	kill_peer(peer);
}

static void names(void)
{
	char bytes[CPG_MAX_NAME_LENGTH];
	struct cpg_name full, one, two;
	cpg_handle_t handle = open_handle(0), first = open_handle(0), second = open_handle(0);

	memset(bytes, 'n', sizeof(bytes));
	full = group_of(bytes, sizeof(bytes));
	say_error("128 bytes", cpg_join(handle, &full));
	settle(handle, 1);
	say("events", "%s", recorded());
	say_members("members", handle, full, CPG_MEMBERS_MAX);
	one = group_of("names\0one", 9);
	two = group_of("names\0two", 9);
	say_error("with a zero byte", cpg_join(first, &one));
	say_error("differing after it", cpg_join(second, &two));
	settle(first, 1);
	settle(second, 2);
	recorded();
	say_error("send", send_bytes(first, "x", 1));
	settle(first, 1);
	say("events of the first", "%s", recorded());
	settle(second, 0);
	say("events of the second", "%s", recorded());
	memset(one.value + 9, 'g', 20);
	say_members("bytes after the name are none of it", first, one, CPG_MEMBERS_MAX);
	one.length = 5;
	say_members("prefix", first, one, CPG_MEMBERS_MAX);
}

static void membership(void)
{
	struct cpg_name group = case_group(), unknown = group_of("nobody-is-here", 14);
	pid_t peer = start_peer(&group);
	cpg_handle_t handle = open_handle(0);

	say_members("unknown group", handle, unknown, CPG_MEMBERS_MAX);
	say_members("without joining", handle, group, CPG_MEMBERS_MAX);
	join_patiently(handle, &group);
	settle(handle, 1);
	say_members("both", handle, group, CPG_MEMBERS_MAX);
	say_members("room for exactly two", handle, group, 2);
	say_members("room 0", handle, group, 0);
	say_members("room -1", handle, group, -1);
	kill_peer(peer);
}

static void membership_little_room(void)
{
	struct cpg_name group = case_group();
	pid_t peer = start_peer(&group);
	cpg_handle_t handle = open_joined(&group);

	say_members("room 1", handle, group, 1);
	kill_peer(peer);
}

const struct test group_tests[] = {{"join", join, false},
				   {"join-second-handle", join_second_handle, false},
				   {"join-other-process", join_other_process, false},
				   {"join-after-finalize", join_after_finalize, false},
				   {"initial-ring", initial_ring, false},
				   {"leave", leave, false},
				   {"leave-at-once", leave_at_once, false},
				   {"leave-then-send", leave_then_send, false},
				   {"leave-then-join", leave_then_join, false},
				   {"leave-then-join-another", leave_then_join_another, true},
				   {"leave-others-go-on", leave_others_go_on, false},
				   {"names", names, false},
				   {"membership", membership, false},
				   {"membership-little-room", membership_little_room, false},
				   {NULL, NULL, false}};
