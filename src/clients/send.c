/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages on their way from a client's ring to the engine, and their memory on its way back.
 * Everything in the ring is hostile: one copy is made, and the copy is checked. */
#include "clients/clients_int.h"
#include "clients/region.h"

#include <string.h>

#define SENDS_PER_TURN 128
/* Where messages are sealed this takes about as long as sending them: the others open the first ones
 * while the next are sealed. */
#define SEND_BYTES_PER_TURN (512u * 1024)
/* A program that answers what others send must not ring each time. */
#define ATTENTION 64

int64_t client_sends_published(struct client *client)
{
	uint64_t published =
		client->hung_up
			? client->sends_end
			: ipc_load_ordered(&ipc_indexes(client->shared.base)->sends_published);

	if (published < client->taken || published - client->taken > IPC_SENDS) {
		client_doom(client, "its send ring has an impossible index");
		return -1;
	}
	return (int64_t)published;
}

static const char *check_message(const struct client *client, const struct ipc_send *message,
				 const struct region **region)
{
	*region = NULL;
	if (message->guarantee != FRAME_UNORDERED && message->guarantee != FRAME_AGREED &&
	    message->guarantee != FRAME_SAFE) {
		return "it sends with an unknown guarantee";
	}
	if (message->size == 0) {
		return NULL;
	}
	*region = client_region(client, message->region);
	if (!*region) {
		return "it sends from memory that is not its own";
	}
	if (message->size > MESSAGE_SIZE_MAX || message->offset > (*region)->memory.size ||
	    message->size > (*region)->memory.size - message->offset) {
		return "it sends what is not inside its memory";
	}
	return client->lent >= IPC_COMPLETIONS ? "it has too many messages under way" : NULL;
}

static uint64_t cookie_of(const struct client *client, uint32_t token)
{
	return (uint64_t)client->serial << 32 | token;
}

static void give_back(struct client *client, uint32_t token)
{
	*ipc_completion_at(client->shared.base, client->completed++) = token;
	ipc_store(&ipc_indexes(client->shared.base)->completions_published, client->completed);
	client->progress = true;
	if (client->wants) {
		client->clients->news = true;
		client_activate(client);
	}
}

void client_set_wants(struct client *client, bool wants)
{
	client->clients->wanting += wants;
	client->clients->wanting -= client->wants;
	client->wants = wants;
}

/* Once for all that a turn has brought. */
void client_tell_sendable(struct client *client)
{
	struct ipc_line *wanted = &ipc_indexes(client->shared.base)->sends_wanted;
	struct event *event;

	client_set_wants(client, ipc_load_behind(wanted) != 0);
	if (client->progress && client->wants && ipc_exchange(wanted, 0)) {
		client_set_wants(client, false);
		event = client_event_new(client, IPC_EVENT_SENDABLE, 0);
		if (event) {
			client_event_queue(client, event);
			client_events_pump(client);
		}
	}
	client->progress = false;
}

/* May run inside engine_mcast of the same message, and long after the client is gone. */
void clients_sent(struct clients *clients, uint32_t number, uint64_t cookie)
{
	struct client *client = clients ? clients->by_number[number] : NULL;

	if (client && client->serial == cookie >> 32) {
		client->lent--;
		give_back(client, (uint32_t)cookie);
	}
}

static cs_error_t submit(struct client *client, const struct ipc_send *message,
			 const struct region *region)
{
	struct clients *clients = client->clients;
	cs_error_t status;

	client->lent += region != NULL;
	status = engine_mcast(clients->engine, client->number,
			      (enum frame_guarantee)message->guarantee, region ? region->id : 0,
			      region ? message->offset : 0, message->size,
			      cookie_of(client, message->token), clients_now(clients));
	if (status != CS_OK) {
		client->lent -= region != NULL;
	}
	return status;
}

/* False: no further message now. A message that came too late, when the membership had ended, is
 * dropped. */
static bool take_one(struct client *client, uint64_t *bytes)
{
	struct ipc_send message;
	const struct region *region;
	const char *reason;
	cs_error_t status;

	memcpy(&message, ipc_send_at(client->shared.base, client->taken), sizeof(message));
	reason = check_message(client, &message, &region);
	if (reason) {
		client_doom(client, reason);
		return false;
	}
	status = submit(client, &message, region);
	if (status == CS_ERR_TRY_AGAIN) {
		client->stalled = true;
		return false;
	}
	client->taken++;
	*bytes += message.size;
	if (status == CS_ERR_NOT_EXIST) {
		if (region) {
			give_back(client, message.token);
		}
	} else if (status != CS_OK) {
		client_doom(client, "the engine refuses its message");
	}
	return !client->doom;
}

static void look_hungry(struct client *client)
{
	client_set_hungry(client,
			  ipc_load_ordered(&ipc_indexes(client->shared.base)->sends_hungry) != 0);
}

/* Having said that we sleep, we look once more: whoever published, asked or ran out of memory before that did
 * not ring. Who stays awake looks again anyway. */
static void sleep_or_not(struct client *client)
{
	struct ipc_indexes *indexes = ipc_indexes(client->shared.base);
	bool awake = client->clients->awake;

	if (!awake || !client->quiet) {
		ipc_exchange(&indexes->sends_asleep, !awake);
	}
	client->quiet = awake;
	client->attention -= !awake && client->attention > 0;
	if (ipc_load_ordered(&indexes->sends_published) != client->taken) {
		ipc_exchange(&indexes->sends_asleep, 0);
		client->quiet = true;
		client->unread = true;
	}
	client_set_wants(client, ipc_load_ordered(&indexes->sends_wanted) != 0);
	look_hungry(client);
}

void client_set_hungry(struct client *client, bool hungry)
{
	client->clients->hungry += hungry;
	client->clients->hungry -= client->hungry;
	if (hungry && !client->hungry) {
		client->hungry_since_ms = clients_now(client->clients);
	}
	client->hungry = hungry;
}

void client_sends_pump(struct client *client)
{
	uint64_t before = client->taken;
	int64_t published = client->doom ? -1 : client_sends_published(client);
	uint64_t end = before + SENDS_PER_TURN;
	uint64_t bytes = 0;

	look_hungry(client);
	if (published < 0 || (client->stalled && !engine_may_send(client->clients->engine))) {
		return;
	}
	client->stalled = false;
	client->unread = false;
	end = end < (uint64_t)published ? end : (uint64_t)published;
	while (client->taken < end && bytes < SEND_BYTES_PER_TURN && take_one(client, &bytes)) {
		client->progress = true;
	}
	ipc_store(&ipc_indexes(client->shared.base)->sends_taken, client->taken);
	client->clients->taken += client->taken - before;
	if (client->clients->awake && client->taken > before) {
		client->attention = ATTENTION;
	}
	if (client->doom || client->stalled) {
		client_activate(client);
	} else if (client->taken < (uint64_t)published) {
		client->unread = true;
	} else {
		sleep_or_not(client);
	}
	if (client->unread || client->quiet) {
		client_activate(client);
	}
}
