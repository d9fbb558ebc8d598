/* SPDX-License-Identifier: BSD-3-Clause */
/* Records events as text in which processes have names, and waits for them. */
#include "compare.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long an expected event may take, and how long nothing may come before it is believed that
 * nothing will. */
enum {
	EVENT_MS = 30000,
	QUIET_MS = 150
};

void (*on_event)(cpg_handle_t handle);

static char journal[1 << 16];
static char given[sizeof(journal)];
static size_t journal_length;
static unsigned int journal_events;

static struct {
	pid_t pid;
	const char *name;
} processes[16];

void name_process(pid_t pid, const char *name)
{
	for (size_t i = 0; i < sizeof(processes) / sizeof(*processes); i++) {
		if (!processes[i].name || strcmp(processes[i].name, name) == 0) {
			processes[i].pid = pid;
			processes[i].name = name;
			return;
		}
	}
}

static const char *process_name(pid_t pid)
{
	for (size_t i = 0; i < sizeof(processes) / sizeof(*processes); i++) {
		if (processes[i].name && processes[i].pid == pid) {
			return processes[i].name;
		}
	}
	return "unknown";
}

static void append(const char *format, va_list arguments)
{
	size_t room = sizeof(journal) - journal_length;
	int length = vsnprintf(journal + journal_length, room, format, arguments);

	if (length > 0) {
		journal_length += (size_t)length < room ? (size_t)length : room - 1;
	}
}

static void put(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append(format, arguments);
	va_end(arguments);
}

void record(const char *format, ...)
{
	va_list arguments;

	put("%s", journal_length > 0 ? ", " : "");
	va_start(arguments, format);
	append(format, arguments);
	va_end(arguments);
	journal_events++;
}

const char *recorded(void)
{
	memcpy(given, journal_length > 0 ? journal : "none", sizeof("none"));
	if (journal_length > 0) {
		memcpy(given, journal, journal_length + 1);
	}
	journal_length = 0;
	journal[0] = 0;
	journal_events = 0;
	return given;
}

unsigned int recorded_count(void)
{
	return journal_events;
}

/* A short digest of the bytes. */
static unsigned int digest(const uint8_t *bytes, size_t size)
{
	unsigned int sum = 1;

	for (size_t i = 0; i < size; i++) {
		sum = (sum ^ bytes[i]) * 16777619u;
	}
	return sum;
}

void deliver_cb(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid,
		void *message, size_t size)
{
	record("message of %zu from %u:%s", size, node, process_name((pid_t)pid));
	if (size > 0) {
		put(" %08x", digest(message, size));
	}
	if (group->length != strlen(case_name()) ||
	    memcmp(group->value, case_name(), group->length) != 0) {
		put(" group length %u", group->length);
	}
	if (on_event) {
		on_event(handle);
	}
}

static void put_list(const char *title, const struct cpg_address *list, size_t count)
{
	put(" %s[", title);
	for (size_t i = 0; i < count; i++) {
		put("%s%u:%s", i ? " " : "", list[i].nodeid, process_name((pid_t)list[i].pid));
		if (list[i].reason != 0) {
			put("/%u", list[i].reason);
		}
	}
	put("]");
}

void confchg_cb(cpg_handle_t handle, const struct cpg_name *group,
		const struct cpg_address *members, size_t members_count,
		const struct cpg_address *left, size_t left_count, const struct cpg_address *joined,
		size_t joined_count)
{
	(void)group;
	record("change");
	put_list("members", members, members_count);
	put_list("left", left, left_count);
	put_list("joined", joined, joined_count);
	if (on_event) {
		on_event(handle);
	}
}

void totem_cb(cpg_handle_t handle, struct cpg_ring_id ring, uint32_t count, const uint32_t *nodes)
{
	record("ring of %u%s with [", ring.nodeid, ring.seq ? "" : " and no number");
	for (uint32_t i = 0; i < count; i++) {
		put("%s%u", i ? " " : "", nodes[i]);
	}
	put("]");
	if (on_event) {
		on_event(handle);
	}
}

bool readable(int fd, int timeout_ms)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	return poll(&poller, 1, timeout_ms) == 1 && (poller.revents & POLLIN);
}

void settle(cpg_handle_t handle, unsigned int events)
{
	cs_error_t error = CS_OK;
	int fd;

	if (cpg_fd_get(handle, &fd) != CS_OK) {
		return;
	}
	for (int waited_ms = 0; waited_ms < EVENT_MS && journal_events < events; waited_ms += 20) {
		if (readable(fd, 20)) {
			error = cpg_dispatch(handle, CS_DISPATCH_ALL);
		}
		if (error != CS_OK) {
			return;
		}
	}
	while (readable(fd, QUIET_MS)) {
		if (cpg_dispatch(handle, CS_DISPATCH_ALL) != CS_OK) {
			return;
		}
	}
}

cpg_handle_t open_handle(unsigned int flags)
{
	cpg_model_v1_data_t model = {.model = CPG_MODEL_V1,
				     .cpg_deliver_fn = deliver_cb,
				     .cpg_confchg_fn = confchg_cb,
				     .cpg_totem_confchg_fn = totem_cb,
				     .flags = flags};
	cpg_handle_t handle;
	cs_error_t error;

	do {
		error = cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&model,
					     NULL);
	} while (error == CS_ERR_TRY_AGAIN && (pause_ms(20), true));
	if (error != CS_OK) {
		say_error("cannot initialize", error);
		_exit(9);
	}
	return handle;
}

cs_error_t join_patiently(cpg_handle_t handle, const struct cpg_name *group)
{
	cs_error_t error;

	do {
		error = cpg_join(handle, group);
	} while (error == CS_ERR_TRY_AGAIN && (pause_ms(20), true));
	return error;
}

cpg_handle_t open_joined(const struct cpg_name *group)
{
	cpg_handle_t handle = open_handle(0);
	cs_error_t error = join_patiently(handle, group);

	if (error != CS_OK) {
		say_error("cannot join", error);
		_exit(9);
	}
	settle(handle, 1);
	recorded();
	return handle;
}

uint8_t *pattern(size_t size)
{
	uint8_t *bytes = malloc(size + 1);

	for (size_t i = 0; i < size; i++) {
		bytes[i] = (uint8_t)(i * 31 + i / 257);
	}
	return bytes;
}

cs_error_t send_bytes(cpg_handle_t handle, const void *bytes, size_t size)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};

	return cpg_mcast_joined(handle, CPG_TYPE_AGREED, &iov, 1);
}

cs_error_t send_pattern(cpg_handle_t handle, size_t size, unsigned int pieces)
{
	uint8_t *bytes = pattern(size);
	struct iovec *iov = calloc(pieces + 1, sizeof(*iov));
	cs_error_t error;

	for (unsigned int i = 0; i < pieces; i++) {
		size_t begin = size * i / pieces;

		iov[i].iov_base = bytes + begin;
		iov[i].iov_len = size * (i + 1) / pieces - begin;
	}
	do {
		error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, iov, pieces);
	} while (error == CS_ERR_TRY_AGAIN && (pause_ms(20), true));
	free(iov);
	free(bytes);
	return error;
}

pid_t start_peer(const struct cpg_name *group)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready) != 0) {
		_exit(9);
	}
	pid = fork();
	if (pid == 0) {
		cpg_handle_t handle = open_joined(group);

		(void)!write(ready[1], "r", 1);
		while (cpg_dispatch(handle, CS_DISPATCH_BLOCKING) == CS_OK) {
		}
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		_exit(9);
	}
	close(ready[0]);
	name_process(pid, "peer");
	return pid;
}

void kill_peer(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
