/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs that ask too much of a ring. Linked to libcpg only.
 *
 *   overload send PROCESSES SIZE SECONDS GROUP
 *       so many members on this node, each a process, send messages of SIZE bytes as fast as they are
 *       taken, and another thread of each reads what comes. Prints what the one with the fewest and the one with the most has
 *       sent, the longest time for which one was refused without a break, and the sum. With + at the end
 *       of GROUP each has a group of its own. SECONDS may be a number of messages each, like 100x.
 *   overload sleep GROUP READY GO
 *       a member that makes the file READY and reads nothing until the file GO exists; then all
 *       that is left for it. Prints how many right messages there were and how its connection is.
 *   overload hold GROUP READY COUNT GO
 *       a member that makes the file READY, reads COUNT messages in place and holds every one of them until the
 *       file GO exists. Prints how many bytes of them were not copied.
 *   overload crowd HANDLES GROUPS FIRST MEMBERS MESSAGES
 *       so many members in one process, in as many groups beginning with number FIRST. When each has
 *       seen MEMBERS members in its group, each sends MESSAGES, and ends when each has all.
 *
 * Messages of each sender must come in its order, none lost, with the right bytes. Exit: 0, 1 a call
 * failed, 2 a message was wrong, 3 time is up. */
#include <coronet/cpg.h>

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SENDERS_MAX    4096u
#define SIZE_MAX_BYTES (1u << 20)
#define LIMIT_MS       60000u /* or OVERLOAD_PATIENCE seconds */

/* What stands at the beginning of every message; the rest is made of its number. */
struct head {
	uint32_t node, pid, index; /* who has sent it */
	uint32_t size;
	uint64_t number; /* from 1 on */
};

struct sender {
	uint32_t node, pid, index;
	uint64_t last;
};

struct member {
	cpg_handle_t handle;
	size_t members;
	uint64_t sent;
	_Atomic uint64_t got;
	_Atomic uint64_t own; /* of those it got */
	struct sender *senders;
	uint32_t senders_count, senders_size;
};

/* What one process of `send` tells the one that has started it. */
struct result {
	uint64_t sent;
	uint64_t refused_ms;
};

static uint8_t bytes[SIZE_MAX_BYTES];
static uint32_t my_node;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "overload: %s\n", what);
		exit(1);
	}
}

static void pause_ms(int ms)
{
	static uint64_t until_ms;

	const char *patience = until_ms ? NULL : getenv("OVERLOAD_PATIENCE");

	if (until_ms == 0) {
		until_ms = now_ms() + (patience ? strtoul(patience, NULL, 10) * 1000 : LIMIT_MS);
	}
	if (now_ms() > until_ms) {
		fprintf(stderr, "overload: time is up\n");
		exit(3);
	}
	poll(NULL, 0, ms);
}

static uint8_t byte_of(uint64_t number, uint32_t index)
{
	return (uint8_t)(number * 37 + index);
}

static struct sender *sender_of(struct member *member, const struct head *head)
{
	struct sender *sender;

	for (uint32_t i = 0; i < member->senders_count; i++) {
		sender = &member->senders[i];
		if (sender->node == head->node && sender->pid == head->pid &&
		    sender->index == head->index) {
			return sender;
		}
	}
	if (member->senders_count == member->senders_size) {
		member->senders_size = member->senders_size ? 2 * member->senders_size : 4;
		must(member->senders_size <= SENDERS_MAX, "there are too many senders");
		member->senders = reallocarray(member->senders, member->senders_size,
					       sizeof(*member->senders));
		must(member->senders, "out of memory");
	}
	sender = &member->senders[member->senders_count++];
	*sender = (struct sender){head->node, head->pid, head->index, head->number - 1};
	return sender;
}

static const char *fault_of(struct member *member, uint32_t node, uint32_t pid,
			    const uint8_t *message, size_t size)
{
	struct head head;
	struct sender *sender;

	if (size < sizeof(head)) {
		return "shorter than any";
	}
	memcpy(&head, message, sizeof(head));
	if (head.size != size || head.node != node || head.pid != pid) {
		return "of another size or sender";
	}
	for (size_t i = sizeof(head); i < size; i++) {
		if (message[i] != byte_of(head.number, head.index)) {
			return "with other bytes";
		}
	}
	sender = sender_of(member, &head);
	if (head.number != sender->last + 1) {
		return "not the next one of its sender";
	}
	sender->last = head.number;
	return NULL;
}

