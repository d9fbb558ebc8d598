/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients that break the protocol. Each loses its connection, the log says why, and a program
 * beside it goes on as if nothing had happened. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <corosync/cpg.h>

#include "engine/engine.h"
#include "ipc/memory.h"
#include "ipc/shared.h"
#include "ipc/socket.h"
#include "tests/unit/lib/program.h"
#include "tests/unit/lib/server.h"

/* A client that speaks the protocol by hand. */
struct raw {
	int fd;
	struct ipc_fds fds; /* event, side, shared, slab */
	void *shared;
	uint64_t region;
	uint8_t *memory;
	int memory_fd;
};

#define MEMORY_SIZE (1024u * 1024)

static struct server *server;
static struct program bystander;
static const struct ipc_request hello = {.kind = IPC_HELLO,
					 .value = (uint64_t)IPC_MAGIC << 32 | IPC_VERSION};

static int start(void **state)
{
	(void)state;
	server = server_start(NULL);
	program_open(&bystander, 0);
	assert_int_equal(cpg_join(bystander.handle, &(struct cpg_name){.length = 1, .value = "b"}),
			 CS_OK);
	program_wait_confchgs(&bystander, 1);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	program_close(&bystander);
	server_stop(&server);
	return 0;
}

static uint32_t call(struct raw *raw, const struct ipc_request *request, struct ipc_fds *fds)
{
	static _Alignas(8) uint8_t buf[IPC_REPLY_MAX];

	assert_int_equal(ipc_call(raw->fd, request, buf, fds), 0);
	raw->region = ((struct ipc_reply *)(void *)buf)->value;
	return ((struct ipc_reply *)(void *)buf)->status;
}

static uint32_t next_pid = 4711; /* another each time: several are in one group */

static void raw_open_as(struct raw *raw, uint32_t kind)
{
	struct ipc_request as = {.kind = IPC_HELLO, .arg = kind, .value = hello.value};
	struct ipc_request join = {.kind = IPC_JOIN, .pid = next_pid++, .name = group_g};
	struct ipc_request region = {.kind = IPC_REGION_NEW, .value = MEMORY_SIZE};
	struct ipc_fds fds;
	void *base;

	raw->fd = ipc_connect(server_dir(server));
	assert_true(raw->fd >= 0);
	assert_int_equal(call(raw, &as, &raw->fds), CS_OK);
	assert_int_equal(raw->fds.count, 4);
	assert_int_equal(ipc_memory_map(raw->fds.fd[2], IPC_SHARED_SIZE, PROT_READ | PROT_WRITE,
					&raw->shared),
			 0);
	assert_int_equal(call(raw, &join, NULL), CS_OK);
	assert_int_equal(call(raw, &region, &fds), CS_OK);
	raw->memory_fd = fds.fd[0];
	assert_int_equal(ipc_memory_map(raw->memory_fd, MEMORY_SIZE, PROT_READ | PROT_WRITE, &base),
			 0);
	raw->memory = base;
}

static void raw_open(struct raw *raw)
{
	raw_open_as(raw, IPC_HELLO_CLIENT);
}

static void raw_close(struct raw *raw)
{
	munmap(raw->shared, IPC_SHARED_SIZE);
	munmap(raw->memory, MEMORY_SIZE);
	ipc_close_fds(&raw->fds);
	close(raw->memory_fd);
	close(raw->fd);
}

static uint64_t published(const struct raw *raw)
{
	return ipc_load(&ipc_indexes(raw->shared)->events_published) & ~IPC_QUIET;
}

static void bell(struct raw *raw)
{
	assert_int_equal(send(raw->fds.fd[1], "", 1, MSG_NOSIGNAL), 1);
}

/* The daemon hangs up, says why, and still serves the bystander. */
static void expect_disconnected(struct raw *raw, const char *reason)
{
	struct pollfd request = {.fd = raw->fd};

	assert_int_equal(poll(&request, 1, 5000), 1);
	assert_true(request.revents & POLLHUP);
	if (!server_logged(server, reason)) {
		fail_msg("not logged: %s", reason);
	}
	raw_close(raw);
	program_send(&bystander, 1, 1000);
	program_wait_messages(&bystander, bystander.messages + 1);
	assert_int_equal(server_state(server).connected, 1);
}

static void publish(struct raw *raw, const struct ipc_send *message)
{
	struct ipc_indexes *indexes = ipc_indexes(raw->shared);
	uint64_t at = ipc_load(&indexes->sends_published);

	*ipc_send_at(raw->shared, at) = *message;
	ipc_exchange(&indexes->sends_published, at + 1);
	bell(raw);
}

