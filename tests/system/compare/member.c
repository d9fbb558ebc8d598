/* SPDX-License-Identifier: BSD-3-Clause */
/* A member that does what standard input says: join, leave, send COUNT, finalize, exit. Prints
 * "me NODE:PID", then results and events, messages of one sender in a row as one line; each "send"
 * begins with 1. */
#include "compare.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	cpg_handle_t handle;
	struct cpg_name group;
	bool open;
	/* The row of messages that is not printed yet. */
	uint32_t node, pid;
	uint32_t count, first, last;
	bool in_order;
} member;

static void print_row(void)
{
	if (member.count > 0) {
		printf("messages %u to %u from %u:%u%s\n", member.first, member.last, member.node,
		       member.pid, member.in_order ? "" : ", not in order");
	}
	member.count = 0;
}

static void deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid,
		    void *message, size_t size)
{
	uint32_t number = 0;

	(void)handle;
	(void)group;
	memcpy(&number, message, size < sizeof(number) ? size : sizeof(number));
	if (member.count > 0 && (member.node != node || member.pid != pid || number == 1)) {
		print_row();
	}
	if (member.count == 0) {
		member.first = number;
		member.in_order = true;
	} else {
		member.in_order = member.in_order && number == member.last + 1;
	}
	member.node = node;
	member.pid = pid;
	member.last = number;
	member.count++;
}

static void print_list(const char *title, const struct cpg_address *list, size_t count)
{
	printf(" %s[", title);
	for (size_t i = 0; i < count; i++) {
		printf("%s%u:%u", i ? " " : "", list[i].nodeid, list[i].pid);
		if (list[i].reason != 0) {
			printf("/%u", list[i].reason);
		}
	}
	printf("]");
}

static void confchg(cpg_handle_t handle, const struct cpg_name *group,
		    const struct cpg_address *members, size_t members_count,
		    const struct cpg_address *left, size_t left_count,
		    const struct cpg_address *joined, size_t joined_count)
{
	(void)handle;
	(void)group;
	print_row();
	printf("change");
	print_list("members", members, members_count);
	print_list("left", left, left_count);
	print_list("joined", joined, joined_count);
	printf("\n");
}

static void totem(cpg_handle_t handle, struct cpg_ring_id ring, uint32_t count,
		  const uint32_t *nodes)
{
	(void)handle;
	print_row();
	printf("ring of %u with", ring.nodeid);
	for (uint32_t i = 0; i < count; i++) {
		printf(" %u", nodes[i]);
	}
	printf("\n");
}

static void send_many(unsigned int count)
{
	cs_error_t error = CS_OK;

	for (uint32_t i = 1; i <= count && error == CS_OK; i++) {
		do {
			error = send_bytes(member.handle, &i, sizeof(i));
		} while (error == CS_ERR_TRY_AGAIN && (pause_ms(5), true));
	}
	printf("send %u %s\n", count, error_name(error));
}

static bool obey(const char *line)
{
	unsigned int count = 0;

	if (strcmp(line, "join") == 0) {
		printf("join %s\n", error_name(join_patiently(member.handle, &member.group)));
	} else if (strcmp(line, "leave") == 0) {
		printf("leave %s\n", error_name(cpg_leave(member.handle, &member.group)));
	} else if (strcmp(line, "finalize") == 0) {
		print_row();
		printf("finalize %s\n", error_name(cpg_finalize(member.handle)));
		member.open = false;
	} else if (sscanf(line, "send and exit %u", &count) == 1) {
		send_many(count);
		fflush(stdout);
		_exit(0);
	} else if (sscanf(line, "send and finalize %u", &count) == 1) {
		send_many(count);
		printf("finalize %s\n", error_name(cpg_finalize(member.handle)));
		member.open = false;
	} else if (sscanf(line, "send and leave %u", &count) == 1) {
		send_many(count);
		printf("leave %s\n", error_name(cpg_leave(member.handle, &member.group)));
	} else if (sscanf(line, "send %u", &count) == 1) {
		send_many(count);
	} else if (strcmp(line, "exit") == 0) {
		return false;
	} else if (strcmp(line, "row") == 0) {
		print_row();
	}
	return true;
}

static void dispatch(void)
{
	cs_error_t error = cpg_dispatch(member.handle, CS_DISPATCH_ALL);

	if (error != CS_OK && error != CS_ERR_TRY_AGAIN) {
		print_row();
		printf("dispatch %s\n", error_name(error));
		member.open = false;
	}
}

/* Reads what there is of standard input; false at its end. */
static bool read_commands(void)
{
	static char text[512];
	static size_t length;
	ssize_t got = read(0, text + length, sizeof(text) - 1 - length);
	char *end;

	if (got <= 0) {
		return false;
	}
	length += (size_t)got;
	text[length] = 0;
	while ((end = strchr(text, '\n'))) {
		*end = 0;
		if (!obey(text)) {
			return false;
		}
		length -= (size_t)(end + 1 - text);
		memmove(text, end + 1, length + 1);
	}
	return true;
}

static void run(void)
{
	struct pollfd pollers[2] = {{.fd = 0, .events = POLLIN}, {.events = POLLIN}};

	cpg_fd_get(member.handle, &pollers[1].fd);
	for (;;) {
		fflush(stdout);
		poll(pollers, member.open ? 2 : 1, 1000);
		if (member.open && pollers[1].revents) {
			dispatch();
		}
		if (pollers[0].revents && !read_commands()) {
			break;
		}
	}
	print_row();
}

int run_member(const char *group, bool with_totem)
{
	cpg_model_v1_data_t model = {.model = CPG_MODEL_V1,
				     .cpg_deliver_fn = deliver,
				     .cpg_confchg_fn = confchg,
				     .cpg_totem_confchg_fn = with_totem ? totem : NULL};
	unsigned int node;
	cs_error_t error;

	member.group = group_of(group, strlen(group));
	do {
		error = cpg_model_initialize(&member.handle, CPG_MODEL_V1,
					     (cpg_model_data_t *)&model, NULL);
	} while (error == CS_ERR_TRY_AGAIN && (pause_ms(20), true));
	if (error != CS_OK || cpg_local_get(member.handle, &node) != CS_OK) {
		printf("cannot initialize: %s\n", error_name(error));
		return 1;
	}
	member.open = true;
	printf("me %u:%d\n", node, (int)getpid());
	run();
	return 0;
}
