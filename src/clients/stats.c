/* SPDX-License-Identifier: BSD-3-Clause */
/* How the clients do, for the status. */
#include "clients/clients_int.h"
#include "clients/user.h"

void clients_stats(const struct clients *clients, struct clients_stats *out)
{
	*out = clients->stats;
	out->connected = clients->connections;
	out->user_memory_max = clients->config.user_memory_max_bytes;
}

/* Where the program has come to in its ring; an impossible index is the pump's to punish. */
static uint64_t ring_bytes(const struct client *client)
{
	const struct ipc_event_writer *writer = &client->writer;
	uint64_t consumed = ipc_load(&ipc_indexes(client->shared.base)->events_consumed);

	if (consumed < writer->consumed || consumed > writer->shown) {
		consumed = writer->consumed;
	}
	return writer->written - consumed;
}

static uint64_t held_bytes(const struct client *client)
{
	uint64_t bytes = 0;

	list_for_each(it, &client->kept) {
		bytes += list_entry(it, struct event, link)->head.length;
	}
	return bytes;
}

static struct clients_handle handle_of(const struct client *client)
{
	return (struct clients_handle){
		.pid = client->cred.pid,
		.uid = client->cred.uid,
		.joined = client->joined,
		.group = client->group,
		.unread_bytes = ring_bytes(client) + client->queued_bytes + client->referred_bytes,
		.held_bytes = held_bytes(client),
		.queue_bytes = client->queued_bytes + client->spilled_bytes,
		.sends_on_way = client->lent,
		.waits_for_ring = client->stalled,
		.waits_for_memory = client->hungry,
	};
}

void clients_users(const struct clients *clients,
		   void (*each)(void *ctx, const struct clients_user *user), void *ctx)
{
	list_for_each(it, &clients->users) {
		const struct user *user = list_entry(it, struct user, link);
		struct clients_user facts = {.uid = user->uid,
					     .connections = user->connections,
					     .regions = user->regions,
					     .send_bytes = user->send_bytes,
					     .queued_bytes = user->queued_bytes};

		each(ctx, &facts);
	}
}

void clients_handles(const struct clients *clients,
		     void (*each)(void *ctx, const struct clients_handle *handle), void *ctx)
{
	list_for_each(it, &clients->all) {
		const struct client *client = list_entry(it, struct client, link);
		struct clients_handle handle;

		if (client->state == CLIENT_OPEN) {
			handle = handle_of(client);
			each(ctx, &handle);
		}
	}
}