static void sends__bad_descriptors(void **state)
{
	struct {
		struct ipc_send message;
		const char *reason;
	} cases[] = {
		{{.region = 999, .size = 1, .guarantee = 2}, "memory that is not its own"},
		{{.size = 1, .guarantee = 2}, "memory that is not its own"},
		{{.region = 1, .offset = MEMORY_SIZE, .size = 1, .guarantee = 2}, "not inside"},
		{{.region = 1, .offset = 1, .size = MEMORY_SIZE, .guarantee = 2}, "not inside"},
		{{.region = 1, .offset = UINT64_MAX, .size = 1, .guarantee = 2}, "not inside"},
		{{.region = 1, .offset = 2, .size = UINT64_MAX, .guarantee = 2}, "not inside"},
		{{.region = 1, .size = (64u << 20) + 1, .guarantee = 2}, "not inside"},
		{{.region = 1, .size = 1, .guarantee = 1}, "unknown guarantee"},
		{{.region = 1, .size = 1, .guarantee = UINT32_MAX}, "unknown guarantee"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct raw raw;

		raw_open(&raw);
		if (cases[i].message.region == 1) {
			cases[i].message.region = raw.region;
		}
		publish(&raw, &cases[i].message);
		expect_disconnected(&raw, cases[i].reason);
	}
}

static void sends__bad_index(void **state)
{
	static const uint64_t indexes[] = {IPC_SENDS + 1, UINT64_MAX, 1ull << 63};

	(void)state;
	for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
		struct raw raw;

		raw_open(&raw);
		ipc_store(&ipc_indexes(raw.shared)->sends_published, indexes[i]);
		bell(&raw);
		expect_disconnected(&raw, "send ring has an impossible index");
	}
}

static void sends__index_goes_back(void **state)
{
	struct ipc_send message = {.guarantee = 3};
	struct raw raw;

	(void)state;
	raw_open(&raw);
	publish(&raw, &message);
	publish(&raw, &message);
	poll(NULL, 0, 20);
	assert_int_equal(ipc_load(&ipc_indexes(raw.shared)->sends_taken), 2);
	ipc_store(&ipc_indexes(raw.shared)->sends_published, 1);
	bell(&raw);
	expect_disconnected(&raw, "send ring has an impossible index");
}

/* More messages under way than completions have places: a correct library cannot. */
static void sends__too_many_under_way(void **state)
{
	struct ipc_indexes *indexes;
	struct ipc_send message;
	struct raw raw;

	(void)state;
	raw_open(&raw);
	indexes = ipc_indexes(raw.shared);
	message = (struct ipc_send){.region = raw.region, .size = 1000, .guarantee = 2};
	for (uint32_t round = 0; round < 4 && recv(raw.fd, &round, 1, MSG_DONTWAIT) != 0; round++) {
		for (uint32_t i = 0; i < IPC_SENDS; i++) {
			*ipc_send_at(raw.shared, i) = message;
		}
		ipc_exchange(&indexes->sends_published, (uint64_t)(round + 1) * IPC_SENDS);
		bell(&raw);
		for (int i = 0;
		     i < 100 && ipc_load(&indexes->sends_taken) < (uint64_t)(round + 1) * IPC_SENDS;
		     i++) {
			poll(NULL, 0, 5);
		}
	}
	/* it never reads: what it has sent to itself stays where it is until half is pinned, then
	 * copies are made, so that messages do come back; either way the daemon lives */
	close(raw.fd);
	raw.fd = open("/dev/null", O_RDONLY);
	raw_close(&raw);
	program_send(&bystander, 1, 1000);
	program_wait_messages(&bystander, bystander.messages + 1);
}

static void events__bad_index(void **state)
{
	static const uint64_t beyond[] = {8, IPC_EVENT_BYTES, 1ull << 40, 1ull << 63};

	(void)state;
	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		struct raw raw;

		raw_open(&raw);
		poll(NULL, 0, 20); /* its own join is in the ring */
		ipc_store(&ipc_indexes(raw.shared)->events_consumed, published(&raw) + beyond[i]);
		bell(&raw);
		expect_disconnected(&raw, "event ring has an impossible index");
	}
}

static void events__index_goes_back(void **state)
{
	struct raw raw;

	(void)state;
	raw_open(&raw);
	poll(NULL, 0, 20);
	ipc_store(&ipc_indexes(raw.shared)->events_consumed, published(&raw));
	bell(&raw);
	poll(NULL, 0, 20);
	ipc_store(&ipc_indexes(raw.shared)->events_consumed, 0);
	bell(&raw);
	expect_disconnected(&raw, "event ring has an impossible index");
}

