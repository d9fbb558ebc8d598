/* SPDX-License-Identifier: BSD-3-Clause */
/* A member that reads late, when others need the memory of its messages for new ones. Linked to
 * libcpg only.
 *
 *   late --send COUNT PID    joins, waits for a second member, sends COUNT messages; a moment after
 *                            the first FIRST are delivered to itself it kills process PID, unless
 *                            that is 0, and goes on
 *   late --read FILE FILE    joins, makes the first FILE, dispatches nothing until the second
 *                            exists, then everything there is until its daemon is gone
 *
 * Prints how many right messages came. Exit: 0, 1 a call failed or a message was wrong, 3 time is up. */
#include <corosync/cpg.h>

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SIZE	 262144u
#define FIRST	 12u
#define LIMIT_MS 60000
/* Well below the time after which a daemon copies what nobody reads. */
#define MOMENT_MS 30

static uint8_t message[SIZE];
static size_t members;
static uint32_t right, wrong;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The number in every word, so that a message made of two shows. */
static void fill(uint32_t number)
{
	for (size_t i = 0; i < SIZE; i += sizeof(number)) {
		memcpy(message + i, &number, sizeof(number));
	}
}

static void deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid,
		    void *bytes, size_t size)
{
	bool same = size == SIZE;

	(void)handle;
	(void)group;
	(void)node;
	(void)pid;
	fill(right + wrong);
	same = same && memcmp(bytes, message, SIZE) == 0;
	right += same;
	wrong += !same;
}

static void confchg(cpg_handle_t handle, const struct cpg_name *group,
		    const struct cpg_address *list, size_t count, const struct cpg_address *left,
		    size_t left_count, const struct cpg_address *joined, size_t joined_count)
{
	(void)handle;
	(void)group;
	(void)list;
	(void)left;
	(void)left_count;
	(void)joined;
	(void)joined_count;
	members = count;
}

static void make(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	if (fd < 0) {
		exit(1);
	}
	close(fd);
}

static void check_time(void)
{
	static uint64_t until_ms;

	until_ms = until_ms ? until_ms : now_ms() + LIMIT_MS;
	if (now_ms() > until_ms) {
		fprintf(stderr, "late: time is up\n");
		exit(3);
	}
}

static void wait_a_moment(void)
{
	check_time();
	poll(NULL, 0, 1);
}

static void send_all(cpg_handle_t handle, uint32_t count, pid_t victim)
{
	struct iovec iov = {message, SIZE};
	uint32_t sent = 0;
	bool begun = false;
	cs_error_t error;

	while (!begun || right + wrong < count) {
		begun = begun || members >= 2;
		if (begun && sent < count && (sent < FIRST || right + wrong >= FIRST)) {
			fill(sent);
			error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &iov, 1);
			if (error != CS_OK && error != CS_ERR_TRY_AGAIN) {
				exit(1);
			}
			sent += error == CS_OK;
		}
		if (cpg_dispatch(handle, CS_DISPATCH_ALL) != CS_OK) {
			exit(1);
		}
		if (victim && right + wrong >= FIRST) {
			poll(NULL, 0, MOMENT_MS);
			kill(victim, SIGKILL);
			victim = 0;
		}
		wait_a_moment();
	}
}

static void read_late(cpg_handle_t handle, const char *joined, const char *go)
{
	while (members < 1) {
		cpg_dispatch(handle, CS_DISPATCH_ALL);
		wait_a_moment();
	}
	make(joined);
	while (access(go, F_OK)) {
		wait_a_moment();
	}
	while (cpg_dispatch(handle, CS_DISPATCH_ALL) == CS_OK) {
		wait_a_moment();
	}
}

int main(int argc, char **argv)
{
	cpg_callbacks_t callbacks = {deliver, confchg};
	struct cpg_name group = {.length = 4, .value = "late"};
	cpg_handle_t handle;

	if (argc != 4 || cpg_initialize(&handle, &callbacks) != CS_OK ||
	    cpg_join(handle, &group) != CS_OK) {
		return 1;
	}
	if (strcmp(argv[1], "--send") == 0) {
		send_all(handle, (uint32_t)strtoul(argv[2], NULL, 10),
			 (pid_t)strtol(argv[3], NULL, 10));
	} else {
		read_late(handle, argv[2], argv[3]);
	}
	printf("%" PRIu32 " right, %" PRIu32 " wrong\n", right, wrong);
	return wrong > 0;
}
