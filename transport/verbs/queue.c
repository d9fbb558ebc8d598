/* SPDX-License-Identifier: BSD-3-Clause */
/* A ring of events with reserved places; see queue.h. */
#include "verbs/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct transport_event *verbs_queue_at(struct event_queue *queue, size_t i)
{
	return &queue->ring[(queue->head + i) % queue->capacity];
}

static int queue_grow(struct event_queue *queue, size_t capacity)
{
	struct transport_event *ring = calloc(capacity, sizeof(*ring));

	if (!ring) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < queue->count; i++) {
		ring[i] = *verbs_queue_at(queue, i);
	}
	free(queue->ring);
	queue->ring = ring;
	queue->capacity = capacity;
	queue->head = 0;
	return 0;
}

int verbs_queue_init(struct event_queue *queue, size_t spare)
{
	memset(queue, 0, sizeof(*queue));
	queue->spare = spare;
	return queue_grow(queue, spare + 64);
}

void verbs_queue_fini(struct event_queue *queue)
{
	free(queue->ring);
	memset(queue, 0, sizeof(*queue));
}

int verbs_queue_promise(struct event_queue *queue)
{
	/* `count` may hold up to `spare` unreserved events; counting both keeps the sum simple and
	 * safe. */
	if (queue->count + queue->promised + queue->spare + 1 > queue->capacity &&
	    queue_grow(queue, queue->capacity * 2) < 0) {
		return -ENOMEM;
	}
	queue->promised++;
	return 0;
}

void verbs_queue_unpromise(struct event_queue *queue)
{
	assert(queue->promised > 0);
	queue->promised--;
}

static void queue_put(struct event_queue *queue, const struct transport_event *event)
{
	assert(queue->count < queue->capacity);
	*verbs_queue_at(queue, queue->count) = *event;
	queue->count++;
}

void verbs_queue_fulfil(struct event_queue *queue, const struct transport_event *event)
{
	verbs_queue_unpromise(queue);
	queue_put(queue, event);
}

void verbs_queue_append(struct event_queue *queue, const struct transport_event *event)
{
	assert(queue->count + queue->promised < queue->capacity);
	queue_put(queue, event);
}

int verbs_queue_take(struct event_queue *queue, struct transport_event *events, int max)
{
	int taken = 0;
	bool bulk_seen = false;

	while (taken < max && queue->count > 0) {
		const struct transport_event *event = verbs_queue_at(queue, 0);

		if (bulk_seen && event->kind == TRANSPORT_CONTROL) {
			break;
		}
		bulk_seen = bulk_seen || event->kind == TRANSPORT_FRAME;
		events[taken++] = *event;
		queue->head = (queue->head + 1) % queue->capacity;
		queue->count--;
	}
	return taken;
}

void verbs_queue_filter(struct event_queue *queue,
			bool (*keep)(void *ctx, const struct transport_event *), void *ctx)
{
	size_t kept = 0;

	for (size_t i = 0; i < queue->count; i++) {
		/* A copy: keep() may promise, and the ring move. */
		struct transport_event event = *verbs_queue_at(queue, i);

		if (keep(ctx, &event)) {
			*verbs_queue_at(queue, kept++) = event;
		}
	}
	queue->count = kept;
}