/* Everything that is the daemon's own in the shared memory is overwritten: it does not look
 * there. */
static void memory__all_overwritten(void **state)
{
	struct raw raw;

	(void)state;
	for (int byte = 0; byte < 256; byte += 51) {
		raw_open(&raw);
		poll(NULL, 0, 10);
		memset(raw.shared, byte, IPC_SHARED_SIZE);
		bell(&raw);
		server_command(server, SERVER_REMOTE, 50, 3000);
		server_command(server, SERVER_REMOTE, 50, 30);
		raw_close(&raw);
		program_send(&bystander, 1, 1000);
		program_wait_messages(&bystander, bystander.messages + 1);
	}
	poll(NULL, 0, 20);
	assert_int_equal(server_state(server).slots_taken, 0);
}

static void packets__bad(void **state)
{
	static const struct {
		struct ipc_request request;
		const char *reason;
	} cases[] = {
		{{.kind = 0}, "unknown request"},
		{{.kind = IPC_KINDS + 1}, "unknown request"},
		{{.kind = UINT32_MAX}, "unknown request"},
		{{.kind = IPC_HELLO, .value = (uint64_t)IPC_MAGIC << 32 | IPC_VERSION},
		 "unknown request"},
		{{.kind = IPC_JOIN, .name = {.length = 129}}, "impossible name"},
		{{.kind = IPC_MEMBERS, .name = {.length = UINT32_MAX}}, "impossible name"},
		{{.kind = IPC_ITERATE, .name = {.length = 129}}, "impossible name"},
		{{.kind = IPC_REGION_FREE, .value = 999}, "gives back memory that is not its own"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct raw raw;

		raw_open(&raw);
		assert_int_equal(ipc_send_packet(raw.fd, &cases[i].request,
						 sizeof(cases[i].request), NULL, 0, NULL, 0),
				 0);
		expect_disconnected(&raw, cases[i].reason);
	}
}

static void packets__bad_size(void **state)
{
	static const size_t sizes[] = {1, sizeof(struct ipc_request) - 1,
				       sizeof(struct ipc_request) + 1, 4096};
	static const uint8_t bytes[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct raw raw;

		raw_open(&raw);
		assert_int_equal(ipc_send_packet(raw.fd, bytes, sizes[i], NULL, 0, NULL, 0), 0);
		expect_disconnected(&raw, "a packet of the wrong size");
	}
}

/* Descriptors that nobody asked for are never received, and the connection is closed. */
static void packets__with_descriptors(void **state)
{
	struct ipc_request request = {.kind = IPC_LOCAL};
	struct ipc_fds fds = {.count = 2, .fd = {0, 1}};
	struct raw raw;

	int err;

	(void)state;
	raw_open(&raw);
	err = ipc_send_packet(raw.fd, &request, sizeof(request), NULL, 0, &fds, 0);
	if (err == -EPERM) {
		/* Linux 6.16 and later refuse it for the daemon. */
		raw_close(&raw);
		skip();
	}
	assert_int_equal(err, 0);
	expect_disconnected(&raw, "it sends descriptors");
}

static void packets__two_at_a_time(void **state)
{
	struct ipc_request request = {.kind = IPC_LOCAL};
	struct ipc_send message = {.guarantee = 2};
	struct raw raw;

	(void)state;
	raw_open(&raw);
	server_command(server, SERVER_HOLD, 1, 0);
	publish(&raw, &message);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			ipc_send_packet(raw.fd, &request, sizeof(request), NULL, 0, NULL, 0), 0);
	}
	poll(NULL, 0, 20);
	server_command(server, SERVER_HOLD, 0, 0);
	expect_disconnected(&raw, "two requests at a time");
}

/* Requests by the thousand, and not one answer read. */
static void packets__answers_not_read(void **state)
{
	struct ipc_request request = {.kind = IPC_ITERATE, .arg = CPG_ITERATION_ALL};
	struct raw raw;
	int err = 0;

	(void)state;
	raw_open(&raw);
	for (int i = 0; i < 100000 && !err; i++) {
		err = ipc_send_packet(raw.fd, &request, sizeof(request), NULL, 0, NULL, 0);
	}
	assert_true(err == -EPIPE || err == -ECONNRESET);
	expect_disconnected(&raw, "an answer could not be sent");
}

