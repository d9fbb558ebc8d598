/* SPDX-License-Identifier: BSD-3-Clause */
/* What all connections of one user have together, so that none can take from the others what they need.
 * Root and the user that the daemon runs as have no limit. */
#ifndef CORONET_CLIENTS_USER_H
#define CORONET_CLIENTS_USER_H

#include "clients/clients_int.h"

/* One for each user with a connection, or with send memory that outlives one. */
struct user {
	struct list link;
	uid_t uid;
	uint32_t connections;
	uint32_t regions;      /* of send memory */
	uint64_t send_bytes;   /* in them */
	uint64_t queued_bytes; /* what waits for clients that do not read */
};

/* NULL: it has none. */
const struct user *user_find(const struct clients *clients, uid_t uid);
/* One more connection. NULL: no memory. */
struct user *user_enter(struct clients *clients, uid_t uid);
/* One less. */
void user_leave(struct user *user);

bool user_may_connect(const struct clients *clients, const struct ucred *cred);
/* Whether a region of so many bytes may come on top. */
bool user_may_send_from(const struct clients *clients, const struct user *user, uint64_t bytes);
void user_region_added(struct user *user, uint64_t bytes);
void user_region_gone(struct user *user, uint64_t bytes);
/* When what waits for its clients and what they send from is more than it may have, the one for whom most is put
 * aside is cut off. */
void user_check(const struct clients *clients, const struct user *user);

/* At the end, when nothing of them counts any more. */
void users_free(struct clients *clients);

#endif
