/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients that do what src/ipc forbids. Where a rule is broken for certain, the connection must end. */
#include "tests/system/hostile/hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/memory.h"
#include "ipc/shared.h"

/* Where others talk to each other; nothing is said there. */
#define BUSY	  "busy"
#define GROUP	  "hostile"

#define CROWD_MAX 900

static void send_request(int fd, const struct ipc_request *request)
{
	ipc_send_packet(fd, request, sizeof(*request), NULL, 0, NULL, MSG_DONTWAIT);
}

static struct ipc_request any_request(void)
{
	struct ipc_request request = {.kind = hostile_below(IPC_KINDS + 3),
				      .arg = (uint32_t)hostile_number(),
				      .value = hostile_number(),
				      .pid = (uint32_t)hostile_number()};

	hostile_bytes(request.name.value, sizeof(request.name.value));
	request.name.length = hostile_below(4) ? hostile_below(140) : (uint32_t)hostile_number();
	return request;
}

static bool open_any(struct raw *raw, const char *group)
{
	return raw_open(raw,
			(hostile_below(2) ? IPC_HELLO_IN_PLACE : 0) |
				(hostile_below(2) ? IPC_HELLO_CLIENT_INITIAL : 0),
			group);
}

/* --- Packets --- */

static void wrong_sizes(void)
{
	static const size_t sizes[] = {1,   2,	 4,   31,   32,	  64,	 100,
				       151, 153, 200, 4096, 8192, 65536, 100000};
	static uint8_t bytes[100000];
	size_t size = sizes[hostile_below(sizeof(sizes) / sizeof(sizes[0]))];
	struct raw raw;

	hostile_bytes(bytes, 160);
	memcpy(bytes, &hostile_hello, sizeof(hostile_hello));
	if (open_any(&raw, hostile_below(2) ? GROUP : NULL)) {
		ipc_send_packet(raw.fd, bytes, size, NULL, 0, NULL, MSG_DONTWAIT);
		raw_must_be_cut(&raw, "sends packets of a wrong size");
	}
	raw = (struct raw){.fd = raw_connect(), .memory_fd = -1};
	if (raw.fd >= 0) {
		ipc_send_packet(raw.fd, bytes, size, NULL, 0, NULL, MSG_DONTWAIT);
		raw_must_be_cut(&raw, "begins with a packet of a wrong size");
	}
}

static void empty_packet(void)
{
	struct raw raw;

	if (open_any(&raw, GROUP)) {
		send(raw.fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL);
		raw_must_be_cut(&raw, "sends an empty packet");
	}
}

static void bad_hello(void)
{
	static const struct ipc_request cases[] = {
		{.kind = 0},
		{.kind = UINT32_MAX, .value = (uint64_t)IPC_MAGIC << 32 | IPC_VERSION},
		{.kind = IPC_JOIN, .name = {.length = 1, .value = "x"}},
		{.kind = IPC_REGION_NEW, .value = 1u << 20},
		{.kind = IPC_FINALIZE},
		{.kind = IPC_STATUS},
		{.kind = IPC_HELLO, .value = IPC_VERSION},
		{.kind = IPC_HELLO, .value = (uint64_t)(IPC_MAGIC ^ 1) << 32 | IPC_VERSION},
		{.kind = IPC_HELLO, .value = (uint64_t)IPC_MAGIC << 32},
		{.kind = IPC_HELLO, .value = (uint64_t)IPC_MAGIC << 32 | UINT32_MAX},
		{.kind = IPC_HELLO, .arg = 3, .value = (uint64_t)IPC_MAGIC << 32 | IPC_VERSION},
		{.kind = IPC_HELLO,
		 .arg = UINT32_MAX,
		 .value = (uint64_t)IPC_MAGIC << 32 | IPC_VERSION},
	};
	struct raw raw = {.fd = raw_connect(), .memory_fd = -1};

	if (raw.fd >= 0) {
		send_request(raw.fd, &cases[hostile_below(sizeof(cases) / sizeof(cases[0]))]);
		raw_must_be_cut(&raw, "says hello wrongly");
	}
}

static void two_hellos(void)
{
	struct raw raw;

	if (open_any(&raw, hostile_below(2) ? GROUP : NULL)) {
		send_request(raw.fd, &hostile_hello);
		raw_must_be_cut(&raw, "says hello twice");
	}
}