static void hello__bad(void **state)
{
	static const struct ipc_request cases[] = {
		{.kind = IPC_LOCAL, .value = (uint64_t)IPC_MAGIC << 32 | IPC_VERSION},
		{.kind = IPC_HELLO, .value = (uint64_t)(IPC_MAGIC + 1) << 32 | IPC_VERSION},
		{.kind = IPC_HELLO, .arg = 3, .value = (uint64_t)IPC_MAGIC << 32 | IPC_VERSION},
	};
	static _Alignas(8) uint8_t buf[IPC_REPLY_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = ipc_connect(server_dir(server));

		assert_int_equal(ipc_call(fd, &cases[i], buf, NULL), -EPIPE);
		close(fd);
	}
}

static void hello__other_version(void **state)
{
	struct ipc_request request = {.kind = IPC_HELLO,
				      .value = (uint64_t)IPC_MAGIC << 32 | (IPC_VERSION + 1)};
	struct raw raw = {.fd = ipc_connect(server_dir(server))};

	(void)state;
	assert_int_equal(call(&raw, &request, NULL), CS_ERR_VERSION);
	assert_int_equal(recv(raw.fd, &request, sizeof(request), 0), 0);
	close(raw.fd);
	assert_true(server_logged(server, "its library is of another version"));
}

/* Connections that say nothing take no place for long, and the log is not filled with them. */
static void hello__never_said(void **state)
{
	struct server_options options = {.hello_max_ms = 50, .connections_max = 3};
	struct server *own = server_start(&options);
	struct program program;
	struct pollfd mute[3];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 3; i++) {
			mute[i] = (struct pollfd){.fd = ipc_connect(server_dir(own))};
			assert_true(mute[i].fd >= 0);
		}
		for (int i = 0; i < 3; i++) {
			assert_int_equal(poll(&mute[i], 1, 5000), 1);
			assert_true(mute[i].revents & POLLHUP);
			close(mute[i].fd);
		}
	}
	assert_int_equal(server_state(own).disconnected, 6);
	assert_int_equal(server_log_lines(own, "not said hello within 50 ms"), 1);
	program_open(&program, 0);
	poll(NULL, 0, 100);
	assert_int_equal(server_state(own).connected, 1);
	program_close(&program);
	server_stop(&own);
	setenv("CORONET_RUN_DIR", server_dir(server), 1);
}

/* A daemon that was stopped for longer than that finds the hellos in the sockets. */
static void hello__daemon_slept(void **state)
{
	struct server_options options = {.hello_max_ms = 50};
	struct server *own = server_start(&options);
	struct raw raw[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		raw[i].fd = ipc_connect(server_dir(own));
	}
	assert_int_equal(server_state(own).accepted, 2);
	kill(server_pid(own), SIGSTOP);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			ipc_send_packet(raw[i].fd, &hello, sizeof(hello), NULL, 0, NULL, 0), 0);
	}
	poll(NULL, 0, 100);
	kill(server_pid(own), SIGCONT);
	for (int i = 0; i < 2; i++) {
		struct pollfd answer = {.fd = raw[i].fd, .events = POLLIN};

		assert_int_equal(poll(&answer, 1, 5000), 1);
		assert_false(answer.revents & POLLHUP);
		close(raw[i].fd);
	}
	assert_int_equal(server_state(own).disconnected, 0);
	server_stop(&own);
	setenv("CORONET_RUN_DIR", server_dir(server), 1);
}

/* A tool may look and nothing else; it works without a ring too. */
static void tool__may_only_look(void **state)
{
	struct ipc_request request = hello;
	struct raw raw = {.fd = ipc_connect(server_dir(server))};
	static _Alignas(8) uint8_t buf[IPC_REPLY_MAX];

	(void)state;
	request.arg = IPC_HELLO_TOOL;
	assert_int_equal(call(&raw, &request, NULL), CS_OK);
	request = (struct ipc_request){.kind = IPC_STATUS};
	assert_int_equal(ipc_call(raw.fd, &request, buf, NULL), 0);
	assert_memory_equal(buf + sizeof(struct ipc_reply), "the status text", 15);
	request = (struct ipc_request){.kind = IPC_ITERATE, .arg = CPG_ITERATION_ALL};
	assert_int_equal(call(&raw, &request, NULL), CS_OK);
	request = (struct ipc_request){.kind = IPC_JOIN, .name = group_g};
	assert_int_equal(ipc_call(raw.fd, &request, buf, NULL), -EPIPE);
	assert_true(server_logged(server, "a request that is not for tools"));
	close(raw.fd);
}

static int status_number(struct raw *raw)
{
	static const char before[] = "the status text, composed for the ";
	struct ipc_request request = {.kind = IPC_STATUS};
	static _Alignas(8) uint8_t buf[IPC_REPLY_MAX];

	assert_int_equal(ipc_call(raw->fd, &request, buf, NULL), 0);
	assert_memory_equal(buf + sizeof(struct ipc_reply), before, sizeof(before) - 1);
	return atoi((char *)buf + sizeof(struct ipc_reply) + sizeof(before) - 1);
}

