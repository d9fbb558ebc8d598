/* SPDX-License-Identifier: BSD-3-Clause */
/* A member that sends numbered messages with known content for as long as it is wanted, and writes down
 * what it is told, for judge.c. It comes back whenever its daemon or itself was killed. Linked to libcpg only.
 *
 *   witness --log DIRECTORY [--group NAME] [--rate PER-SECOND] [--max BYTES] [--seed S] [--life MS]
 *
 * Each life is a process of its own and writes DIRECTORY/NODE.PID.story. With --life it ends by itself after at most
 * so long: it leaves, or finalizes, or just ends. It works until the file DIRECTORY/stop is there; then it sends no
 * more, waits until its own messages have come back, and makes DIRECTORY/drained.PARENT. When DIRECTORY/leave is
 * there too it leaves the group and all is over. A story's lines, times in microseconds of the real-time clock:
 *
 *   me NODE PID
 *   ring NODE SEQUENCE TIME NODE...
 *   view TIME MEMBER,... LEFT/REASON,... JOINED/REASON,...      each NODE/PID; "-" if there are none
 *   got NODE PID NUMBER GUARANTEE SIZE TIME                    a message that is in order
 *   any NODE PID NUMBER SIZE TIME                              one that was sent UNORDERED
 *   bad TEXT
 *   sent ORDERED UNORDERED                                     accepted so far
 *   end left|lost|quit
 */
#include <corosync/cpg.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAGIC    0x73746f726d6d7367ull
#define SAY_MAX_BYTES 16384
#define RETRY_US      20000
#define BURST	      16

struct options {
	const char *log;
	const char *group;
	uint64_t rate;
	uint64_t max;
	uint64_t seed;
	uint64_t life_ms;
};

struct head {
	uint64_t magic;
	uint32_t node;
	uint32_t pid;
	uint64_t number;
	uint32_t size;
	uint32_t guarantee;
	uint64_t check; /* of the fields above */
};

enum phase {
	PHASE_SEND,
	PHASE_DRAIN,
	PHASE_DRAINED,
	PHASE_LEAVING,
	PHASE_OVER
};

struct state {
	cpg_handle_t handle;
	struct cpg_name group;
	uint32_t node;
	uint32_t pid;
	int log;
	char *pending;
	size_t pending_size, pending_room;
	uint64_t dice;
	uint64_t started_ms;
	uint64_t sent, sent_any;
	uint64_t own, own_any; /* of those, delivered here */
	uint8_t *buffer;
	enum phase phase;
	bool joined;
};

static struct options options = {.group = "storm", .rate = 200, .max = 262144, .seed = 1};
static struct state state;

static uint64_t clock_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t now_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint64_t throw(uint64_t sides)
{
	state.dice += 0x9e3779b97f4a7c15ull;
	return mix(state.dice) % sides;
}

static bool wanted(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", options.log, name);
	return access(path, F_OK) == 0;
}

/* What is written stays, whoever is killed next. */
static void flush(void)
{
	size_t done = 0;

	while (done < state.pending_size) {
		ssize_t count = write(state.log, state.pending + done, state.pending_size - done);

		if (count < 0 && errno != EINTR) {
			perror("witness: write");
			exit(1);
		}
		done += count > 0 ? (size_t)count : 0;
	}
	state.pending_size = 0;
}

static void say(const char *format, ...)
{
	va_list args;
	int count;

	if (state.pending_room - state.pending_size < SAY_MAX_BYTES) {
		flush();
	}
	va_start(args, format);
	count = vsnprintf(state.pending + state.pending_size, SAY_MAX_BYTES, format, args);
	va_end(args);
	state.pending_size += count > 0 ? (size_t)count : 0;
}

static uint64_t head_check(const struct head *head)
{
	return mix(head->magic ^ mix(head->number) ^ mix((uint64_t)head->node << 32 | head->pid) ^
		   ((uint64_t)head->guarantee << 32 | head->size));
}

static uint64_t pattern(const struct head *head, uint64_t place)
{
	return mix(head->check) + place * 0x100000001b3ull;
}

