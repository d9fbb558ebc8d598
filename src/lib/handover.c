/* SPDX-License-Identifier: BSD-3-Clause */
/* coronet_cpg_zcb_alloc(3), coronet_cpg_zcb_free(3), coronet_cpg_zcb_mcast_joined(3). */
#include "lib/handover.h"

#include <stdlib.h>

#include "lib/address.h"
#include "lib/send_memory.h"
#include "lib/sending.h"

static void forget_node(void *node)
{
	(void)node;
}

void handovers_fini(struct sending *sending)
{
	for (uint32_t i = 0; sending->lent && i < IPC_COMPLETIONS; i++) {
		free(sending->lent[i].handover);
	}
	tdestroy(sending->handovers, forget_node);
}

bool handover_returned(struct sending *sending, struct handover *handover)
{
	handover->on_way = false;
	if (handover->unwanted) {
		return false;
	}
	sending->awaited--;
	list_append(&sending->returned, &handover->link);
	return true;
}

/* --- Memory --- */

static cs_error_t add(struct instance *instance, struct handover *handover)
{
	struct sending *sending = &instance->sending;
	cs_error_t error = sending_lend(instance, handover->size, true, &handover->token);
	struct lent *lent;

	if (error != CS_OK) {
		return error;
	}
	lent = &sending->lent[handover->token];
	handover->address =
		(uintptr_t)(lent->region->base + arena_offset(&lent->region->arena, lent->block));
	lent->handover = handover;
	if (!tsearch(handover, &sending->handovers, address_compare)) {
		send_memory_give(instance, handover->token);
		return CS_ERR_NO_MEMORY;
	}
	return CS_OK;
}

static cs_error_t alloc(struct instance *instance, size_t size, void **buffer)
{
	cs_error_t error = sending_prepare(instance);
	struct handover *handover;

	if (error != CS_OK) {
		return error;
	}
	handover = calloc(1, sizeof(*handover));
	if (!handover) {
		return CS_ERR_NO_MEMORY;
	}
	handover->size = size;
	list_init(&handover->link);
	pthread_mutex_lock(&instance->sending.lock);
	error = add(instance, handover);
	pthread_mutex_unlock(&instance->sending.lock);
	sending_wake(instance);
	if (error != CS_OK) {
		free(handover);
		return error;
	}
	*buffer = (void *)handover->address;
	return CS_OK;
}

cs_error_t coronet_cpg_zcb_alloc(cpg_handle_t handle, size_t size, void **buffer)
{
	struct instance *instance = instance_get(handle);
	cs_error_t error;

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	if (!buffer || size == 0) {
		error = CS_ERR_INVALID_PARAM;
	} else {
		error = size > MESSAGE_SIZE_MAX ? CS_ERR_TOO_BIG : alloc(instance, size, buffer);
	}
	instance_put(instance);
	return error;
}

static bool give_up(struct instance *instance, const void *buffer)
{
	struct sending *sending = &instance->sending;
	struct handover *handover = address_find(&sending->handovers, buffer);

	if (!handover) {
		return false;
	}
	tdelete(handover, &sending->handovers, address_compare);
	list_remove(&handover->link);
	if (handover->on_way) {
		handover->unwanted = true;
		sending->awaited--;
	} else {
		send_memory_give(instance, handover->token);
		free(handover);
	}
	return true;
}

cs_error_t coronet_cpg_zcb_free(cpg_handle_t handle, void *buffer)
{
	struct instance *instance = instance_get(handle);
	bool found;

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	pthread_mutex_lock(&instance->sending.lock);
	found = give_up(instance, buffer);
	pthread_mutex_unlock(&instance->sending.lock);
	instance_put(instance);
	return found ? CS_OK : CS_ERR_INVALID_PARAM;
}

/* --- Handing over --- */

static cs_error_t hand_over(struct instance *instance, cpg_guarantee_t guarantee, void *buffer,
			    size_t size)
{
	struct sending *sending = &instance->sending;
	struct handover *handover = address_find(&sending->handovers, buffer);
	cs_error_t error;

	if (!handover || handover->on_way || size == 0 || size > handover->size) {
		return CS_ERR_INVALID_PARAM;
	}
	error = sending_publish(instance, guarantee, handover->token, size);
	if (error != CS_OK) {
		return error;
	}
	list_remove(&handover->link);
	handover->on_way = true;
	sending->awaited++;
	return CS_OK;
}

cs_error_t coronet_cpg_zcb_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee,
					void *buffer, size_t msg_len)
{
	struct instance *instance = instance_get(handle);
	cs_error_t error;

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	pthread_mutex_lock(&instance->sending.lock);
	error = hand_over(instance, guarantee, buffer, msg_len);
	pthread_mutex_unlock(&instance->sending.lock);
	sending_wake(instance);
	if (error == CS_OK && instance_flag(&instance->dead)) {
		error = CS_ERR_LIBRARY;
	}
	instance_put(instance);
	return error;
}

/* --- Coming back --- */

static struct handover *first_returned(struct instance *instance)
{
	struct list *returned = &instance->sending.returned;

	send_memory_reclaim(instance);
	return list_empty(returned) ? NULL : list_entry(returned->next, struct handover, link);
}

/* Asks to be told of the next before it looks for the last time. The daemon has no reason to look
 * whether messages have been read unless somebody waits for that. */
static void *next_returned(struct instance *instance)
{
	struct sending *sending = &instance->sending;
	struct handover *handover;
	void *buffer = NULL;
	bool asked = false;

	pthread_mutex_lock(&sending->lock);
	handover = first_returned(instance);
	if (!handover && sending->awaited > 0) {
		asked = !ipc_exchange(&ipc_indexes(instance->shared)->sends_wanted, 1);
		handover = first_returned(instance);
	}
	if (handover) {
		list_remove(&handover->link);
		buffer = (void *)handover->address;
	}
	pthread_mutex_unlock(&sending->lock);
	if (asked && !handover) {
		sending_wake(instance);
	}
	return buffer;
}

cs_error_t coronet_cpg_zcb_completed(cpg_handle_t handle, void **buffer)
{
	struct instance *instance = instance_get(handle);
	void *returned = NULL;

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	if (buffer) {
		returned = next_returned(instance);
	}
	instance_put(instance);
	if (!buffer) {
		return CS_ERR_INVALID_PARAM;
	}
	if (!returned) {
		return CS_ERR_TRY_AGAIN;
	}
	*buffer = returned;
	return CS_OK;
}

static bool was_refused(struct sending *sending)
{
	bool refused;

	pthread_mutex_lock(&sending->lock);
	refused = sending->refused;
	sending->refused = false;
	pthread_mutex_unlock(&sending->lock);
	return refused;
}

void handover_call_back(struct instance *instance)
{
	coronet_cpg_completed_fn_t completed = instance->model.completed_fn;
	void *buffer;

	while (completed && !instance_flag(&instance->finalizing) &&
	       (buffer = next_returned(instance)) != NULL) {
		completed(instance->handle, buffer);
	}
	if (was_refused(&instance->sending) && instance->model.sendable_fn &&
	    !instance_flag(&instance->finalizing)) {
		instance->model.sendable_fn(instance->handle);
	}
}
