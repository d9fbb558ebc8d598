/* SPDX-License-Identifier: BSD-3-Clause */
/* Events waiting for the owner's next poll, first in first out. Everything that is lent to the
 * transport will come back as exactly one event; its place is reserved when it is lent, so that
 * giving it back can never fail for lack of memory. */
#ifndef CORONET_VERBS_QUEUE_H
#define CORONET_VERBS_QUEUE_H

#include "transport.h"

struct event_queue {
	struct transport_event *ring;
	size_t capacity;
	size_t head;
	size_t count;
	size_t promised; /* events that lent things will still cause */
	size_t spare;	 /* places kept for events that nothing was reserved for */
};

/* `spare` places are there from the start. -ENOMEM. */
int verbs_queue_init(struct event_queue *queue, size_t spare);
void verbs_queue_fini(struct event_queue *queue);

/* Reserves the place of one later verbs_queue_fulfil. -ENOMEM: nothing reserved. */
int verbs_queue_promise(struct event_queue *queue);
/* Takes a promise back. */
void verbs_queue_unpromise(struct event_queue *queue);
void verbs_queue_fulfil(struct event_queue *queue, const struct transport_event *event);

/* Appends an event without a promise; the owner of the queue sees to it that at most `spare` of
 * those wait. */
void verbs_queue_append(struct event_queue *queue, const struct transport_event *event);

/* At most max, and no control message behind a frame; returns how many. */
int verbs_queue_take(struct event_queue *queue, struct transport_event *events, int max);
/* The i-th waiting event, i < count. */
struct transport_event *verbs_queue_at(struct event_queue *queue, size_t i);
/* Drops the events for which keep() says false, in order. */
void verbs_queue_filter(struct event_queue *queue,
			bool (*keep)(void *ctx, const struct transport_event *), void *ctx);

#endif
