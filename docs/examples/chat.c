/* SPDX-License-Identifier: BSD-3-Clause */
/* A chat: joins a process group, sends each line of its input, prints what the group says. All members print the same lines in the same
 * order, for that is what a closed process group is. When the daemon goes away, the chat waits for it to come back, and joins anew.
 *
 *	cc chat.c -o chat $(pkg-config --cflags --libs libcpg)
 *	./chat kitchen
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <corosync/cpg.h>

static void wait_a_little(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
}

/* --- What the group tells us ---------------------------------------------------------------------- */

static void deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t nodeid,
		    uint32_t pid, void *message, size_t size)
{
	(void)handle;
	(void)group;
	(void)pid;
	printf("%u: %.*s\n", nodeid, (int)size, (const char *)message);
}

static const char *verb(uint32_t reason)
{
	switch (reason) {
	case CPG_REASON_JOIN:
		return "joins";
	case CPG_REASON_LEAVE:
		return "leaves";
	case CPG_REASON_NODEDOWN:
		return "is lost: its node is down";
	case CPG_REASON_NODEUP:
		return "appears: its node is back";
	default:
		return "has ended";
	}
}

static void changed(cpg_handle_t handle, const struct cpg_name *group,
		    const struct cpg_address *members, size_t member_count,
		    const struct cpg_address *left, size_t left_count,
		    const struct cpg_address *joined, size_t joined_count)
{
	(void)handle;
	(void)group;
	for (size_t i = 0; i < left_count; i++) {
		printf("* %u %s\n", left[i].nodeid, verb(left[i].reason));
	}
	for (size_t i = 0; i < joined_count; i++) {
		printf("* %u %s\n", joined[i].nodeid, verb(joined[i].reason));
	}
	printf("* members:");
	for (size_t i = 0; i < member_count; i++) {
		printf(" %u", members[i].nodeid);
	}
	printf("\n");
}

/* --- Connecting ----------------------------------------------------------------------------------- */

/* A daemon that has only just started says TRY_AGAIN; no daemon at all is LIBRARY. */
static cs_error_t enter(cpg_handle_t *handle, const struct cpg_name *group)
{
	cpg_callbacks_t callbacks = {.cpg_deliver_fn = deliver, .cpg_confchg_fn = changed};
	cs_error_t error;

	while ((error = cpg_initialize(handle, &callbacks)) == CS_ERR_TRY_AGAIN ||
	       error == CS_ERR_LIBRARY) {
		wait_a_little();
	}
	while (error == CS_OK && (error = cpg_join(*handle, group)) == CS_ERR_TRY_AGAIN) {
		wait_a_little();
	}
	return error;
}

/* --- Talking -------------------------------------------------------------------------------------- */

/* A whole line of the input, without its end; kept until it is sent. */
struct line {
	char text[1024];
	size_t size;
	bool whole;
	bool end_of_input;
};

static void read_line(struct line *line)
{
	ssize_t got = read(STDIN_FILENO, line->text + line->size, 1);

	if (got <= 0) {
		line->end_of_input = got == 0 || errno != EINTR;
	} else if (line->text[line->size] == '\n' || ++line->size == sizeof(line->text)) {
		line->whole = true;
	}
}

static cs_error_t send_line(cpg_handle_t handle, struct line *line)
{
	struct iovec iov = {.iov_base = line->text, .iov_len = line->size};
	cs_error_t error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &iov, 1);

	if (error == CS_OK) {
		line->size = 0;
		line->whole = false;
	}
	/* TRY_AGAIN: the ring is being formed anew, or is busy. The line is kept. */
	return error == CS_ERR_TRY_AGAIN ? CS_OK : error;
}

/* Until the daemon is gone (LIBRARY), or the input has ended (OK). */
static cs_error_t talk(cpg_handle_t handle, struct line *line)
{
	cs_error_t error = CS_OK;
	int fd;

	cpg_fd_get(handle, &fd);
	while (error == CS_OK && !(line->end_of_input && !line->whole)) {
		struct pollfd ready[] = {{.fd = fd, .events = POLLIN},
					 {.fd = line->whole ? -1 : STDIN_FILENO, .events = POLLIN}};

		poll(ready, 2, line->whole ? 10 : -1);
		if (ready[1].revents) {
			read_line(line);
		}
		if (line->whole) {
			error = send_line(handle, line);
		}
		if (ready[0].revents && error == CS_OK) {
			error = cpg_dispatch(handle, CS_DISPATCH_ALL);
		}
	}
	return error;
}

int main(int argc, char **argv)
{
	struct cpg_name group = {.length = 0};
	struct line line = {.size = 0};
	cpg_handle_t handle;
	cs_error_t error;

	group.length = (uint32_t)snprintf(group.value, sizeof(group.value), "%s",
					  argc > 1 ? argv[1] : "chat");
	if (group.length >= sizeof(group.value)) {
		fprintf(stderr, "chat: a group's name has fewer than 128 characters\n");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	do {
		error = enter(&handle, &group);
		if (error == CS_OK) {
			error = talk(handle, &line);
			cpg_finalize(handle);
		}
		if (error == CS_ERR_LIBRARY) {
			printf("* the daemon is gone\n");
		}
	} while (error == CS_ERR_LIBRARY);
	if (error != CS_OK) {
		fprintf(stderr, "chat: %s\n", cs_strerror(error));
		return 1;
	}
	return 0;
}
