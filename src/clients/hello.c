/* SPDX-License-Identifier: BSD-3-Clause */
/* The first packet of a connection, and what a program gets in answer: two sockets, the shared
 * rings, the slab. */
#include "clients/clients_int.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

/* What the client gets, until it is sent. */
struct gift {
	int event_fd;
	int side_fd;
};

static int make_sockets(struct client *client, struct gift *gift)
{
	int event[2];
	int side[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, event) < 0) {
		return -errno;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, side) < 0) {
		int err = -errno;

		close(event[0]);
		close(event[1]);
		return err;
	}
	ipc_refuse_fds(event[0]);
	ipc_refuse_fds(side[0]);
	client->event_fd = event[0];
	client->side_fd = side[0];
	*gift = (struct gift){.event_fd = event[1], .side_fd = side[1]};
	return 0;
}

static int make_shared(struct client *client)
{
	int err = ipc_memory_new("coronet-client", IPC_SHARED_SIZE, &client->shared);

	if (err) {
		return err;
	}
	client->writer.shared = client->shared.base;
	ipc_events_begin(client->shared.base);
	ipc_store(&ipc_indexes(client->shared.base)->sends_asleep, 1);
	ipc_store(&ipc_indexes(client->shared.base)->events_wake_at, UINT64_MAX);
	return 0;
}

/* On error what was made stays with the client, which is closed. */
static int equip(struct client *client, struct gift *gift)
{
	struct clients_loop *loop = &client->clients->loop;
	int err = make_shared(client);

	if (!err) {
		err = make_sockets(client, gift);
	}
	if (err) {
		return err;
	}
	err = loop->add(loop->ctx, client->side_fd, POLLIN, client_side_ready, client);
	client->side_watched = err == 0;
	return err;
}

static int free_number(const struct clients *clients, uint32_t *number)
{
	for (uint32_t i = 0; i < clients->config.connections_max; i++) {
		if (!clients->by_number[i]) {
			*number = i;
			return 0;
		}
	}
	return -EMFILE;
}

static int enter(struct client *client, bool initial)
{
	struct clients *clients = client->clients;
	int err = free_number(clients, &client->number);

	if (!err) {
		err = engine_client_open(clients->engine, client->number, initial);
	}
	if (err) {
		return err;
	}
	client->serial = ++clients->serial;
	client->state = CLIENT_OPEN;
	clients->by_number[client->number] = client;
	clients->connections++;
	clients->tools--;
	return 0;
}

static void give(struct client *client, const struct gift *gift)
{
	struct clients *clients = client->clients;
	struct ipc_welcome welcome = {.node = clients->config.node,
				      .slab_size = slab_size(clients->config.slab)};
	struct ipc_fds fds = {.count = 4,
			      .fd = {gift->event_fd, gift->side_fd, client->shared.fd,
				     slab_fd(clients->config.slab)}};

	client_reply(client, IPC_HELLO, CS_OK, 0, &welcome, sizeof(welcome), &fds);
	ipc_close(&client->shared.fd);
}

static cs_error_t as_status(int err)
{
	return err == -ENOMEM ? CS_ERR_NO_MEMORY : CS_ERR_LIBRARY;
}

static void open_program(struct client *client, bool initial, bool in_place)
{
	struct gift gift = {.event_fd = -1, .side_fd = -1};
	int err;

	if (!engine_ready(client->clients->engine)) {
		client_reply(client, IPC_HELLO, CS_ERR_TRY_AGAIN, 0, NULL, 0, NULL);
		client_end(client);
		return;
	}
	client->in_place = in_place;
	err = equip(client, &gift);
	if (!err) {
		err = enter(client, initial);
	}
	if (!err) {
		give(client, &gift);
	} else {
		client_reply(client, IPC_HELLO, as_status(err), 0, NULL, 0, NULL);
		client_doom(client, strerror(-err));
	}
	ipc_close(&gift.event_fd);
	ipc_close(&gift.side_fd);
}

void client_hello(struct client *client, const struct ipc_request *request)
{
	list_remove(&client->mute);
	if (request->kind != IPC_HELLO || request->value >> 32 != IPC_MAGIC) {
		client_doom(client, "it does not speak our language");
		return;
	}
	if ((uint32_t)request->value != IPC_VERSION) {
		client_reply(client, IPC_HELLO, CS_ERR_VERSION, IPC_VERSION, NULL, 0, NULL);
		client_doom(client, "its library is of another version");
		return;
	}
	switch (request->arg & ~IPC_HELLO_IN_PLACE) {
	case IPC_HELLO_CLIENT:
	case IPC_HELLO_CLIENT_INITIAL:
		open_program(client, request->arg & IPC_HELLO_CLIENT_INITIAL,
			     request->arg & IPC_HELLO_IN_PLACE);
		return;
	case IPC_HELLO_TOOL:
		client->state = CLIENT_TOOL;
		client_reply(client, IPC_HELLO, CS_OK, client->clients->config.node, NULL, 0, NULL);
		return;
	default:
		client_doom(client, "it wants to be what we do not know");
	}
}

uint64_t clients_mute_deadline_ms(const struct clients *clients)
{
	const struct client *oldest;

	if (list_empty(&clients->mute)) {
		return UINT64_MAX;
	}
	oldest = list_entry(clients->mute.next, struct client, mute);
	return oldest->connected_at_ms + clients->config.hello_max_ms;
}

/* When it was the daemon that slept, the packet is in the socket. */
static void end_mute(struct client *client)
{
	list_remove(&client->mute);
	client_request_ready(client, POLLIN);
	if (client->state == CLIENT_NEW && !client->doom && !client->hung_up) {
		client->overdue = true;
		client_doom(client, "it has not said hello");
	}
}

void clients_end_mute(struct clients *clients)
{
	uint64_t now_ms = clients_now(clients);

	while (clients_mute_deadline_ms(clients) <= now_ms) {
		end_mute(list_entry(clients->mute.next, struct client, mute));
	}
}

void client_log_mute(const struct client *client)
{
	struct clients *clients = client->clients;
	uint32_t unlogged;

	if (seldom_due(&clients->logged.mute, 1, clients_now(clients), &unlogged)) {
		clients_log(
			clients, LOG_WARNING,
			"client pid %d uid %u disconnected: it has not said hello within %u ms" SELDOM_MORE,
			client->cred.pid, client->cred.uid, clients->config.hello_max_ms, unlogged);
	}
}
