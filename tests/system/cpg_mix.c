/* SPDX-License-Identifier: BSD-3-Clause */
/* Processes that come, send, sleep, leave and die in one group, and the proof that all of them
 * lived through one history. Linked to libcpg only; builds against corosync's headers as well.
 *
 *   cpg_mix observe DIR [GROUP]            member from first to last, until SIGTERM; writes DIR/observer
 *   cpg_mix work DIR SEED SECONDS [GROUP]  joins again and again; writes DIR/PID.N for each membership
 *   cpg_mix check DIR                      each DIR/PID.N must be a piece of DIR/observer without a gap
 *
 * A log has one line per event. Exit: 0 good, 1 bad, 2 usage. */
#include <corosync/cpg.h>

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SIZE_MAX_BYTES (6u * 1024 * 1024)

static const char *dir;
static struct cpg_name group;
static FILE *history;
static bool member;
static volatile sig_atomic_t stop;
static uint32_t seed;
static uint32_t number;
static uint8_t *buffer;

static void fail(const char *what, cs_error_t error)
{
	fprintf(stderr, "cpg_mix %d: %s: error %d\n", (int)getpid(), what, (int)error);
	exit(1);
}

static uint32_t pick(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- Events into the log --- */

static uint64_t sum_of(const uint8_t *bytes, size_t size)
{
	uint64_t sum = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < size; i++) {
		sum = (sum ^ bytes[i]) * 0x100000001b3ull;
	}
	return sum;
}

static void deliver(cpg_handle_t handle, const struct cpg_name *name, uint32_t node, uint32_t pid,
		    void *message, size_t size)
{
	(void)handle;
	(void)name;
	fprintf(history, "message %u %u %zu %016llx\n", node, pid, size,
		(unsigned long long)sum_of(message, size));
	memset(message, 0, size);
}

static void print_list(const char *title, const struct cpg_address *list, size_t count)
{
	fprintf(history, " %s", title);
	for (size_t i = 0; i < count; i++) {
		fprintf(history, " %u:%u:%u", list[i].nodeid, list[i].pid, list[i].reason);
	}
}

static void confchg(cpg_handle_t handle, const struct cpg_name *name,
		    const struct cpg_address *members, size_t members_count,
		    const struct cpg_address *left, size_t left_count,
		    const struct cpg_address *joined, size_t joined_count)
{
	(void)handle;
	(void)name;
	fprintf(history, "change");
	print_list("members", members, members_count);
	print_list("left", left, left_count);
	print_list("joined", joined, joined_count);
	fprintf(history, "\n");
	member = false;
	for (size_t i = 0; i < members_count; i++) {
		member = member || members[i].pid == (uint32_t)getpid();
	}
}

/* --- Members --- */

static cpg_handle_t open_handle(void)
{
	cpg_callbacks_t callbacks = {.cpg_deliver_fn = deliver, .cpg_confchg_fn = confchg};
	cpg_handle_t handle;
	cs_error_t error;

	while ((error = cpg_initialize(&handle, &callbacks)) == CS_ERR_TRY_AGAIN) {
		poll(NULL, 0, 50);
	}
	if (error != CS_OK) {
		fail("cpg_initialize", error);
	}
	return handle;
}

static void dispatch(cpg_handle_t handle, int timeout_ms)
{
	struct pollfd event = {.events = POLLIN};
	cs_error_t error;

	cpg_fd_get(handle, &event.fd);
	poll(&event, 1, timeout_ms);
	error = cpg_dispatch(handle, CS_DISPATCH_ALL);
	if (error != CS_OK) {
		fail("cpg_dispatch", error);
	}
}

static void join(cpg_handle_t handle)
{
	cs_error_t error;

	while ((error = cpg_join(handle, &group)) == CS_ERR_TRY_AGAIN) {
		dispatch(handle, 5);
	}
	if (error != CS_OK) {
		fail("cpg_join", error);
	}
}

static size_t pick_size(void)
{
	switch (pick(20)) {
	case 0:
		return 0;
	case 1:
		return pick(200000);
	case 2:
		return pick(10) ? pick(40000) : pick(SIZE_MAX_BYTES);
	default:
		return pick(3000);
	}
}

static size_t fill_message(void)
{
	size_t size = pick_size();
	uint32_t head[] = {(uint32_t)getpid(), number++};

	for (size_t i = 0; i < size; i += 4096) {
		buffer[i] = (uint8_t)pick(256);
	}
	memcpy(buffer, head, size < sizeof(head) ? size : sizeof(head));
	return size;
}

static void send_one(cpg_handle_t handle)
{
	size_t size = fill_message();
	size_t first = size ? pick((uint32_t)size) : 0;
	struct iovec pieces[] = {{.iov_base = buffer, .iov_len = first},
				 {.iov_base = buffer + first, .iov_len = size - first}};
	cs_error_t error;

	while ((error = cpg_mcast_joined(handle, CPG_TYPE_AGREED, pieces, 2)) == CS_ERR_TRY_AGAIN) {
		dispatch(handle, 1);
	}
	if (error != CS_OK) {
		fail("cpg_mcast_joined", error);
	}
}

static void ask_something(cpg_handle_t handle)
{
	static struct cpg_address list[200];
	struct cpg_name name = group;
	unsigned int node;
	int entries = 200;
	cs_error_t error = pick(2) ? cpg_local_get(handle, &node)
				   : cpg_membership_get(handle, &name, list, &entries);

	if (error != CS_OK) {
		fail("a question", error);
	}
}

