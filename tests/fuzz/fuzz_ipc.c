/* SPDX-License-Identifier: BSD-3-Clause */
/* A hostile client in one process with the daemon's side: the input says what it sends, what it
 * writes into the shared memory, and what happens meanwhile. When its last byte is odd, a thread scribbles over
 * the rings all the time as well. Whatever it does, the daemon's side
 * lives on, and when the client is gone nothing of it is left. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cursor.h"
#include "clients/clients.h"
#include "ipc/memory.h"
#include "ipc/shared.h"
#include "ipc/socket.h"
#include "tests/unit/lib/server_engine.h"

#define WATCHES_MAX 16
#define STEPS_MAX   400
#define INDEXES	    (sizeof(struct ipc_indexes) / sizeof(struct ipc_line))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct watch {
	int fd;
	short events;
	clients_ready_fn *ready;
	void *arg;
};

static struct {
	struct engine *engine;
	struct slab *slab;
	struct clients *clients;
	struct watch watches[WATCHES_MAX];
	int count;
	uint64_t now_ms;
	char dir[32];
} world;

static struct {
	int fd;
	struct ipc_fds fds; /* event, side, shared memory, slab */
	uint8_t *shared;
	uint64_t regions[4];
	uint32_t regions_count;
} client;

/* --- The loop --- */

static int find_watch(int fd)
{
	for (int i = 0; i < world.count; i++) {
		if (world.watches[i].fd == fd) {
			return i;
		}
	}
	return -1;
}

static int loop_add(void *ctx, int fd, short events, clients_ready_fn *ready, void *arg)
{
	(void)ctx;
	check(find_watch(fd) < 0 && world.count < WATCHES_MAX);
	world.watches[world.count++] =
		(struct watch){.fd = fd, .events = events, .ready = ready, .arg = arg};
	return 0;
}

static int loop_mod(void *ctx, int fd, short events, clients_ready_fn *ready, void *arg)
{
	int at = find_watch(fd);

	(void)ctx;
	check(at >= 0);
	world.watches[at] = (struct watch){.fd = fd, .events = events, .ready = ready, .arg = arg};
	return 0;
}

static void loop_del(void *ctx, int fd)
{
	int at = find_watch(fd);

	(void)ctx;
	check(at >= 0);
	world.watches[at] = world.watches[--world.count];
}

static uint64_t loop_now(void *ctx)
{
	(void)ctx;
	return world.now_ms;
}

static bool turn(void)
{
	struct pollfd fds[WATCHES_MAX];
	int count = world.count;
	bool more = false;

	for (int i = 0; i < count; i++) {
		fds[i] = (struct pollfd){.fd = world.watches[i].fd,
					 .events = world.watches[i].events};
	}
	more = poll(fds, (nfds_t)count, 0) > 0;
	more = engine_turn(world.engine, world.now_ms) || more;
	for (int i = 0; i < count; i++) {
		int at = fds[i].revents ? find_watch(fds[i].fd) : -1;

		if (at >= 0) {
			world.watches[at].ready(world.watches[at].arg, fds[i].revents);
		}
	}
	return clients_turn(world.clients) || more;
}

static void turns(void)
{
	for (int i = 0; i < 200 && turn(); i++) {
	}
}

/* --- The daemon --- */

static int host_persist(void *ctx, uint64_t ring_seq)
{
	(void)ctx;
	(void)ring_seq;
	return 0;
}

static void host_deliver(void *ctx, const struct engine_delivery *delivery)
{
	(void)ctx;
	clients_deliver(world.clients, delivery);
}

static void host_confchg(void *ctx, const struct engine_confchg *confchg)
{
	(void)ctx;
	clients_confchg(world.clients, confchg);
}

static void host_totem(void *ctx, uint32_t number, struct ringid ring,
		       const struct nodeset *members)
{
	(void)ctx;
	clients_totem(world.clients, number, ring, members);
}

static void host_region_gone(void *ctx, uint32_t region)
{
	(void)ctx;
	clients_region_gone(world.clients, region);
}

static void host_sent(void *ctx, uint32_t number, uint64_t cookie)
{
	(void)ctx;
	clients_sent(world.clients, number, cookie);
}

static void host_log(void *ctx, int priority, const char *text)
{
	(void)ctx;
	(void)priority;
	(void)text;
}

static void remove_dir(void)
{
	clients_free(&world.clients);
	rmdir(world.dir);
}

