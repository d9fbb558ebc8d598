/* SPDX-License-Identifier: BSD-3-Clause */
/* Both sides of a puppet's strings. */
#include "tests/conformance/puppet.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/conformance/traffic.h"

#define PUPPET_FD 3

static void receive(int fd, void *bytes, size_t size_bytes)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	end_check(poll(&ready, 1, (int)rig->patience_ms) == 1);
	end_check(recv(fd, bytes, size_bytes, 0) == (ssize_t)size_bytes);
}

void puppet_start(struct puppet *puppet, uint32_t node, uint64_t incarnation)
{
	char node_text[16], incarnation_text[32], fd_text[16];
	char *argv[] = {(char *)"conformance", (char *)"puppet",      fd_text, node_text,
			incarnation_text,      (char *)end_cluster(), NULL};
	posix_spawn_file_actions_t actions;
	int sockets[2];
	uint32_t ready = 0;

	snprintf(fd_text, sizeof(fd_text), "%d", PUPPET_FD);
	snprintf(node_text, sizeof(node_text), "%" PRIu32, node);
	snprintf(incarnation_text, sizeof(incarnation_text), "%" PRIu64, incarnation);
	end_check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0);
	/* dup2 onto itself would leave it closed on exec. */
	end_check(sockets[1] != PUPPET_FD);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, sockets[1], PUPPET_FD);
	end_check(posix_spawn(&puppet->pid, "/proc/self/exe", &actions, NULL, argv, environ) == 0);
	posix_spawn_file_actions_destroy(&actions);
	close(sockets[1]);
	puppet->fd = sockets[0];
	puppet->node = node;
	receive(puppet->fd, &ready, sizeof(ready));
	end_check(ready == node);
}

void puppet_tell(struct puppet *puppet, enum puppet_order order, uint32_t node, uint64_t count)
{
	struct puppet_command command;

	memset(&command, 0, sizeof(command));
	command.order = order;
	command.node = node;
	command.count = count;
	end_check(send(puppet->fd, &command, sizeof(command), MSG_NOSIGNAL) ==
		  (ssize_t)sizeof(command));
}

struct puppet_status puppet_ask(struct puppet *puppet, uint32_t node)
{
	struct puppet_status status;

	puppet_tell(puppet, PUPPET_STATUS, node, 0);
	receive(puppet->fd, &status, sizeof(status));
	return status;
}

void puppet_signal(const struct puppet *puppet, int signal)
{
	end_check(kill(puppet->pid, signal) == 0);
}

static int puppet_reap(struct puppet *puppet)
{
	int status = 0;

	waitpid(puppet->pid, &status, 0);
	close(puppet->fd);
	puppet->pid = 0;
	return status;
}

void puppet_end(struct puppet *puppet)
{
	if (puppet->pid) {
		puppet_tell(puppet, PUPPET_QUIT, 0, 0);
		end_check(puppet_reap(puppet) == 0);
	}
}

void puppet_kill(struct puppet *puppet)
{
	if (puppet->pid) {
		kill(puppet->pid, SIGKILL);
		puppet_reap(puppet);
	}
}

/* From here on: inside the puppet. */

static void puppet_fail(const char *text)
{
	fprintf(stderr, "puppet: %s\n", text);
	_exit(1);
}

static void puppet_echo(struct end *end, uint32_t node, const uint8_t *bytes, uint32_t size_bytes)
{
	/* The other side has one message under way, so there is room. */
	end_check(end_control(end, node, bytes, size_bytes) == 0);
}

static void puppet_answer(const struct end *end, const struct traffic *traffic, uint32_t node,
			  bool broke)
{
	struct puppet_status status;

	memset(&status, 0, sizeof(status));
	status.link = end->links[node];
	status.returned = traffic->returned;
	status.expected = traffic->expected;
	status.repeated = traffic->repeated;
	status.broken = traffic->broken;
	status.area_key = end->slab.key;
	status.broke = broke;
	end_check(send(PUPPET_FD, &status, sizeof(status), MSG_NOSIGNAL) ==
		  (ssize_t)sizeof(status));
}

/* False: the end. */
static bool puppet_obey(struct end *end, struct traffic *traffic, bool *broke)
{
	struct puppet_command command;
	ssize_t size = recv(PUPPET_FD, &command, sizeof(command), 0);

	if (size != (ssize_t)sizeof(command)) {
		return false;
	}
	switch (command.order) {
	case PUPPET_LINK:
		end_check(end_peer_add(end, command.node) == 0);
		break;
	case PUPPET_LOAD:
		traffic_begin(traffic, end, command.node, command.count);
		break;
	case PUPPET_ECHO:
		end->on_control = puppet_echo;
		break;
	case PUPPET_BREAK:
		*broke = end->links[command.node].is_up && !end->links[command.node].bulk_is_down;
		if (*broke) {
			rig->break_bulk(end->t, command.node);
		}
		break;
	case PUPPET_STATUS:
		puppet_answer(end, traffic, command.node, *broke);
		break;
	case PUPPET_QUIT:
		return false;
	}
	return true;
}

static int time_left(const struct end *end)
{
	uint64_t due_ms = rig->ops->next_deadline_ms(end->t);
	uint64_t now_ms = end_now_ms();

	if (due_ms == UINT64_MAX) {
		return -1;
	}
	return due_ms > now_ms ? (int)(due_ms - now_ms) : 0;
}

int puppet_main(int argc, char **argv)
{
	static struct end end;
	static struct traffic traffic;
	bool broke = false;
	struct pollfd fds[2] = {{.fd = PUPPET_FD, .events = POLLIN}, {.events = POLLIN}};

	end_fail = puppet_fail;
	end_check(argc == 6);
	/* Nobody is left behind when the test program dies. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	end.node = (uint32_t)strtoul(argv[3], NULL, 10);
	end.incarnation = strtoull(argv[4], NULL, 10);
	end_cluster_set(argv[5]);
	end_open(&end);
	end_check(send(PUPPET_FD, &end.node, sizeof(end.node), MSG_NOSIGNAL) ==
		  (ssize_t)sizeof(end.node));
	fds[1].fd = rig->ops->fd(end.t);
	for (bool go = true; go;) {
		int wait_ms = time_left(&end);

		rig->ops->flush(end.t);
		poll(fds, 2, wait_ms);
		if (fds[0].revents) {
			go = puppet_obey(&end, &traffic, &broke);
		}
		if (fds[1].revents || wait_ms >= 0) {
			end_turn(&end);
		}
		if (traffic.end) {
			traffic_pump(&traffic);
		}
	}
	end_close(&end);
	return 0;
}
