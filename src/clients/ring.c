/* SPDX-License-Identifier: BSD-3-Clause */
/* Events from the queue into the ring, and what was read out of it again.
 *
 * Only so many bodies come into the ring of one client: moving one away from there takes a packet
 * in the side socket, which a client that sleeps does not empty. */
#include "clients/clients_int.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "clients/keep.h"
#include "clients/region.h"
#include "clients/user.h"

#define RING_HELD_MAX	    128u
#define RING_HELD_MAX_BYTES (8u * 1024 * 1024)

enum push {
	PUSHED,
	PUSH_LATER
};

static void side_ready(void *arg, short revents);

static void watch_side(struct client *client, short events)
{
	struct clients_loop *loop = &client->clients->loop;

	loop->mod(loop->ctx, client->side_fd, events, side_ready, client);
}

/* PUSH_LATER also when the client is doomed. */
static enum push announced(struct client *client, int err)
{
	if (!err) {
		return PUSHED;
	}
	if (err == -EAGAIN) {
		client->side_full = true;
		watch_side(client, POLLIN | POLLOUT);
	} else if (err != -EPIPE && err != -ECONNRESET && err != -ETOOMANYREFS) {
		client_doom(client, "memory cannot be shown to it");
	}
	return PUSH_LATER;
}

static enum push announce_body(struct client *client, struct event *event)
{
	struct region *region;

	if (event->body->home == BODY_SLOT) {
		event->head.region = IPC_REGION_SLAB;
		return PUSHED;
	}
	region = event->body->home == BODY_EXTENT
			 ? clients_segment(client->clients, event->body->region)
			 : client->clients->regions[event->body->region];
	if (!region) {
		return announced(client, -ENOMEM);
	}
	event->head.region = region->serial;
	return announced(client, client_announce_region(client, region));
}

/* A program that reads in place gets what it need not copy: it is waited for while its reading may
 * give a pin back. */
static bool waits_for_pin(struct client *client, struct event *event)
{
	return client->in_place && !client_pin_grant(client, event) && client->ring_held > 0;
}

static bool may_stand_in_ring(const struct client *client, const struct event *event)
{
	return client->ring_held == 0 ||
	       (client->ring_held < RING_HELD_MAX &&
		client->ring_held_bytes + event->head.length <= RING_HELD_MAX_BYTES);
}

/* There is no room for a byte only where a program does not take them; where memory is short it is sent in the
 * next turn. */
static void show(struct client *client)
{
	if (ipc_events_show(&client->writer) || client->byte_due) {
		ssize_t sent = send(client->event_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);

		client->byte_due = sent < 0 && (errno == ENOBUFS || errno == ENOMEM);
	}
}

/* A program that is reading sees the news at once. One that sleeps is not woken by the first of many: it
 * would take the processor from us and read one. */
static void has_news(struct client *client)
{
	client->wake = true;
	if (!ipc_events_quiet(&client->writer)) {
		show(client);
	}
}

bool client_inlines(const struct client *client, uint64_t size)
{
	return size <= client->clients->config.inline_max_bytes;
}

bool client_write_inline(struct client *client, struct ipc_event *head, const void *group,
			 const void *payload)
{
	if (!ipc_events_write_inline(&client->writer, head, group, payload)) {
		return false;
	}
	client->clients->stats.inlined++;
	has_news(client);
	return true;
}

/* Its place is free at once. */
static enum push push_inline(struct client *client, struct event *event)
{
	struct ipc_event head = event->head;

	if (!client_write_inline(client, &head, event->data,
				 event->body ? client_payload(event) : NULL)) {
		return PUSH_LATER;
	}
	event->head.kind = IPC_EVENT_INLINE;
	return PUSHED;
}

static enum push push_message(struct client *client, struct event *event)
{
	enum push result = PUSHED;

	event->head.data_size = (uint32_t)event->data_size;
	if (!ipc_events_room(&client->writer, event->head.data_size)) {
		return PUSH_LATER;
	}
	if (event->body) {
		result = may_stand_in_ring(client, event) && !waits_for_pin(client, event)
				 ? announce_body(client, event)
				 : PUSH_LATER;
	} else if (event->chunk) {
		result = announced(client, client_announce_chunk(client, event->chunk));
	}
	if (result == PUSHED) {
		ipc_events_write(&client->writer, &event->head, event->data);
	}
	return result;
}

static enum push push_parts(struct client *client, struct event *event)
{
	event->head.length = event->data_size;
	while (event->at < event->data_size) {
		uint64_t left = event->data_size - event->at;

		event->head.offset = event->at;
		event->head.data_size =
			left < IPC_EVENT_DATA_MAX ? (uint32_t)left : IPC_EVENT_DATA_MAX;
		if (!ipc_events_write(&client->writer, &event->head, event->data + event->at)) {
			return PUSH_LATER;
		}
		event->at += event->head.data_size;
	}
	return PUSHED;
}