static void fill(uint8_t *bytes, const struct head *head)
{
	memcpy(bytes, head, sizeof(*head));
	for (size_t i = sizeof(*head); i < head->size; i += 8) {
		uint64_t word = pattern(head, i);

		memcpy(bytes + i, &word, head->size - i < 8 ? head->size - i : 8);
	}
}

static bool intact(const uint8_t *bytes, size_t size, struct head *head)
{
	if (size < sizeof(*head)) {
		return false;
	}
	memcpy(head, bytes, sizeof(*head));
	if (head->magic != HEAD_MAGIC || head->size != size || head->check != head_check(head)) {
		return false;
	}
	for (size_t i = sizeof(*head); i < size; i += 8) {
		uint64_t word = pattern(head, i);

		if (memcmp(bytes + i, &word, size - i < 8 ? size - i : 8) != 0) {
			return false;
		}
	}
	return true;
}

static void deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid,
		    void *message, size_t size)
{
	struct head head;
	bool own = node == state.node && pid == state.pid;

	(void)handle;
	if (group->length != state.group.length ||
	    memcmp(group->value, state.group.value, group->length) != 0) {
		say("bad a message of another group\n");
	}
	if (!intact(message, size, &head) || head.node != node || head.pid != pid) {
		say("bad a message of %zu bytes from %u/%u is not what was sent\n", size, node,
		    pid);
		return;
	}
	if (head.guarantee == CPG_TYPE_UNORDERED) {
		say("any %u %u %" PRIu64 " %zu %" PRIu64 "\n", node, pid, head.number, size,
		    clock_us(CLOCK_REALTIME));
		state.own_any += own;
	} else {
		say("got %u %u %" PRIu64 " %u %zu %" PRIu64 "\n", node, pid, head.number,
		    head.guarantee, size, clock_us(CLOCK_REALTIME));
		state.own += own;
	}
}

static void say_list(const struct cpg_address *list, size_t count, bool reasons)
{
	for (size_t i = 0; i < count; i++) {
		say("%s%u/%u", i > 0 ? "," : "", list[i].nodeid, list[i].pid);
		if (reasons) {
			say("/%u", list[i].reason);
		}
	}
	say(count > 0 ? " " : "- ");
}

static bool lists_me(const struct cpg_address *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i].nodeid == state.node && list[i].pid == state.pid) {
			return true;
		}
	}
	return false;
}

static void confchg(cpg_handle_t handle, const struct cpg_name *group,
		    const struct cpg_address *members, size_t count, const struct cpg_address *left,
		    size_t left_count, const struct cpg_address *joined, size_t joined_count)
{
	(void)handle;
	(void)group;
	say("view %" PRIu64 " ", clock_us(CLOCK_REALTIME));
	say_list(members, count, false);
	say_list(left, left_count, true);
	say_list(joined, joined_count, true);
	say("\n");
	state.joined = state.joined || lists_me(joined, joined_count);
	if (lists_me(left, left_count)) {
		state.phase = PHASE_OVER;
	}
}

static void ring(cpg_handle_t handle, struct cpg_ring_id id, uint32_t count, const uint32_t *nodes)
{
	(void)handle;
	say("ring %u %" PRIu64 " %" PRIu64, id.nodeid, id.seq, clock_us(CLOCK_REALTIME));
	for (uint32_t i = 0; i < count; i++) {
		say(" %u", nodes[i]);
	}
	say("\n");
}

static void end_life(const char *how)
{
	say("sent %" PRIu64 " %" PRIu64 "\nend %s\n", state.sent, state.sent_any, how);
	flush();
	_exit(0);
}

/* Most are small. What is above eager_size goes another way, and some of each kind are there. */
static uint64_t some_size(void)
{
	uint64_t kind = throw(100);
	uint64_t most = kind < 60 ? 256 : kind < 85 ? 4000 : kind < 97 ? 24000 : options.max;

	most = most < options.max ? most : options.max;
	return sizeof(struct head) + throw(most - sizeof(struct head) + 1);
}

