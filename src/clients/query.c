/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that only look: members, iterations, the node id, the status text. */
#include "clients/clients_int.h"

#include <stdlib.h>
#include <string.h>

#define TOLD_MS	   100u
#define TOLD_FRESH 5u

static void no_memory(struct client *client, const struct ipc_request *request)
{
	client_reply(client, (enum ipc_kind)request->kind, CS_ERR_NO_MEMORY, 0, NULL, 0, NULL);
}

static void members(struct client *client, const struct ipc_request *request)
{
	uint32_t room = request->value < PG_MEMBERS_MAX ? (uint32_t)request->value : PG_MEMBERS_MAX;
	struct cpg_address *list = calloc(room ? room : 1, sizeof(*list));
	uint32_t total;
	uint32_t got;

	if (!list) {
		no_memory(client, request);
		return;
	}
	total = engine_members(client->clients->engine, &request->name, list, room);
	got = total < room ? total : room;
	client_reply(client, IPC_MEMBERS, CS_OK, total, list, (uint64_t)got * sizeof(*list), NULL);
	free(list);
}

static bool same_group(const struct cpg_name *a, const struct cpg_name *b)
{
	return a->length == b->length && memcmp(a->value, b->value, a->length) == 0;
}

/* Members of a group stand together: the first of each stands for the group. */
static uint32_t names_only(struct cpg_iteration_description_t *items, uint32_t count)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (kept == 0 || !same_group(&items[kept - 1].group, &items[i].group)) {
			items[kept] = items[i];
			items[kept].nodeid = 0;
			items[kept].pid = 0;
			kept++;
		}
	}
	return kept;
}

static uint32_t one_group(struct cpg_iteration_description_t *items, uint32_t count,
			  const struct cpg_name *group)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (same_group(&items[i].group, group)) {
			items[kept++] = items[i];
		}
	}
	return kept;
}

static void iterate(struct client *client, const struct ipc_request *request)
{
	const struct engine *engine = client->clients->engine;
	uint32_t count = engine_iterate(engine, NULL, 0);
	struct cpg_iteration_description_t *items = calloc(count ? count : 1, sizeof(*items));

	if (!items) {
		no_memory(client, request);
		return;
	}
	engine_iterate(engine, items, count);
	if (request->arg == CPG_ITERATION_NAME_ONLY) {
		count = names_only(items, count);
	} else if (request->arg == CPG_ITERATION_ONE_GROUP) {
		count = one_group(items, count, &request->name);
	}
	client_reply(client, IPC_ITERATE, CS_OK, count, items, (uint64_t)count * sizeof(*items),
		     NULL);
	free(items);
}

/* Who asks more often is told again what was said last: a text takes as long as many messages. */
static void compose_status(struct clients *clients)
{
	const struct clients_config *config = &clients->config;
	struct told_status *told = &clients->told;
	uint64_t now = clients_now(clients);

	if (now >= told->since_ms + TOLD_MS) {
		told->since_ms = now;
		told->count = 0;
	}
	if (told->text && told->count >= TOLD_FRESH) {
		return;
	}
	told->count++;
	free(told->text);
	told->text = config->status ? config->status(config->ctx) : NULL;
}

static void status(struct client *client)
{
	const char *text;

	compose_status(client->clients);
	text = client->clients->told.text;
	client_reply(client, IPC_STATUS, text ? CS_OK : CS_ERR_NOT_SUPPORTED, 0, text,
		     text ? strlen(text) : 0, NULL);
}

void client_query(struct client *client, const struct ipc_request *request)
{
	if (request->name.length > GROUP_NAME_MAX) {
		client_doom(client, "it asks for a group with an impossible name");
	} else if (request->kind == IPC_MEMBERS) {
		members(client, request);
	} else if (request->kind == IPC_ITERATE) {
		iterate(client, request);
	} else if (request->kind == IPC_STATUS) {
		status(client);
	} else {
		client_reply(client, IPC_LOCAL, CS_OK, client->clients->config.node, NULL, 0, NULL);
	}
}
