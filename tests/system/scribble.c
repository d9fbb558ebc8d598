/* SPDX-License-Identifier: BSD-3-Clause */
/* A faulty member: writes into large messages after it has sent them. Linked to libcpg only.
 *
 *   scribble COUNT        joins, waits for a second member, sends COUNT messages and spoils them
 *   scribble --zcb COUNT  the same with buffers that it has handed over
 *   scribble --read COUNT joins and counts
 *
 * Each ends when COUNT messages of the right size have come. Exit: 0, 1 a call failed, 3 time is up. */
#include <coronet/cpg.h>
#include <corosync/cpg.h>

#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#define MESSAGE_SIZE (2u * 1024 * 1024)
#define SPOIL_MS     50
#define LIMIT_MS     120000
#define REGIONS_MAX  16

static uint32_t received;
static size_t members;
static uint8_t message[MESSAGE_SIZE];

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid,
		    void *bytes, size_t size)
{
	(void)handle;
	(void)group;
	(void)node;
	(void)pid;
	(void)bytes;
	received += size == MESSAGE_SIZE;
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

static void must(const char *what, cs_error_t error)
{
	if (error != CS_OK) {
		fprintf(stderr, "scribble: %s: error %d\n", what, (int)error);
		exit(1);
	}
}

static void wait_and_dispatch(cpg_handle_t handle)
{
	struct pollfd poller = {.events = POLLIN};
	cs_error_t error;

	cpg_fd_get(handle, &poller.fd);
	poll(&poller, 1, 20);
	error = cpg_dispatch(handle, CS_DISPATCH_ALL);
	must("cpg_dispatch", error == CS_ERR_TRY_AGAIN ? CS_OK : error);
}

/* Inverts one byte in every page of send memory that this process can write: what the library uses
 * is looked up where the kernel lists it. */
static void spoil(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	char mode[8];
	uint64_t from, to;

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &from, &to, mode) == 3 &&
		    strcmp(mode, "rw-s") == 0 && strstr(line, "/memfd:coronet-send")) {
			for (uint64_t at = from + 100; at < to; at += 4096) {
				*(volatile uint8_t *)(uintptr_t)at ^= 0xff;
			}
		}
	}
	if (maps) {
		fclose(maps);
	}
}

static cs_error_t send_copied(cpg_handle_t handle)
{
	struct iovec iov = {.iov_base = message, .iov_len = sizeof(message)};

	return cpg_mcast_joined(handle, CPG_TYPE_AGREED, &iov, 1);
}

/* Freed while it is the ring's, which is allowed: it goes when it has completed. */
static cs_error_t send_handed_over(cpg_handle_t handle)
{
	void *buffer;
	cs_error_t error = coronet_cpg_zcb_alloc(handle, MESSAGE_SIZE, &buffer);

	if (error != CS_OK) {
		return error;
	}
	memcpy(buffer, message, MESSAGE_SIZE);
	error = coronet_cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer, MESSAGE_SIZE);
	must("coronet_cpg_zcb_free", coronet_cpg_zcb_free(handle, buffer));
	return error;
}

static void send_and_spoil(cpg_handle_t handle, cs_error_t (*send)(cpg_handle_t))
{
	uint64_t until;
	cs_error_t error;

	while ((error = send(handle)) == CS_ERR_TRY_AGAIN) {
		wait_and_dispatch(handle);
	}
	must("sending", error);
	for (until = now_ms() + SPOIL_MS; now_ms() < until;) {
		spoil();
	}
}

int main(int argc, char **argv)
{
	cpg_callbacks_t callbacks = {deliver, confchg};
	struct cpg_name group = {.length = 8, .value = "scribble"};
	bool reads = argc == 3 && strcmp(argv[1], "--read") == 0;
	bool hands_over = argc == 3 && strcmp(argv[1], "--zcb") == 0;
	uint32_t count = argc >= 2 ? (uint32_t)strtoul(argv[argc - 1], NULL, 0) : 0;
	uint64_t until = now_ms() + LIMIT_MS;
	cpg_handle_t handle;

	if (count == 0 || argc > 3 || (argc == 3 && !reads && !hands_over)) {
		fprintf(stderr, "usage: scribble [--read|--zcb] COUNT\n");
		return 2;
	}
	must("cpg_initialize", cpg_initialize(&handle, &callbacks));
	must("cpg_join", cpg_join(handle, &group));
	while (members < 2 && now_ms() < until) {
		wait_and_dispatch(handle);
	}
	for (uint32_t i = 0; i < count && !reads; i++) {
		send_and_spoil(handle, hands_over ? send_handed_over : send_copied);
	}
	while (received < count && now_ms() < until) {
		wait_and_dispatch(handle);
	}
	printf("%u of %u messages\n", received, count);
	cpg_finalize(handle);
	return received == count ? 0 : 3;
}
