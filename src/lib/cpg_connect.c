/* SPDX-License-Identifier: BSD-3-Clause */
/* cpg_initialize(3), cpg_finalize(3), and the questions that need no daemon. */
#include <corosync/cpg.h>

#include <string.h>

#include "lib/instance.h"
#include "lib/iteration.h"
#include "lib/sending.h"

/* corosync's figure; programs size buffers by it. */
#define ATOMIC_MSGSIZE 1047552u

static cs_error_t initialize(cpg_handle_t *handle, const coronet_cpg_model_data_t *model,
			     void *context)
{
	struct instance *instance;
	cs_error_t error = instance_new(model, context, &instance);
	int err;

	if (error != CS_OK) {
		return error;
	}
	err = handles_add(&instances, instance, &instance->handle);
	if (err) {
		instance_free(instance);
		return hdb_error_to_cs(err);
	}
	*handle = instance->handle;
	return CS_OK;
}

cs_error_t cpg_initialize(cpg_handle_t *handle, cpg_callbacks_t *callbacks)
{
	coronet_cpg_model_data_t model = {.model = CPG_MODEL_V1};

	if (!handle) {
		return CS_ERR_INVALID_PARAM;
	}
	if (callbacks) {
		model.cpg_deliver_fn = callbacks->cpg_deliver_fn;
		model.cpg_confchg_fn = callbacks->cpg_confchg_fn;
	}
	return initialize(handle, &model, NULL);
}

static bool take_v1(const cpg_model_data_t *data, coronet_cpg_model_data_t *out)
{
	const cpg_model_v1_data_t *v1 = (const cpg_model_v1_data_t *)data;

	if (data) {
		out->cpg_deliver_fn = v1->cpg_deliver_fn;
		out->cpg_confchg_fn = v1->cpg_confchg_fn;
		out->cpg_totem_confchg_fn = v1->cpg_totem_confchg_fn;
		out->flags = v1->flags;
	}
	return (out->flags & ~(unsigned int)CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF) == 0;
}

static bool take_ours(const cpg_model_data_t *data, coronet_cpg_model_data_t *out)
{
	unsigned int known = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF | CORONET_CPG_DELIVER_IN_PLACE;

	if (!data || ((const coronet_cpg_model_data_t *)data)->size != sizeof(*out)) {
		return false;
	}
	memcpy(out, data, sizeof(*out));
	return (out->flags & ~known) == 0;
}

cs_error_t cpg_model_initialize(cpg_handle_t *handle, cpg_model_t model,
				cpg_model_data_t *model_data, void *context)
{
	coronet_cpg_model_data_t data = {.model = model};
	bool understood = model == CPG_MODEL_V1	       ? take_v1(model_data, &data)
			  : model == CORONET_CPG_MODEL ? take_ours(model_data, &data)
						       : false;

	if (!understood || !handle) {
		return CS_ERR_INVALID_PARAM;
	}
	return initialize(handle, &data, context);
}

/* Sending ends before the daemon is asked: what it finds in the ring then is all there will be, and once it
 * has answered the same group can be joined anew. The reading side of the event socket is shut so that
 * whoever sleeps on it wakes; the descriptor lives until the last call is over. */
cs_error_t cpg_finalize(cpg_handle_t handle)
{
	struct ipc_request request = {.kind = IPC_FINALIZE};
	struct instance *instance = instance_get(handle);
	cs_error_t error;

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	if (!handles_close(&instances, handle)) {
		instance_put(instance);
		return CS_ERR_BAD_HANDLE;
	}
	instance_set(&instance->finalizing);
	sending_allow(instance, false);
	shutdown(instance->event_fd, SHUT_RD);
	iterations_close(instance);
	error = call_daemon(instance, &request);
	instance_put(instance);
	return error;
}

cs_error_t cpg_fd_get(cpg_handle_t handle, int *fd)
{
	struct instance *instance = instance_get(handle);

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	if (fd) {
		*fd = instance->event_fd;
	}
	instance_put(instance);
	return fd ? CS_OK : CS_ERR_INVALID_PARAM;
}

cs_error_t cpg_max_atomic_msgsize_get(cpg_handle_t handle, uint32_t *size)
{
	struct instance *instance = instance_get(handle);

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	if (size) {
		*size = ATOMIC_MSGSIZE;
	}
	instance_put(instance);
	return size ? CS_OK : CS_ERR_INVALID_PARAM;
}

cs_error_t cpg_context_get(cpg_handle_t handle, void **context)
{
	struct instance *instance = instance_get(handle);

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	if (context) {
		*context = __atomic_load_n(&instance->context, __ATOMIC_ACQUIRE);
	}
	instance_put(instance);
	return context ? CS_OK : CS_ERR_INVALID_PARAM;
}

cs_error_t cpg_context_set(cpg_handle_t handle, void *context)
{
	struct instance *instance = instance_get(handle);

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	__atomic_store_n(&instance->context, context, __ATOMIC_RELEASE);
	instance_put(instance);
	return CS_OK;
}

cs_error_t cpg_flow_control_state_get(cpg_handle_t handle,
				      cpg_flow_control_state_t *flow_control_enabled)
{
	struct instance *instance = instance_get(handle);

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	if (flow_control_enabled) {
		*flow_control_enabled = sending_full(instance) ? CPG_FLOW_CONTROL_ENABLED
							       : CPG_FLOW_CONTROL_DISABLED;
	}
	instance_put(instance);
	return flow_control_enabled ? CS_OK : CS_ERR_INVALID_PARAM;
}