static void deliver(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid,
		    void *message, size_t size)
{
	struct member *member;
	const char *fault;

	(void)group;
	if (cpg_context_get(handle, (void **)&member) != CS_OK) {
		return; /* finalized by the other thread */
	}
	fault = fault_of(member, node, pid, message, size);
	if (fault) {
		fprintf(stderr, "overload: a message %s, of process %u on node %u\n", fault, pid,
			node);
		exit(2);
	}
	member->got++;
	member->own += node == my_node && pid == (uint32_t)getpid();
}

static void confchg(cpg_handle_t handle, const struct cpg_name *group,
		    const struct cpg_address *list, size_t count, const struct cpg_address *left,
		    size_t left_count, const struct cpg_address *joined, size_t joined_count)
{
	struct member *member;

	(void)group;
	(void)list;
	(void)left;
	(void)left_count;
	(void)joined;
	(void)joined_count;
	if (cpg_context_get(handle, (void **)&member) == CS_OK) { /* else finalized likewise */
		member->members = count;
	}
}

static void open_member(struct member *member, const char *group)
{
	cpg_callbacks_t callbacks = {deliver, confchg};
	struct cpg_name name = {.length = (uint32_t)strlen(group)};
	cs_error_t error;

	must(name.length < sizeof(name.value), "the group's name is too long");
	memcpy(name.value, group, name.length);
	must(cpg_initialize(&member->handle, &callbacks) == CS_OK, "cpg_initialize fails");
	must(cpg_context_set(member->handle, member) == CS_OK, "cpg_context_set fails");
	must(cpg_local_get(member->handle, &my_node) == CS_OK, "cpg_local_get fails");
	while ((error = cpg_join(member->handle, &name)) == CS_ERR_TRY_AGAIN) {
		pause_ms(1);
	}
	must(error == CS_OK, "cpg_join fails");
}

static void close_member(struct member *member)
{
	cpg_finalize(member->handle);
	free(member->senders);
}

static void dispatch(const struct member *member)
{
	must(cpg_dispatch(member->handle, CS_DISPATCH_ALL) == CS_OK, "cpg_dispatch fails");
}

/* True: it was taken. */
static bool send_one(struct member *member, uint32_t index, uint32_t size)
{
	struct head head = {my_node, (uint32_t)getpid(), index, size, member->sent + 1};
	struct iovec iov[] = {{&head, sizeof(head)}, {bytes, size - sizeof(head)}};
	cs_error_t error;

	memset(bytes, byte_of(head.number, index), size - sizeof(head));
	error = cpg_mcast_joined(member->handle, CPG_TYPE_AGREED, iov, 2);
	must(error == CS_OK || error == CS_ERR_TRY_AGAIN, "cpg_mcast_joined fails");
	member->sent += error == CS_OK;
	return error == CS_OK;
}

/* --- send --- */

static void *read_all(void *arg)
{
	const struct member *member = arg;

	while (cpg_dispatch(member->handle, CS_DISPATCH_BLOCKING) == CS_OK) {
	}
	return NULL;
}

/* How long one sends. */
struct span {
	uint64_t ms;
	uint64_t messages;
};

static struct span span_of(const char *text)
{
	char *end;
	uint64_t number = strtoull(text, &end, 10);

	return *end == 'x' ? (struct span){LIMIT_MS, number}
			   : (struct span){number * 1000, UINT64_MAX};
}

/* Another thread reads meanwhile: a program that reads all there is before it sends again is kept at
 * reading by those who send more. */
static struct result send_for(struct member *member, uint32_t size, const struct span *span)
{
	uint64_t since_ms = now_ms();
	uint64_t until_ms = since_ms + span->ms;
	struct result result = {0};
	uint64_t now;

	while ((now = now_ms()) < until_ms && member->sent < span->messages) {
		if (now - since_ms > result.refused_ms) {
			result.refused_ms = now - since_ms;
		}
		if (send_one(member, 0, size)) {
			since_ms = now;
		} else {
			pause_ms(1);
		}
	}
	result.sent = member->sent;
	while (member->own < member->sent) {
		pause_ms(1);
	}
	return result;
}

