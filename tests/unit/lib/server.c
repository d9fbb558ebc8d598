/* SPDX-License-Identifier: BSD-3-Clause */
/* A daemon for tests: a poll(2) loop around the clients' part of the daemon and an engine. */
#include "tests/unit/lib/server.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "clients/clients.h"
#include "tests/unit/lib/server_engine.h"

#define WATCHES_MAX 4096

struct server {
	pid_t pid;
	int control;
	char dir[64];
};

struct watch {
	int fd;
	short events;
	clients_ready_fn *ready;
	void *arg;
};

/* The child's world. */
static struct {
	struct watch watches[WATCHES_MAX];
	int count;
	struct engine *engine;
	struct slab *slab;
	struct clients *clients;
	bool deny;
	bool quit;
	FILE *log;
} world;

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
	if (find_watch(fd) >= 0 || world.count == WATCHES_MAX) {
		return -EEXIST;
	}
	world.watches[world.count++] =
		(struct watch){.fd = fd, .events = events, .ready = ready, .arg = arg};
	return 0;
}

static int loop_mod(void *ctx, int fd, short events, clients_ready_fn *ready, void *arg)
{
	int at = find_watch(fd);

	(void)ctx;
	if (at < 0) {
		return -ENOENT;
	}
	world.watches[at] = (struct watch){.fd = fd, .events = events, .ready = ready, .arg = arg};
	return 0;
}

static void loop_del(void *ctx, int fd)
{
	int at = find_watch(fd);

	(void)ctx;
	if (at >= 0) {
		world.watches[at] = world.watches[--world.count];
	}
}