static uint32_t some_guarantee(void)
{
	uint64_t kind = throw(100);

	return kind < 60   ? CPG_TYPE_AGREED
	       : kind < 80 ? CPG_TYPE_SAFE
	       : kind < 90 ? CPG_TYPE_FIFO
			   : CPG_TYPE_UNORDERED;
}

static bool send_next(void)
{
	uint32_t guarantee = some_guarantee();
	uint64_t *sent = guarantee == CPG_TYPE_UNORDERED ? &state.sent_any : &state.sent;
	struct head head = {.magic = HEAD_MAGIC,
			    .node = state.node,
			    .pid = state.pid,
			    .number = *sent + 1,
			    .size = (uint32_t)some_size(),
			    .guarantee = guarantee};
	struct iovec iov = {.iov_base = state.buffer, .iov_len = head.size};
	cs_error_t error;

	head.check = head_check(&head);
	fill(state.buffer, &head);
	error = cpg_mcast_joined(state.handle, guarantee, &iov, 1);
	if (error == CS_OK) {
		(*sent)++;
	} else if (error == CS_ERR_LIBRARY) {
		return false; /* dispatch says so too, behind what there still is */
	} else if (error != CS_ERR_TRY_AGAIN) {
		say("bad cpg_mcast_joined answers %d\n", (int)error);
	}
	return error == CS_OK;
}

static void send_some(uint64_t *due_us)
{
	uint64_t now = clock_us(CLOCK_MONOTONIC);

	/* What could not be sent in time is not sent later. */
	if (*due_us + 1000000 < now) {
		*due_us = now;
	}
	for (int i = 0; i < BURST && *due_us <= now; i++) {
		if (!send_next()) {
			return;
		}
		*due_us += 1 + throw(2000000 / options.rate);
	}
}

/* An end of its own: one of three. */
static void life_over(void)
{
	switch (throw(3)) {
	case 0:
		state.phase = PHASE_DRAIN;
		return;
	case 1:
		cpg_finalize(state.handle);
		end_life("quit");
		return;
	default:
		end_life("quit");
	}
}

static bool all_came(void)
{
	return state.own == state.sent && state.own_any == state.sent_any;
}

static void tell_drained(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/drained.%d", options.log, (int)getppid());
	close(open(path, O_CREAT | O_WRONLY, 0644));
}

static void advance(uint64_t life_ms)
{
	bool own_end = life_ms > 0 && now_ms() - state.started_ms > life_ms;

	if (state.phase == PHASE_SEND && wanted("stop")) {
		state.phase = PHASE_DRAIN;
	} else if (state.phase == PHASE_SEND && own_end) {
		life_over();
	}
	if (state.phase == PHASE_DRAIN && all_came()) {
		state.phase = PHASE_DRAINED;
		if (!own_end) {
			tell_drained();
		}
	}
	if (state.phase == PHASE_DRAINED && (own_end || wanted("leave"))) {
		cs_error_t error = cpg_leave(state.handle, &state.group);

		if (error == CS_OK) {
			state.phase = PHASE_LEAVING;
		}
	}
}

static void dispatch(int timeout_ms)
{
	struct pollfd poller = {.events = POLLIN};
	cs_error_t error;

	cpg_fd_get(state.handle, &poller.fd);
	poll(&poller, 1, timeout_ms);
	error = cpg_dispatch(state.handle, CS_DISPATCH_ALL);
	if (error == CS_ERR_LIBRARY || error == CS_ERR_BAD_HANDLE) {
		end_life("lost");
	}
	if (error != CS_OK && error != CS_ERR_TRY_AGAIN) {
		say("bad cpg_dispatch answers %d\n", (int)error);
	}
	flush();
}