static void group_of(const char *group, uint32_t index, char *out, size_t size)
{
	size_t length = strlen(group);

	if (length > 0 && group[length - 1] == '+') {
		snprintf(out, size, "%s%" PRIu32, group, index);
	} else {
		snprintf(out, size, "%s", group);
	}
}

static void send_child(const char *group, uint32_t size, const struct span *span, int ready, int go,
		       int out)
{
	struct member member = {0};
	struct result result;
	pthread_t reader;
	char byte = 0;

	open_member(&member, group);
	while (member.members == 0) {
		dispatch(&member);
		pause_ms(1);
	}
	must(write(ready, &byte, 1) == 1 && read(go, &byte, 1) == 0, "a pipe fails");
	must(pthread_create(&reader, NULL, read_all, &member) == 0, "no thread");
	result = send_for(&member, size, span);
	must(write(out, &result, sizeof(result)) == (ssize_t)sizeof(result), "a pipe fails");
	cpg_finalize(member.handle);
	pthread_join(reader, NULL);
	free(member.senders);
	exit(0);
}

static int run_send(char **args)
{
	uint32_t count = (uint32_t)strtoul(args[0], NULL, 10);
	uint32_t size = (uint32_t)strtoul(args[1], NULL, 10);
	struct span span = span_of(args[2]);
	uint64_t least = UINT64_MAX, most = 0, sum = 0, refused_ms = 0;
	int ready[2], go[2], out[2];
	int status, failed = 0;
	struct result result;
	char byte;

	must(size >= sizeof(struct head) && size <= SIZE_MAX_BYTES, "no such size");
	must(pipe(ready) == 0 && pipe(go) == 0 && pipe(out) == 0, "no pipes");
	for (uint32_t i = 0; i < count; i++) {
		pid_t pid = fork();

		must(pid >= 0, "no process");
		if (pid == 0) {
			char group[64];

			close(go[1]);
			group_of(args[3], i, group, sizeof(group));
			send_child(group, size, &span, ready[1], go[0], out[1]);
		}
	}
	close(out[1]);
	close(ready[1]);
	for (uint32_t i = 0; i < count; i++) {
		must(read(ready[0], &byte, 1) == 1, "a sender does not join");
	}
	close(go[1]);
	while (read(out[0], &result, sizeof(result)) == (ssize_t)sizeof(result)) {
		least = result.sent < least ? result.sent : least;
		most = result.sent > most ? result.sent : most;
		sum += result.sent;
		refused_ms = result.refused_ms > refused_ms ? result.refused_ms : refused_ms;
	}
	while (wait(&status) > 0) {
		failed = status ? (WIFEXITED(status) ? WEXITSTATUS(status) : 1) : failed;
	}
	printf("least %" PRIu64 " most %" PRIu64 " refused_ms %" PRIu64 " sum %" PRIu64 "\n", least,
	       most, refused_ms, sum);
	return failed;
}

/* --- sleep --- */

static void make(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	must(fd >= 0, "no file");
	close(fd);
}

static void wait_for_file(const char *path)
{
	while (access(path, F_OK)) {
		pause_ms(10);
	}
}

#define QUIET_MS 1000u /* then nothing more comes */

static int run_sleep(char **args)
{
	struct member member = {0};
	cs_error_t error = CS_OK;
	uint64_t since_ms, before;

	open_member(&member, args[0]);
	while (member.members == 0) {
		dispatch(&member);
		pause_ms(1);
	}
	make(args[1]);
	wait_for_file(args[2]);
	since_ms = now_ms();
	while (error == CS_OK && now_ms() < since_ms + QUIET_MS) {
		before = member.got;
		error = cpg_dispatch(member.handle, CS_DISPATCH_ALL);
		since_ms = member.got > before ? now_ms() : since_ms;
		pause_ms(1);
	}
	printf("%" PRIu64 " right, %s\n", member.got,
	       error == CS_OK ? "connected" : "disconnected");
	close_member(&member);
	return 0;
}

/* --- hold --- */

