/* SPDX-License-Identifier: BSD-3-Clause */
/* What the groups tell a client, made into events and queued. Runs inside engine calls: touches
 * no engine, only marks what has to follow. */
#include "clients/clients_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "clients/keep.h"
#include "clients/user.h"

#define COPY_AT_ONCE_MAX_BYTES 65536u

struct event *client_event_new(struct client *client, enum ipc_event_kind kind, uint64_t data_size)
{
	struct event *event = malloc(sizeof(*event) + data_size);

	if (!event) {
		client_doom(client, "no memory for its events");
		return NULL;
	}
	memset(event, 0, sizeof(*event));
	list_init(&event->link);
	list_init(&event->held);
	event->head.kind = (uint16_t)kind;
	event->data_size = data_size;
	return event;
}

/* Messages of one slot follow each other. */
static bool frees_its_slot(const struct client *client, const struct event *event)
{
	return event->held.next == &client->held_slots ||
	       list_entry(event->held.next, struct event, held)->body != event->body;
}

/* What was copied out for it frees a slot too, but not by its reading: that does not come here. */
static void count_read(struct client *client, const struct event *event)
{
	bool in_slot = event->body && event->body->home == BODY_SLOT;

	client->pace.read += in_slot || event->chunk;
	client->pace.freed += in_slot && frees_its_slot(client, event);
}

void client_event_free(struct client *client, struct event *event)
{
	list_remove(&event->link);
	client->referred_bytes -= event->referred_bytes;
	count_read(client, event);
	client_let_go(client, event);
	client_unspill(client, event);
	client_pin_free(client, event);
	free(event);
}

void client_event_queue(struct client *client, struct event *event)
{
	struct clients *clients = client->clients;

	list_append(&client->queue, &event->link);
	client->queued_bytes += sizeof(*event) + event->data_size;
	client->user->queued_bytes += sizeof(*event) + event->data_size;
	event->referred_bytes = event->head.kind == IPC_EVENT_MESSAGE ? event->head.length : 0;
	client->referred_bytes += event->referred_bytes;
	clients->stats.events++;
	if (client->queued_bytes + client->spilled_bytes > clients->config.queue_max_bytes) {
		client_doom_slow(client,
				 "it does not read its events: clients.queue_max is exceeded");
	} else {
		user_check(clients, client->user);
	}
	client_activate(client);
}

static struct client *open_client(struct clients *clients, uint32_t number)
{
	struct client *client = clients ? clients->by_number[number] : NULL;

	return client && !client->doom && !client->slow && !client->hung_up ? client : NULL;
}

/* Queued events go first; without any, this one goes into the ring at once. */
static void tell(struct client *client, struct event *event)
{
	client_event_queue(client, event);
	if (client->queue.next == &event->link) {
		client_events_pump(client);
	}
}

static struct ipc_event message_head(const struct engine_delivery *delivery)
{
	return (struct ipc_event){
		.kind = IPC_EVENT_MESSAGE,
		.group_size = (uint16_t)delivery->group->length,
		.node = delivery->node,
		.pid = delivery->pid,
		.length = delivery->size,
		.offset = delivery->offset,
	};
}

static const uint8_t *payload_of(const struct engine_delivery *delivery)
{
	const struct body *body = delivery->body;

	check(delivery->offset >= body->offset &&
	      delivery->size <= body->size - (delivery->offset - body->offset));
	return body->bytes + (delivery->offset - body->offset);
}

/* A small one with nothing before it needs no event. */
static bool write_at_once(struct client *client, const struct engine_delivery *delivery)
{
	struct ipc_event head = message_head(delivery);

	return list_empty(&client->queue) && client_inlines(client, delivery->size) &&
	       client_write_inline(client, &head, delivery->group->value,
				   delivery->size > 0 ? payload_of(delivery) : NULL);
}

/* By reference, or from a copy. Only small ones are copied here, where the ring waits for us. */
static bool place_payload(struct client *client, struct event *event,
			  const struct engine_delivery *delivery)
{
	if (delivery->size > COPY_AT_ONCE_MAX_BYTES || client_may_hold(client, delivery->body)) {
		client_hold(client, event, delivery->body);
		event->queued_at_ms = clients_now(client->clients);
		return true;
	}
	return client_spill(client, event, payload_of(delivery));
}

static void queue_message(struct client *client, const struct engine_delivery *delivery)
{
	uint32_t group = delivery->group->length;
	struct event *event = client_event_new(client, IPC_EVENT_MESSAGE, group);

	if (!event) {
		return;
	}
	event->head = message_head(delivery);
	memcpy(event->data, delivery->group->value, group);
	if (delivery->size > 0 && !place_payload(client, event, delivery)) {
		client_event_free(client, event);
		return;
	}
	tell(client, event);
}

void clients_deliver(struct clients *clients, const struct engine_delivery *delivery)
{
	struct client *client = open_client(clients, delivery->client);

	if (!client) {
		return;
	}
	if (write_at_once(client, delivery)) {
		clients->stats.events++;
		client_activate(client);
	} else {
		queue_message(client, delivery);
	}
}

static uint8_t *put_addresses(uint8_t *at, const struct cpg_address *list, uint32_t count)
{
	if (count > 0) {
		memcpy(at, list, count * sizeof(*list));
	}
	return at + count * sizeof(*list);
}

void clients_confchg(struct clients *clients, const struct engine_confchg *change)
{
	struct client *client = open_client(clients, change->client);
	uint64_t entries =
		(uint64_t)change->members_count + change->left_count + change->joined_count;
	struct ipc_confchg head = {.members_count = change->members_count,
				   .left_count = change->left_count,
				   .joined_count = change->joined_count};
	struct event *event;
	uint8_t *at;

	if (!client) {
		return;
	}
	event = client_event_new(client, IPC_EVENT_CONFCHG,
				 sizeof(head) + entries * sizeof(struct cpg_address));
	if (!event) {
		return;
	}
	head.group.length = change->group->length;
	memcpy(head.group.value, change->group->value, change->group->length);
	memcpy(event->data, &head, sizeof(head));
	at = put_addresses(event->data + sizeof(head), change->members, change->members_count);
	at = put_addresses(at, change->left, change->left_count);
	put_addresses(at, change->joined, change->joined_count);
	tell(client, event);
}

void clients_totem(struct clients *clients, uint32_t number, struct ringid ring,
		   const struct nodeset *members)
{
	struct client *client = open_client(clients, number);
	struct ipc_totem head = {
		.ring_seq = ring.seq, .ring_node = ring.rep, .count = members->count};
	struct event *event;

	if (!client) {
		return;
	}
	event = client_event_new(client, IPC_EVENT_TOTEM,
				 sizeof(head) + members->count * sizeof(uint32_t));
	if (!event) {
		return;
	}
	memcpy(event->data, &head, sizeof(head));
	memcpy(event->data + sizeof(head), members->id, members->count * sizeof(uint32_t));
	tell(client, event);
}

static void free_all(struct client *client, struct list *events)
{
	while (!list_empty(events)) {
		client_event_free(client, list_entry(events->next, struct event, link));
	}
}

void client_events_close(struct client *client)
{
	free_all(client, &client->kept);
	free_all(client, &client->in_ring);
	free_all(client, &client->queue);
	client->user->queued_bytes -= client->queued_bytes;
	client->queued_bytes = 0;
}
