/* SPDX-License-Identifier: BSD-3-Clause */
/* cpg_join(3), cpg_leave(3), cpg_membership_get(3), cpg_local_get(3). */
#include <corosync/cpg.h>

#include <unistd.h>

#include "lib/instance.h"
#include "lib/sending.h"

/* What cpg_membership_get takes for a size; any other number on entry was never set. */
#define ROOM_MAX 65535

cs_error_t cpg_join(cpg_handle_t handle, const struct cpg_name *group)
{
	struct ipc_request request = {.kind = IPC_JOIN, .pid = (uint32_t)getpid()};
	cs_error_t error = call_name(&request, group);
	struct instance *instance;

	if (error != CS_OK) {
		return error;
	}
	instance = instance_get(handle);
	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	error = sending_prepare(instance);
	if (error == CS_OK) {
		error = call_daemon(instance, &request);
	}
	if (error == CS_OK) {
		sending_allow(instance, true);
	}
	instance_put(instance);
	return error;
}

/* Sending ends before the daemon is asked: what it finds in the ring then is all there will be. */
cs_error_t cpg_leave(cpg_handle_t handle, const struct cpg_name *group)
{
	struct ipc_request request = {.kind = IPC_LEAVE};
	cs_error_t error = call_name(&request, group);
	struct instance *instance;
	bool joined;

	if (error != CS_OK) {
		return error;
	}
	instance = instance_get(handle);
	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	joined = sending_allow(instance, false);
	error = call_daemon(instance, &request);
	if (joined && error != CS_OK && error != CS_ERR_NOT_EXIST) {
		sending_allow(instance, true);
	}
	instance_put(instance);
	return error;
}

static cs_error_t members(struct instance *instance, struct ipc_request *request,
			  struct cpg_address *list, int *entries)
{
	struct answer answer;
	cs_error_t error;
	uint64_t got;

	request->value =
		*entries >= 1 && *entries <= ROOM_MAX ? (uint64_t)*entries : CPG_MEMBERS_MAX;
	error = answer_get(instance, request, &answer);
	got = answer.reply.data_size / sizeof(*list);
	if (error == CS_OK && got <= request->value && got <= answer.reply.value) {
		memcpy(list, answer.data, got * sizeof(*list));
		*entries = (int)answer.reply.value;
		error = got < answer.reply.value ? CS_ERR_NO_SPACE : CS_OK;
	}
	answer_end(instance, &answer);
	return error;
}

cs_error_t cpg_membership_get(cpg_handle_t handle, struct cpg_name *groupName,
			      struct cpg_address *member_list, int *member_list_entries)
{
	struct ipc_request request = {.kind = IPC_MEMBERS};
	cs_error_t error = call_name(&request, groupName);
	struct instance *instance;

	if (error != CS_OK) {
		return error;
	}
	if (!member_list || !member_list_entries) {
		return CS_ERR_INVALID_PARAM;
	}
	instance = instance_get(handle);
	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	error = members(instance, &request, member_list, member_list_entries);
	instance_put(instance);
	return error;
}

cs_error_t cpg_local_get(cpg_handle_t handle, unsigned int *local_nodeid)
{
	struct ipc_request request = {.kind = IPC_LOCAL};
	struct instance *instance = instance_get(handle);
	cs_error_t error = CS_ERR_INVALID_PARAM;

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	if (local_nodeid) {
		struct answer answer;

		error = answer_get(instance, &request, &answer);
		if (error == CS_OK) {
			*local_nodeid = (unsigned int)answer.reply.value;
		}
		answer_end(instance, &answer);
	}
	instance_put(instance);
	return error;
}