/* None of the answers is read. */
static void many_requests(void)
{
	struct raw raw;

	if (!open_any(&raw, hostile_below(2) ? GROUP : NULL)) {
		return;
	}
	for (uint32_t i = hostile_below(400); i > 0; i--) {
		struct ipc_request request = any_request();

		send_request(raw.fd, &request);
	}
	hostile_pause_ms((int)hostile_below(3));
	raw_close(&raw);
}

static void two_at_once(void)
{
	struct ipc_request request = {.kind = hostile_below(2) ? IPC_LOCAL : IPC_FINALIZE};
	struct raw raw;

	if (open_any(&raw, GROUP)) {
		for (int i = 0; i < 2; i++) {
			send_request(raw.fd, &request);
		}
		raw_close(&raw);
	}
}

static void names(void)
{
	struct ipc_request join = {.kind = IPC_JOIN, .pid = (uint32_t)hostile_number()};
	struct raw raw;

	if (!open_any(&raw, NULL)) {
		return;
	}
	hostile_bytes(join.name.value, sizeof(join.name.value));
	join.name.length = hostile_below(2) ? hostile_below(130) : 127 + hostile_below(3);
	if (raw_call(&raw, &join, NULL) == CS_OK) {
		hostile_pause_ms(1);
	}
	raw_close(&raw);
}

static void tool(void)
{
	struct ipc_request request = hostile_hello;
	struct raw raw = {.fd = raw_connect(), .memory_fd = -1};

	request.arg = IPC_HELLO_TOOL;
	if (raw.fd >= 0 && raw_call(&raw, &request, NULL) == CS_OK) {
		request = (struct ipc_request){.kind = IPC_STATUS};
		for (uint32_t i = hostile_below(50); i > 0; i--) {
			request.kind = hostile_below(2) ? IPC_STATUS : IPC_ITERATE;
			request.arg = CPG_ITERATION_ALL;
			send_request(raw.fd, &request);
		}
		request.kind = IPC_REGION_NEW;
		send_request(raw.fd, &request);
	}
	raw_close(&raw);
}

/* Also its own sockets: what hangs in them would keep them open. */
static void descriptors(void)
{
	struct ipc_fds fds = {.count = 1 + (int)hostile_below(IPC_FDS_MAX)};
	struct raw raw;

	if (!open_any(&raw, NULL)) {
		return;
	}
	for (int i = 0; i < fds.count; i++) {
		fds.fd[i] = hostile_below(2) ? raw.fd : raw.fds.fd[hostile_below(4)];
	}
	for (int i = 0; i < 20; i++) {
		ipc_send_packet(raw.fds.fd[1], "x", 1, NULL, 0, &fds, MSG_DONTWAIT);
	}
	/* Newer kernels refuse it for the daemon. */
	if (ipc_send_packet(raw.fd, &hostile_hello, sizeof(hostile_hello), NULL, 0, &fds,
			    MSG_DONTWAIT) == -EPERM) {
		raw_close(&raw);
		return;
	}
	raw_must_be_cut(&raw, "attaches descriptors to a request");
}

/* --- Connections --- */

static void never_speak(void)
{
	int fd[CROWD_MAX];
	int count = hostile_below(4) ? 200 : CROWD_MAX;

	for (int i = 0; i < count; i++) {
		fd[i] = raw_connect();
	}
	hostile_pause_ms((int)hostile_below(20));
	for (int i = 0; i < count; i++) {
		ipc_close(&fd[i]);
	}
}

/* Open, and never read an answer or an event. */
static void never_read(void)
{
	int fd[100];

	for (int i = 0; i < 100; i++) {
		fd[i] = raw_connect();
		if (fd[i] >= 0) {
			struct ipc_request join = {.kind = IPC_JOIN,
						   .pid = hostile_below(1u << 22),
						   .name = {.length = 4, .value = BUSY}};

			send_request(fd[i], &hostile_hello);
			if (i % 4 == 0) {
				send_request(fd[i], &join);
			}
		}
	}
	hostile_pause_ms((int)hostile_below(20));
	for (int i = 0; i < 100; i++) {
		ipc_close(&fd[i]);
	}
}

