/* SPDX-License-Identifier: BSD-3-Clause */
/* Relief: bodies that clients have kept for long are copied into memory of their own when the
 * ring needs the place. A large message is copied slice by slice, so that the ring is never held
 * up for it.
 *
 * Whoever reads within the grace time gets its message without a copy; whoever does not makes the
 * senders wait for that long and no longer: once per large message; for small ones, which wait in
 * slots, until pace.c finds that it lags. */
#include "clients/keep.h"
#include "clients/region.h"

#include <errno.h>
#include <string.h>

#define SLICE_BYTES	 (1024u * 1024)
#define PER_TURN_BYTES	 (2u * 1024 * 1024)

#define HUNGRY_MS	 (IPC_STARVED_MS + 500u)
#define PEER_LOOK_MS	 2u
#define PEER_LOOK_MAX_MS 100u

/* Copies at most `budget` bytes. Returns how many. */
static uint64_t copy_slice(const struct event *event, uint64_t budget)
{
	uint64_t left = event->head.length - event->copied;
	uint64_t size = left < SLICE_BYTES ? left : SLICE_BYTES;

	size = size < budget ? size : budget;
	memcpy((uint8_t *)event->chunk->memory.base + event->chunk_offset + event->copied,
	       client_payload(event) + event->copied, size);
	return size;
}

/* The record stands in the ring already: the client is told where its payload is now. */
static int tell_moved(struct client *client, const struct event *event)
{
	struct ipc_side moved = {
		.region = event->chunk->serial, .end = event->end, .offset = event->chunk_offset};
	int err = client_announce_chunk(client, event->chunk);

	if (!err) {
		err = ipc_send_packet(client->side_fd, &moved, sizeof(moved), NULL, 0, NULL,
				      MSG_DONTWAIT);
	}
	if (!err) {
		ipc_exchange(&ipc_indexes(client->shared.base)->events_moved, ++client->moves);
	}
	return err;
}

/* A program that has begun to read it in place may use either place: both stay. */
static int finish(struct client *client, struct event *event)
{
	int err = event->end > 0 ? tell_moved(client, event) : 0;

	event->moved = !err;
	if (!err && !client_pinned(client, event)) {
		client_spill_done(client, event);
	}
	return err;
}

/* Returns what it cost of the budget; 0 when it cannot go on now. */
static uint64_t move_event(struct client *client, struct event *event, uint64_t budget)
{
	uint64_t copied;
	int err;

	if (!event->chunk && !client_spill_begin(client, event)) {
		return 0;
	}
	copied = copy_slice(event, budget);
	event->copied += copied;
	if (event->copied < event->head.length) {
		return copied;
	}
	err = finish(client, event);
	if (err && err != -EAGAIN && err != -ETOOMANYREFS) {
		client_doom(client, "memory cannot be shown to it");
	}
	return err ? 0 : copied + 1;
}

static struct event *next_in_the_way(const struct client *client, const struct list *held)
{
	list_for_each(it, held) {
		struct event *event = list_entry(it, struct event, held);

		if (!event->moved && !client_pinned(client, event) &&
		    clients_pressed_by(client->clients, event->body)) {
			return event;
		}
	}
	return NULL;
}

static void look_again_at(struct clients *clients, uint64_t due_ms)
{
	if (due_ms < clients->relieve_at_ms) {
		clients->relieve_at_ms = due_ms;
	}
}

/* A program that has read a message of another node's says so in shared memory and wakes nobody, but
 * its sender waits: it is looked for soon, and less and less often. */
static void look_for_peers(struct clients *clients, uint64_t now_ms)
{
	uint64_t waited_ms;

	if (clients->pinned_peer_bytes == 0) {
		return;
	}
	if (clients->pinned_peer_bytes != clients->peer_bytes_seen) {
		clients->peer_bytes_seen = clients->pinned_peer_bytes;
		clients->peer_bytes_since_ms = now_ms;
	}
	waited_ms = (now_ms - clients->peer_bytes_since_ms) / 2;
	look_again_at(clients,
		      now_ms + PEER_LOOK_MS +
			      (waited_ms < PEER_LOOK_MAX_MS ? waited_ms : PEER_LOOK_MAX_MS));
}

/* When its place is wanted back; 0: now. */
static uint64_t patience(struct client *client, const struct event *event, uint64_t now_ms)
{
	uint64_t due_ms = event->queued_at_ms + PACE_GRACE_MS;

	if (event->body->home == BODY_SLOT) {
		due_ms = pace_look(&client->pace, client_slots_share(client), now_ms);
		return client->pace.lagging ? 0 : due_ms;
	}
	return now_ms < due_ms ? due_ms : 0;
}

static bool ends(const struct client *client)
{
	return client->doom || client->slow || client->hung_up;
}

static void relieve_list(struct client *client, const struct list *held, uint64_t now_ms,
			 uint64_t *budget)
{
	uint64_t copied = 1;
	uint64_t due_ms;

	while (copied > 0 && *budget > 0 && !ends(client)) {
		struct event *event = next_in_the_way(client, held);

		if (!event) {
			break;
		}
		due_ms = patience(client, event, now_ms);
		if (due_ms > 0) {
			look_again_at(client->clients, due_ms);
			break;
		}
		copied = move_event(client, event, *budget);
		*budget -= copied < *budget ? copied : *budget;
	}
}

/* What waits in slots until the client lags does not hide what is due before. False when the budget is
 * spent. */
static bool relieve(struct client *client, uint64_t now_ms, uint64_t *budget)
{
	relieve_list(client, &client->held, now_ms, budget);
	relieve_list(client, &client->held_slots, now_ms, budget);
	return *budget > 0;
}

/* What it waits for may be kept for ever (a daemon on this host is stopped, its programs are not). By now its
 * library takes memory elsewhere, so a program that waits to be told is to try again. */
static void tell_hungry(struct clients *clients, uint64_t now_ms)
{
	list_for_each(it, &clients->all) {
		struct client *client = list_entry(it, struct client, link);

		if (!client->hungry || !client->wants) {
			continue;
		}
		if (now_ms >= client->hungry_since_ms + HUNGRY_MS) {
			client->hungry_since_ms = now_ms;
			client->progress = true;
			clients->news = true;
			client_activate(client);
		}
		look_again_at(clients, client->hungry_since_ms + HUNGRY_MS);
	}
}

bool clients_relieve(struct clients *clients)
{
	uint64_t budget = PER_TURN_BYTES;
	uint64_t now_ms;

	clients->relieve_at_ms = UINT64_MAX;
	if (!clients_pressed(clients)) {
		return false;
	}
	now_ms = clients_now(clients);
	look_for_peers(clients, now_ms);
	if (clients->hungry > 0 && clients->wanting > 0) {
		tell_hungry(clients, now_ms);
	}
	list_for_each(it, &clients->active) {
		if (!relieve(list_entry(it, struct client, active), now_ms, &budget)) {
			return true;
		}
	}
	return false;
}

/* In one go: there is no later. What does not fit the side socket is lost, and the client knows
 * it. */
void client_move_all(struct client *client)
{
	if (ipc_events_look(&client->writer)) {
		client_take_back(client);
	}
	list_for_each_safe(it, after, &client->in_ring)
	{
		struct event *event = list_entry(it, struct event, link);

		while (event->body && !event->moved && move_event(client, event, UINT64_MAX) > 0) {
		}
	}
	client_wake(client);
	ipc_exchange(&ipc_indexes(client->shared.base)->events_moved, IPC_MOVED_END);
}
