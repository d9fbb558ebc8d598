/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may connect. Decided from what the kernel says about the peer when it connects, before a
 * byte of it is read. */
#include "clients/clients_int.h"
#include "clients/user.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define BACKLOG		 128
#define ACCEPTS_PER_TURN 16
/* A minute. */
#define DENIED_LINES 10
#define FULL_LINES   10
#define PAUSE_MS     20

/* The client's groups, the primary one first; freed by the caller. NULL: no memory. */
static gid_t *peer_groups(int fd, gid_t primary, size_t *count)
{
	socklen_t size = 64 * sizeof(gid_t);
	gid_t *groups = NULL;
	int rc;

	do {
		gid_t *more = realloc(groups, sizeof(gid_t) + size);

		if (!more) {
			free(groups);
			return NULL;
		}
		groups = more;
		rc = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &size);
	} while (rc < 0 && errno == ERANGE);
	groups[0] = primary;
	*count = rc < 0 ? 1 : 1 + size / sizeof(gid_t);
	return groups;
}

static bool in_group_0(const gid_t *groups, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (groups[i] == 0) {
			return true;
		}
	}
	return false;
}

static bool allowed(const struct clients *clients, int fd, const struct ucred *cred)
{
	const struct clients_config *config = &clients->config;
	size_t count;
	gid_t *groups;
	bool yes;

	if (cred->uid == 0 || cred->gid == 0 || cred->uid == geteuid()) {
		return true;
	}
	groups = peer_groups(fd, cred->gid, &count);
	if (!groups) {
		return false;
	}
	yes = in_group_0(groups, count) ||
	      (config->allow && config->allow(config->ctx, cred->uid, groups, count));
	free(groups);
	return yes;
}

static void listener_ready(void *arg, short revents);

/* Who is let in meanwhile waits with the others in the kernel. */
static void listen_later(struct clients *clients)
{
	if (!clients->listen_at_ms && clients->listener != -1 &&
	    !clients->loop.mod(clients->loop.ctx, clients->listener, 0, listener_ready, clients)) {
		clients->listen_at_ms = clients_now(clients) + PAUSE_MS;
	}
}

void clients_listen_again(struct clients *clients)
{
	if (clients->listen_at_ms && clients_now(clients) >= clients->listen_at_ms &&
	    !clients->loop.mod(clients->loop.ctx, clients->listener, POLLIN, listener_ready,
			       clients)) {
		clients->listen_at_ms = 0;
	}
}

void clients_discard(struct clients *clients, int *fd)
{
	const struct clients_config *config = &clients->config;

	if (*fd == -1) {
		return;
	}
	if (!config->discard) {
		close(*fd);
	} else if (!config->discard(config->ctx, *fd)) {
		listen_later(clients);
	}
	*fd = -1;
}

/* The answer comes before the question; what of it is there already is read, so that closing does
 * not look like an error. */
static void refuse(struct clients *clients, int fd, cs_error_t status)
{
	struct ipc_reply reply = {.kind = IPC_HELLO, .status = status};
	struct ipc_request request;

	clients->stats.refused++;
	if (!ipc_brings_fds(fd)) {
		ipc_receive_packet(fd, &request, sizeof(request), NULL, MSG_DONTWAIT);
	}
	ipc_send_packet(fd, &reply, sizeof(reply), NULL, 0, NULL, MSG_DONTWAIT);
	clients_discard(clients, &fd);
}

static struct client *client_new(struct clients *clients, int fd, const struct ucred *cred)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client) {
		return NULL;
	}
	client->clients = clients;
	client->cred = *cred;
	client->request_fd = fd;
	client->event_fd = client->side_fd = -1;
	client->shared.fd = -1;
	client->wake_at = UINT64_MAX;
	client->connected_at_ms = clients_now(clients);
	list_init(&client->active);
	list_init(&client->mute);
	list_init(&client->regions);
	list_init(&client->shown);
	list_init(&client->queue);
	list_init(&client->held);
	list_init(&client->held_slots);
	list_init(&client->in_ring);
	list_init(&client->kept);
	list_init(&client->chunks);
	client->user = user_enter(clients, cred->uid);
	if (!client->user) {
		free(client);
		return NULL;
	}
	if (clients->loop.add(clients->loop.ctx, fd, POLLIN, client_request_ready, client)) {
		user_leave(client->user);
		free(client);
		return NULL;
	}
	client->request_watched = true;
	list_append(&clients->all, &client->link);
	list_append(&clients->mute, &client->mute);
	return client;
}

