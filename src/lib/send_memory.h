/* SPDX-License-Identifier: BSD-3-Clause */
/* Send memory: regions that the daemon made and this process writes. One common region for most
 * messages, made at the first join; larger messages get regions of their own, kept while they are
 * in use and given back when they have been idle. With sending.lock held. */
#ifndef CORONET_LIB_SEND_MEMORY_H
#define CORONET_LIB_SEND_MEMORY_H

#include "lib/arena.h"
#include "lib/instance.h"

struct send_region {
	struct list link;
	uint64_t region; /* the daemon's number */
	uint8_t *base;
	uint64_t size;
	struct arena arena;
	uint32_t lent; /* messages in it */
	uint64_t idle_since_ms;
};

/* A region of at least `size` bytes from the daemon, appended to the list. CS_ERR_TRY_AGAIN also when another
 * thread waits for an answer, which may come only when the ring has room, unless the caller can `wait`. */
cs_error_t send_memory_add(struct instance *instance, uint64_t size, bool wait);
/* Room for a message; with `handover` as much as the daemon grants, because the program decides how
 * many pieces it works with. *token names it until the daemon has given it back. CS_ERR_TRY_AGAIN,
 * CS_ERR_NO_MEMORY, CS_ERR_LIBRARY. */
cs_error_t send_memory_take(struct instance *instance, uint64_t size, bool handover,
			    uint32_t *token);
void send_memory_give(struct instance *instance, uint32_t token);
/* Takes back what the daemon has finished with, and lets go of regions that nobody needed for
 * some time. */
void send_memory_reclaim(struct instance *instance);
/* Whether the common region has no room for a small message. */
bool send_memory_full(struct instance *instance);
void send_memory_fini(struct sending *sending);

#endif