static void close_in_the_middle(void)
{
	struct ipc_request join = {
		.kind = IPC_JOIN, .pid = 4711, .name = {.length = 1, .value = "m"}};
	struct raw raw;

	if (!open_any(&raw, hostile_below(2) ? GROUP : NULL)) {
		return;
	}
	send_request(raw.fd, &join);
	for (int i = 0; i < 4; i++) {
		if (hostile_below(2)) {
			ipc_close(&raw.fds.fd[i]);
			raw.fds.fd[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		}
	}
	if (hostile_below(2)) {
		shutdown(raw.fd, hostile_below(3));
	}
	hostile_pause_ms((int)hostile_below(5));
	raw_close(&raw);
}

/* --- Shared memory --- */

static void publish(struct raw *raw, const struct ipc_send *message)
{
	struct ipc_indexes *indexes = ipc_indexes(raw->shared);
	uint64_t at = ipc_load(&indexes->sends_published);

	*ipc_send_at(raw->shared, at) = *message;
	ipc_exchange(&indexes->sends_published, at + 1);
	raw_bell(raw);
}

static void bad_sends(void)
{
	struct ipc_send cases[] = {
		{.region = hostile_roll() | 1ull << 40, .size = 1, .guarantee = 2},
		{.region = 0, .size = 1, .guarantee = 2},
		{.offset = RAW_MEMORY_BYTES, .size = 1, .guarantee = 2},
		{.offset = 1, .size = RAW_MEMORY_BYTES, .guarantee = 3},
		{.offset = UINT64_MAX - hostile_below(9), .size = 1, .guarantee = 2},
		{.offset = 2, .size = UINT64_MAX, .guarantee = 2},
		{.size = (64u << 20) + 1, .guarantee = 2},
		{.size = 1, .guarantee = 1},
		{.size = 1, .guarantee = 4 + (hostile_below(UINT32_MAX - 4))},
	};
	uint32_t which = hostile_below(sizeof(cases) / sizeof(cases[0]));
	struct raw raw;

	if (open_any(&raw, GROUP)) {
		if (which >= 2) {
			cases[which].region = raw.region;
		}
		publish(&raw, &cases[which]);
		raw_must_be_cut(&raw, "describes a message that cannot be");
	}
}

static void any_sends(void)
{
	struct raw raw;

	if (!open_any(&raw, GROUP)) {
		return;
	}
	for (uint32_t i = 1 + hostile_below(200); i > 0; i--) {
		struct ipc_send message = {.region =
						   hostile_below(8) ? raw.region : hostile_number(),
					   .offset = hostile_number(),
					   .size = hostile_number(),
					   .token = (uint32_t)hostile_roll(),
					   .guarantee = hostile_below(4)};

		publish(&raw, &message);
	}
	raw_close(&raw);
}

static void impossible_sends_index(void)
{
	struct raw raw;

	if (open_any(&raw, GROUP)) {
		ipc_store(&ipc_indexes(raw.shared)->sends_published,
			  IPC_SENDS + 1 + (hostile_roll() >> (1 + hostile_below(40))));
		raw_bell(&raw);
		raw_must_be_cut(&raw, "has published more than there is");
	}
}

static void impossible_events_index(void)
{
	struct raw raw;

	if (open_any(&raw, GROUP)) {
		ipc_store(&ipc_indexes(raw.shared)->events_consumed,
			  IPC_EVENT_BYTES + 1 + (hostile_roll() >> (1 + hostile_below(30))));
		raw_bell(&raw);
		raw_must_be_cut(&raw, "has read more than there is");
	}
}

/* Everything in it, while messages come. */
static void scribble(void)
{
	struct raw raw;

	if (!open_any(&raw, hostile_below(2) ? BUSY : GROUP)) {
		return;
	}
	for (uint32_t i = hostile_below(20000); i > 0; i--) {
		uint32_t at = hostile_below(8) ? hostile_below(sizeof(struct ipc_indexes))
					       : hostile_below(IPC_SHARED_SIZE - 8);
		uint64_t value = hostile_number();

		/* Not yet what would end it at once. */
		if (at / 64 != 0 && at / 64 != 6) {
			memcpy((uint8_t *)raw.shared + at, &value, 8 - at % 8);
		}
		if (i % 64 == 0) {
			raw_bell(&raw);
		}
		if (i % 1000 == 0) {
			raw_read_all(&raw);
		}
	}
	hostile_bytes(raw.shared, sizeof(struct ipc_indexes));
	raw_bell(&raw);
	hostile_pause_ms((int)hostile_below(5));
	raw_close(&raw);
}

/* All of them, whatever was granted, and never cleared. */
static void pins(void)
{
	struct ipc_indexes *indexes;
	struct raw raw;

	if (!raw_open(&raw, IPC_HELLO_IN_PLACE, BUSY)) {
		return;
	}
	indexes = ipc_indexes(raw.shared);
	for (uint32_t i = 0; i < 50; i++) {
		memset((uint8_t *)raw.shared + IPC_PINS_AT, (int)hostile_below(4), IPC_PINS);
		ipc_store(&indexes->pins_cleared, hostile_roll());
		ipc_store(&indexes->sends_wanted, i);
		raw_read_all(&raw);
		raw_bell(&raw);
		hostile_pause_ms(1);
	}
	raw_close(&raw);
}

/* It says that it reads, and takes nothing out of the side socket. */
static void side_not_read(void)
{
	struct raw raw;

	if (!open_any(&raw, BUSY)) {
		return;
	}
	for (uint32_t i = 0; i < 100; i++) {
		if (i % 20 > 15) {
			raw_read_all(&raw);
			raw_bell(&raw);
		}
		hostile_pause_ms(2);
	}
	raw_close(&raw);
}

static void side_garbage(void)
{
	uint8_t bytes[2000];
	struct raw raw;

	if (!open_any(&raw, hostile_below(2) ? BUSY : GROUP)) {
		return;
	}
	for (int i = 0; i < 400; i++) {
		hostile_bytes(bytes, 64);
		send(raw.fds.fd[1], bytes, hostile_below(sizeof(bytes)),
		     MSG_DONTWAIT | MSG_NOSIGNAL);
		send(raw.fds.fd[0], bytes, hostile_below(sizeof(bytes)),
		     MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	raw_close(&raw);
}

/* A message is changed all the time while it is on its way. */
static void change_in_flight(void)
{
	struct raw raw;

	if (!open_any(&raw, GROUP)) {
		return;
	}
	for (uint32_t i = 0; i < 50; i++) {
		struct ipc_send message = {.region = raw.region,
					   .size = 1 + hostile_below(RAW_MEMORY_BYTES),
					   .token = i,
					   .guarantee = 2 + hostile_below(2)};

		publish(&raw, &message);
		for (uint32_t at = hostile_below(4096); at < RAW_MEMORY_BYTES; at += 4096) {
			raw.memory[at] ^= 0xff;
		}
		raw_read_all(&raw);
	}
	raw_close(&raw);
}

/* --- What it was given --- */

/* Whatever it tries, `fd` can only be read. Who may do everything may open it anew; only a seal stops that one. */
static void must_be_readonly(int fd, bool sealed)
{
	char path[64];
	int again;

	if (ftruncate(fd, 0) == 0 || ftruncate(fd, 1ll << 40) == 0 || write(fd, "x", 1) >= 0) {
		hostile_fail("receive memory can be written or resized");
	}
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED) {
		hostile_fail("receive memory can be mapped for writing");
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	if (again >= 0 && geteuid() != 0) {
		hostile_fail("receive memory can be opened anew for writing");
	}
	if (again >= 0 && sealed &&
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0) != MAP_FAILED) {
		hostile_fail("receive memory can be opened anew and mapped for writing");
	}
	if (again >= 0) {
		close(again);
	}
}

/* Memory of a sender, as it is shown to whom its messages go. */
static void shown(struct raw *raw)
{
	struct pollfd watch = {.fd = raw->fds.fd[1], .events = POLLIN};
	struct ipc_fds fds = {0};
	struct ipc_side side;

	publish(raw, &(struct ipc_send){
			     .region = raw->region, .size = RAW_MEMORY_BYTES, .guarantee = 2});
	if (poll(&watch, 1, 1000) == 1 &&
	    ipc_receive_packet(watch.fd, &side, sizeof(side), &fds, 0) > 0 && fds.count == 1) {
		must_be_readonly(fds.fd[0], false);
	}
	ipc_close_fds(&fds);
}

static void seals(void)
{
	struct raw raw;

	if (!open_any(&raw, GROUP)) {
		return;
	}
	must_be_readonly(raw.fds.fd[3], true);
	if (ftruncate(raw.fds.fd[2], 0) == 0 || ftruncate(raw.fds.fd[2], 1ll << 40) == 0 ||
	    ftruncate(raw.memory_fd, 0) == 0 || ftruncate(raw.memory_fd, 1ll << 40) == 0) {
		hostile_fail("the size of shared memory can be changed");
	}
	shown(&raw);
	/* Pages with holes are zeros, not an error. */
	fallocate(raw.memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, RAW_MEMORY_BYTES);
	publish(&raw,
		&(struct ipc_send){.region = raw.region, .size = RAW_MEMORY_BYTES, .guarantee = 2});
	raw_close(&raw);
}

/* Into the daemon itself, where everybody's memory is. */
static void pry(void)
{
	static const char *const doors[] = {"fd", "map_files", "mem", "maps", "environ"};
	struct ucred daemon = {0};
	socklen_t size = sizeof(daemon);
	int connection = raw_connect();
	char path[64];

	if (connection >= 0 && geteuid() != 0 &&
	    getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &daemon, &size) == 0) {
		for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
			int fd;

			snprintf(path, sizeof(path), "/proc/%d/%s", daemon.pid, doors[i]);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd >= 0) {
				hostile_fail("another user can open %s", path);
			}
		}
	}
	ipc_close(&connection);
}

