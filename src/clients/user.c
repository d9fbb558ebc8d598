/* SPDX-License-Identifier: BSD-3-Clause */
/* See user.h. */
#include "clients/user.h"

#include <stdlib.h>
#include <unistd.h>

/* Of the numbers that regions can have, and of its memory: a quarter is for others, and for what waits. */
#define REGIONS_MAX (ENGINE_REGIONS_MAX - ENGINE_REGIONS_MAX / 4)
#define SEND_MAX(clients) \
	((clients)->config.user_memory_max_bytes - (clients)->config.user_memory_max_bytes / 4)

static bool limited(uid_t uid)
{
	return uid != 0 && uid != geteuid();
}

static struct user *find(const struct clients *clients, uid_t uid)
{
	list_for_each(it, &clients->users) {
		struct user *user = list_entry(it, struct user, link);

		if (user->uid == uid) {
			return user;
		}
	}
	return NULL;
}

const struct user *user_find(const struct clients *clients, uid_t uid)
{
	return find(clients, uid);
}

struct user *user_enter(struct clients *clients, uid_t uid)
{
	struct user *user = find(clients, uid);

	if (!user) {
		user = calloc(1, sizeof(*user));
		if (!user) {
			return NULL;
		}
		user->uid = uid;
		list_append(&clients->users, &user->link);
	}
	user->connections++;
	return user;
}

static void settle(struct user *user)
{
	if (user->connections == 0 && user->regions == 0) {
		list_remove(&user->link);
		free(user);
	}
}

void user_leave(struct user *user)
{
	user->connections--;
	settle(user);
}

bool user_may_connect(const struct clients *clients, const struct ucred *cred)
{
	uint32_t most = clients->config.user_connections_max;
	const struct user *user = find(clients, cred->uid);

	return most == 0 || !limited(cred->uid) || !user || user->connections < most;
}

bool user_may_send_from(const struct clients *clients, const struct user *user, uint64_t bytes)
{
	if (!limited(user->uid)) {
		return true;
	}
	if (user->regions >= REGIONS_MAX) {
		return false;
	}
	return clients->config.user_memory_max_bytes == 0 ||
	       (bytes <= SEND_MAX(clients) && user->send_bytes <= SEND_MAX(clients) - bytes);
}

void user_region_added(struct user *user, uint64_t bytes)
{
	user->regions++;
	user->send_bytes += bytes;
}

void user_region_gone(struct user *user, uint64_t bytes)
{
	user->regions--;
	user->send_bytes -= bytes;
	settle(user);
}

static bool is_over(const struct clients *clients, const struct user *user)
{
	uint64_t most = clients->config.user_memory_max_bytes;

	return most > 0 && limited(user->uid) && user->send_bytes + user->queued_bytes > most;
}

/* NULL: one is about to go, and what it had comes back. Nothing waits for those who have hung up. */
static struct client *slowest(const struct clients *clients, const struct user *user)
{
	struct client *most = NULL;

	list_for_each(it, &clients->all) {
		struct client *client = list_entry(it, struct client, link);

		if (client->user != user || client->hung_up) {
			continue;
		}
		if (client->doom || client->slow) {
			return NULL;
		}
		if (!most || client->queued_bytes + client->spilled_bytes >
				     most->queued_bytes + most->spilled_bytes) {
			most = client;
		}
	}
	return most;
}

void user_check(const struct clients *clients, const struct user *user)
{
	struct client *client = is_over(clients, user) ? slowest(clients, user) : NULL;

	if (client) {
		client_doom_slow(client,
				 "it does not read its messages, and its user has more than "
				 "clients.user_memory_max");
	}
}

void users_free(struct clients *clients)
{
	list_for_each_safe(it, after, &clients->users)
	{
		list_remove(it);
		free(list_entry(it, struct user, link));
	}
}
