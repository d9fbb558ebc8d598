/* SPDX-License-Identifier: BSD-3-Clause */
/* cpg_dispatch(3): takes events and runs their callbacks, in the caller's thread, with no lock
 * held. */
#include <corosync/cpg.h>

#include "lib/events.h"
#include "lib/handover.h"

_Thread_local struct incoming *delivering;

static void call_confchg(struct instance *instance, const struct incoming *in)
{
	const struct ipc_confchg *change = (const struct ipc_confchg *)in->scratch->bytes;
	const struct cpg_address *members = (const struct cpg_address *)(change + 1);
	const struct cpg_address *left = members + change->members_count;
	const struct cpg_address *joined = left + change->left_count;

	if (instance->model.cpg_confchg_fn) {
		instance->model.cpg_confchg_fn(instance->handle, &change->group, members,
					       change->members_count, left, change->left_count,
					       joined, change->joined_count);
	}
}

static void call_totem(struct instance *instance, const struct incoming *in)
{
	const struct ipc_totem *change = (const struct ipc_totem *)in->scratch->bytes;
	struct cpg_ring_id ring = {.nodeid = change->ring_node, .seq = change->ring_seq};

	if (instance->model.cpg_totem_confchg_fn) {
		instance->model.cpg_totem_confchg_fn(instance->handle, ring, change->count,
						     (const uint32_t *)(change + 1));
	}
}

/* An empty message has an address too: programs were seen to print it. */
static void call_deliver(struct instance *instance, struct incoming *in)
{
	uint64_t nothing = 0;
	const void *payload = incoming_payload(in);

	if (instance->model.cpg_deliver_fn) {
		in->outer = delivering;
		delivering = in;
		instance->model.cpg_deliver_fn(instance->handle, &in->group, in->node, in->pid,
					       (void *)(uintptr_t)(payload ? payload : &nothing),
					       in->size);
		delivering = in->outer;
	}
}

static bool whole_confchg(const struct incoming *in)
{
	const struct ipc_confchg *change = (const struct ipc_confchg *)in->scratch->bytes;
	uint64_t entries;

	if (in->size < sizeof(*change)) {
		return false;
	}
	entries = (uint64_t)change->members_count + change->left_count + change->joined_count;
	return change->group.length <= CPG_MAX_NAME_LENGTH &&
	       in->size == sizeof(*change) + entries * sizeof(struct cpg_address);
}

static bool whole_totem(const struct incoming *in)
{
	const struct ipc_totem *change = (const struct ipc_totem *)in->scratch->bytes;

	return in->size >= sizeof(*change) &&
	       in->size == sizeof(*change) + (uint64_t)change->count * sizeof(uint32_t);
}

/* False when the lists do not fill the event exactly. */
static bool call(struct instance *instance, struct incoming *in)
{
	switch (in->kind) {
	case IPC_EVENT_MESSAGE:
	case IPC_EVENT_INLINE:
		call_deliver(instance, in);
		return true;
	case IPC_EVENT_CONFCHG:
		if (whole_confchg(in)) {
			call_confchg(instance, in);
			return true;
		}
		return false;
	case IPC_EVENT_TOTEM:
		if (whole_totem(in)) {
			call_totem(instance, in);
			return true;
		}
		return false;
	case IPC_EVENT_SENDABLE:
		handover_call_back(instance);
		return true;
	case IPC_EVENT_PAD:
	case IPC_EVENT_GONE:
		break;
	}
	return false;
}

static cs_error_t run_event(struct instance *instance, struct incoming *in)
{
	bool understood = true;

	if (!instance_flag(&instance->finalizing)) {
		understood = call(instance, in);
	}
	events_done(instance, in);
	if (instance_flag(&instance->finalizing)) {
		return CS_ERR_BAD_HANDLE;
	}
	return understood ? CS_OK : CS_ERR_MESSAGE_ERROR;
}

/* One event, or the reason why there is none: CS_ERR_TRY_AGAIN when nothing waits. */
static cs_error_t dispatch_one(struct instance *instance)
{
	struct incoming in;
	enum next next = events_next(instance, &in);

	if (next != NEXT_EVENT && instance_flag(&instance->finalizing)) {
		return CS_ERR_BAD_HANDLE;
	}
	switch (next) {
	case NEXT_EVENT:
		return run_event(instance, &in);
	case NEXT_NONE:
		return CS_ERR_TRY_AGAIN;
	case NEXT_GONE:
		return CS_ERR_LIBRARY;
	case NEXT_CORRUPT:
		return CS_ERR_MESSAGE_ERROR;
	case NEXT_NO_MEMORY:
		return CS_ERR_NO_MEMORY;
	}
	return CS_ERR_LIBRARY;
}

static cs_error_t dispatch(struct instance *instance, cs_dispatch_flags_t types)
{
	cs_error_t error;

	do {
		error = dispatch_one(instance);
		if (error == CS_ERR_TRY_AGAIN &&
		    (types == CS_DISPATCH_ONE || types == CS_DISPATCH_BLOCKING)) {
			events_wait(instance);
		} else if (error != CS_OK || types == CS_DISPATCH_ONE ||
			   types == CS_DISPATCH_ONE_NONBLOCKING) {
			break;
		}
	} while (!instance_flag(&instance->finalizing));
	if (instance_flag(&instance->finalizing)) {
		return CS_ERR_BAD_HANDLE;
	}
	return error == CS_ERR_TRY_AGAIN && types == CS_DISPATCH_ALL ? CS_OK : error;
}

cs_error_t cpg_dispatch(cpg_handle_t handle, cs_dispatch_flags_t dispatch_types)
{
	struct instance *instance = instance_get(handle);
	cs_error_t error = CS_ERR_INVALID_PARAM;

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	if (dispatch_types >= CS_DISPATCH_ONE && dispatch_types <= CS_DISPATCH_ONE_NONBLOCKING) {
		error = dispatch(instance, dispatch_types);
	}
	instance_put(instance);
	return error;
}
