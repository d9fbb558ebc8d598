/* SPDX-License-Identifier: BSD-3-Clause */
/* coronet_cpg_hold(3), coronet_cpg_release(3). */
#include <coronet/cpg.h>

#include <stdlib.h>

#include "lib/address.h"
#include "lib/events.h"

static struct incoming *find_delivered(const struct instance *instance, const void *msg)
{
	struct incoming *in = delivering;

	while (in && (in->instance != instance || incoming_payload(in) != msg)) {
		in = in->outer;
	}
	return in;
}

static cs_error_t hold(struct instance *instance, struct incoming *in, const void *msg)
{
	struct events *events = &instance->events;
	struct hold *hold = malloc(sizeof(*hold));
	bool added;

	if (!hold) {
		return CS_ERR_NO_MEMORY;
	}
	*hold = (struct hold){(uintptr_t)msg, in->pin, in->scratch};
	pthread_mutex_lock(&events->lock);
	added = tsearch(hold, &events->holds, address_compare) != NULL;
	events->held += added;
	pthread_mutex_unlock(&events->lock);
	if (!added) {
		free(hold);
		return CS_ERR_NO_MEMORY;
	}
	in->held = true;
	return CS_OK;
}

cs_error_t coronet_cpg_hold(cpg_handle_t handle, const void *msg)
{
	struct instance *instance = instance_get(handle);
	struct incoming *in = NULL;
	cs_error_t error = CS_ERR_NOT_EXIST;

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	if (instance->model.flags & CORONET_CPG_DELIVER_IN_PLACE) {
		in = find_delivered(instance, msg);
	}
	if (in) {
		error = in->held ? CS_ERR_EXIST : hold(instance, in, msg);
	}
	instance_put(instance);
	return error;
}

static struct hold *take_out(struct events *events, const void *msg)
{
	struct hold *hold;

	pthread_mutex_lock(&events->lock);
	hold = address_find(&events->holds, msg);
	if (hold) {
		tdelete(hold, &events->holds, address_compare);
		events->held--;
	}
	pthread_mutex_unlock(&events->lock);
	return hold;
}

static void let_go(struct instance *instance, struct hold *hold)
{
	if (hold->pin > 0) {
		events_unpin(instance, hold->pin);
	}
	if (hold->scratch) {
		events_put_scratch(instance, hold->scratch);
	}
	free(hold);
}

cs_error_t coronet_cpg_release(cpg_handle_t handle, const void *msg)
{
	struct instance *instance = instance_get(handle);
	struct hold *hold;

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	hold = take_out(&instance->events, msg);
	if (hold) {
		let_go(instance, hold);
	}
	instance_put(instance);
	return hold ? CS_OK : CS_ERR_NOT_EXIST;
}
