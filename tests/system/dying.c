/* SPDX-License-Identifier: BSD-3-Clause */
/* A member that is killed in the midst of sending large messages, and members that tell what they were delivered of it. Linked to
 * libcpg only.
 *
 *   dying --send MS  joins, waits for WATCHERS others, sends, and kills itself so many milliseconds later
 *   dying --watch    joins; ends when a member has gone that was killed; prints "COUNT DIGEST" of what was delivered
 *
 * Exit: 0, 1 a call failed or a message was spoilt, 2 usage, 3 time is up. */
#include <corosync/cpg.h>

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

#define MESSAGE_SIZE (8u * 1024 * 1024)
#define WATCHERS     2
#define LIMIT_MS     200000

static uint8_t message[MESSAGE_SIZE];
static size_t members;
static bool somebody_died, spoilt;
static uint64_t count;
static uint64_t digest = 14695981039346656037ull;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* All words of message n are the same, and different from those of any other. */
static uint64_t word_of(uint64_t n)
{
	return (n + 1) * 0x9e3779b97f4a7c15ull;
}

static void fill(uint64_t n)
{
	uint64_t word = word_of(n);

	for (size_t at = 0; at < MESSAGE_SIZE; at += sizeof(word)) {
		memcpy(message + at, &word, sizeof(word));
	}
}

static void deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid,
		    void *bytes, size_t size)
{
	uint64_t word = word_of(count);

	(void)handle;
	(void)group;
	(void)node;
	(void)pid;
	spoilt = spoilt || size != MESSAGE_SIZE;
	for (size_t at = 0; at + sizeof(word) <= size; at += sizeof(word)) {
		uint64_t got;

		memcpy(&got, (uint8_t *)bytes + at, sizeof(got));
		spoilt = spoilt || got != word;
		digest = (digest ^ got) * 1099511628211ull;
	}
	count++;
}

static void confchg(cpg_handle_t handle, const struct cpg_name *group,
		    const struct cpg_address *member_list, size_t member_count,
		    const struct cpg_address *left, size_t left_count,
		    const struct cpg_address *joined, size_t joined_count)
{
	(void)handle;
	(void)group;
	(void)member_list;
	(void)joined;
	(void)joined_count;
	members = member_count;
	for (size_t i = 0; i < left_count; i++) {
		somebody_died = somebody_died || left[i].reason == CPG_REASON_PROCDOWN;
	}
}

static bool dispatch(cpg_handle_t handle, int wait_ms)
{
	struct pollfd ready = {.events = POLLIN};

	if (cpg_fd_get(handle, &ready.fd) != CS_OK || poll(&ready, 1, wait_ms) < 0) {
		return false;
	}
	return cpg_dispatch(handle, CS_DISPATCH_ALL) == CS_OK;
}

static int watch(cpg_handle_t handle, uint64_t until)
{
	while (!somebody_died) {
		if (now_ms() >= until) {
			return 3;
		}
		if (!dispatch(handle, 100)) {
			return 1;
		}
	}
	printf("%" PRIu64 " %016" PRIx64 "\n", count, digest);
	return spoilt ? 1 : 0;
}

static void killer(int signal_number)
{
	(void)signal_number;
	kill(getpid(), SIGKILL);
}

static int send_until_killed(cpg_handle_t handle, uint64_t until, unsigned int ms)
{
	struct iovec piece = {message, MESSAGE_SIZE};
	struct timespec due = {ms / 1000, (long)(ms % 1000) * 1000000};
	struct itimerspec once = {.it_value = due};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	timer_t timer;

	while (members <= WATCHERS) {
		if (now_ms() >= until || !dispatch(handle, 100)) {
			return 3;
		}
	}
	signal(SIGALRM, killer);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &once, NULL)) {
		return 1;
	}
	for (uint64_t n = 0; now_ms() < until;) {
		cs_error_t error;

		fill(n);
		error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1);
		if (error == CS_OK) {
			n++;
		} else if (error != CS_ERR_TRY_AGAIN || !dispatch(handle, 1)) {
			return 1;
		}
	}
	return 3;
}

int main(int argc, char **argv)
{
	cpg_callbacks_t callbacks = {.cpg_deliver_fn = deliver, .cpg_confchg_fn = confchg};
	struct cpg_name group = {.length = 5, .value = "dying"};
	uint64_t until = now_ms() + LIMIT_MS;
	cpg_handle_t handle;

	if (argc < 2 ||
	    (strcmp(argv[1], "--watch") != 0 && (argc < 3 || strcmp(argv[1], "--send") != 0))) {
		fprintf(stderr, "usage: dying --send MS | --watch\n");
		return 2;
	}
	if (cpg_initialize(&handle, &callbacks) != CS_OK) {
		return 1;
	}
	while (cpg_join(handle, &group) == CS_ERR_TRY_AGAIN && now_ms() < until) {
		usleep(10000);
	}
	return argc == 2 ? watch(handle, until)
			 : send_until_killed(handle, until, (unsigned int)atoi(argv[2]));
}