static void hold(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid,
		 void *message, size_t size)
{
	deliver(handle, group, node, pid, message, size);
	must(coronet_cpg_hold(handle, message) == CS_OK, "coronet_cpg_hold fails");
}

static int run_hold(char **args)
{
	coronet_cpg_model_data_t model = {.model = CORONET_CPG_MODEL,
					  .cpg_deliver_fn = hold,
					  .cpg_confchg_fn = confchg,
					  .flags = CORONET_CPG_DELIVER_IN_PLACE,
					  .size = sizeof(model)};
	struct cpg_name name = {.length = (uint32_t)strlen(args[0])};
	uint64_t count = strtoul(args[2], NULL, 10);
	struct member member = {0};
	struct coronet_cpg_stats stats;

	must(name.length < sizeof(name.value), "the group's name is too long");
	memcpy(name.value, args[0], name.length);
	must(cpg_model_initialize(&member.handle, CORONET_CPG_MODEL, (cpg_model_data_t *)&model,
				  &member) == CS_OK &&
		     cpg_join(member.handle, &name) == CS_OK,
	     "cannot join");
	while (member.members == 0) {
		dispatch(&member);
		pause_ms(1);
	}
	make(args[1]);
	while (member.got < count) {
		dispatch(&member);
		pause_ms(1);
	}
	must(coronet_cpg_stats_get(member.handle, &stats, sizeof(stats)) == CS_OK, "no statistics");
	printf("in_place %" PRIu64 " of %" PRIu64 "\n",
	       stats.bytes_delivered - stats.bytes_copied_delivering, stats.bytes_delivered);
	fflush(stdout);
	wait_for_file(args[3]);
	close_member(&member);
	return 0;
}

/* --- crowd --- */

static bool all_have(const struct member *members, uint32_t count, size_t views, uint64_t messages)
{
	for (uint32_t i = 0; i < count; i++) {
		if (members[i].members < views || members[i].got < messages) {
			return false;
		}
	}
	return true;
}

static void crowd_until(struct member *members, uint32_t count, size_t views, uint64_t messages,
			uint64_t send)
{
	do {
		for (uint32_t i = 0; i < count; i++) {
			while (members[i].sent < send && send_one(&members[i], i, 100)) {
			}
			dispatch(&members[i]);
		}
		pause_ms(1);
	} while (!all_have(members, count, views, messages));
}

static int run_crowd(char **args)
{
	uint32_t count = (uint32_t)strtoul(args[0], NULL, 10);
	uint32_t groups = (uint32_t)strtoul(args[1], NULL, 10);
	uint32_t first = (uint32_t)strtoul(args[2], NULL, 10);
	size_t views = strtoul(args[3], NULL, 10);
	uint64_t messages = strtoul(args[4], NULL, 10);
	struct member *members = calloc(count, sizeof(*members));
	uint64_t began_ms = now_ms(), joined_ms;

	must(members && groups > 0, "out of memory, or no groups");
	for (uint32_t i = 0; i < count; i++) {
		char group[32];

		snprintf(group, sizeof(group), "crowd-%" PRIu32, first + i % groups);
		open_member(&members[i], group);
	}
	crowd_until(members, count, views, 0, 0);
	joined_ms = now_ms();
	crowd_until(members, count, 0, views * messages, messages);
	printf("%" PRIu32 " joined in %" PRIu64 " ms, %" PRIu64 " messages each in %" PRIu64
	       " ms\n",
	       count, joined_ms - began_ms, views * messages, now_ms() - joined_ms);
	for (uint32_t i = 0; i < count; i++) {
		close_member(&members[i]);
	}
	free(members);
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (argc == 6 && strcmp(argv[1], "send") == 0) {
		return run_send(argv + 2);
	}
	if (argc == 5 && strcmp(argv[1], "sleep") == 0) {
		return run_sleep(argv + 2);
	}
	if (argc == 6 && strcmp(argv[1], "hold") == 0) {
		return run_hold(argv + 2);
	}
	if (argc == 7 && strcmp(argv[1], "crowd") == 0) {
		return run_crowd(argv + 2);
	}
	fprintf(stderr, "usage: see the head of overload.c\n");
	return 1;
}