/* One user must not lock the others out; whom the daemon belongs to may. */
static bool crowds_out(struct clients *clients, const struct ucred *cred)
{
	uint32_t unlogged;

	if (user_may_connect(clients, cred)) {
		return false;
	}
	if (seldom_due(&clients->logged.crowd, 1, clients_now(clients), &unlogged)) {
		clients_log(
			clients, LOG_WARNING,
			"client pid %d refused: its user, uid %u, has %u connections, all that clients.user_max "
			"allows" SELDOM_MORE,
			cred->pid, cred->uid, clients->config.user_connections_max, unlogged);
	}
	return true;
}

static void log_denied(struct clients *clients, const struct ucred *cred)
{
	uint32_t unlogged;

	if (seldom_due(&clients->logged.denied, DENIED_LINES, clients_now(clients), &unlogged)) {
		clients_log(clients, LOG_NOTICE,
			    "client pid %d uid %u gid %u may not connect" SELDOM_MORE, cred->pid,
			    cred->uid, cred->gid, unlogged);
	}
}

static void log_full(struct clients *clients, int priority, const char *why)
{
	uint32_t unlogged;

	if (seldom_due(&clients->logged.full, FULL_LINES, clients_now(clients), &unlogged)) {
		clients_log(clients, priority, "a client was refused: %s" SELDOM_MORE, why,
			    unlogged);
	}
}

static void welcome(struct clients *clients, int fd)
{
	struct ucred cred = {0};
	socklen_t size = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0 ||
	    !allowed(clients, fd, &cred)) {
		log_denied(clients, &cred);
		refuse(clients, fd, CS_ERR_ACCESS);
		return;
	}
	if (crowds_out(clients, &cred)) {
		refuse(clients, fd, CS_ERR_NO_RESOURCES);
		return;
	}
	if (clients->tools >= clients->config.connections_max || !client_new(clients, fd, &cred)) {
		log_full(clients, LOG_WARNING, "too many connections");
		refuse(clients, fd, CS_ERR_NO_RESOURCES);
		return;
	}
	clients->stats.accepted++;
	clients->tools++;
}

/* No descriptor is left to accept with: one is kept for saying so, else the loop would spin on a
 * connection that it cannot take. */
static void refuse_one(struct clients *clients)
{
	int fd;

	ipc_close(&clients->spare_fd);
	fd = accept4(clients->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		log_full(clients, LOG_ERR, "no file descriptor is left");
		refuse(clients, fd, CS_ERR_LIBRARY);
	}
	clients->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void listener_ready(void *arg, short revents)
{
	struct clients *clients = arg;

	(void)revents;
	for (int i = 0; i < ACCEPTS_PER_TURN && !clients->listen_at_ms; i++) {
		int fd = accept4(clients->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			welcome(clients, fd);
		} else if (errno == EMFILE || errno == ENFILE) {
			refuse_one(clients);
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return;
		}
	}
}

/* A socket file may be left from a daemon that was killed; one that answers belongs to a daemon
 * that lives. */
static int remove_stale(const struct clients *clients, const struct sockaddr_un *address)
{
	int fd = ipc_connect(clients->run_dir);

	if (fd >= 0 || fd == -EAGAIN) {
		if (fd >= 0) {
			close(fd);
		}
		return -EADDRINUSE;
	}
	return fd == -ECONNREFUSED && unlink(address->sun_path) < 0 ? -errno : 0;
}

static int open_listener(struct clients *clients, const struct sockaddr_un *address)
{
	int err = remove_stale(clients, address);

	if (err) {
		return err;
	}
	clients->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (clients->listener < 0) {
		return -errno;
	}
	if (bind(clients->listener, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		return -errno;
	}
	ipc_refuse_fds(clients->listener);
	if (chmod(address->sun_path, 0666) < 0 || listen(clients->listener, BACKLOG) < 0) {
		return -errno;
	}
	return clients->loop.add(clients->loop.ctx, clients->listener, POLLIN, listener_ready,
				 clients);
}

int clients_listen(struct clients *clients)
{
	struct sockaddr_un address;
	int err = ipc_address(clients->run_dir, &address);

	if (!err) {
		err = open_listener(clients, &address);
	}
	if (err) {
		clients_log(clients, LOG_ERR, "cannot listen for clients on %s/%s: %s",
			    clients->run_dir, IPC_SOCKET_NAME, strerror(-err));
		ipc_close(&clients->listener);
		return err;
	}
	clients->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

void clients_unlisten(struct clients *clients)
{
	struct sockaddr_un address;

	clients->loop.del(clients->loop.ctx, clients->listener);
	clients_discard(clients, &clients->listener);
	ipc_close(&clients->spare_fd);
	if (!ipc_address(clients->run_dir, &address)) {
		unlink(address.sun_path);
	}
}
