/* SPDX-License-Identifier: BSD-3-Clause */
/* Takes events out of the shared ring, and keeps the event socket readable exactly while some
 * wait. How the two sides agree on that: IPC_QUIET in ipc/ipc.h. */
#include "lib/events.h"

#include <errno.h>
#include <poll.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/region_map.h"

#define SPARE_MAX_BYTES (1024u * 1024)
#define BYTE_MAX_MS	10000

void events_init(struct events *events)
{
	pthread_mutex_init(&events->lock, NULL);
	list_init(&events->regions);
	list_init(&events->moves);
}

static void hold_free(void *node)
{
	struct hold *hold = node;

	free(hold->scratch);
	free(hold);
}

void events_fini(struct events *events)
{
	tdestroy(events->holds, hold_free);
	free(events->partial);
	while (events->spare) {
		struct scratch *scratch = events->spare;

		events->spare = scratch->next;
		free(scratch);
	}
	region_map_fini(events);
	pthread_mutex_destroy(&events->lock);
}

static void scratch_put(struct events *events, struct scratch *scratch)
{
	if (scratch && scratch->capacity <= SPARE_MAX_BYTES) {
		scratch->next = events->spare;
		events->spare = scratch;
	} else {
		free(scratch);
	}
}

static struct scratch *scratch_take(struct events *events, uint64_t size)
{
	struct scratch *scratch = events->spare;
	size_t capacity = size < 4096 ? 4096 : size;

	if (scratch) {
		events->spare = scratch->next;
		if (scratch->capacity >= size) {
			return scratch;
		}
		free(scratch);
	}
	if (size > SIZE_MAX - sizeof(*scratch)) {
		return NULL;
	}
	scratch = malloc(sizeof(*scratch) + capacity);
	if (scratch) {
		scratch->capacity = capacity;
	}
	return scratch;
}

static void consume(struct instance *instance, const struct ipc_event *event)
{
	struct events *events = &instance->events;

	if (ipc_events_consume(&events->reader, event)) {
		instance_bell(instance);
	}
	region_map_forget_moves(events, events->reader.read);
}

/* After the end of the connection a message may be out of reach: then there is nothing left but to
 * tell of the end. */
static enum next as_next(struct instance *instance, int err)
{
	if (err == -ENOMEM) {
		return NEXT_NO_MEMORY;
	}
	return ipc_events_moved(instance->shared) == IPC_MOVED_END ? NEXT_GONE : NEXT_CORRUPT;
}

/* A message's payload, wherever it is. */
static int find_payload(struct instance *instance, const struct ipc_event *event,
			const uint8_t *data, const uint8_t **payload)
{
	if (event->kind == IPC_EVENT_MESSAGE && event->length > 0) {
		return region_map_find(instance, event->region, event->offset, event->length,
				       payload);
	}
	*payload = data + event->group_size;
	return event->length > event->data_size - event->group_size ? -EBADMSG : 0;
}

/* The daemon keeps the payload in place until the record is consumed, unless it has to move it. */
static int copy_payload(struct instance *instance, const struct ipc_event *event,
			const uint8_t *payload, void *to)
{
	uint64_t end = instance->events.reader.read + event->size;
	int moved = 0;

	memcpy(to, payload, event->length);
	if (event->kind == IPC_EVENT_MESSAGE && !(event->flags & IPC_EVENT_STAYS)) {
		moved = region_map_moved(instance, end, event->length, &payload);
	}
	if (moved > 0) {
		memcpy(to, payload, event->length);
	}
	instance->events.copied_bytes += event->length;
	return moved < 0 ? moved : 0;
}

static bool delivers_in_place(const struct instance *instance)
{
	return instance->model.flags & CORONET_CPG_DELIVER_IN_PLACE;
}

void events_unpin(struct instance *instance, uint16_t pin)
{
	struct ipc_indexes *indexes = ipc_indexes(instance->shared);

	ipc_pin_put(instance->shared, pin, false);
	__atomic_fetch_add(&indexes->pins_cleared.value, 1, __ATOMIC_SEQ_CST);
	if (ipc_load_ordered(&indexes->pins_wanted) && ipc_exchange(&indexes->pins_wanted, 0)) {
		instance_bell(instance);
	}
}