static void start(void)
{
	struct server_options options = {.slots = 64};
	struct clients_loop loop = {
		.add = loop_add, .mod = loop_mod, .del = loop_del, .now_ms = loop_now};
	struct engine_host host = {.persist = host_persist,
				   .deliver = host_deliver,
				   .confchg = host_confchg,
				   .totem = host_totem,
				   .sent = host_sent,
				   .region_gone = host_region_gone,
				   .log = host_log};
	struct clients_config config = {.run_dir = world.dir,
					.node = 1,
					.connections_max = 4,
					.queue_max_bytes = 1u << 20,
					.inline_max_bytes = 64,
					.log = host_log};

	memcpy(world.dir, "/tmp/coronet-fuzz-XXXXXX", sizeof("/tmp/coronet-fuzz-XXXXXX"));
	check(mkdtemp(world.dir));
	world.engine =
		server_engine_new(&options, &host, world.dir, &config.slab_config, &world.slab);
	config.slab = world.slab;
	check(!clients_new(&config, &loop, world.engine, &world.clients));
	atexit(remove_dir);
}

static struct server_state state_now(void)
{
	struct server_state state = {0};
	struct clients_stats stats;

	clients_stats(world.clients, &stats);
	state.connected = stats.connected;
	server_engine_state(world.engine, world.slab, &state);
	return state;
}

/* --- The client --- */

static void connect_client(void)
{
	struct ipc_request hello = {.kind = IPC_HELLO,
				    .value = (uint64_t)IPC_MAGIC << 32 | IPC_VERSION};
	uint8_t buf[IPC_REPLY_MAX];
	void *shared;

	memset(&client, 0, sizeof(client));
	client.fd = ipc_connect(world.dir);
	check(client.fd >= 0);
	check(!ipc_send_packet(client.fd, &hello, sizeof(hello), NULL, 0, NULL, 0));
	turns();
	check(ipc_receive_packet(client.fd, buf, sizeof(buf), &client.fds, MSG_DONTWAIT) > 0);
	check(client.fds.count == 4);
	check(!ipc_memory_map(client.fds.fd[2], IPC_SHARED_SIZE, PROT_READ | PROT_WRITE, &shared));
	client.shared = shared;
}

/* Some of the memory that it gets, it keeps; answers are read so that requests can go on. */
static void read_answers(void)
{
	uint8_t buf[IPC_REPLY_MAX];
	struct ipc_reply reply;
	struct ipc_fds fds;

	while (ipc_receive_packet(client.fd, buf, sizeof(buf), &fds, MSG_DONTWAIT) >=
	       (int)sizeof(reply)) {
		memcpy(&reply, buf, sizeof(reply));
		if (reply.kind == IPC_REGION_NEW && reply.status == CS_OK) {
			client.regions[client.regions_count++ % 4] = reply.value;
		}
		ipc_close_fds(&fds);
	}
}

static uint64_t known_or_any(struct cursor *in)
{
	uint8_t which = cursor_u8(in);

	return which < 4 ? client.regions[which] : cursor_u64(in);
}

/* Sizes are kept small where they are obeyed, so that runs are short. */
static void send_request(struct cursor *in)
{
	struct ipc_request request = {.kind = cursor_u8(in), .arg = cursor_u8(in)};

	switch (request.kind) {
	case IPC_REGION_NEW:
		request.value = cursor_u8(in) < 250 ? cursor_u16(in) : UINT64_MAX - cursor_u16(in);
		break;
	case IPC_REGION_FREE:
		request.value = known_or_any(in);
		break;
	default:
		request.value = cursor_u16(in);
		request.pid = cursor_u8(in);
		request.name.length = cursor_u8(in);
		request.name.value[0] = 'g';
		break;
	}
	ipc_send_packet(client.fd, &request, sizeof(request), NULL, 0, NULL, MSG_DONTWAIT);
}

static void send_bytes(struct cursor *in)
{
	size_t size = cursor_u8(in);
	const uint8_t *bytes = cursor_bytes(in, size);

	if (bytes) {
		ipc_send_packet(client.fd, bytes, size, NULL, 0, NULL, MSG_DONTWAIT);
	}
}

static void publish(struct cursor *in)
{
	struct ipc_indexes *indexes = ipc_indexes(client.shared);
	uint64_t at = ipc_load(&indexes->sends_published);
	struct ipc_send message = {.region = known_or_any(in),
				   .offset = cursor_u16(in),
				   .size = cursor_u16(in),
				   .token = cursor_u32(in),
				   .guarantee = cursor_u8(in) & 3};

	*ipc_send_at(client.shared, at) = message;
	ipc_store(&indexes->sends_published, at + 1);
}

static void poke(struct cursor *in)
{
	uint32_t at = cursor_u32(in) % (IPC_SHARED_SIZE / 8);
	uint64_t value = cursor_u64(in);

	if (cursor_u8(in) & 1) {
		at %= 16 * 8; /* the indexes are where it hurts */
	}
	memcpy(client.shared + (size_t)at * 8, &value, sizeof(value));
}