static void regions(void)
{
	struct ipc_request request = {.kind = IPC_REGION_NEW};
	struct ipc_fds fds;
	struct raw raw;

	if (!open_any(&raw, GROUP)) {
		return;
	}
	for (uint32_t i = 0; i < 80; i++) {
		request.value = hostile_below(4) ? 1 + hostile_below(1u << 23) : hostile_number();
		fds.count = 0;
		if (raw_call(&raw, &request, &fds) < 0) {
			break;
		}
		if (fds.count == 1) {
			struct ipc_send message = {
				.region = raw.region, .size = 1000, .guarantee = 2};

			publish(&raw, &message);
		}
		ipc_close_fds(&fds);
		if (hostile_below(2)) {
			struct ipc_request give = {.kind = IPC_REGION_FREE, .value = raw.region};

			send_request(raw.fd, &give);
		}
	}
	request = (struct ipc_request){.kind = IPC_REGION_FREE, .value = hostile_roll()};
	send_request(raw.fd, &request);
	raw_must_be_cut(&raw, "gives back memory that is not its own");
}

/* --- Ends --- */

static void be_anything(void)
{
	void (*const any[])(void) = {any_sends,	   scribble, change_in_flight, regions,
				     side_garbage, pins,     many_requests};

	for (;;) {
		any[hostile_below(sizeof(any) / sizeof(any[0]))]();
	}
}