static enum push push(struct client *client, struct event *event)
{
	switch ((enum ipc_event_kind)event->head.kind) {
	case IPC_EVENT_CONFCHG:
	case IPC_EVENT_TOTEM:
		return push_parts(client, event);
	case IPC_EVENT_MESSAGE:
		if (!event->chunk && client_inlines(client, event->head.length)) {
			return push_inline(client, event);
		}
		break;
	case IPC_EVENT_GONE:
	case IPC_EVENT_SENDABLE:
	case IPC_EVENT_INLINE:
	case IPC_EVENT_PAD:
		break;
	}
	return push_message(client, event);
}

static void pushed(struct client *client, struct event *event)
{
	list_remove(&event->link);
	client->queued_bytes -= sizeof(*event) + event->data_size;
	client->user->queued_bytes -= sizeof(*event) + event->data_size;
	event->end = client->writer.written;
	if (event->head.kind == IPC_EVENT_INLINE) {
		client_event_free(client, event);
		return;
	}
	if (event->body) {
		event->by_reference = true;
		client->ring_held++;
		client->ring_held_bytes += event->head.length;
	}
	if (event->body || event->chunk) {
		list_append(&client->in_ring, &event->link);
	} else {
		client_event_free(client, event);
	}
}

void client_wake(struct client *client)
{
	show(client);
	client->wake = client->byte_due;
}

static bool ring_is_full(const struct client *client)
{
	return !ipc_events_room(&client->writer, IPC_EVENT_DATA_MAX);
}

/* News that nobody waits for do not wake the program: they are read with the next event, unless they
 * fill the ring. */
static void push_queue(struct client *client)
{
	while (!list_empty(&client->queue) && !client->side_full && !client->doom) {
		struct event *event = list_entry(client->queue.next, struct event, link);
		bool silent = event->head.kind == IPC_EVENT_GONE;
		enum push result = push(client, event);

		if (result == PUSHED ? !silent : ring_is_full(client)) {
			has_news(client);
		}
		if (result == PUSH_LATER) {
			break;
		}
		pushed(client, event);
	}
}

void client_take_back(struct client *client)
{
	while (!list_empty(&client->in_ring)) {
		struct event *event = list_entry(client->in_ring.next, struct event, link);

		if (event->end > client->writer.consumed) {
			return;
		}
		if (event->by_reference) {
			client->ring_held--;
			client->ring_held_bytes -= event->head.length;
		}
		if (client_pinned(client, event)) {
			client_keep(client, event);
		} else {
			client_event_free(client, event);
		}
	}
}

void client_events_pump(struct client *client)
{
	if (client->hung_up || client->doom || client->slow) {
		return;
	}
	if (!ipc_events_look(&client->writer)) {
		client_doom(client, "its event ring has an impossible index");
		return;
	}
	client_take_back(client);
	client_kept_look(client);
	push_queue(client);
	if (!list_empty(&client->in_ring) || !list_empty(&client->queue) ||
	    !list_empty(&client->kept) || client->wake) {
		client_activate(client);
	} else {
		client->pace.lagging = false;
	}
	if (client->pace.lagging) {
		pace_look(&client->pace, client_slots_share(client), clients_now(client->clients));
	}
}

/* With events waiting outside the ring, half of what is in it is a good moment; when memory is
 * short, a quarter. Each single one would mean a switch to us and back for each. When it has read all, there
 * is nothing to wait for. */
static uint64_t wake_point(const struct client *client, bool urgent)
{
	uint64_t unread = client->writer.shown - client->writer.consumed;

	if (unread == 0) {
		return UINT64_MAX;
	}
	if (urgent && !list_empty(&client->in_ring)) {
		return client->writer.consumed + (unread + 3) / 4;
	}
	if (!list_empty(&client->queue)) {
		return client->writer.consumed + (unread + 1) / 2;
	}
	return UINT64_MAX;
}

bool client_events_arm(struct client *client, bool urgent)
{
	struct ipc_indexes *indexes = ipc_indexes(client->shared.base);
	/* While we are awake we see it ourselves. */
	uint64_t point = client->clients->awake ? UINT64_MAX : wake_point(client, urgent);

	if (point != client->wake_at) {
		client->wake_at = point;
		ipc_exchange(&indexes->events_wake_at, point);
	}
	return point != UINT64_MAX && ipc_load_ordered(&indexes->events_consumed) >= point;
}

static void side_ready(void *arg, short revents)
{
	struct client *client = arg;
	char bell[64];

	if (revents & POLLOUT) {
		client->side_full = false;
		watch_side(client, POLLIN);
	}
	/* One at a time: it rings once per arming, and what is left calls again. */
	if ((revents & POLLIN) && client_brings_fds(client, client->side_fd)) {
		return;
	}
	if (revents & POLLIN) {
		recv(client->side_fd, bell, sizeof(bell), MSG_DONTWAIT);
	}
	if (revents & (POLLHUP | POLLERR)) {
		client_end(client);
		return;
	}
	client_events_pump(client);
	if (!client->clients->crowded) {
		client_sends_pump(client);
	}
	client_activate(client);
}

void client_side_ready(void *client, short revents)
{
	side_ready(client, revents);
}