/* The text takes as long as many messages: who asks all the time gets the same again. */
static void tool__asks_without_end(void **state)
{
	struct ipc_request request = hello;
	struct raw raw = {.fd = ipc_connect(server_dir(server))};
	int first;
	int last;

	(void)state;
	request.arg = IPC_HELLO_TOOL;
	assert_int_equal(call(&raw, &request, NULL), CS_OK);
	first = last = status_number(&raw);
	for (int i = 0; i < 2000; i++) {
		last = status_number(&raw);
	}
	assert_true(last - first < 1000);
	poll(NULL, 0, 200);
	assert_int_equal(status_number(&raw), last + 1);
	close(raw.fd);
}

/* One of the three sockets closed is as good as all. */
static void sockets__side_closed(void **state)
{
	struct raw raw;

	(void)state;
	raw_open(&raw);
	close(raw.fds.fd[1]);
	raw.fds.fd[1] = open("/dev/null", O_RDONLY);
	for (int i = 0; i < 100 && server_state(server).connected > 1; i++) {
		poll(NULL, 0, 10);
	}
	assert_int_equal(server_state(server).connected, 1);
	raw_close(&raw);
}

/* Claims to be quiet, whatever it has read. */
static void rest(struct raw *raw)
{
	__atomic_fetch_or(&ipc_indexes(raw->shared)->events_published.value, IPC_QUIET,
			  __ATOMIC_SEQ_CST);
}

static void sockets__event_closed(void **state)
{
	struct raw raw;

	(void)state;
	raw_open(&raw);
	close(raw.fds.fd[0]);
	raw.fds.fd[0] = open("/dev/null", O_RDONLY);
	for (int i = 0; i < 10; i++) {
		rest(&raw);
		server_command(server, SERVER_REMOTE, 1, 1000);
	}
	raw_close(&raw);
	program_send(&bystander, 1, 1000);
	program_wait_messages(&bystander, bystander.messages + 1);
}

/* The event socket is filled by being quiet without reading. */
static void sockets__event_full(void **state)
{
	struct raw raw;

	(void)state;
	raw_open(&raw);
	for (int i = 0; i < 2000; i++) {
		rest(&raw);
		server_command(server, SERVER_REMOTE, 1, 0);
	}
	raw_close(&raw);
	program_send(&bystander, 1, 1000);
	program_wait_messages(&bystander, bystander.messages + 1);
}

/* It reads everything and says that it needs all of it for ever: it keeps an eighth of the slots, and
 * what comes beyond that has no pin. */
static void pins__all_set_and_never_cleared(void **state)
{
	struct ipc_indexes *indexes;
	uint64_t disconnected = server_state(server).disconnected;
	struct raw raw;
	int before;

	(void)state;
	raw_open_as(&raw, IPC_HELLO_IN_PLACE);
	indexes = ipc_indexes(raw.shared);
	memset((uint8_t *)raw.shared + IPC_PINS_AT, 1, IPC_PINS);
	for (int i = 0; i < 600; i++) {
		server_command(server, SERVER_REMOTE, 1, 4000);
		memset((uint8_t *)raw.shared + IPC_PINS_AT, 1, IPC_PINS);
		ipc_store(&indexes->events_consumed, published(&raw));
	}
	bell(&raw);
	before = bystander.messages;
	program_send(&bystander, 1, 1000);
	program_wait_messages(&bystander, before + 1);
	assert_int_equal(server_state(server).slots_taken, 256 / 8);
	assert_int_equal(server_state(server).disconnected, disconnected);
	raw_close(&raw);
	for (int i = 0; i < 500 && server_state(server).slots_taken > 0; i++) {
		poll(NULL, 0, 10);
	}
	assert_int_equal(server_state(server).slots_taken, 0);
}

/* Pins that flicker, and an index of cleared ones that counts whatever it likes. */
static void pins__flicker(void **state)
{
	struct ipc_indexes *indexes;
	struct raw raw;

	(void)state;
	raw_open_as(&raw, IPC_HELLO_IN_PLACE);
	indexes = ipc_indexes(raw.shared);
	for (int i = 0; i < 600; i++) {
		server_command(server, SERVER_REMOTE, 1, 4000);
		memset((uint8_t *)raw.shared + IPC_PINS_AT, i % 3, IPC_PINS);
		ipc_store(&indexes->pins_cleared, (uint64_t)i * 0x9e3779b97f4a7c15u);
		ipc_store(&indexes->sends_wanted, (uint64_t)i);
		ipc_store(&indexes->events_consumed, published(&raw));
		bell(&raw);
	}
	program_send(&bystander, 1, 1000);
	program_wait_messages(&bystander, bystander.messages + 1);
	raw_close(&raw);
	for (int i = 0; i < 500 && server_state(server).slots_taken > 0; i++) {
		poll(NULL, 0, 10);
	}
	assert_int_equal(server_state(server).slots_taken, 0);
}