/* First the pin, then the look whether the payload has moved: see ipc.h. */
static int point_at_payload(struct instance *instance, const struct ipc_event *event,
			    const uint8_t *payload, struct incoming *in)
{
	uint64_t end = instance->events.reader.read + event->size;
	int moved = 0;

	if (event->pin > IPC_PINS) {
		return -EBADMSG;
	}
	ipc_pin_put(instance->shared, event->pin, true);
	if (!(event->flags & IPC_EVENT_STAYS)) {
		moved = region_map_moved(instance, end, event->length, &payload);
	}
	if (moved < 0) {
		events_unpin(instance, event->pin);
		return moved;
	}
	in->pin = event->pin;
	in->place = payload;
	in->size = event->length;
	return 0;
}

static int take_payload(struct instance *instance, const struct ipc_event *event,
			const uint8_t *payload, struct incoming *in)
{
	int err;

	in->size = event->length;
	if (!instance->model.cpg_deliver_fn ||
	    (event->length == 0 && !delivers_in_place(instance))) {
		return 0;
	}
	in->scratch = scratch_take(&instance->events, event->length);
	if (!in->scratch) {
		return -ENOMEM;
	}
	err = copy_payload(instance, event, payload, in->scratch->bytes);
	if (err) {
		scratch_put(&instance->events, in->scratch);
		in->scratch = NULL;
	}
	return err;
}

static enum next take_message(struct instance *instance, const struct ipc_event *event,
			      const uint8_t *data, struct incoming *in)
{
	const uint8_t *payload;
	int err = find_payload(instance, event, data, &payload);

	if (!err && event->kind == IPC_EVENT_MESSAGE && event->pin > 0 &&
	    instance->model.cpg_deliver_fn) {
		err = point_at_payload(instance, event, payload, in);
	} else if (!err) {
		err = take_payload(instance, event, payload, in);
	}
	if (err) {
		return as_next(instance, err);
	}
	instance->events.delivered++;
	instance->events.delivered_bytes += event->length;
	in->node = event->node;
	in->pid = event->pid;
	in->group.length = event->group_size;
	memset(in->group.value, 0, sizeof(in->group.value));
	memcpy(in->group.value, data, event->group_size);
	consume(instance, event);
	return NEXT_EVENT;
}

/* NEXT_NONE: there is more to come of it. */
static enum next take_part(struct instance *instance, const struct ipc_event *event,
			   const uint8_t *data, struct incoming *in)
{
	struct events *events = &instance->events;

	if (event->offset != events->partial_size || event->length < event->offset ||
	    event->data_size > event->length - event->offset) {
		return NEXT_CORRUPT;
	}
	if (event->offset == 0 && !events->partial) {
		events->partial = scratch_take(events, event->length);
		if (!events->partial) {
			return NEXT_NO_MEMORY;
		}
	}
	if (!events->partial || events->partial->capacity < event->length) {
		return NEXT_CORRUPT;
	}
	memcpy((uint8_t *)events->partial->bytes + event->offset, data, event->data_size);
	events->partial_size += event->data_size;
	consume(instance, event);
	if (events->partial_size < event->length) {
		return NEXT_NONE;
	}
	in->scratch = events->partial;
	in->size = events->partial_size;
	events->partial = NULL;
	events->partial_size = 0;
	return NEXT_EVENT;
}

/* NEXT_NONE: it was nothing that a program waits for. */
static enum next take(struct instance *instance, const struct ipc_event *event, const uint8_t *data,
		      struct incoming *in)
{
	in->kind = (enum ipc_event_kind)event->kind;
	switch (in->kind) {
	case IPC_EVENT_MESSAGE:
	case IPC_EVENT_INLINE:
		return take_message(instance, event, data, in);
	case IPC_EVENT_CONFCHG:
	case IPC_EVENT_TOTEM:
		return take_part(instance, event, data, in);
	case IPC_EVENT_GONE:
		region_map_drop(instance, event->region);
		consume(instance, event);
		return NEXT_NONE;
	case IPC_EVENT_SENDABLE:
		consume(instance, event);
		return NEXT_EVENT;
	case IPC_EVENT_PAD:
		break;
	}
	return NEXT_CORRUPT;
}