static uint64_t loop_now(void *ctx)
{
	struct timespec now;

	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

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

static void host_totem(void *ctx, uint32_t client, struct ringid ring,
		       const struct nodeset *members)
{
	(void)ctx;
	clients_totem(world.clients, client, ring, members);
}

static void host_region_gone(void *ctx, uint32_t region)
{
	(void)ctx;
	clients_region_gone(world.clients, region);
}

static void host_sent(void *ctx, uint32_t client, uint64_t cookie)
{
	(void)ctx;
	clients_sent(world.clients, client, cookie);
}

static void host_log(void *ctx, int priority, const char *text)
{
	(void)ctx;
	fprintf(world.log, "%d %s\n", priority, text);
	fflush(world.log);
}

static bool host_allow(void *ctx, uid_t uid, const gid_t *groups, size_t count)
{
	(void)ctx;
	(void)uid;
	(void)groups;
	(void)count;
	return !world.deny;
}

static char *host_status(void *ctx)
{
	static int told;
	char *text = NULL;

	(void)ctx;
	return asprintf(&text, "the status text, composed for the %dth time", ++told) < 0 ? NULL
											  : text;
}

static void note_handle(void *ctx, const struct clients_handle *handle)
{
	struct server_state *state = ctx;

	state->handles++;
	state->handle = (struct server_handle){
		.pid = (uint32_t)handle->pid,
		.group_length = handle->joined ? handle->group.length : 0,
		.group_first = (char)handle->group.value[0],
		.unread_bytes = handle->unread_bytes,
		.held_bytes = handle->held_bytes,
		.queue_bytes = handle->queue_bytes,
		.sends_on_way = handle->sends_on_way,
		.waits_for_ring = handle->waits_for_ring,
		.waits_for_memory = handle->waits_for_memory,
	};
}

static struct server_state state_now(void)
{
	struct server_state state = {0};
	struct clients_stats stats;

	clients_stats(world.clients, &stats);
	state.connected = stats.connected;
	state.accepted = stats.accepted;
	state.refused = stats.refused;
	state.disconnected = stats.disconnected;
	state.spilled = stats.spilled;
	state.spilled_bytes = stats.spilled_bytes;
	state.inlined = stats.inlined;
	clients_handles(world.clients, note_handle, &state);
	server_engine_state(world.engine, world.slab, &state);
	return state;
}

static void control_ready(void *arg, short revents)
{
	int fd = *(int *)arg;
	struct server_command command;
	struct server_state state;

	(void)revents;
	if (recv(fd, &command, sizeof(command), 0) != (ssize_t)sizeof(command)) {
		world.quit = true;
		return;
	}
	if (command.op == SERVER_QUIT) {
		world.quit = true;
	} else if (command.op != SERVER_STATS) {
		server_engine_command(world.engine, &command);
	}
	clients_turn(world.clients); /* what came of it can be seen when we answer */
	state = state_now();
	send(fd, &state, sizeof(state), MSG_NOSIGNAL);
}

/* Clients have their turn after each callback, as in the daemon. */
static bool run_ready(struct pollfd *fds, int count)
{
	bool more = clients_turn(world.clients);

	for (int i = 0; i < count; i++) {
		int at = fds[i].revents ? find_watch(fds[i].fd) : -1;

		if (at >= 0) {
			world.watches[at].ready(world.watches[at].arg, fds[i].revents);
			more = clients_turn(world.clients) || more;
		}
	}
	return more;
}

static int wait_ms(bool more)
{
	uint64_t engine = engine_next_deadline_ms(world.engine);
	uint64_t clients = clients_next_deadline_ms(world.clients);
	uint64_t deadline = engine < clients ? engine : clients;
	uint64_t now = loop_now(NULL);

	if (more || deadline <= now) {
		return 0;
	}
	return deadline - now < 10000 ? (int)(deadline - now) : 10000;
}

static void turn(void)
{
	static struct pollfd fds[WATCHES_MAX + 1];
	static bool more;
	int count = world.count;
	int engine_fd_at;

	for (int i = 0; i < count; i++) {
		fds[i] = (struct pollfd){.fd = world.watches[i].fd,
					 .events = world.watches[i].events};
	}
	engine_fd_at = count;
	fds[engine_fd_at] = (struct pollfd){.fd = engine_fd(world.engine), .events = POLLIN};
	poll(fds, (nfds_t)count + 1, wait_ms(more));
	more = engine_turn(world.engine, loop_now(NULL));
	more = run_ready(fds, count) || more;
}

static void serve(const struct server_options *options, const char *dir, int control)
{
	struct clients_loop loop = {
		.add = loop_add, .mod = loop_mod, .del = loop_del, .now_ms = loop_now};
	struct engine_host host = {.persist = host_persist,
				   .deliver = host_deliver,
				   .confchg = host_confchg,
				   .totem = host_totem,
				   .sent = host_sent,
				   .region_gone = host_region_gone,
				   .log = host_log};
	struct clients_config config = {.run_dir = dir,
					.node = 1,
					.connections_max = options->connections_max,
					.user_connections_max = options->user_connections_max,
					.user_memory_max_bytes = options->user_memory_max_bytes,
					.queue_max_bytes = options->queue_max_bytes,
					.inline_max_bytes = options->inline_max_bytes,
					.hello_max_ms = options->hello_max_ms,
					.allow = host_allow,
					.log = host_log,
					.status = host_status};

	world.deny = options->deny;
	world.engine = server_engine_new(options, &host, dir, &config.slab_config, &world.slab);
	config.slab = world.slab;
	if (clients_new(&config, &loop, world.engine, &world.clients)) {
		_exit(3);
	}
	loop_add(NULL, control, POLLIN, control_ready, &control);
	send(control, "", 1, 0);
	while (!world.quit) {
		turn();
	}
	clients_free(&world.clients);
	server_engine_free(&world.engine, &world.slab);
	fclose(world.log);
}

static void limit_files(uint32_t files_max)
{
	struct rlimit limit = {files_max, files_max};

	if (files_max) {
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

struct server *server_start(const struct server_options *options)
{
	struct server_options with = options ? *options : (struct server_options){0};
	struct server *server = calloc(1, sizeof(*server));
	char log[80];
	int ends[2];
	char ready;

	with.connections_max = with.connections_max ? with.connections_max : 64;
	with.slots = with.slots ? with.slots : 256;
	snprintf(server->dir, sizeof(server->dir), "/tmp/coronet-test-XXXXXX");
	if (!mkdtemp(server->dir) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0) {
		abort();
	}
	chmod(server->dir, 0755);
	setenv("CORONET_RUN_DIR", server->dir, 1);
	snprintf(log, sizeof(log), "%s/log", server->dir);
	server->pid = fork();
	if (server->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		world.log = fopen(log, "w");
		limit_files(with.files_max);
		serve(&with, server->dir, ends[1]);
		free(server);
		exit(0);
	}
	close(ends[1]);
	server->control = ends[0];
	if (recv(server->control, &ready, 1, 0) != 1) {
		fprintf(stderr, "the test server did not start\n");
		abort();
	}
	return server;
}

static struct server_state ask(struct server *server, enum server_op op, uint64_t a, uint64_t b)
{
	struct server_command command;
	struct server_state state = {0};

	memset(&command, 0, sizeof(command)); /* between its members too */
	command.op = op;
	command.a = a;
	command.b = b;
	if (send(server->control, &command, sizeof(command), MSG_NOSIGNAL) < 0 ||
	    recv(server->control, &state, sizeof(state), 0) != (ssize_t)sizeof(state)) {
		fprintf(stderr, "the test server is gone\n");
		abort();
	}
	return state;
}

void server_command(struct server *server, enum server_op op, uint64_t a, uint64_t b)
{
	ask(server, op, a, b);
}

struct server_state server_state(struct server *server)
{
	return ask(server, SERVER_STATS, 0, 0);
}

void server_kill(struct server *server, int signal)
{
	if (server->pid > 0) {
		kill(server->pid, signal);
		waitpid(server->pid, NULL, 0);
		server->pid = -1;
	}
}

static void remove_dir(const struct server *server)
{
	static const char *const names[] = {"log", "cpg.sock"};
	char path[96];

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", server->dir, names[i]);
		unlink(path);
	}
	rmdir(server->dir);
}

void server_stop(struct server **server_ptr)
{
	struct server *server = *server_ptr;
	int status = 0;

	if (!server) {
		return;
	}
	if (server->pid > 0) {
		ask(server, SERVER_QUIT, 0, 0);
		waitpid(server->pid, &status, 0);
	}
	remove_dir(server);
	close(server->control);
	free(server);
	*server_ptr = NULL;
	if (status != 0) {
		fprintf(stderr, "the test server ended with status 0x%x\n", (unsigned int)status);
		abort();
	}
}

int server_log_lines(struct server *server, const char *text)
{
	char path[96];
	char line[1024];
	int found = 0;
	FILE *log;

	snprintf(path, sizeof(path), "%s/log", server->dir);
	log = fopen(path, "r");
	while (log && fgets(line, sizeof(line), log)) {
		found += strstr(line, text) != NULL;
	}
	if (log) {
		fclose(log);
	}
	return found;
}

bool server_logged(struct server *server, const char *text)
{
	return server_log_lines(server, text) > 0;
}

const char *server_dir(const struct server *server)
{
	return server->dir;
}

pid_t server_pid(const struct server *server)
{
	return server->pid;
}

void server_stop_empty(struct server **server)
{
	struct server_state state = server_state(*server);

	for (int i = 0; i < 500 && state.connected > 0; i++) {
		poll(NULL, 0, 10);
		state = server_state(*server);
	}
	assert_int_equal(state.slots_taken, 0);
	assert_int_equal(state.extents_taken, 0);
	assert_int_equal(state.regions, 0);
	server_stop(server);
}
