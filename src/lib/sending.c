/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages into the ring of descriptors. A thread reserves a place and memory, copies, and
 * publishes; long copies are made without the lock, so that they do not hold up other threads. */
#include "lib/sending.h"

#include <string.h>
#include <time.h>

#include "lib/handover.h"
#include "lib/send_memory.h"

/* Copies up to this many bytes are over before a lock could change hands. */
#define COPY_LOCKED_MAX_BYTES 16384u

void sending_init(struct sending *sending)
{
	pthread_mutex_init(&sending->lock, NULL);
	list_init(&sending->regions);
	list_init(&sending->returned);
}

void sending_fini(struct sending *sending)
{
	handovers_fini(sending);
	send_memory_fini(sending);
	pthread_mutex_destroy(&sending->lock);
}

/* Nobody sends yet. */
cs_error_t sending_prepare(struct instance *instance)
{
	cs_error_t error = CS_OK;

	pthread_mutex_lock(&instance->sending.lock);
	if (list_empty(&instance->sending.regions)) {
		error = send_memory_add(instance, IPC_COMMON_REGION_BYTES, true);
	}
	pthread_mutex_unlock(&instance->sending.lock);
	return error;
}

bool sending_allow(struct instance *instance, bool joined)
{
	bool before;

	pthread_mutex_lock(&instance->sending.lock);
	before = instance->sending.joined;
	instance->sending.joined = joined;
	instance->sending.memberships += joined && !before;
	pthread_mutex_unlock(&instance->sending.lock);
	return before;
}

static bool ring_full(struct instance *instance)
{
	struct sending *sending = &instance->sending;
	uint64_t taken = ipc_load(&ipc_indexes(instance->shared)->sends_taken);

	return sending->published + sending->reserved - taken >= IPC_SENDS;
}

bool sending_full(struct instance *instance)
{
	bool full;

	pthread_mutex_lock(&instance->sending.lock);
	send_memory_reclaim(instance);
	full = ring_full(instance) || send_memory_full(instance);
	pthread_mutex_unlock(&instance->sending.lock);
	return full;
}

/* A dead daemon takes nothing, which looks like a busy one; the system is asked now and then. */
static bool daemon_gone(struct instance *instance)
{
	struct timespec now;
	uint64_t now_ms;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	if (now_ms == instance->sending.checked_at_ms) {
		return instance_flag(&instance->dead);
	}
	instance->sending.checked_at_ms = now_ms;
	return !instance_alive(instance);
}

void sending_wake(struct instance *instance)
{
	struct ipc_line *asleep = &ipc_indexes(instance->shared)->sends_asleep;

	if (ipc_load_ordered(asleep) && ipc_exchange(asleep, 0)) {
		instance_bell(instance);
	}
}

/* Members that do not read may keep our memory: the daemon moves what stands in the way. It may be about to
 * sleep: first this, then the look whether it does (sending_wake). */
static void tell_hungry(struct instance *instance, bool hungry)
{
	if (hungry != instance->sending.hungry) {
		instance->sending.hungry = hungry;
		ipc_exchange(&ipc_indexes(instance->shared)->sends_hungry, hungry);
	}
}

cs_error_t sending_lend(struct instance *instance, uint64_t size, bool handover, uint32_t *token)
{
	cs_error_t error;

	if (daemon_gone(instance)) {
		return CS_ERR_LIBRARY;
	}
	send_memory_reclaim(instance);
	error = send_memory_take(instance, size, handover, token);
	tell_hungry(instance, error == CS_ERR_TRY_AGAIN);
	return error;
}

static cs_error_t not_joined(struct instance *instance)
{
	return instance_flag(&instance->finalizing) ? CS_ERR_BAD_HANDLE : CS_ERR_NOT_EXIST;
}

static cs_error_t try_place(struct instance *instance)
{
	if (daemon_gone(instance)) {
		return CS_ERR_LIBRARY;
	}
	if (!instance->sending.joined) {
		return not_joined(instance);
	}
	return ring_full(instance) ? CS_ERR_TRY_AGAIN : CS_OK;
}

/* A place in the ring, and memory unless the message is empty or has some. */
static cs_error_t try_reserve(struct instance *instance, uint64_t size, uint32_t *token)
{
	cs_error_t error = try_place(instance);

	return error == CS_OK && size > 0 ? sending_lend(instance, size, false, token) : error;
}

