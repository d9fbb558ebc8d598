/* SPDX-License-Identifier: BSD-3-Clause */
/* What stands behind a cpg_handle_t: one connection to the daemon. Locks, in this order where
 * several are held: zcbs.lock, sending.lock, call_lock. events.lock is never held together with
 * another. */
#ifndef CORONET_LIB_INSTANCE_H
#define CORONET_LIB_INSTANCE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <coronet/cpg.h>

#include "base/list.h"
#include "ipc/shared.h"
#include "ipc/socket.h"
#include "lib/arena.h"
#include "lib/handle.h"

/* A piece of heap that a dispatching thread works with; kept for the next one when it is small. */
struct scratch {
	struct scratch *next;
	size_t capacity;
	uint64_t bytes[];
};

/* Memory that events refer to, mapped read-only. */
struct region_map {
	struct list link;
	uint64_t region;
	const uint8_t *base;
	uint64_t size;
};

/* Where the payload of a record is now. */
struct payload_move {
	struct list link;
	uint64_t end; /* the record's */
	uint64_t region;
	uint64_t offset;
};

struct events {
	pthread_mutex_t lock;
	struct ipc_event_reader reader;
	bool settled; /* the socket was looked at when the last event was taken: not again at once */
	const uint8_t *slab;
	uint64_t slab_size;
	struct list regions;
	struct list moves;
	uint64_t moves_seen; /* value of events_moved */
	struct scratch *spare;
	struct scratch *partial; /* an event of which the last part has not come */
	uint64_t partial_size;
	void *holds; /* tsearch(3): messages that the program holds, by address */
	uint64_t held;
	uint64_t delivered, delivered_bytes, copied_bytes;
};

struct send_region;

/* A piece of send memory that the program writes itself. */
struct handover {
	uintptr_t address; /* the key */
	uint64_t size;
	uint32_t token;
	bool on_way;	  /* the ring's until the daemon gives it back */
	bool unwanted;	  /* freed meanwhile */
	struct list link; /* in `returned`, until the program has heard of it */
};

/* Memory of one message until the daemon gives it back; its index is the token. */
struct lent {
	struct send_region *region;
	struct handover *handover; /* NULL: the library copied into it */
	uint32_t block;
	uint32_t next_free;
};

/* Since when the common region has no room for messages of about that size; 0: it had the last time. */
struct starving {
	uint64_t since_ms;
	uint64_t size;
};

struct sending {
	pthread_mutex_t lock;
	bool joined;
	uint64_t memberships; /* joined so far: a slow copy must not end up in another group */
	uint64_t published;   /* descriptors */
	uint64_t reserved;    /* places in the ring promised to threads that are still copying */
	uint64_t completions;
	struct list regions; /* the first is the common one */
	uint64_t regions_size;
	uint64_t handover_size;		      /* of the common region */
	struct starving starving[ARENA_BINS]; /* by arena_bin */
	bool starved;			      /* some of them */
	struct lent *lent;
	uint32_t lent_free; /* + 1; 0: none */
	uint64_t checked_at_ms;
	bool hungry;	 /* the last attempt found no memory, and the daemon knows */
	bool refused;	 /* sendable_fn is due when there is room again */
	void *handovers; /* tsearch(3), by address */
	struct list returned;
	uint64_t awaited; /* handed over, not freed, not come back */
	uint64_t sent, sent_bytes, copied_bytes;
};

struct zcbs {
	pthread_mutex_t lock;
	void *tree; /* tsearch(3), by address */
};

struct instance {
	cpg_handle_t handle;
	coronet_cpg_model_data_t model;
	void *context;
	int request_fd, event_fd, side_fd;
	void *shared;
	bool dead;	 /* the daemon is gone, or has closed this connection */
	bool finalizing; /* no callback any more */
	pthread_mutex_t call_lock;
	struct events events;
	struct sending sending;
	struct zcbs zcbs;
	struct list iterations; /* under call_lock */
	_Alignas(8) uint8_t reply[IPC_REPLY_MAX];
};

extern struct handles instances;

/* Connects. Errors as cpg_model_initialize. */
cs_error_t instance_new(const coronet_cpg_model_data_t *model, void *context,
			struct instance **out);
void instance_free(void *instance);

/* In use until instance_put; NULL: bad handle. */
struct instance *instance_get(cpg_handle_t handle);
void instance_put(struct instance *instance);

static inline bool instance_flag(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static inline void instance_set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

/* Asks the system whether the daemon is still there, and remembers when not. */
bool instance_alive(struct instance *instance);
/* Wakes the daemon. Never waits. */
void instance_bell(struct instance *instance);

/* --- Calls that have an answer (call.c) --- */

struct answer {
	struct ipc_reply reply;
	const void *data; /* reply.data_size bytes, 8-byte aligned */
	struct ipc_fds fds;
	bool mapped;
};

/* Sends the request and waits for the reply, one at a time. CS_ERR_LIBRARY when the daemon is
 * gone, CS_ERR_NO_MEMORY when this process has no room for what came with the reply, which is in answer->reply
 * all the same; else the daemon's status. answer_end is due in any case, and nobody else can ask until
 * then. */
cs_error_t answer_get(struct instance *instance, const struct ipc_request *request,
		      struct answer *answer);
/* The same. False, and nothing is due: another thread has been waiting for an answer for 20 ms. */
bool answer_try(struct instance *instance, const struct ipc_request *request, struct answer *answer,
		cs_error_t *error);
void answer_end(struct instance *instance, struct answer *answer);
/* For requests whose answer is the status alone. */
cs_error_t call_daemon(struct instance *instance, const struct ipc_request *request);
/* CS_ERR_INVALID_PARAM for NULL, CS_ERR_NAME_TOO_LONG; else fills the request's name, zeros
 * behind it. */
cs_error_t call_name(struct ipc_request *request, const struct cpg_name *name);

#endif
