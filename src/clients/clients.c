/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections as a whole: made, served turn by turn, closed with a reason. */
#include "clients/clients_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "clients/keep.h"
#include "clients/region.h"
#include "clients/user.h"

static const char DOOM_STOPPING[] = "the daemon stops";

/* A minute; a client that breaks a rule can come back at once and break it again. */
#define DISCONNECTED_LINES 60

void clients_log(const struct clients *clients, int priority, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	clients->config.log(clients->config.ctx, priority, text);
}

uint64_t clients_now(const struct clients *clients)
{
	return clients->loop.now_ms(clients->loop.ctx);
}

void client_activate(struct client *client)
{
	if (list_empty(&client->active) && client->state != CLIENT_CLOSED) {
		list_append(&client->clients->active, &client->active);
	}
}

void client_doom(struct client *client, const char *reason)
{
	if (!client->doom) {
		client->doom = reason;
		client_activate(client);
	}
}

void client_doom_slow(struct client *client, const char *reason)
{
	if (!client->slow) {
		client->slow = reason;
		client_activate(client);
	}
}

static void unwatch_one(struct client *client, bool *watched, int fd)
{
	if (*watched) {
		client->clients->loop.del(client->clients->loop.ctx, fd);
		*watched = false;
	}
}

static void unwatch(struct client *client)
{
	unwatch_one(client, &client->request_watched, client->request_fd);
	unwatch_one(client, &client->side_watched, client->side_fd);
}

/* A socket that is hung up would be ready for ever. Nobody reads its events any more: they must not keep what it
 * takes to send the rest. */
void client_end(struct client *client)
{
	if (client->state == CLIENT_OPEN && !client->hung_up) {
		client->sends_end = (uint64_t)client_sends_published(client);
	}
	client->hung_up = true;
	unwatch(client);
	client_events_close(client);
	client_activate(client);
}

static void log_disconnected(const struct client *client, struct seldom *logged, const char *reason)
{
	uint32_t unlogged;

	if (!seldom_due(logged, DISCONNECTED_LINES, clients_now(client->clients), &unlogged)) {
		return;
	}
	if (unlogged > 0) {
		clients_log(client->clients, LOG_WARNING,
			    "client pid %d uid %u disconnected: %s" SELDOM_MORE, client->cred.pid,
			    client->cred.uid, reason, unlogged);
	} else {
		clients_log(client->clients, LOG_WARNING, "client pid %d uid %u disconnected: %s",
			    client->cred.pid, client->cred.uid, reason);
	}
}

static void log_end(const struct client *client)
{
	if (client->hung_up || client->doom == DOOM_STOPPING) {
		clients_log(client->clients, LOG_DEBUG, "client pid %d: connection closed",
			    client->cred.pid);
	} else if (client->overdue) {
		client_log_mute(client);
	} else {
		log_disconnected(client, &client->clients->logged.disconnected, client->doom);
	}
}

static void close_sockets(struct client *client)
{
	unwatch(client);
	clients_discard(client->clients, &client->request_fd);
	clients_discard(client->clients, &client->event_fd);
	clients_discard(client->clients, &client->side_fd);
}

/* From the client's view this is the end. */
static void cut(struct client *client)
{
	log_disconnected(client, &client->clients->logged.slow, client->slow);
	client->clients->stats.disconnected++;
	client_move_all(client);
	close_sockets(client);
	client_end(client);
}

static void forget(struct client *client)
{
	struct clients *clients = client->clients;

	switch (client->state) {
	case CLIENT_OPEN:
		clients->stats.disconnected += !client->hung_up && client->doom != DOOM_STOPPING;
		clients->connections--;
		clients->by_number[client->number] = NULL;
		engine_client_close(clients->engine, client->number, clients_now(clients));
		return;
	case CLIENT_NEW:
	case CLIENT_TOOL:
		clients->stats.disconnected += client->overdue;
		clients->tools--;
		return;
	case CLIENT_CLOSED:
		return;
	}
}

