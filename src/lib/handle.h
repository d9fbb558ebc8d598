/* SPDX-License-Identifier: BSD-3-Clause */
/* Handles: numbers that stand for objects. The low half is a place in a table, the high half a
 * random check value, so that a handle that was given back, or invented, finds nothing. An object
 * lives until its handle is closed and the last call that uses it is over. Thread-safe; looking
 * up takes no lock. */
#ifndef CORONET_LIB_HANDLE_H
#define CORONET_LIB_HANDLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define HANDLE_CHUNK_SLOTS 64u
#define HANDLE_CHUNKS	   1024u

struct handle_slot {
	uint64_t word; /* check value << 32 | uses; check value 0: closed */
	void *object;
	uint32_t next_free;
};

struct handles {
	pthread_mutex_t lock; /* for places that come and go */
	struct handle_slot *chunks[HANDLE_CHUNKS];
	uint32_t count;
	uint32_t first_free; /* + 1; 0: none */
	void (*destroy)(void *object);
};

#define HANDLES_INIT(destroy_fn)                                           \
	{                                                                  \
		.lock = PTHREAD_MUTEX_INITIALIZER, .destroy = (destroy_fn) \
	}

/* Takes the object; it is destroyed when the handle was closed and all uses are put. -ENOMEM,
 * -EMFILE; then nothing was taken. */
int handles_add(struct handles *table, void *object, uint64_t *handle);
/* The object, in use until handles_put; NULL when the handle is not valid. */
void *handles_get(struct handles *table, uint64_t handle);
void handles_put(struct handles *table, uint64_t handle);
/* No handles_get finds it from now on. True for one caller only; its own use remains to be put. */
bool handles_close(struct handles *table, uint64_t handle);

#endif