/* Anything, by processes that are killed while they do it. */
static void killed(void)
{
	uint64_t seed = hostile_roll();
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		hostile_seed = seed;
		be_anything();
	}
	if (pid > 0) {
		hostile_pause_ms((int)hostile_below(50));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* A member of the busy group that is stopped, with all its sockets and pins, and killed later. */
static void stopped(void)
{
	static pid_t asleep[8];
	static uint32_t turn;
	pid_t *place = &asleep[turn++ % 8];
	struct raw raw;

	if (*place > 0) {
		kill(*place, SIGKILL);
		waitpid(*place, NULL, 0);
	}
	*place = fork();
	if (*place == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (open_any(&raw, BUSY)) {
			memset((uint8_t *)raw.shared + IPC_PINS_AT, 1, IPC_PINS);
			raw_read_all(&raw);
		}
		raise(SIGSTOP);
		_exit(0);
	}
}

int hostile_clients(uint64_t ms)
{
	struct hostile_way ways[] = {
		{"wrong sizes", wrong_sizes, 0},
		{"empty packets", empty_packet, 0},
		{"bad hellos", bad_hello, 0},
		{"two hellos", two_hellos, 0},
		{"many requests", many_requests, 0},
		{"two at once", two_at_once, 0},
		{"names", names, 0},
		{"tools", tool, 0},
		{"descriptors", descriptors, 0},
		{"never speak", never_speak, 0},
		{"never read", never_read, 0},
		{"close in the middle", close_in_the_middle, 0},
		{"bad sends", bad_sends, 0},
		{"any sends", any_sends, 0},
		{"impossible sends", impossible_sends_index, 0},
		{"impossible events", impossible_events_index, 0},
		{"scribble", scribble, 0},
		{"pins", pins, 0},
		{"side not read", side_not_read, 0},
		{"side garbage", side_garbage, 0},
		{"change in flight", change_in_flight, 0},
		{"seals", seals, 0},
		{"prying", pry, 0},
		{"regions", regions, 0},
		{"killed", killed, 0},
		{"stopped", stopped, 0},
	};

	hostile_all_ways(ways, sizeof(ways) / sizeof(ways[0]), ms);
	return 0;
}