/* Whoever wants to be told when there is room says so, and looks once more. */
static bool look_again(struct instance *instance, cs_error_t error)
{
	if (error != CS_ERR_TRY_AGAIN || !instance->model.sendable_fn) {
		return false;
	}
	instance->sending.refused = true;
	ipc_exchange(&ipc_indexes(instance->shared)->sends_wanted, 1);
	return true;
}

/* With the lock held. On success a place in the ring is reserved. */
static cs_error_t reserve(struct instance *instance, uint64_t size, uint32_t *token)
{
	cs_error_t error = try_reserve(instance, size, token);

	if (look_again(instance, error)) {
		error = try_reserve(instance, size, token);
	}
	if (error == CS_OK) {
		instance->sending.reserved++;
	}
	return error;
}

static void gather(uint8_t *to, const struct iovec *pieces, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (pieces[i].iov_len > 0) {
			memcpy(to, pieces[i].iov_base, pieces[i].iov_len);
			to += pieces[i].iov_len;
		}
	}
}

static void copy(struct instance *instance, const struct iovec *pieces, unsigned int count,
		 uint64_t size, struct ipc_send *message)
{
	struct lent *lent = &instance->sending.lent[message->token];
	uint8_t *to = lent->region->base + arena_offset(&lent->region->arena, lent->block);

	message->region = lent->region->region;
	message->offset = (uint64_t)(to - lent->region->base);
	if (size > COPY_LOCKED_MAX_BYTES) {
		pthread_mutex_unlock(&instance->sending.lock);
		gather(to, pieces, count);
		pthread_mutex_lock(&instance->sending.lock);
	} else {
		gather(to, pieces, count);
	}
}

static void publish(struct instance *instance, const struct ipc_send *message)
{
	struct sending *sending = &instance->sending;

	*ipc_send_at(instance->shared, sending->published) = *message;
	sending->published++;
	sending->sent++;
	sending->sent_bytes += message->size;
	ipc_exchange(&ipc_indexes(instance->shared)->sends_published, sending->published);
}

static cs_error_t mcast_locked(struct instance *instance, struct ipc_send *message,
			       const struct iovec *pieces, unsigned int count)
{
	struct sending *sending = &instance->sending;
	uint64_t membership = sending->memberships;
	cs_error_t error = reserve(instance, message->size, &message->token);

	if (error != CS_OK) {
		return error;
	}
	if (message->size > 0) {
		copy(instance, pieces, count, message->size, message);
		sending->copied_bytes += message->size;
	}
	sending->reserved--;
	if (sending->joined && sending->memberships == membership) {
		publish(instance, message);
		return CS_OK;
	}
	if (message->size > 0) {
		send_memory_give(instance, message->token);
	}
	return not_joined(instance);
}

static uint32_t guarantee_of(cpg_guarantee_t guarantee)
{
	bool known = guarantee == CPG_TYPE_SAFE || guarantee == CPG_TYPE_UNORDERED;

	return known ? guarantee : CPG_TYPE_AGREED;
}

cs_error_t sending_publish(struct instance *instance, cpg_guarantee_t guarantee, uint32_t token,
			   uint64_t size)
{
	const struct lent *lent = &instance->sending.lent[token];
	struct ipc_send message = {.region = lent->region->region,
				   .offset = arena_offset(&lent->region->arena, lent->block),
				   .size = size,
				   .token = token,
				   .guarantee = guarantee_of(guarantee)};
	cs_error_t error = try_place(instance);

	if (look_again(instance, error)) {
		error = try_place(instance);
	}
	if (error == CS_OK) {
		if (instance->model.completed_fn &&
		    !ipc_load_ordered(&ipc_indexes(instance->shared)->sends_wanted)) {
			ipc_exchange(&ipc_indexes(instance->shared)->sends_wanted, 1);
		}
		publish(instance, &message);
	}
	return error;
}

cs_error_t sending_mcast(struct instance *instance, cpg_guarantee_t guarantee,
			 const struct iovec *pieces, unsigned int count, uint64_t size)
{
	struct ipc_send message = {.size = size, .guarantee = guarantee_of(guarantee)};
	cs_error_t error;

	pthread_mutex_lock(&instance->sending.lock);
	error = mcast_locked(instance, &message, pieces, count);
	pthread_mutex_unlock(&instance->sending.lock);
	if (error == CS_OK || error == CS_ERR_TRY_AGAIN) {
		sending_wake(instance);
	}
	if (error != CS_OK) {
		return error;
	}
	return instance_flag(&instance->dead) ? CS_ERR_LIBRARY : CS_OK;
}