/* The struct stays until the next turn: a callback of the loop may still be on its way to it. */
static void client_close(struct client *client)
{
	log_end(client);
	if (client->state == CLIENT_OPEN && !client->hung_up) {
		client_move_all(client);
	}
	close_sockets(client);
	forget(client);
	client->state = CLIENT_CLOSED;
	client_set_hungry(client, false);
	client_set_wants(client, false);
	client_events_close(client);
	client_chunks_close(client);
	client_regions_close(client);
	user_leave(client->user);
	ipc_memory_free(&client->shared);
	list_remove(&client->active);
	list_remove(&client->mute);
	list_remove(&client->link);
	list_append(&client->clients->closed, &client->link);
}

static void bury(struct clients *clients)
{
	list_for_each_safe(it, after, &clients->closed)
	{
		list_remove(it);
		free(list_entry(it, struct client, link));
	}
}

static bool idle(const struct client *client)
{
	if (client->quiet || client->attention > 0) {
		return false;
	}
	return !client->doom && !client->hung_up && !client->stalled && !client->unread &&
	       !client->asked && list_empty(&client->queue) && list_empty(&client->in_ring) &&
	       list_empty(&client->kept) && !client->wake;
}

static bool drained(struct client *client)
{
	return client->state != CLIENT_OPEN ||
	       (uint64_t)client_sends_published(client) == client->taken;
}

static void serve(struct client *client)
{
	if (client->slow && !client->hung_up) {
		cut(client);
	}
	if (client->state == CLIENT_OPEN) {
		client_sends_pump(client);
		client_tell_sendable(client);
	}
	if (client->asked && !client->doom && !client->hung_up) {
		client_request_pump(client);
	}
	if (client->hung_up && !client->doom && drained(client)) {
		client_doom(client, "connection closed");
	}
}

/* Room for messages is given to those who come first: the last who has got some this time comes last
 * the next time. */
static void begin_behind(struct clients *clients, struct list *last)
{
	struct list *first = last->next;

	if (first != &clients->active) {
		list_remove(&clients->active);
		list_append(first, &clients->active);
	}
}

static bool serve_active(struct clients *clients)
{
	struct list *last = &clients->active;
	bool more = false;

	/* What they have read makes room. When they have all been looked at it is nobody's yet. */
	list_for_each(it, &clients->active) {
		struct client *client = list_entry(it, struct client, active);

		if (client->state == CLIENT_OPEN) {
			client_events_pump(client);
		}
	}
	clients->crowded = false;

	list_for_each_safe(it, after, &clients->active)
	{
		struct client *client = list_entry(it, struct client, active);
		uint64_t taken = client->taken;

		if (!client->doom) {
			serve(client);
		}
		if (client->doom) {
			client_close(client);
			more = true;
		} else if (idle(client)) {
			list_remove(it);
		} else {
			more = more || client->unread;
			last = client->taken != taken ? it : last;
			clients->crowded = clients->crowded || client->stalled;
		}
	}
	begin_behind(clients, last);
	return more;
}

/* Where it matters that a client has read something, it rings a bell when it has. */
static bool arm(struct clients *clients)
{
	bool urgent = clients_short(clients) || clients->wanting > 0;
	bool more = false;

	list_for_each(it, &clients->active) {
		urgent = urgent || list_entry(it, struct client, active)->stalled;
	}

	list_for_each(it, &clients->active) {
		struct client *client = list_entry(it, struct client, active);

		if (client->wake) {
			client_wake(client);
			more = more || client->wake;
		}
		if (client->state == CLIENT_OPEN) {
			more = client_events_arm(client, urgent) || more;
		}
		if (client->in_place && (urgent || clients->hungry > 0)) {
			more = client_kept_arm(client) || more;
		}
	}
	return more;
}

/* In a ring of one node nothing else comes that would bring the next turn. */
static bool waited_for_room(const struct clients *clients)
{
	return clients->crowded && engine_may_send(clients->engine);
}

