/* SPDX-License-Identifier: BSD-3-Clause */
/* A client's connection without the library, and what belongs to connecting. */
#include "tests/system/hostile/hostile.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/memory.h"
#include "ipc/shared.h"

#define PATIENCE_MS 10000u

const struct ipc_request hostile_hello = {.kind = IPC_HELLO,
					  .value = (uint64_t)IPC_MAGIC << 32 | IPC_VERSION};

int raw_connect(void)
{
	uint64_t until_ms = hostile_now_ms() + PATIENCE_MS;
	int fd;

	/* Others of us fill the listener's queue. */
	while ((fd = ipc_connect(hostile_run_dir)) == -EAGAIN && hostile_now_ms() < until_ms) {
		hostile_pause_ms(1);
	}
	if (fd == -ECONNREFUSED || fd == -ENOENT) {
		hostile_fail("the daemon is gone");
	}
	return fd < 0 ? -1 : fd;
}

int raw_call(struct raw *raw, const struct ipc_request *request, struct ipc_fds *fds)
{
	_Alignas(8) uint8_t buf[IPC_REPLY_MAX];
	int err = ipc_call(raw->fd, request, buf, fds);

	if (err) {
		return err;
	}
	raw->region = ((struct ipc_reply *)(void *)buf)->value;
	return (int)((struct ipc_reply *)(void *)buf)->status;
}

static bool equip(struct raw *raw, const char *group)
{
	struct ipc_request join = {.kind = IPC_JOIN, .pid = (uint32_t)getpid()};
	struct ipc_request region = {.kind = IPC_REGION_NEW, .value = RAW_MEMORY_BYTES};
	struct ipc_fds fds = {0};
	void *base;

	join.name.length = (uint32_t)strlen(group);
	memcpy(join.name.value, group, join.name.length);
	/* Another connection of this process may be in that group, or its leave under way. */
	join.pid += hostile_below(1000000);
	if (raw_call(raw, &join, NULL) != CS_OK || raw_call(raw, &region, &fds) != CS_OK) {
		return false;
	}
	raw->memory_fd = fds.fd[0];
	if (ipc_memory_map(raw->memory_fd, RAW_MEMORY_BYTES, PROT_READ | PROT_WRITE, &base)) {
		return false;
	}
	raw->memory = base;
	return true;
}

bool raw_open(struct raw *raw, uint32_t hello, const char *group)
{
	struct ipc_request request = hostile_hello;

	*raw = (struct raw){.memory_fd = -1};
	request.arg = hello;
	raw->fd = raw_connect();
	if (raw->fd < 0) {
		return false;
	}
	if (raw_call(raw, &request, &raw->fds) != CS_OK || raw->fds.count != 4 ||
	    ipc_memory_map(raw->fds.fd[2], IPC_SHARED_SIZE, PROT_READ | PROT_WRITE, &raw->shared) ||
	    (group && !equip(raw, group))) {
		raw_close(raw);
		return false;
	}
	return true;
}

void raw_close(struct raw *raw)
{
	if (raw->shared) {
		munmap(raw->shared, IPC_SHARED_SIZE);
	}
	if (raw->memory) {
		munmap(raw->memory, RAW_MEMORY_BYTES);
	}
	ipc_close_fds(&raw->fds);
	ipc_close(&raw->memory_fd);
	ipc_close(&raw->fd);
	*raw = (struct raw){.fd = -1, .memory_fd = -1};
}

void raw_bell(struct raw *raw)
{
	send(raw->fds.fd[1], "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void raw_must_be_cut(struct raw *raw, const char *why)
{
	struct pollfd request = {.fd = raw->fd};

	if (poll(&request, 1, (int)PATIENCE_MS) != 1 || !(request.revents & POLLHUP)) {
		hostile_fail("the daemon keeps a client that %s", why);
	}
	raw_close(raw);
}

void raw_read_all(struct raw *raw)
{
	struct ipc_indexes *indexes = ipc_indexes(raw->shared);
	char bytes[256];

	recv(raw->fds.fd[0], bytes, sizeof(bytes), MSG_DONTWAIT);
	ipc_exchange(&indexes->events_consumed, __atomic_fetch_or(&indexes->events_published.value,
								  IPC_QUIET, __ATOMIC_SEQ_CST) &
							~IPC_QUIET);
}

/* --- Connecting is all they do --- */

int hostile_storm(uint64_t ms)
{
	uint64_t began_ms = hostile_now_ms();
	uint64_t connected = 0, full = 0;

	while (hostile_now_ms() < began_ms + ms) {
		int fd = ipc_connect(hostile_run_dir);

		if (fd >= 0) {
			connected++;
			if (hostile_below(2)) {
				ipc_send_packet(fd, &hostile_hello, sizeof(hostile_hello), NULL, 0,
						NULL, MSG_DONTWAIT);
			}
			close(fd);
		} else if (fd == -EAGAIN) {
			full++;
		} else {
			hostile_fail("the daemon is gone");
		}
	}
	printf("connected %llu, %llu a second; the queue was full %llu times\n",
	       (unsigned long long)connected,
	       (unsigned long long)(connected * 1000 / (hostile_now_ms() - began_ms)),
	       (unsigned long long)full);
	return 0;
}

/* It gets one packet, which says that it may not, and nothing with it. */
static void must_be_refused(int fd)
{
	_Alignas(8) uint8_t buf[IPC_REPLY_MAX];
	const struct ipc_reply *reply = (const void *)buf;
	struct ipc_fds fds = {0};
	int size = ipc_receive_packet(fd, buf, sizeof(buf), &fds, 0);

	if (size != (int)sizeof(*reply) || fds.count != 0) {
		hostile_fail("who may not connect gets %d bytes and %d descriptors", size,
			     fds.count);
	}
	if (reply->status != CS_ERR_ACCESS || reply->value || reply->data_size || reply->flags) {
		hostile_fail("who may not connect is told something: status %u", reply->status);
	}
	if (ipc_receive_packet(fd, buf, sizeof(buf), &fds, 0) > 0) {
		hostile_fail("who may not connect is told more");
	}
}

int hostile_refused(uint64_t ms)
{
	static const struct ipc_request requests[] = {
		{.kind = IPC_HELLO, .value = (uint64_t)IPC_MAGIC << 32 | IPC_VERSION},
		{.kind = IPC_HELLO,
		 .arg = IPC_HELLO_TOOL,
		 .value = (uint64_t)IPC_MAGIC << 32 | IPC_VERSION},
		{.kind = IPC_STATUS},
		{.kind = IPC_ITERATE, .arg = CPG_ITERATION_ALL},
	};
	uint64_t until_ms = hostile_now_ms() + ms;
	uint64_t times = 0;

	for (; hostile_now_ms() < until_ms; times++) {
		const struct ipc_request *request = &requests[hostile_below(4)];
		int fd = raw_connect();

		if (fd < 0) {
			continue;
		}
		ipc_send_packet(fd, request, sizeof(*request), NULL, 0, NULL, MSG_DONTWAIT);
		must_be_refused(fd);
		close(fd);
	}
	printf("refused %llu times\n", (unsigned long long)times);
	return times > 0 ? 0 : 1;
}