static void act(cpg_handle_t handle)
{
	switch (pick(40)) {
	case 0:
		poll(NULL, 0, (int)pick(300)); /* reads nothing meanwhile */
		return;
	case 1:
		ask_something(handle);
		return;
	default:
		if (pick(3)) {
			send_one(handle);
		} else {
			dispatch(handle, (int)pick(10));
		}
	}
}

static void begin_log(uint32_t membership)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%d.%u", dir, (int)getpid(), membership);
	history = fopen(path, "w");
	if (!history) {
		fprintf(stderr, "cpg_mix: %s: %s\n", path, strerror(errno));
		exit(1);
	}
}

/* From the own join to the own leave; everything sent before the leave comes before it. */
static void live_as_member(cpg_handle_t handle)
{
	cs_error_t error;

	join(handle);
	for (uint32_t actions = pick(200); actions > 0; actions--) {
		act(handle);
	}
	error = cpg_leave(handle, &group);
	if (error != CS_OK) {
		fail("cpg_leave", error);
	}
	do {
		dispatch(handle, 1000);
	} while (member);
}

/* Half of the handles end without a leave, some of the processes without a goodbye. */
static void work(uint64_t end_ms)
{
	for (uint32_t membership = 0; now_ms() < end_ms;) {
		cpg_handle_t handle = open_handle();

		for (uint32_t times = 1 + pick(3); times > 0 && now_ms() < end_ms; times--) {
			begin_log(membership++);
			live_as_member(handle);
			fclose(history);
		}
		if (pick(2)) {
			begin_log(membership++);
			join(handle);
			send_one(handle);
			fclose(history);
			history = fopen("/dev/null", "w");
			if (pick(4) == 0) {
				_exit(0);
			}
		}
		if (cpg_finalize(handle) != CS_OK) {
			fail("cpg_finalize", CS_ERR_LIBRARY);
		}
	}
}

static void on_term(int signal)
{
	(void)signal;
	stop = 1;
}

static int observe(void)
{
	struct sigaction action = {.sa_handler = on_term};
	char path[4096];
	cpg_handle_t handle;

	sigaction(SIGTERM, &action, NULL);
	snprintf(path, sizeof(path), "%s/observer", dir);
	history = fopen(path, "w");
	if (!history) {
		return 1;
	}
	handle = open_handle();
	join(handle);
	while (!stop) {
		dispatch(handle, 100);
		fflush(history);
	}
	fclose(history);
	return cpg_finalize(handle) == CS_OK ? 0 : 1;
}

/* --- Check --- */

static char *read_file(const char *name)
{
	char path[4096];
	struct stat facts;
	char *text;
	FILE *file;
	size_t got;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "r");
	if (!file || fstat(fileno(file), &facts) < 0) {
		return NULL;
	}
	text = malloc((size_t)facts.st_size + 1);
	if (!text) {
		fclose(file);
		return NULL;
	}
	got = fread(text, 1, (size_t)facts.st_size, file);
	text[got] = 0;
	fclose(file);
	return text;
}

/* A process that was killed may have written half a line. */
static void cut_half_line(char *text)
{
	char *end = strrchr(text, '\n');

	text[end ? end + 1 - text : 0] = 0;
}

/* The own join has its place once only, so that looking for the first line is enough. */
static bool is_piece(const char *whole, const char *piece)
{
	const char *at = strstr(whole, piece);

	return at && (at == whole || at[-1] == '\n');
}

static int check(void)
{
	char *whole = read_file("observer");
	DIR *entries = opendir(dir);
	struct dirent *entry;
	uint32_t pieces = 0, bad = 0;

	if (!whole || !entries) {
		fprintf(stderr, "cpg_mix: nothing to check in %s\n", dir);
		return 1;
	}
	while ((entry = readdir(entries)) != NULL) {
		char *piece;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9') {
			continue;
		}
		piece = read_file(entry->d_name);
		cut_half_line(piece);
		pieces++;
		if (!is_piece(whole, piece)) {
			fprintf(stderr, "cpg_mix: %s is no piece of the history\n", entry->d_name);
			bad++;
		}
		free(piece);
	}
	printf("%u memberships, %u of them with a history of their own\n", pieces, bad);
	closedir(entries);
	free(whole);
	return pieces > 0 && bad == 0 ? 0 : 1;
}

static int usage(void)
{
	fprintf(stderr, "usage: cpg_mix observe DIR [GROUP] | work DIR SEED SECONDS [GROUP] | "
			"check DIR\n");
	return 2;
}

static void set_group(const char *name)
{
	group.length = (uint32_t)snprintf(group.value, sizeof(group.value), "%s", name);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		return usage();
	}
	dir = argv[2];
	if (strcmp(argv[1], "check") == 0) {
		return check();
	}
	if (strcmp(argv[1], "observe") == 0) {
		set_group(argc > 3 ? argv[3] : "mix");
		return observe();
	}
	if (strcmp(argv[1], "work") != 0 || argc < 5) {
		return usage();
	}
	set_group(argc > 5 ? argv[5] : "mix");
	seed = (uint32_t)strtoul(argv[3], NULL, 10);
	buffer = calloc(1, SIZE_MAX_BYTES);
	if (!buffer) {
		return 1;
	}
	work(now_ms() + strtoul(argv[4], NULL, 10) * 1000);
	free(buffer);
	return 0;
}