bool clients_turn(struct clients *clients)
{
	bool more;

	clients->news = false;
	bury(clients);
	clients_end_mute(clients);
	clients_listen_again(clients);
	more = serve_active(clients);
	engine_flush(clients->engine, clients_now(clients));
	more = clients_relieve(clients) || more;
	return arm(clients) || more || clients->news || waited_for_room(clients);
}

void clients_stay_awake(struct clients *clients, bool on)
{
	clients->awake = on;
}

bool clients_waiting(const struct clients *clients)
{
	list_for_each(it, &clients->active) {
		struct client *client = list_entry(it, struct client, active);

		if (client->quiet && !client->stalled &&
		    ipc_load(&ipc_indexes(client->shared.base)->sends_published) != client->taken) {
			return true;
		}
	}
	return false;
}

uint64_t clients_taken(const struct clients *clients)
{
	return clients->taken;
}

uint64_t clients_next_deadline_ms(const struct clients *clients)
{
	uint64_t mute_ms = clients_mute_deadline_ms(clients);
	uint64_t listen_ms = clients->listen_at_ms ? clients->listen_at_ms : UINT64_MAX;
	uint64_t first_ms = mute_ms < listen_ms ? mute_ms : listen_ms;

	return first_ms < clients->relieve_at_ms ? first_ms : clients->relieve_at_ms;
}

static int check_config(const struct clients_config *config)
{
	return config->connections_max == 0 || config->connections_max > PG_CLIENTS_MAX ||
			       config->inline_max_bytes > IPC_EVENT_DATA_MAX - GROUP_NAME_MAX
		       ? -EINVAL
		       : 0;
}

static void set_up(struct clients *clients, const struct clients_config *config,
		   const struct clients_loop *loop, struct engine *engine)
{
	clients->config = *config;
	clients->loop = *loop;
	clients->engine = engine;
	clients->listener = clients->spare_fd = -1;
	clients->relieve_at_ms = UINT64_MAX;
	list_init(&clients->all);
	list_init(&clients->active);
	list_init(&clients->closed);
	list_init(&clients->mute);
	list_init(&clients->users);
	if (config->queue_max_bytes == 0) {
		clients->config.queue_max_bytes = CLIENTS_QUEUE_MAX_BYTES;
	}
	if (config->send_max_bytes == 0) {
		clients->config.send_max_bytes = CLIENTS_SEND_MAX_BYTES;
	}
	if (config->hello_max_ms == 0) {
		clients->config.hello_max_ms = CLIENTS_HELLO_MAX_MS;
	}
}

int clients_new(const struct clients_config *config, const struct clients_loop *loop,
		struct engine *engine, struct clients **out)
{
	struct clients *clients;
	int err = check_config(config);

	if (err) {
		return err;
	}
	clients = calloc(1, sizeof(*clients));
	if (!clients) {
		return -ENOMEM;
	}
	set_up(clients, config, loop, engine);
	clients->run_dir = strdup(config->run_dir);
	err = clients->run_dir ? clients_listen(clients) : -ENOMEM;
	if (err) {
		free(clients->run_dir);
		free(clients);
		return err;
	}
	*out = clients;
	return 0;
}

void clients_free(struct clients **clients_ptr)
{
	struct clients *clients = *clients_ptr;

	if (!clients) {
		return;
	}
	clients_unlisten(clients);
	while (!list_empty(&clients->all)) {
		struct client *client = list_entry(clients->all.next, struct client, link);

		client_doom(client, DOOM_STOPPING);
		client_close(client);
	}
	for (uint32_t i = 0; i < TRANSPORT_REGIONS_MAX; i++) {
		clients_forget_region(clients, i);
	}
	users_free(clients);
	bury(clients);
	free(clients->told.text);
	free(clients->run_dir);
	free(clients);
	*clients_ptr = NULL;
}