static ssize_t receive(struct instance *instance, int flags)
{
	char byte;
	ssize_t got;

	do {
		got = recv(instance->event_fd, &byte, 1, flags | MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	return got;
}

static bool would_block(ssize_t got)
{
	return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The byte that ended the last quiet time: it is there, or the daemon is about to send it. Should it be
 * stopped just then, we do not wait for it for ever. */
static ssize_t take_byte(struct instance *instance)
{
	struct pollfd event = {.fd = instance->event_fd, .events = POLLIN};
	uint64_t until_ms = now_ms() + BYTE_MAX_MS;
	ssize_t got;

	while (would_block(got = receive(instance, 0)) && now_ms() < until_ms) {
		poll(&event, 1, BYTE_MAX_MS);
	}
	return got;
}

/* A byte although we are quiet: it was waited for too long, or another process used the handle after
 * fork(2). It would keep the socket readable for ever. */
static ssize_t drop_stray(struct instance *instance)
{
	ssize_t got = receive(instance, MSG_PEEK);

	if (got > 0 && ipc_events_rest(&instance->events.reader) == IPC_REST_STILL) {
		receive(instance, 0);
	}
	return got;
}

/* Called when the ring was seen empty: NEXT_NONE when it really is and the socket says so,
 * NEXT_EVENT when it should be looked at again. */
static enum next quiet(struct instance *instance)
{
	struct events *events = &instance->events;
	enum ipc_rest rest = ipc_events_rest(&events->reader);
	ssize_t got;

	if (rest == IPC_REST_NONE) {
		return NEXT_EVENT;
	}
	region_map_tidy(instance);
	got = rest == IPC_REST_BEGUN ? take_byte(instance) : drop_stray(instance);
	if (got > 0 || would_block(got)) {
		return NEXT_NONE;
	}
	if (!ipc_events_empty(&events->reader)) {
		return NEXT_EVENT;
	}
	if (!instance_flag(&instance->finalizing)) {
		instance_set(&instance->dead);
	}
	return NEXT_GONE;
}

/* After an event was taken: when it was the last, the socket must say so before the callback
 * polls it. */
static void settle(struct instance *instance)
{
	struct events *events = &instance->events;
	const uint8_t *data;
	struct ipc_event event;
	enum ipc_read read;

	while ((read = ipc_events_peek(&events->reader, &event, &data)) == IPC_READ_EVENT &&
	       event.kind == IPC_EVENT_GONE) {
		region_map_drop(instance, event.region);
		consume(instance, &event);
	}
	events->settled = false;
	if (read == IPC_READ_EMPTY) {
		events->settled = quiet(instance) == NEXT_NONE;
	}
}

enum next events_next(struct instance *instance, struct incoming *in)
{
	struct events *events = &instance->events;
	enum next next = NEXT_NONE;
	const uint8_t *data;
	struct ipc_event event;
	bool again = true;

	*in = (struct incoming){.instance = instance};
	pthread_mutex_lock(&events->lock);
	while (again) {
		switch (ipc_events_peek(&events->reader, &event, &data)) {
		case IPC_READ_EVENT:
			events->settled = false;
			next = take(instance, &event, data, in);
			again = next == NEXT_NONE;
			break;
		case IPC_READ_EMPTY:
			next = events->settled ? NEXT_NONE : quiet(instance);
			events->settled = false;
			again = next == NEXT_EVENT;
			break;
		case IPC_READ_CORRUPT:
			next = NEXT_CORRUPT;
			again = false;
			break;
		}
	}
	if (next == NEXT_EVENT) {
		settle(instance);
	}
	pthread_mutex_unlock(&events->lock);
	return next;
}

void events_put_scratch(struct instance *instance, struct scratch *scratch)
{
	pthread_mutex_lock(&instance->events.lock);
	scratch_put(&instance->events, scratch);
	pthread_mutex_unlock(&instance->events.lock);
}

void events_done(struct instance *instance, struct incoming *in)
{
	if (in->held) {
		return;
	}
	if (in->pin > 0) {
		events_unpin(instance, in->pin);
	}
	if (in->scratch) {
		events_put_scratch(instance, in->scratch);
		in->scratch = NULL;
	}
}

void events_wait(struct instance *instance)
{
	struct pollfd event = {.fd = instance->event_fd, .events = POLLIN};

	poll(&event, 1, -1);
}
