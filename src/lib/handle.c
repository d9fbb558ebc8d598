/* SPDX-License-Identifier: BSD-3-Clause */
/* Handles: numbers that stand for objects. */
#include "lib/handle.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define USES(word)  ((uint32_t)(word))
#define CHECK(word) ((uint32_t)((word) >> 32))

/* Positive as a signed number and never 0. The process's own random() is left alone. */
static uint32_t new_check(void)
{
	uint32_t check = 0;

	while (check == 0) {
		if (getrandom(&check, sizeof(check), GRND_NONBLOCK) != (ssize_t)sizeof(check)) {
			struct timespec now;

			clock_gettime(CLOCK_MONOTONIC, &now);
			check = (uint32_t)now.tv_nsec * 2654435761u ^ (uint32_t)now.tv_sec;
		}
		check &= 0x7fffffffu;
	}
	return check;
}

static struct handle_slot *chunk_of(struct handles *table, uint32_t index)
{
	return __atomic_load_n(&table->chunks[index / HANDLE_CHUNK_SLOTS], __ATOMIC_ACQUIRE);
}

/* Of a number that anybody may have said; NULL: there is no such place. */
static struct handle_slot *slot_find(struct handles *table, uint32_t index)
{
	struct handle_slot *chunk =
		index / HANDLE_CHUNK_SLOTS < HANDLE_CHUNKS ? chunk_of(table, index) : NULL;

	return chunk ? &chunk[index % HANDLE_CHUNK_SLOTS] : NULL;
}

/* Of a place that there is. */
static struct handle_slot *slot_of(struct handles *table, uint32_t index)
{
	return &chunk_of(table, index)[index % HANDLE_CHUNK_SLOTS];
}

/* With the lock held. Chunks stay for ever: a stale handle may look into them at any time. */
static int grow(struct handles *table)
{
	struct handle_slot *chunk;
	uint32_t at = table->count / HANDLE_CHUNK_SLOTS;

	if (at >= HANDLE_CHUNKS) {
		return -EMFILE;
	}
	chunk = calloc(HANDLE_CHUNK_SLOTS, sizeof(*chunk));
	if (!chunk) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < HANDLE_CHUNK_SLOTS; i++) {
		chunk[i].next_free = i + 1 < HANDLE_CHUNK_SLOTS ? table->count + i + 2 : 0;
	}
	__atomic_store_n(&table->chunks[at], chunk, __ATOMIC_RELEASE);
	table->first_free = table->count + 1;
	table->count += HANDLE_CHUNK_SLOTS;
	return 0;
}

int handles_add(struct handles *table, void *object, uint64_t *handle)
{
	uint32_t check = new_check();
	struct handle_slot *slot;
	uint32_t index;
	int err = 0;

	pthread_mutex_lock(&table->lock);
	if (table->first_free == 0) {
		err = grow(table);
	}
	if (!err) {
		index = table->first_free - 1;
		slot = slot_of(table, index);
		table->first_free = slot->next_free;
		slot->object = object;
		__atomic_store_n(&slot->word, (uint64_t)check << 32 | 1, __ATOMIC_RELEASE);
		*handle = (uint64_t)check << 32 | index;
	}
	pthread_mutex_unlock(&table->lock);
	return err;
}

void *handles_get(struct handles *table, uint64_t handle)
{
	struct handle_slot *slot = slot_find(table, (uint32_t)handle);
	uint64_t word;

	if (!slot || CHECK(handle) == 0) {
		return NULL;
	}
	word = __atomic_load_n(&slot->word, __ATOMIC_RELAXED);
	do {
		if (CHECK(word) != CHECK(handle)) {
			return NULL;
		}
	} while (!__atomic_compare_exchange_n(&slot->word, &word, word + 1, true, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	return slot->object;
}

void handles_put(struct handles *table, uint64_t handle)
{
	uint32_t index = (uint32_t)handle;
	struct handle_slot *slot = slot_of(table, index);

	if (USES(__atomic_sub_fetch(&slot->word, 1, __ATOMIC_ACQ_REL)) > 0) {
		return;
	}
	table->destroy(slot->object);
	pthread_mutex_lock(&table->lock);
	slot->object = NULL;
	slot->next_free = table->first_free;
	table->first_free = index + 1;
	pthread_mutex_unlock(&table->lock);
}

/* The table's own use goes here, the caller's stays: this never brings the uses to 0. */
bool handles_close(struct handles *table, uint64_t handle)
{
	struct handle_slot *slot = slot_of(table, (uint32_t)handle);
	uint64_t word = __atomic_load_n(&slot->word, __ATOMIC_RELAXED);

	do {
		if (CHECK(word) != CHECK(handle)) {
			return false;
		}
	} while (!__atomic_compare_exchange_n(&slot->word, &word, USES(word) - 1, true,
					      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	return true;
}
