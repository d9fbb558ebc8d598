/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests. Those that have a place in the order of a client's calls wait until the engine has
 * taken every message sent before them. */
#include "clients/clients_int.h"
#include "clients/region.h"

#include <errno.h>
#include <string.h>

#define PACKETS_PER_TURN 16

void client_reply(struct client *client, enum ipc_kind kind, cs_error_t status, uint64_t value,
		  const void *data, uint64_t data_size, const struct ipc_fds *fds)
{
	struct ipc_reply reply = {
		.kind = kind, .status = status, .value = value, .data_size = data_size};
	struct ipc_memory memory = {.fd = -1};
	struct ipc_fds large = {.count = 1};
	int err;

	if (data_size <= IPC_DATA_MAX) {
		err = ipc_send_packet(client->request_fd, &reply, sizeof(reply), data, data_size,
				      fds, MSG_DONTWAIT);
	} else {
		err = ipc_memory_new("coronet-answer", data_size, &memory);
		if (!err) {
			memcpy(memory.base, data, data_size);
			reply.flags = IPC_IN_MEMFD;
			large.fd[0] = memory.fd;
			err = ipc_send_packet(client->request_fd, &reply, sizeof(reply), NULL, 0,
					      &large, MSG_DONTWAIT);
		}
		ipc_memory_free(&memory);
	}
	if (err && err != -EPIPE && err != -ECONNRESET) {
		client_doom(client, "an answer could not be sent");
	}
}

static void status_only(struct client *client, enum ipc_kind kind, cs_error_t status)
{
	client_reply(client, kind, status, 0, NULL, 0, NULL);
}

static void join(struct client *client, struct ipc_request *request)
{
	struct clients *clients = client->clients;
	struct cpg_name *name = &request->name;
	cs_error_t status;

	if (name->length > GROUP_NAME_MAX) {
		client_doom(client, "it joins a group with an impossible name");
		return;
	}
	memset(name->value + name->length, 0, sizeof(name->value) - name->length);
	status = engine_join(clients->engine, client->number, request->pid, name,
			     clients_now(clients));
	if (status == CS_OK) {
		client->joined = true;
		client->group = *name;
	}
	status_only(client, IPC_JOIN, status);
}

static void leave(struct client *client)
{
	struct clients *clients = client->clients;
	cs_error_t status = engine_leave(clients->engine, client->number, clients_now(clients));

	client->joined = client->joined && status != CS_OK;
	status_only(client, IPC_LEAVE, status);
}

static void finalize(struct client *client)
{
	status_only(client, IPC_FINALIZE, CS_OK);
	client_end(client);
}

static void perform(struct client *client)
{
	struct ipc_request *request = &client->request;

	switch ((enum ipc_kind)request->kind) {
	case IPC_JOIN:
		join(client, request);
		return;
	case IPC_LEAVE:
		leave(client);
		return;
	case IPC_FINALIZE:
		finalize(client);
		return;
	case IPC_MEMBERS:
	case IPC_LOCAL:
	case IPC_ITERATE:
	case IPC_STATUS:
		client_query(client, request);
		return;
	case IPC_HELLO:
	case IPC_REGION_NEW:
	case IPC_REGION_FREE:
		break;
	}
	client_doom(client, "unknown request");
}

void client_request_pump(struct client *client)
{
	if (client->taken >= client->request_after || client->state != CLIENT_OPEN) {
		client->asked = false;
		perform(client);
	}
}

static void wait_in_order(struct client *client, const struct ipc_request *request)
{
	int64_t published = 0;

	if (client->asked) {
		client_doom(client, "two requests at a time");
		return;
	}
	if (client->state == CLIENT_OPEN) {
		published = client_sends_published(client);
		if (published < 0) {
			return;
		}
		client_sends_pump(client);
	}
	client->asked = true;
	client->request = *request;
	client->request_after = (uint64_t)published;
	client_activate(client);
	if (!client->doom) {
		client_request_pump(client);
	}
}

static bool tools_may(uint32_t kind)
{
	return kind == IPC_MEMBERS || kind == IPC_LOCAL || kind == IPC_ITERATE ||
	       kind == IPC_STATUS;
}

static void handle(struct client *client, const struct ipc_request *request)
{
	if (client->state == CLIENT_NEW) {
		client_hello(client, request);
	} else if (client->state == CLIENT_TOOL && !tools_may(request->kind)) {
		client_doom(client, "a request that is not for tools");
	} else if (request->kind == IPC_REGION_NEW) {
		client_region_new(client, request);
	} else if (request->kind == IPC_REGION_FREE) {
		client_region_free(client, request);
	} else {
		wait_in_order(client, request);
	}
}

/* One of these at a time: others have their turn between. */
static bool is_dear(uint32_t kind)
{
	return kind == IPC_STATUS || kind == IPC_ITERATE;
}

bool client_brings_fds(struct client *client, int fd)
{
	bool brings = ipc_brings_fds(fd);

	if (brings) {
		client_doom(client, "it sends descriptors");
	}
	return brings;
}

void client_request_ready(void *arg, short revents)
{
	struct client *client = arg;

	(void)revents;
	for (int i = 0; i < PACKETS_PER_TURN && !client->doom && !client->hung_up &&
			client->state != CLIENT_CLOSED;
	     i++) {
		struct ipc_request request;
		int size;

		if (client_brings_fds(client, client->request_fd)) {
			return;
		}
		size = ipc_receive_packet(client->request_fd, &request, sizeof(request), NULL,
					  MSG_DONTWAIT);
		if (size == -EAGAIN) {
			return;
		}
		if (size == -EMSGSIZE || (size > 0 && size != (int)sizeof(request))) {
			client_doom(client, "a packet of the wrong size");
		} else if (size <= 0) {
			client_end(client);
		} else {
			handle(client, &request);
			if (is_dear(request.kind)) {
				return;
			}
		}
	}
}
