/* SPDX-License-Identifier: BSD-3-Clause */
/* The event ring: a byte ring of contiguous records, 8-byte aligned. A record that does not fit
 * before the ring's end is preceded by padding up to it. */
#include "ipc/shared.h"

#define RING_MASK (IPC_EVENT_BYTES - 1)

static uint8_t *event_bytes(void *shared, uint64_t position)
{
	return (uint8_t *)shared + IPC_EVENTS_AT + (position & RING_MASK);
}

static uint32_t record_size(uint32_t data_size)
{
	return ((uint32_t)sizeof(struct ipc_event) + data_size + 7) & ~7u;
}

static uint32_t to_end(uint64_t position)
{
	return IPC_EVENT_BYTES - (uint32_t)(position & RING_MASK);
}

/* What the record takes, with the padding before it. */
static uint32_t place_size(uint64_t position, uint32_t size)
{
	uint32_t left = to_end(position);

	return left < size ? left + size : size;
}

bool ipc_events_look(struct ipc_event_writer *writer)
{
	uint64_t consumed = ipc_load(&ipc_indexes(writer->shared)->events_consumed);

	if (consumed < writer->consumed || consumed > writer->shown) {
		return false;
	}
	writer->consumed = consumed;
	return true;
}

bool ipc_events_room(const struct ipc_event_writer *writer, uint32_t data_size)
{
	uint64_t used = writer->written - writer->consumed;

	return place_size(writer->written, record_size(data_size)) <= IPC_EVENT_BYTES - used;
}

/* Padding may be as short as 8 bytes: only its size and kind are written then. */
static void write_padding(struct ipc_event_writer *writer, uint32_t size)
{
	struct ipc_event pad = {.size = size, .kind = IPC_EVENT_PAD};

	memcpy(event_bytes(writer->shared, writer->written), &pad,
	       size < sizeof(pad) ? 8 : sizeof(pad));
	writer->written += size;
}

/* Where the record's data go, or NULL: no room. */
static uint8_t *record_begin(struct ipc_event_writer *writer, struct ipc_event *event)
{
	uint8_t *at;

	if (!ipc_events_room(writer, event->data_size)) {
		return NULL;
	}
	event->size = record_size(event->data_size);
	if (to_end(writer->written) < event->size) {
		write_padding(writer, to_end(writer->written));
	}
	at = event_bytes(writer->shared, writer->written);
	memcpy(at, event, sizeof(*event));
	return at + sizeof(*event);
}

static bool record_end(struct ipc_event_writer *writer, const struct ipc_event *event)
{
	writer->written += event->size;
	return true;
}

void ipc_events_begin(void *shared)
{
	ipc_store(&ipc_indexes(shared)->events_published, IPC_QUIET);
}

bool ipc_events_quiet(const struct ipc_event_writer *writer)
{
	return ipc_load(&ipc_indexes(writer->shared)->events_published) & IPC_QUIET;
}

bool ipc_events_show(struct ipc_event_writer *writer)
{
	struct ipc_line *published = &ipc_indexes(writer->shared)->events_published;

	if (writer->shown == writer->written) {
		return false;
	}
	writer->shown = writer->written;
	return ipc_exchange(published, writer->written) & IPC_QUIET;
}

bool ipc_events_write(struct ipc_event_writer *writer, struct ipc_event *event, const void *data)
{
	uint8_t *at = record_begin(writer, event);

	if (!at) {
		return false;
	}
	if (event->data_size > 0) {
		memcpy(at, data, event->data_size);
	}
	return record_end(writer, event);
}

bool ipc_events_write_inline(struct ipc_event_writer *writer, struct ipc_event *event,
			     const void *group, const void *payload)
{
	uint8_t *at;

	event->kind = IPC_EVENT_INLINE;
	event->data_size = event->group_size + (uint32_t)event->length;
	at = record_begin(writer, event);
	if (!at) {
		return false;
	}
	memcpy(at, group, event->group_size);
	if (event->length > 0) {
		memcpy(at + event->group_size, payload, event->length);
	}
	return record_end(writer, event);
}

static bool plausible(const struct ipc_event *event, uint32_t left)
{
	return event->size % 8 == 0 && event->size <= left && event->size >= sizeof(*event) &&
	       event->data_size <= event->size - sizeof(*event) &&
	       event->group_size <= event->data_size && event->group_size <= GROUP_NAME_MAX;
}

static uint32_t readable(const struct ipc_event_reader *reader)
{
	uint64_t ready = reader->published - reader->read;
	uint32_t left = to_end(reader->read);

	return ready < left ? (uint32_t)ready : left;
}

static uint64_t published(const struct ipc_event_reader *reader)
{
	return ipc_load(&ipc_indexes(reader->shared)->events_published) & ~IPC_QUIET;
}

static bool padding(const struct ipc_event_reader *reader, uint32_t *size)
{
	struct ipc_event head = {0};

	memcpy(&head, event_bytes(reader->shared, reader->read), 8);
	*size = head.size;
	return head.kind == IPC_EVENT_PAD;
}

enum ipc_read ipc_events_peek(struct ipc_event_reader *reader, struct ipc_event *event,
			      const uint8_t **data)
{
	uint32_t left;
	uint32_t size;

	reader->published = published(reader);
	while ((left = readable(reader)) >= 8 && padding(reader, &size)) {
		if (size < 8 || size % 8 != 0 || size > left) {
			return IPC_READ_CORRUPT;
		}
		reader->read += size;
	}
	if (left == 0) {
		return IPC_READ_EMPTY;
	}
	if (left < sizeof(*event)) {
		return IPC_READ_CORRUPT;
	}
	memcpy(event, event_bytes(reader->shared, reader->read), sizeof(*event));
	if (!plausible(event, left)) {
		return IPC_READ_CORRUPT;
	}
	*data = event_bytes(reader->shared, reader->read) + sizeof(*event);
	return IPC_READ_EVENT;
}

bool ipc_events_consume(struct ipc_event_reader *reader, const struct ipc_event *event)
{
	struct ipc_indexes *indexes = ipc_indexes(reader->shared);
	uint64_t before = __atomic_load_n(&indexes->events_consumed.value, __ATOMIC_RELAXED);
	uint64_t wake_at;

	reader->read += event->size;
	ipc_exchange(&indexes->events_consumed, reader->read);
	wake_at = ipc_load_ordered(&indexes->events_wake_at);
	return before < wake_at && wake_at <= reader->read;
}

bool ipc_events_empty(const struct ipc_event_reader *reader)
{
	return published(reader) == reader->read;
}

enum ipc_rest ipc_events_rest(struct ipc_event_reader *reader)
{
	struct ipc_line *line = &ipc_indexes(reader->shared)->events_published;
	uint64_t seen = reader->read;

	if (__atomic_compare_exchange_n(&line->value, &seen, seen | IPC_QUIET, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		return IPC_REST_BEGUN;
	}
	return seen == (reader->read | IPC_QUIET) ? IPC_REST_STILL : IPC_REST_NONE;
}
