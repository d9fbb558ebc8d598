/* SPDX-License-Identifier: BSD-3-Clause */
/* cpg_iteration_initialize(3) and the two that follow: the daemon sends the whole snapshot at
 * once, the rest is done here. */
#include "lib/iteration.h"

#include <stdlib.h>

struct iteration {
	struct list link; /* in instance.iterations, under the list's lock */
	cpg_handle_t owner;
	cpg_iteration_handle_t handle;
	uint64_t count;
	uint64_t at;
	struct cpg_iteration_description_t items[];
};

static void iteration_free(void *object)
{
	free(object);
}

static struct handles iterations = HANDLES_INIT(iteration_free);

static cs_error_t check_arguments(cpg_iteration_type_t type, const struct cpg_name *group,
				  const cpg_iteration_handle_t *handle)
{
	if (group && group->length > CPG_MAX_NAME_LENGTH) {
		return CS_ERR_NAME_TOO_LONG;
	}
	if (!handle || (type == CPG_ITERATION_ONE_GROUP) != (group != NULL)) {
		return CS_ERR_INVALID_PARAM;
	}
	switch (type) {
	case CPG_ITERATION_NAME_ONLY:
	case CPG_ITERATION_ONE_GROUP:
	case CPG_ITERATION_ALL:
		return CS_OK;
	}
	return CS_ERR_INVALID_PARAM;
}

static cs_error_t snapshot(const struct answer *answer, struct iteration **out)
{
	uint64_t size = answer->reply.data_size;
	struct iteration *iteration;

	if (size % sizeof(iteration->items[0]) != 0) {
		return CS_ERR_LIBRARY;
	}
	iteration = malloc(sizeof(*iteration) + size);
	if (!iteration) {
		return CS_ERR_NO_MEMORY;
	}
	iteration->count = size / sizeof(iteration->items[0]);
	__atomic_store_n(&iteration->at, 0, __ATOMIC_RELAXED);
	if (size > 0) {
		memcpy(iteration->items, answer->data, size);
	}
	*out = iteration;
	return CS_OK;
}

/* The list is guarded by call_lock, which the answer still holds. A finalize that has begun
 * closes what is in the list when it comes to it, and it comes to it with the lock. */
static cs_error_t publish(struct instance *instance, struct iteration *iteration,
			  cpg_iteration_handle_t *handle)
{
	int err;

	if (instance_flag(&instance->finalizing)) {
		free(iteration);
		return CS_ERR_BAD_HANDLE;
	}
	iteration->owner = instance->handle;
	err = handles_add(&iterations, iteration, &iteration->handle);
	if (err) {
		free(iteration);
		return hdb_error_to_cs(err);
	}
	list_append(&instance->iterations, &iteration->link);
	*handle = iteration->handle;
	return CS_OK;
}

static cs_error_t begin(struct instance *instance, const struct ipc_request *request,
			cpg_iteration_handle_t *handle)
{
	struct iteration *iteration = NULL;
	struct answer answer;
	cs_error_t error = answer_get(instance, request, &answer);

	if (error == CS_OK) {
		error = snapshot(&answer, &iteration);
	}
	if (error == CS_OK) {
		error = publish(instance, iteration, handle);
	}
	answer_end(instance, &answer);
	return error;
}

cs_error_t cpg_iteration_initialize(cpg_handle_t handle, cpg_iteration_type_t iteration_type,
				    const struct cpg_name *group,
				    cpg_iteration_handle_t *cpg_iteration_handle)
{
	struct ipc_request request = {.kind = IPC_ITERATE, .arg = iteration_type};
	cs_error_t error = check_arguments(iteration_type, group, cpg_iteration_handle);
	struct instance *instance;

	if (error != CS_OK) {
		return error;
	}
	instance = instance_get(handle);
	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	if (group) {
		call_name(&request, group);
	}
	error = begin(instance, &request, cpg_iteration_handle);
	instance_put(instance);
	return error;
}

/* Several threads may share a walk: each item goes to one of them. */
static cs_error_t next_item(struct iteration *iteration,
			    struct cpg_iteration_description_t *description)
{
	uint64_t at = __atomic_load_n(&iteration->at, __ATOMIC_RELAXED);

	do {
		if (at >= iteration->count) {
			return CS_ERR_NO_SECTIONS;
		}
	} while (!__atomic_compare_exchange_n(&iteration->at, &at, at + 1, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	*description = iteration->items[at];
	return CS_OK;
}

cs_error_t cpg_iteration_next(cpg_iteration_handle_t handle,
			      struct cpg_iteration_description_t *description)
{
	struct iteration *iteration;
	struct instance *instance;
	cs_error_t error = CS_ERR_BAD_HANDLE;

	if (!description) {
		return CS_ERR_INVALID_PARAM;
	}
	iteration = handles_get(&iterations, handle);
	if (!iteration) {
		return CS_ERR_BAD_HANDLE;
	}
	instance = instance_get(iteration->owner);
	if (instance) {
		error = instance_alive(instance) ? next_item(iteration, description)
						 : CS_ERR_LIBRARY;
		instance_put(instance);
	}
	handles_put(&iterations, handle);
	return error;
}

cs_error_t cpg_iteration_finalize(cpg_iteration_handle_t handle)
{
	struct iteration *iteration = handles_get(&iterations, handle);
	struct instance *instance;
	cs_error_t error = CS_ERR_BAD_HANDLE;

	if (!iteration) {
		return CS_ERR_BAD_HANDLE;
	}
	instance = instance_get(iteration->owner);
	if (instance) {
		pthread_mutex_lock(&instance->call_lock);
		if (handles_close(&iterations, handle)) {
			list_remove(&iteration->link);
			error = instance_alive(instance) ? CS_OK : CS_ERR_LIBRARY;
		}
		pthread_mutex_unlock(&instance->call_lock);
		instance_put(instance);
	}
	handles_put(&iterations, handle);
	return error;
}

void iterations_close(struct instance *instance)
{
	pthread_mutex_lock(&instance->call_lock);
	list_for_each_safe(it, after, &instance->iterations)
	{
		struct iteration *iteration = list_entry(it, struct iteration, link);
		cpg_iteration_handle_t handle = iteration->handle;

		if (handles_get(&iterations, handle)) {
			list_remove(it);
			handles_close(&iterations, handle);
			handles_put(&iterations, handle);
		}
	}
	pthread_mutex_unlock(&instance->call_lock);
}