/* What clients are given cannot be made writable or smaller. */
static void memory__is_sealed(void **state)
{
	struct raw raw;

	(void)state;
	raw_open(&raw);
	assert_true(ftruncate(raw.memory_fd, 0) < 0);
	assert_true(ftruncate(raw.fds.fd[2], 4096) < 0);
	assert_true(ftruncate(raw.fds.fd[3], 0) < 0);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, raw.fds.fd[3], 0),
			 MAP_FAILED);
	assert_true(write(raw.fds.fd[3], "x", 1) < 0);
	raw_close(&raw);
}

/* Sends a message from each of so many regions. */
static void send_from_many(struct raw *raw, uint32_t count)
{
	struct ipc_request request = {.kind = IPC_REGION_NEW, .value = 65536};
	struct ipc_fds fds;

	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(call(raw, &request, &fds), CS_OK);
		ipc_close_fds(&fds);
		publish(raw,
			&(struct ipc_send){
				.region = raw->region, .size = 8000, .guarantee = 2, .token = i});
	}
}

static uint32_t read_descriptors(struct raw *raw)
{
	struct ipc_side side;
	struct ipc_fds fds;
	uint32_t count = 0;

	while (ipc_receive_packet(raw->fds.fd[1], &side, sizeof(side), &fds, MSG_DONTWAIT) > 0) {
		count += (uint32_t)fds.count;
		ipc_close_fds(&fds);
	}
	return count;
}

static void consume(struct raw *raw)
{
	struct ipc_indexes *indexes = ipc_indexes(raw->shared);

	ipc_exchange(&indexes->events_consumed, published(raw));
	bell(raw);
}

/* Ticks of the server's processor time. */
static uint64_t processor_time(void)
{
	unsigned long user = 0;
	unsigned long system = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)server_pid(server));
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file,
				"%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
				&user, &system),
			 2);
	fclose(file);
	return user + system;
}

#define SENDERS 3

/* It says that it has read all, and takes no descriptor out of its side socket: there are never more than 80
 * in it, and the daemon does not try all the time. Whoever takes them gets all. */
static void side__descriptors_not_taken(void **state)
{
	uint32_t taken = 0;
	struct raw sender[SENDERS];
	uint64_t before;
	struct raw raw;

	(void)state;
	raw_open(&raw);
	for (int i = 0; i < SENDERS; i++) {
		raw_open(&sender[i]);
		send_from_many(&sender[i], 60);
	}
	for (int i = 0; i < 200; i++) {
		consume(&raw);
		for (int k = 0; k < SENDERS; k++) {
			consume(&sender[k]);
		}
		poll(NULL, 0, 2);
	}
	before = processor_time();
	poll(NULL, 0, 500);
	assert_true(processor_time() - before < 25);
	taken = read_descriptors(&raw);
	assert_in_range(taken, 64, 80);
	for (int i = 0; i < 500 && taken < SENDERS * 60; i++) {
		consume(&raw);
		poll(NULL, 0, 2);
		taken += read_descriptors(&raw);
	}
	assert_int_equal(taken, SENDERS * 60);
	raw_close(&raw);
	for (int i = 0; i < SENDERS; i++) {
		raw_close(&sender[i]);
	}
	for (int i = 0; i < 500 && server_state(server).regions > 1; i++) {
		poll(NULL, 0, 10);
	}
}

/* --- One user, many connections --- */

/* Says hello, joins, and has so many regions; how many it got. */
static int regions_of(uint32_t count, uint64_t size)
{
	struct ipc_request request = {.kind = IPC_REGION_NEW, .value = size};
	struct raw raw = {.fd = ipc_connect(server_dir(server))};
	uint32_t got = 0;
	struct ipc_fds fds;

	if (call(&raw, &hello, &raw.fds) != CS_OK) {
		_exit(250);
	}
	while (got < count && call(&raw, &request, &fds) == CS_OK) {
		ipc_close_fds(&fds);
		got++;
	}
	/* The connection stays. */
	return (int)got;
}

