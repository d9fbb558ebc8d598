/* SPDX-License-Identifier: BSD-3-Clause */
/* The events of one connection, taken one at a time out of the shared ring. Thread-safe. */
#ifndef CORONET_LIB_EVENTS_H
#define CORONET_LIB_EVENTS_H

#include "lib/instance.h"

enum next {
	NEXT_EVENT,
	NEXT_NONE,	/* nothing waits */
	NEXT_GONE,	/* nothing waits, and nothing will: the daemon has closed the connection */
	NEXT_CORRUPT,	/* what waits makes no sense */
	NEXT_NO_MEMORY, /* the event stays where it is */
};

/* An event that the daemon has forgotten already: all of it is in memory of this process, but for
 * a payload that is delivered in place. */
struct incoming {
	struct incoming *outer; /* whose callback runs further out in this thread */
	struct instance *instance;
	enum ipc_event_kind kind;
	struct cpg_name group; /* messages */
	uint32_t node;	       /* messages */
	uint32_t pid;	       /* messages */
	struct scratch *
		scratch; /* the payload, or a struct ipc_confchg or ipc_totem with its lists; NULL when empty */
	uint64_t size;	   /* bytes of it */
	const void *place; /* the payload in the ring's memory, while the pin is set */
	uint16_t pin;	   /* 0: none */
	bool held;	   /* the program keeps it beyond its callback */
};

/* NULL when it is empty and the handle is a stock one. */
static inline const void *incoming_payload(const struct incoming *in)
{
	const void *copy = in->scratch ? in->scratch->bytes : NULL;

	return in->place ? in->place : copy;
}

/* The innermost message that this thread delivers. */
extern _Thread_local struct incoming *delivering;

/* A message that the program holds. */
struct hold {
	uintptr_t address; /* the key */
	uint16_t pin;
	struct scratch *scratch;
};

void events_init(struct events *events);
void events_fini(struct events *events);

/* Waits for nothing but a byte that the daemon is just sending. After NEXT_EVENT the scratch is the caller's until events_done. */
enum next events_next(struct instance *instance, struct incoming *incoming);
void events_done(struct instance *instance, struct incoming *incoming);
/* The payload's memory may be used for something else. */
void events_unpin(struct instance *instance, uint16_t pin);
void events_put_scratch(struct instance *instance, struct scratch *scratch);
/* Returns when something may be there, or the connection is down. */
void events_wait(struct instance *instance);

#endif
