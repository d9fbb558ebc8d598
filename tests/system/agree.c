/* SPDX-License-Identifier: BSD-3-Clause */
/* Members of a group send many messages at once; each prints a digest of what it was delivered, in
 * order, byte for byte. Equal digests of all members mean one sequence. Linked to libcpg only.
 *
 *   agree --members N [--senders K] [--count C] [--min B] [--max B] [--first B] [--seed S]
 *         [--group NAME] [--seconds T]
 *
 * Waits for N members. The first K of them, or all, send C messages of min..max bytes, the first of
 * another size if that is wanted; it ends when K x C messages have come. Prints
 *   NODE PID messages=M bytes=B digest=HEX
 * Exit: 0 all came, 1 a call failed or a message was corrupt, 2 usage, 3 time is up. */
#include <corosync/cpg.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct options {
	uint32_t members;
	uint32_t senders;
	uint64_t count;
	uint64_t min, max;
	uint64_t first; /* 0: as the others */
	uint64_t seed;
	uint32_t seconds;
	const char *group;
};

/* Every message begins with as much of this as fits. */
struct head {
	uint32_t node;
	uint32_t pid;
	uint64_t number;
	uint64_t size;
};

struct state {
	struct options options;
	cpg_handle_t handle;
	struct cpg_name group;
	uint32_t node;
	size_t members;
	size_t position; /* in the list of members */
	uint64_t sent;
	uint64_t received;
	uint64_t bytes;
	uint64_t digest;
	uint8_t *buffer;
	bool corrupt;
};

static struct state state;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* FNV-1a over 8 bytes at a time: every byte and its position count. */
static uint64_t digest(uint64_t sum, const uint8_t *bytes, size_t size)
{
	for (; size >= 8; bytes += 8, size -= 8) {
		uint64_t word;

		memcpy(&word, bytes, 8);
		sum = (sum ^ word) * 0x100000001b3ull;
		sum ^= sum >> 29;
	}
	for (; size > 0; bytes++, size--) {
		sum = (sum ^ *bytes) * 0x100000001b3ull;
	}
	return sum;
}

static void fill(uint8_t *bytes, const struct head *head)
{
	size_t fits = head->size < sizeof(*head) ? head->size : sizeof(*head);
	uint64_t pattern = mix(head->number ^ (uint64_t)head->node << 40);

	memcpy(bytes, head, fits);
	for (uint64_t i = fits; i < head->size; i++) {
		bytes[i] = (uint8_t)(pattern + i * 7);
	}
}

static void check_bytes(const uint8_t *bytes, size_t size, uint32_t node, uint32_t pid)
{
	struct head head;
	uint64_t pattern;

	if (size < sizeof(head)) {
		return;
	}
	memcpy(&head, bytes, sizeof(head));
	pattern = mix(head.number ^ (uint64_t)head.node << 40);
	if (head.node != node || head.pid != pid || head.size != size) {
		state.corrupt = true;
	}
	for (size_t i = sizeof(head); i < size; i++) {
		state.corrupt = state.corrupt || bytes[i] != (uint8_t)(pattern + i * 7);
	}
}

static void deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid,
		    void *message, size_t size)
{
	uint32_t from[] = {node, pid, (uint32_t)size};

	(void)handle;
	(void)group;
	check_bytes(message, size, node, pid);
	state.digest = digest(state.digest, (const uint8_t *)from, sizeof(from));
	state.digest = digest(state.digest, message, size);
	state.received++;
	state.bytes += size;
}

static void confchg(cpg_handle_t handle, const struct cpg_name *group,
		    const struct cpg_address *members, size_t count, const struct cpg_address *left,
		    size_t left_count, const struct cpg_address *joined, size_t joined_count)
{
	(void)handle;
	(void)group;
	(void)left;
	(void)left_count;
	(void)joined;
	(void)joined_count;
	if (count >= state.members) {
		for (size_t i = 0; i < count; i++) {
			if (members[i].nodeid == state.node &&
			    members[i].pid == (uint32_t)getpid()) {
				state.position = i;
			}
		}
	}
	state.members = count;
}

static void fail(const char *what, cs_error_t error)
{
	fprintf(stderr, "agree: %s: error %d\n", what, (int)error);
	exit(1);
}

/* Whether the next message was accepted. */
static bool send_next(void)
{
	const struct options *o = &state.options;
	uint64_t dice = mix(o->seed + (uint64_t)getpid() * 0x9e3779b97f4a7c15ull + state.sent);
	bool first = o->first > 0 && state.sent == 0;
	struct head head = {.node = state.node,
			    .pid = (uint32_t)getpid(),
			    .number = state.sent,
			    .size = first ? o->first : o->min + dice % (o->max - o->min + 1)};
	struct iovec iov = {.iov_base = state.buffer, .iov_len = head.size};
	cs_error_t error;

	fill(state.buffer, &head);
	error = cpg_mcast_joined(state.handle, CPG_TYPE_AGREED, &iov, 1);
	if (error == CS_OK) {
		state.sent++;
		return true;
	}
	if (error != CS_ERR_TRY_AGAIN) {
		fail("cpg_mcast_joined", error);
	}
	return false;
}

