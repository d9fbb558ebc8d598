/* SPDX-License-Identifier: BSD-3-Clause */
/* Send memory: what of it is whose. Tokens index a table of as many messages as the completion
 * ring has places, so that the daemon always has a place to give one back. */
#include "lib/send_memory.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "ipc/memory.h"
#include "lib/handover.h"

#define COMMON_SIZE_BYTES IPC_COMMON_REGION_BYTES
/* Messages above this would leave too little of the common region for others. */
#define COMMON_MESSAGE_MAX_BYTES (COMMON_SIZE_BYTES / 4)
/* What the program writes itself, and may keep for ever, must not be all of it. */
#define COMMON_HANDOVER_MAX_BYTES (COMMON_SIZE_BYTES / 2)
/* Larger ones are better off in a region where more may be read in place. */
#define COMMON_HANDOVER_PIECE_BYTES (16u * 1024)
#define EXTRA_SIZE_BYTES	    (8u * 1024 * 1024)
/* All extra regions together: so much, or two of what the message needs. */
#define EXTRA_TOTAL_BYTES IPC_LARGE_REGIONS_BYTES
#define IDLE_MS		  2000u

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct send_region *region_at(struct list *it)
{
	return list_entry(it, struct send_region, link);
}

static void region_free(struct sending *sending, struct send_region *region)
{
	list_remove(&region->link);
	sending->regions_size -= region->size;
	munmap(region->base, region->size);
	arena_fini(&region->arena);
	free(region);
}

static cs_error_t region_new(struct instance *instance, const struct answer *answer, uint64_t size)
{
	struct send_region *region = calloc(1, sizeof(*region));
	void *base = NULL;
	int err;

	if (!region) {
		return CS_ERR_NO_MEMORY;
	}
	err = arena_init(&region->arena, size);
	if (!err) {
		err = answer->fds.count != 1 ? -EBADMSG
					     : ipc_memory_map(answer->fds.fd[0], size,
							      PROT_READ | PROT_WRITE, &base);
	}
	if (err) {
		arena_fini(&region->arena);
		free(region);
		return err == -ENOMEM ? CS_ERR_NO_MEMORY : CS_ERR_LIBRARY;
	}
	region->region = answer->reply.value;
	region->base = base;
	region->size = size;
	list_append(&instance->sending.regions, &region->link);
	instance->sending.regions_size += size;
	return CS_OK;
}

/* One-way: whether the daemon hears of it at once does not matter. */
static void tell_free(struct instance *instance, uint64_t number)
{
	struct ipc_request request = {.kind = IPC_REGION_FREE, .value = number};

	ipc_send_packet(instance->request_fd, &request, sizeof(request), NULL, 0, NULL, 0);
}

cs_error_t send_memory_add(struct instance *instance, uint64_t size, bool wait)
{
	struct ipc_request request = {.kind = IPC_REGION_NEW, .value = size};
	struct answer answer;
	cs_error_t error;

	if (wait) {
		error = answer_get(instance, &request, &answer);
	} else if (!answer_try(instance, &request, &answer, &error)) {
		return CS_ERR_TRY_AGAIN;
	}
	if (error == CS_OK) {
		error = region_new(instance, &answer, size);
	}
	if (error != CS_OK && answer.reply.status == CS_OK) {
		tell_free(instance, answer.reply.value);
	}
	answer_end(instance, &answer);
	return error;
}

static cs_error_t make_tokens(struct sending *sending)
{
	if (sending->lent) {
		return CS_OK;
	}
	sending->lent = calloc(IPC_COMPLETIONS, sizeof(*sending->lent));
	if (!sending->lent) {
		return CS_ERR_NO_MEMORY;
	}
	for (uint32_t i = 0; i < IPC_COMPLETIONS; i++) {
		sending->lent[i].next_free = i + 1 < IPC_COMPLETIONS ? i + 2 : 0;
	}
	sending->lent_free = 1;
	return CS_OK;
}

static bool take_from(struct sending *sending, struct send_region *region, uint64_t size,
		      uint32_t *token)
{
	uint32_t block = arena_take(&region->arena, size);
	struct lent *lent;

	if (block == ARENA_NONE) {
		return false;
	}
	*token = sending->lent_free - 1;
	lent = &sending->lent[*token];
	sending->lent_free = lent->next_free;
	lent->region = region;
	lent->block = block;
	region->lent++;
	return true;
}

static void note_room(struct sending *sending, uint64_t size)
{
	for (uint32_t i = 0; sending->starved && i <= arena_bin(size); i++) {
		if (size >= sending->starving[i].size) {
			sending->starving[i] = (struct starving){0};
		}
	}
}

/* Members that do not read give back what is ours within a moment, or have it copied. But a daemon that is
 * stopped while its programs use our memory keeps that until it goes on, and what it keeps may be all
 * of a region, or lie so that a larger message finds no room between. */
static bool starved(struct sending *sending, uint64_t size)
{
	struct starving *starving = &sending->starving[arena_bin(size)];
	uint64_t now = now_ms();

	sending->starved = true;
	starving->since_ms = starving->since_ms ? starving->since_ms : now;
	starving->size = size > starving->size ? size : starving->size;
	for (uint32_t i = 0; i <= arena_bin(size); i++) {
		starving = &sending->starving[i];
		if (starving->since_ms && now - starving->since_ms >= IPC_STARVED_MS) {
			return true;
		}
	}
	return false;
}