/* In a process of that user: the sum over connections; what remains of it divided by `unit`. */
static int regions_as(uid_t uid, uint32_t connections, uint32_t count, uint64_t size, int unit)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		int sum = 0;

		if (setresuid(uid, uid, uid)) {
			_exit(251);
		}
		for (uint32_t i = 0; i < connections; i++) {
			sum += regions_of(count, size);
		}
		_exit(sum / unit);
	}
	waitpid(child, &status, 0);
	for (int i = 0; i < 500 && server_state(server).regions > 1; i++) {
		poll(NULL, 0, 10);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void start_own(const struct server_options *options, struct server **common)
{
	*common = server;
	server = server_start(options);
}

static void stop_own(struct server **common)
{
	server_stop_empty(&server);
	server = *common;
	setenv("CORONET_RUN_DIR", server_dir(server), 1);
}

static void user__has_three_quarters_of_its_memory_for_sending(void **state)
{
	struct server_options options = {.user_memory_max_bytes = 8u << 20};
	struct server *common;

	(void)state;
	if (getuid() != 0) {
		skip();
	}
	start_own(&options, &common);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(regions_as(65534, 3, 4, 1u << 20, 1), 6);
		assert_int_equal(regions_as(65534, 1, 1, (6u << 20) + 1, 1), 0);
	}
	assert_int_equal(regions_as(0, 3, 4, 1u << 20, 1), 12);
	assert_int_equal(server_log_lines(server, "uid 65534: its user has all that one may have"),
			 9);
	stop_own(&common);
}

/* Regions have numbers, and there are not so many of them. */
static void user__has_three_quarters_of_all_regions(void **state)
{
	struct rlimit files, many;
	struct server *common;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &files);
	many = (struct rlimit){10000, files.rlim_max};
	if (getuid() != 0 || setrlimit(RLIMIT_NOFILE, &many)) {
		skip();
	}
	start_own(NULL, &common);
	assert_int_equal(regions_as(65534, 50, 64, 4096, 16),
			 (ENGINE_REGIONS_MAX - ENGINE_REGIONS_MAX / 4) / 16);
	assert_int_equal(regions_as(0, 50, 64, 4096, 16), 50 * 64 / 16);
	stop_own(&common);
	setrlimit(RLIMIT_NOFILE, &files);
}

