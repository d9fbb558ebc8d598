/* SPDX-License-Identifier: BSD-3-Clause */
/* Whom the ring waits for. A client that keeps slots but goes on reading holds the senders back, as
 * it should: else its messages would pile up elsewhere. One that frees less than an eighth of all
 * slots in the grace time while the ring needs them is lagging: what it keeps is put aside, and what
 * comes for it beyond a small share is copied at once, until it is fast again or has read all. */
#include "clients/clients_int.h"

static uint32_t enough(const struct client *client)
{
	return client->clients->config.slab_config.slot_count / 8;
}

void client_freed_slot(struct client *client)
{
	client->pace_freed++;
}

/* To be called while the ring needs slots, and while the client lags. Says when to look again. */
uint64_t client_pace(struct client *client, uint64_t now_ms)
{
	uint64_t due_ms = client->pace_since_ms + CLIENTS_GRACE_MS;

	if (client->pace_looked_ms + CLIENTS_GRACE_MS < now_ms) {
		/* Nobody has looked for so long: it starts anew. */
		client->pace_since_ms = now_ms;
		client->pace_freed = 0;
	} else if (now_ms >= due_ms) {
		client->lagging = client->pace_freed < enough(client);
		client->pace_since_ms = now_ms;
		client->pace_freed = 0;
	}
	client->pace_looked_ms = now_ms;
	return client->pace_since_ms + CLIENTS_GRACE_MS;
}