static void bell(void)
{
	send(client.fds.fd[1], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void consume(struct cursor *in)
{
	struct ipc_indexes *indexes = ipc_indexes(client.shared);
	uint64_t published = ipc_load(&indexes->events_published) & ~IPC_QUIET;
	uint64_t back = cursor_u8(in);

	ipc_store(&indexes->events_consumed, published - (back < published ? back * 8 : 0));
}

static void command(struct cursor *in)
{
	static const enum server_op ops[] = {SERVER_HOLD, SERVER_REMOTE, SERVER_REMOTE,
					     SERVER_RING};
	struct server_command what = {.op = ops[cursor_u8(in) % 4], .a = cursor_u8(in)};

	switch (what.op) {
	case SERVER_HOLD:
		what.a &= 1;
		break;
	case SERVER_RING:
		what.a = 1 + what.a % 64;
		break;
	default:
		what.a %= 20;
		what.b = cursor_u16(in) % 6000 + (cursor_u8(in) < 10 ? 65536u : 0);
		break;
	}
	server_engine_command(world.engine, &what);
}

/* --- The scribbler --- */

static struct {
	pthread_t thread;
	uint64_t random;
	bool stop;
} scribbler;

static uint64_t next_random(void)
{
	scribbler.random ^= scribbler.random << 13;
	scribbler.random ^= scribbler.random >> 7;
	scribbler.random ^= scribbler.random << 17;
	return scribbler.random;
}

static uint64_t *word_at(uint64_t offset)
{
	return (uint64_t *)(void *)(client.shared + offset);
}

/* Right, wrong, and right again: who reads it twice may see both. */
static void flicker(uint64_t *word, uint64_t wrong)
{
	uint64_t right = __atomic_exchange_n(word, wrong, __ATOMIC_SEQ_CST);

	for (volatile int i = 0; i < 20; i++) {
	}
	__atomic_store_n(word, right, __ATOMIC_SEQ_CST);
	for (volatile int i = 0; i < 60; i++) {
	}
}

/* An index a little on; anything anywhere among indexes and descriptors; and mostly the descriptor that is
 * about to be taken. */
static void scribble(void)
{
	static const uint64_t steps[] = {1, 8, 48, 64, 4096, IPC_QUIET};
	uint64_t random = next_random();
	uint64_t taken = ipc_load(&ipc_indexes(client.shared)->sends_taken);
	uint64_t value = next_random() >> (random >> 32) % 64;

	switch (random % 4096) {
	case 0:
		__atomic_fetch_add(word_at((random >> 8) % INDEXES * sizeof(struct ipc_line)),
				   steps[(random >> 4) % 6], __ATOMIC_SEQ_CST);
		break;
	case 1:
		__atomic_store_n(word_at((random >> 8) % (IPC_EVENTS_AT / 8) * 8), value,
				 __ATOMIC_SEQ_CST);
		break;
	default:
		flicker((uint64_t *)(void *)ipc_send_at(client.shared, taken) + (random >> 8) % 4,
			value);
		break;
	}
}

static void *scribble_on(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&scribbler.stop, __ATOMIC_ACQUIRE)) {
		scribble();
	}
	return NULL;
}

static void scribbler_start(uint64_t seed)
{
	scribbler.random = seed | 1;
	scribbler.stop = false;
	check(pthread_create(&scribbler.thread, NULL, scribble_on, NULL) == 0);
}

static void scribbler_stop(void)
{
	__atomic_store_n(&scribbler.stop, true, __ATOMIC_RELEASE);
	pthread_join(scribbler.thread, NULL);
}

static void step(struct cursor *in)
{
	switch (cursor_u8(in) % 10) {
	case 0:
	case 1:
		send_request(in);
		break;
	case 2:
		send_bytes(in);
		break;
	case 3:
	case 4:
		publish(in);
		break;
	case 5:
		poke(in);
		break;
	case 6:
		bell();
		break;
	case 7:
		consume(in);
		break;
	case 8:
		command(in);
		break;
	default:
		world.now_ms += cursor_u8(in);
		turns();
		read_answers();
		break;
	}
}

static void disconnect_client(void)
{
	struct server_command release = {.op = SERVER_HOLD};
	struct server_state state;

	munmap(client.shared, IPC_SHARED_SIZE);
	ipc_close_fds(&client.fds);
	close(client.fd);
	server_engine_command(world.engine, &release);
	turns();
	state = state_now();
	for (int i = 0; i < 100 && (state.connected > 0 || state.regions > 0); i++) {
		world.now_ms += 100;
		turns();
		state = state_now();
	}
	check(state.connected == 0 && state.regions == 0);
	check(state.slots_taken == 0 && state.extents_taken == 0);
	check(world.count == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_of(data, size);
	bool scribbles = size > 0 && data[size - 1] % 2 == 1;

	if (!world.clients) {
		start();
	}
	connect_client();
	if (scribbles) {
		scribbler_start(size * 4711 + data[0]);
	}
	for (int i = 0; i < STEPS_MAX && in.left > 0 && cursor_ok(&in); i++) {
		step(&in);
	}
	bell();
	turns();
	if (scribbles) {
		scribbler_stop();
	}
	disconnect_client();
	return 0;
}