static void wait_and_dispatch(int timeout_ms)
{
	struct pollfd poller = {.events = POLLIN};
	cs_error_t error;

	cpg_fd_get(state.handle, &poller.fd);
	poll(&poller, 1, timeout_ms);
	error = cpg_dispatch(state.handle, CS_DISPATCH_ALL);
	if (error != CS_OK && error != CS_ERR_TRY_AGAIN) {
		fail("cpg_dispatch", error);
	}
}

static bool time_is_up(uint64_t start_ms)
{
	return now_ms() - start_ms > state.options.seconds * 1000ull;
}

static bool run(void)
{
	uint64_t start = now_ms();
	uint64_t expected = state.options.count * state.options.senders;
	uint64_t to_send;
	bool sending;

	while (state.members < state.options.members && !time_is_up(start)) {
		wait_and_dispatch(100);
	}
	to_send = state.position < state.options.senders ? state.options.count : 0;
	while (state.received < expected && !time_is_up(start) && !state.corrupt) {
		sending = false;
		for (int burst = 0; burst < 32 && state.sent < to_send; burst++) {
			sending = send_next();
			if (!sending) {
				break;
			}
		}
		wait_and_dispatch(sending ? 0 : 5);
	}
	return state.received == expected;
}

static void usage(void)
{
	fprintf(stderr,
		"usage: agree --members N [--senders K] [--count C] [--min BYTES] [--max BYTES]\n"
		"             [--first BYTES] [--seed S] [--group NAME] [--seconds T]\n");
	exit(2);
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {{"members", required_argument, NULL, 'm'},
						{"senders", required_argument, NULL, 'k'},
						{"count", required_argument, NULL, 'c'},
						{"min", required_argument, NULL, 'l'},
						{"max", required_argument, NULL, 'h'},
						{"first", required_argument, NULL, 'f'},
						{"seed", required_argument, NULL, 's'},
						{"seconds", required_argument, NULL, 't'},
						{"group", required_argument, NULL, 'g'},
						{NULL, 0, NULL, 0}};
	struct options *o = &state.options;
	int option;

	*o = (struct options){
		.count = 1000, .min = 1, .max = 4000, .seconds = 120, .group = "agree"};
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'm':
			o->members = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'k':
			o->senders = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'c':
			o->count = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			o->min = strtoull(optarg, NULL, 0);
			break;
		case 'h':
			o->max = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			o->first = strtoull(optarg, NULL, 0);
			break;
		case 's':
			o->seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			o->seconds = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'g':
			o->group = optarg;
			break;
		default:
			usage();
		}
	}
	o->senders = o->senders > 0 ? o->senders : o->members;
	if (o->members == 0 || o->senders > o->members || o->max < o->min ||
	    strlen(o->group) > CPG_MAX_NAME_LENGTH) {
		usage();
	}
}

static void start(void)
{
	const struct options *o = &state.options;
	cpg_callbacks_t callbacks = {deliver, confchg};
	cs_error_t error;

	state.buffer = malloc((o->first > o->max ? o->first : o->max) + 1);
	if (!state.buffer) {
		fail("malloc", CS_ERR_NO_MEMORY);
	}
	state.group.length = (uint32_t)strlen(state.options.group);
	memcpy(state.group.value, state.options.group, state.group.length);
	error = cpg_initialize(&state.handle, &callbacks);
	if (error != CS_OK) {
		fail("cpg_initialize", error);
	}
	error = cpg_local_get(state.handle, &state.node);
	if (error != CS_OK) {
		fail("cpg_local_get", error);
	}
	while ((error = cpg_join(state.handle, &state.group)) == CS_ERR_TRY_AGAIN) {
		usleep(10000);
	}
	if (error != CS_OK) {
		fail("cpg_join", error);
	}
}

int main(int argc, char **argv)
{
	bool complete;

	parse(argc, argv);
	start();
	complete = run();
	printf("%" PRIu32 " %d messages=%" PRIu64 " bytes=%" PRIu64 " digest=%016" PRIx64 "\n",
	       state.node, (int)getpid(), state.received, state.bytes, state.digest);
	if (state.corrupt) {
		fprintf(stderr, "agree: a corrupt message arrived\n");
		return 1;
	}
	cpg_finalize(state.handle);
	free(state.buffer);
	return complete ? 0 : 3;
}