/* It reads nothing. 1: it was disconnected. */
static int unread_as(uid_t uid)
{
	int ends[2];
	char byte;
	pid_t child;
	int status = 0;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		struct pollfd watch;
		struct raw raw;

		if (setresuid(uid, uid, uid)) {
			_exit(251);
		}
		raw_open(&raw);
		watch = (struct pollfd){.fd = raw.fd};
		if (write(ends[1], "", 1) != 1) {
			_exit(252);
		}
		_exit(poll(&watch, 1, 2000) == 1);
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	for (int i = 0; i < 20; i++) {
		server_command(server, SERVER_REMOTE, 10, 30000);
		poll(NULL, 0, 10);
	}
	waitpid(child, &status, 0);
	close(ends[0]);
	close(ends[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void user__is_disconnected_when_too_much_waits_for_it(void **state)
{
	struct server_options options = {.user_memory_max_bytes = 3u << 20, .slots = 64};
	struct server *common;

	(void)state;
	if (getuid() != 0) {
		skip();
	}
	start_own(&options, &common);
	assert_int_equal(unread_as(65534), 1);
	assert_true(server_logged(server, "its user has more than clients.user_memory_max"));
	assert_int_equal(unread_as(0), 0);
	stop_own(&common);
}

/* A program of that user's, which ends with 1 when it is disconnected, and with 0 when `until` is closed. */
static pid_t member_as(uid_t uid, bool reads, const int until[2])
{
	struct pollfd watch[2];
	struct raw raw;
	int joined[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(joined), 0);
	next_pid++;
	child = fork();
	if (child == 0) {
		close(until[1]);
		if (setresuid(uid, uid, uid)) {
			_exit(251);
		}
		raw_open(&raw);
		if (write(joined[1], "", 1) != 1) {
			_exit(252);
		}
		watch[0] = (struct pollfd){.fd = raw.fd};
		watch[1] = (struct pollfd){.fd = until[0]};
		while (poll(watch, 2, 1) == 0) {
			if (reads) {
				consume(&raw);
				read_descriptors(&raw);
			}
		}
		_exit(watch[0].revents != 0);
	}
	assert_int_equal(read(joined[0], &byte, 1), 1);
	close(joined[0]);
	close(joined[1]);
	return child;
}

static int end_of(pid_t child)
{
	int status = 0;

	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* When more programs make it too much, it is the sleeper's fault, and not that of who is told something
 * first. */
static void user__loses_the_slowest(void **state)
{
	struct server_options options = {
		.user_memory_max_bytes = 2 * MEMORY_SIZE + 7 * MEMORY_SIZE / 2, .slots = 64};
	struct server *common;
	pid_t reader, sleeper, more[2];
	int until[2];

	(void)state;
	if (getuid() != 0) {
		skip();
	}
	start_own(&options, &common);
	assert_int_equal(pipe2(until, O_CLOEXEC), 0);
	reader = member_as(65534, true, until);
	sleeper = member_as(65534, false, until);
	for (int i = 0; i < 200 && server_state(server).spilled_bytes < 5u << 18; i++) {
		server_command(server, SERVER_REMOTE, 10, 4000);
		poll(NULL, 0, 10);
	}
	assert_int_equal(server_state(server).disconnected, 0);
	more[0] = member_as(65534, true, until);
	more[1] = member_as(65534, true, until);
	server_command(server, SERVER_REMOTE, 1, 4000);
	for (int i = 0; i < 500 && server_state(server).disconnected == 0; i++) {
		poll(NULL, 0, 10);
	}
	assert_int_equal(server_state(server).disconnected, 1);
	close(until[1]);
	assert_int_equal(end_of(sleeper), 1);
	assert_int_equal(end_of(reader), 0);
	assert_int_equal(end_of(more[0]), 0);
	assert_int_equal(end_of(more[1]), 0);
	close(until[0]);
	stop_own(&common);
}

/* --- The log --- */

static void log__is_not_filled_by_broken_rules(void **state)
{
	struct ipc_request wrong = {.kind = IPC_LOCAL};
	static _Alignas(8) uint8_t buf[IPC_REPLY_MAX];
	struct server *common;

	(void)state;
	start_own(NULL, &common);
	for (int i = 0; i < 200; i++) {
		int fd = ipc_connect(server_dir(server));

		assert_int_equal(ipc_call(fd, &wrong, buf, NULL), -EPIPE);
		close(fd);
	}
	assert_int_equal(server_log_lines(server, "does not speak our language"), 60);
	stop_own(&common);
}

static void log__is_not_filled_by_who_may_not_connect(void **state)
{
	struct server_options options = {.deny = true};
	struct server *common;
	int status = -1;
	pid_t child;

	(void)state;
	if (getuid() != 0) {
		skip();
	}
	start_own(&options, &common);
	child = fork();
	if (child == 0) {
		bool all = setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 &&
			   setresuid(65534, 65534, 65534) == 0;

		for (int i = 0; i < 50 && all; i++) {
			cpg_handle_t handle;

			all = cpg_initialize(&handle, NULL) == CS_ERR_ACCESS;
		}
		_exit(all ? 0 : 1);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(server_log_lines(server, "may not connect"), 10);
	stop_own(&common);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends__bad_descriptors),
		cmocka_unit_test(sends__bad_index),
		cmocka_unit_test(sends__index_goes_back),
		cmocka_unit_test(sends__too_many_under_way),
		cmocka_unit_test(events__bad_index),
		cmocka_unit_test(events__index_goes_back),
		cmocka_unit_test(memory__all_overwritten),
		cmocka_unit_test(packets__bad),
		cmocka_unit_test(packets__bad_size),
		cmocka_unit_test(packets__with_descriptors),
		cmocka_unit_test(packets__two_at_a_time),
		cmocka_unit_test(packets__answers_not_read),
		cmocka_unit_test(hello__bad),
		cmocka_unit_test(hello__other_version),
		cmocka_unit_test(hello__never_said),
		cmocka_unit_test(hello__daemon_slept),
		cmocka_unit_test(tool__may_only_look),
		cmocka_unit_test(tool__asks_without_end),
		cmocka_unit_test(sockets__side_closed),
		cmocka_unit_test(sockets__event_closed),
		cmocka_unit_test(sockets__event_full),
		cmocka_unit_test(pins__all_set_and_never_cleared),
		cmocka_unit_test(pins__flicker),
		cmocka_unit_test(memory__is_sealed),
		cmocka_unit_test(side__descriptors_not_taken),
		cmocka_unit_test(user__has_three_quarters_of_its_memory_for_sending),
		cmocka_unit_test(user__has_three_quarters_of_all_regions),
		cmocka_unit_test(user__is_disconnected_when_too_much_waits_for_it),
		cmocka_unit_test(user__loses_the_slowest),
		cmocka_unit_test(log__is_not_filled_by_broken_rules),
		cmocka_unit_test(log__is_not_filled_by_who_may_not_connect),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
