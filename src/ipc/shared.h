/* SPDX-License-Identifier: BSD-3-Clause */
/* The rings in the memory that client and daemon share. Each side keeps the truth about its own
 * indexes in private memory and only publishes it; what the other side can write is read once,
 * into a local, and checked. All indexes only grow. */
#ifndef CORONET_IPC_SHARED_H
#define CORONET_IPC_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "ipc/ipc.h"

static inline struct ipc_indexes *ipc_indexes(void *shared)
{
	return (struct ipc_indexes *)shared;
}

static inline uint64_t ipc_load(const struct ipc_line *line)
{
	return __atomic_load_n(&line->value, __ATOMIC_ACQUIRE);
}

static inline void ipc_store(struct ipc_line *line, uint64_t value)
{
	__atomic_store_n(&line->value, value, __ATOMIC_RELEASE);
}

/* For the pairs "I publish, then look whether you sleep" and "I go to sleep, then look whether
 * you published": in one total order. */
static inline uint64_t ipc_load_ordered(const struct ipc_line *line)
{
	return __atomic_load_n(&line->value, __ATOMIC_SEQ_CST);
}

/* The same behind a plain store of ours: that is seen by whoever wrote what this does not see yet. */
static inline uint64_t ipc_load_behind(struct ipc_line *line)
{
	return __atomic_fetch_add(&line->value, 0, __ATOMIC_SEQ_CST);
}

static inline uint64_t ipc_exchange(struct ipc_line *line, uint64_t value)
{
	return __atomic_exchange_n(&line->value, value, __ATOMIC_SEQ_CST);
}

/* How many payloads have moved: if no more than before, what was read before this call was still in
 * place. No earlier read is ordered behind it. */
static inline uint64_t ipc_events_moved(void *shared)
{
	return __atomic_fetch_add(&ipc_indexes(shared)->events_moved.value, 0, __ATOMIC_SEQ_CST);
}

static inline bool ipc_pin_get(void *shared, uint16_t pin)
{
	return __atomic_load_n((uint8_t *)shared + IPC_PINS_AT + pin - 1, __ATOMIC_SEQ_CST) != 0;
}

static inline void ipc_pin_put(void *shared, uint16_t pin, bool set)
{
	__atomic_exchange_n((uint8_t *)shared + IPC_PINS_AT + pin - 1, set, __ATOMIC_SEQ_CST);
}

static inline struct ipc_send *ipc_send_at(void *shared, uint64_t index)
{
	return (struct ipc_send *)((char *)shared + IPC_SENDS_AT) + (index & (IPC_SENDS - 1));
}

static inline uint32_t *ipc_completion_at(void *shared, uint64_t index)
{
	return (uint32_t *)((char *)shared + IPC_COMPLETIONS_AT) + (index & (IPC_COMPLETIONS - 1));
}

/* --- The event ring, daemon's side: a byte ring of contiguous records --- */

struct ipc_event_writer {
	void *shared;
	uint64_t written;  /* bytes, ever */
	uint64_t shown;	   /* of them, to the client */
	uint64_t consumed; /* as last seen and found plausible */
};

/* Before the client has the memory: it is quiet. */
void ipc_events_begin(void *shared);

/* Looks how far the client is. False when the client claims what cannot be. */
bool ipc_events_look(struct ipc_event_writer *writer);
/* Writes a record, which is not shown yet; event->size is set. False when there is no room now.
 * data_size <= IPC_EVENT_DATA_MAX. */
bool ipc_events_write(struct ipc_event_writer *writer, struct ipc_event *event, const void *data);

/* The client may sleep: what is shown to it now costs a byte. */
bool ipc_events_quiet(const struct ipc_event_writer *writer);
/* Shows what was written. True: the client was quiet, and a byte is due. */
bool ipc_events_show(struct ipc_event_writer *writer);

/* A message whole: group_size bytes of its group's name, then length bytes of payload. */
bool ipc_events_write_inline(struct ipc_event_writer *writer, struct ipc_event *event,
			     const void *group, const void *payload);
/* Room for the data of one more record at least this long, counting what may be lost at the
 * ring's end. */
bool ipc_events_room(const struct ipc_event_writer *writer, uint32_t data_size);

/* --- The event ring, client's side --- */

struct ipc_event_reader {
	void *shared;
	uint64_t read;	    /* bytes, ever */
	uint64_t published; /* as last seen */
};

enum ipc_read {
	IPC_READ_EMPTY,
	IPC_READ_EVENT,
	IPC_READ_CORRUPT
};

/* The next record that is not padding: its head is copied, its data stays in the ring until
 * ipc_events_consume. */
enum ipc_read ipc_events_peek(struct ipc_event_reader *reader, struct ipc_event *event,
			      const uint8_t **data);
/* Gives the record's place back. True: the daemon wants a bell. */
bool ipc_events_consume(struct ipc_event_reader *reader, const struct ipc_event *event);
bool ipc_events_empty(const struct ipc_event_reader *reader);

enum ipc_rest {
	IPC_REST_NONE,	/* there is more to read */
	IPC_REST_BEGUN, /* quiet from now on; the byte of the time before has to be taken */
	IPC_REST_STILL, /* as before */
};

/* Everything is read: be quiet. */
enum ipc_rest ipc_events_rest(struct ipc_event_reader *reader);

#endif