static void open_log(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%u.%u.story", options.log, state.node, state.pid);
	state.log = open(path, O_CREAT | O_EXCL | O_WRONLY | O_APPEND, 0644);
	if (state.log < 0 && errno == EEXIST) {
		_exit(0); /* a process id that was there before: the next will not */
	}
	state.pending_room = 8 * SAY_MAX_BYTES;
	state.pending = malloc(state.pending_room);
	state.buffer = malloc(options.max + sizeof(struct head) + 8);
	if (state.log < 0 || !state.pending || !state.buffer) {
		perror(path);
		_exit(1);
	}
	say("me %u %u\n", state.node, state.pid);
	flush();
}

/* Daemons come and go: whatever does not work now is tried again. */
static void connect_and_join(void)
{
	cpg_model_v1_data_t model = {.model = CPG_MODEL_V1,
				     .cpg_deliver_fn = deliver,
				     .cpg_confchg_fn = confchg,
				     .cpg_totem_confchg_fn = ring,
				     .flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF};
	cs_error_t error;

	while (cpg_model_initialize(&state.handle, CPG_MODEL_V1, (cpg_model_data_t *)&model,
				    NULL) != CS_OK) {
		if (wanted("stop")) {
			_exit(0);
		}
		usleep(RETRY_US);
	}
	if (cpg_local_get(state.handle, &state.node) != CS_OK) {
		_exit(0);
	}
	open_log();
	while ((error = cpg_join(state.handle, &state.group)) == CS_ERR_TRY_AGAIN) {
		dispatch(20);
	}
	if (error != CS_OK) {
		usleep(10 * RETRY_US);
		end_life("lost");
	}
}

static void live(void)
{
	uint64_t due_us, life_ms, looked_ms = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	state = (struct state){.pid = (uint32_t)getpid(), .started_ms = now_ms()};
	state.dice = mix(options.seed) + mix(state.pid);
	state.group.length = (uint32_t)strlen(options.group);
	memcpy(state.group.value, options.group, state.group.length);
	life_ms = options.life_ms > 0 ? 1 + throw(options.life_ms) : 0;
	connect_and_join();
	due_us = clock_us(CLOCK_MONOTONIC);
	while (state.phase != PHASE_OVER) {
		uint64_t now = now_ms();

		if (state.joined && now >= looked_ms + 50) {
			looked_ms = now;
			advance(life_ms);
		}
		if (state.joined && state.phase == PHASE_SEND) {
			send_some(&due_us);
		}
		dispatch(state.phase == PHASE_SEND ? 2 : 20);
	}
	cpg_finalize(state.handle);
	end_life("left");
}

static void usage(void)
{
	fprintf(stderr, "usage: witness --log DIRECTORY [--group NAME] [--rate PER-SECOND]\n"
			"               [--max BYTES] [--seed S] [--life MS]\n");
	exit(2);
}

static void parse(int argc, char **argv)
{
	static const struct option names[] = {{"log", required_argument, NULL, 'l'},
					      {"group", required_argument, NULL, 'g'},
					      {"rate", required_argument, NULL, 'r'},
					      {"max", required_argument, NULL, 'm'},
					      {"seed", required_argument, NULL, 's'},
					      {"life", required_argument, NULL, 'e'},
					      {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (option) {
		case 'l':
			options.log = optarg;
			break;
		case 'g':
			options.group = optarg;
			break;
		case 'r':
			options.rate = strtoull(optarg, NULL, 0);
			break;
		case 'm':
			options.max = strtoull(optarg, NULL, 0);
			break;
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'e':
			options.life_ms = strtoull(optarg, NULL, 0);
			break;
		default:
			usage();
		}
	}
	if (!options.log || options.rate == 0 || options.max < sizeof(struct head) ||
	    options.max > UINT32_MAX || strlen(options.group) > CPG_MAX_NAME_LENGTH) {
		usage();
	}
}

int main(int argc, char **argv)
{
	pid_t child;
	int status;

	parse(argc, argv);
	while (!wanted("stop")) {
		child = fork();
		if (child == 0) {
			live();
		}
		if (child < 0) {
			perror("witness: fork");
			return 1;
		}
		while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
		}
		if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
			return 1;
		}
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
			fprintf(stderr, "witness: died of signal %d\n", WTERMSIG(status));
			return 1;
		}
	}
	return 0;
}