static bool take_common(struct sending *sending, uint64_t size, bool handover, uint32_t *token)
{
	uint64_t handed = handover ? size : 0;
	uint64_t max = handover ? COMMON_HANDOVER_PIECE_BYTES : COMMON_MESSAGE_MAX_BYTES;

	if (size > max || sending->handover_size + handed > COMMON_HANDOVER_MAX_BYTES ||
	    !take_from(sending, region_at(sending->regions.next), size, token)) {
		return false;
	}
	sending->handover_size += handed;
	note_room(sending, size);
	return true;
}

static bool take_extra(struct sending *sending, uint64_t size, uint32_t *token)
{
	struct list *common = sending->regions.next;

	for (struct list *it = common->next; it != &sending->regions; it = it->next) {
		if (take_from(sending, region_at(it), size, token)) {
			return true;
		}
	}
	return false;
}

static void drop_region(struct instance *instance, struct send_region *region)
{
	tell_free(instance, region->region);
	region_free(&instance->sending, region);
}

/* Idle extra regions that are too small for what is needed now. */
static void drop_idle(struct instance *instance, uint64_t idle_for_ms)
{
	struct sending *sending = &instance->sending;
	struct list *common = sending->regions.next;
	uint64_t now = now_ms();

	for (struct list *it = common->next, *after; it != &sending->regions; it = after) {
		struct send_region *region = region_at(it);

		after = it->next;
		if (region->lent == 0 && now - region->idle_since_ms >= idle_for_ms) {
			drop_region(instance, region);
		}
	}
}

/* `limit`: of all extra regions together. */
static cs_error_t take_large(struct instance *instance, uint64_t size, uint64_t limit,
			     uint32_t *token)
{
	struct sending *sending = &instance->sending;
	uint64_t whole = size <= EXTRA_SIZE_BYTES ? EXTRA_SIZE_BYTES : ipc_round_to_pages(size);
	cs_error_t error;

	limit = 2 * whole > limit ? 2 * whole : limit;

	if (take_extra(sending, size, token)) {
		return CS_OK;
	}
	if (sending->regions_size - COMMON_SIZE_BYTES + whole > limit) {
		drop_idle(instance, 0);
	}
	if (sending->regions_size - COMMON_SIZE_BYTES + whole > limit) {
		return CS_ERR_TRY_AGAIN;
	}
	error = send_memory_add(instance, whole, false);
	if (error != CS_OK) {
		return error;
	}
	return take_extra(sending, size, token) ? CS_OK : CS_ERR_NO_MEMORY;
}

cs_error_t send_memory_take(struct instance *instance, uint64_t size, bool handover,
			    uint32_t *token)
{
	struct sending *sending = &instance->sending;

	if (make_tokens(sending) != CS_OK) {
		return CS_ERR_NO_MEMORY;
	}
	if (sending->lent_free == 0) {
		return CS_ERR_TRY_AGAIN;
	}
	if (take_common(sending, size, handover, token)) {
		return CS_OK;
	}
	if (handover) {
		return take_large(instance, size, UINT64_MAX, token);
	}
	return size > COMMON_MESSAGE_MAX_BYTES || starved(sending, size)
		       ? take_large(instance, size, EXTRA_TOTAL_BYTES, token)
		       : CS_ERR_TRY_AGAIN;
}

void send_memory_give(struct instance *instance, uint32_t token)
{
	struct sending *sending = &instance->sending;
	struct lent *lent = &sending->lent[token];

	if (lent->handover && lent->region == region_at(sending->regions.next)) {
		sending->handover_size -= lent->handover->size;
	}
	arena_give(&lent->region->arena, lent->block);
	if (--lent->region->lent == 0) {
		lent->region->idle_since_ms = now_ms();
	}
	lent->region = NULL;
	lent->handover = NULL;
	lent->next_free = sending->lent_free;
	sending->lent_free = token + 1;
}

static void given_back(struct instance *instance, uint32_t token)
{
	struct handover *handover = instance->sending.lent[token].handover;

	if (!handover) {
		send_memory_give(instance, token);
	} else if (handover->on_way && !handover_returned(&instance->sending, handover)) {
		send_memory_give(instance, token);
		free(handover);
	}
}

void send_memory_reclaim(struct instance *instance)
{
	struct sending *sending = &instance->sending;
	uint64_t published = ipc_load(&ipc_indexes(instance->shared)->completions_published);

	while (sending->completions != published) {
		uint32_t token = *ipc_completion_at(instance->shared, sending->completions++);

		if (sending->lent && token < IPC_COMPLETIONS && sending->lent[token].region) {
			given_back(instance, token);
		}
	}
	if (sending->regions_size > COMMON_SIZE_BYTES) {
		drop_idle(instance, IDLE_MS);
	}
}

bool send_memory_full(struct instance *instance)
{
	struct sending *sending = &instance->sending;

	if (list_empty(&sending->regions)) {
		return false;
	}
	return (sending->lent && sending->lent_free == 0) ||
	       (!arena_has(&region_at(sending->regions.next)->arena, 1) && !starved(sending, 1));
}

void send_memory_fini(struct sending *sending)
{
	while (!list_empty(&sending->regions)) {
		region_free(sending, region_at(sending->regions.next));
	}
	free(sending->lent);
}
