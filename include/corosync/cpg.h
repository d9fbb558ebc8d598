/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Closed process groups: join a named group, send to its members, receive what they send in one
 * order that is the same for all of them, and learn who comes and goes at its place in that order.
 *
 * Part of the binary interface: types, values and functions equal corosync's libcpg.so.4
 * (COROSYNC_CPG_1.0). Texts and code are Coronet's own; where Coronet differs, it is written at
 * the function and in docs/decisions.md. Programs link with -lcpg, and with -lcorosync_common when
 * they call cs_strerror().
 *
 * True for every function, and not repeated there:
 *
 * - Sizes and lengths are bytes. The result is CS_OK (which is 1) or the reason why nothing was
 *   done; out parameters are written only with CS_OK, but where the text says otherwise.
 * - CS_ERR_BAD_HANDLE: the handle was never given out, or is finalized.
 * - CS_ERR_INVALID_PARAM: a pointer is NULL that the function has to read or write.
 * - CS_ERR_LIBRARY, from functions that talk to the daemon: it has gone, or it closed this
 *   connection. The handle stays dead when the daemon comes back: finalize it, initialize and join
 *   again. Functions marked "local" never talk to the daemon and go on working.
 * - Any function may be called from any thread and, for any handle, from inside a callback.
 *   Several threads may use one handle. None waits without noticing that the daemon died.
 * - A handle works in the process that made it and, after fork(), in parent or child, not in both.
 * - Strings, arrays and structures passed in are borrowed until the call returns.
 *
 * Source of each function: its page in section 3 of the manual; cpg_overview(3) to begin with.
 */
#ifndef COROSYNC_CPG_H_DEFINED
#define COROSYNC_CPG_H_DEFINED

#include <netinet/in.h>
#include <sys/socket.h>

#include <corosync/corotypes.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A connection to the daemon, and with it at most one group membership. */
typedef uint64_t cpg_handle_t;

/* A walk over groups and members; dies with the handle it was made from. */
typedef uint64_t cpg_iteration_handle_t;

/* How a message is ordered; see cpg_mcast_joined(). */
typedef enum {
	CPG_TYPE_UNORDERED = 0,
	CPG_TYPE_FIFO = 1,
	CPG_TYPE_AGREED = 2,
	CPG_TYPE_SAFE = 3
} cpg_guarantee_t;

/* Whether a send would be refused for now. */
typedef enum {
	CPG_FLOW_CONTROL_DISABLED = 0, /* may send */
	CPG_FLOW_CONTROL_ENABLED = 1   /* would get CS_ERR_TRY_AGAIN */
} cpg_flow_control_state_t;

/* Why an address is in a joined or left list. UNDEFINED in member lists. */
typedef enum {
	CPG_REASON_UNDEFINED = 0,
	CPG_REASON_JOIN = 1,	 /* cpg_join() */
	CPG_REASON_LEAVE = 2,	 /* cpg_leave() */
	CPG_REASON_NODEDOWN = 3, /* its node is not in the new ring */
	CPG_REASON_NODEUP = 4,	 /* its node has come into the ring with members of the group */
	CPG_REASON_PROCDOWN = 5	 /* cpg_finalize() without leave, or the process ended */
} cpg_reason_t;

/* What an iteration visits. */
typedef enum {
	CPG_ITERATION_NAME_ONLY = 1, /* every group once; node id and pid 0 */
	CPG_ITERATION_ONE_GROUP = 2, /* the members of one group */
	CPG_ITERATION_ALL = 3	     /* the members of all groups */
} cpg_iteration_type_t;

/* Version of the callback table that cpg_model_initialize() takes. */
typedef enum {
	CPG_MODEL_V1 = 1
} cpg_model_t;

/* One member: processor and process. 12 bytes. */
struct cpg_address {
	uint32_t nodeid;
	uint32_t pid;	 /* of the process that called cpg_join(), as it sees itself */
	uint32_t reason; /* a cpg_reason_t */
};

/* Longest group name, bytes. */
#define CPG_MAX_NAME_LENGTH 128

/*
 * A group's name: length bytes of any value, no terminating NUL. Two names are equal when their
 * lengths and those bytes are; what follows in value does not matter. A length of 0 is a name like
 * any other. 132 bytes.
 */
struct cpg_name {
	uint32_t length;
	char value[CPG_MAX_NAME_LENGTH];
};

/*
 * The array size that programs use for member lists. Not a limit: groups may be larger, and then
 * the lists of a callback are. Only cpg_membership_get() counts with it.
 */
#define CPG_MEMBERS_MAX 128

/* One item of an iteration. 140 bytes. */
struct cpg_iteration_description_t {
	struct cpg_name group;
	uint32_t nodeid;
	uint32_t pid;
};

/*
 * A ring's identity: its lowest node id, and a number that grows with every ring that this node is
 * part of, over restarts too. 16 bytes.
 */
struct cpg_ring_id {
	uint32_t nodeid;
	uint64_t seq;
};

/*
 * Callbacks. They run inside cpg_dispatch(), in its caller's thread, with no lock held. Whatever a
 * pointer refers to is borrowed: it is gone when the callback returns.
 */

/*
 * A message to the group has reached its place in the order. nodeid and pid name its sender, who
 * may be the receiver itself. msg is a private copy that the callback may write to, aligned for any
 * type; msg_len is 0 and more, and exactly what was sent.
 */
typedef void (*cpg_deliver_fn_t)(cpg_handle_t handle, const struct cpg_name *group_name,
				 uint32_t nodeid, uint32_t pid, void *msg, size_t msg_len);

/*
 * The group's membership has changed. member_list is who is in it now, left_list and joined_list
 * what the change was; each ascends by node id, then pid. Lists may be longer than CPG_MEMBERS_MAX.
 */
typedef void (*cpg_confchg_fn_t)(cpg_handle_t handle, const struct cpg_name *group_name,
				 const struct cpg_address *member_list, size_t member_list_entries,
				 const struct cpg_address *left_list, size_t left_list_entries,
				 const struct cpg_address *joined_list, size_t joined_list_entries);

/*
 * The ring has changed, and the group changes that follow from it have been told. Called for every
 * handle, joined or not. member_list holds the node ids, ascending.
 */
typedef void (*cpg_totem_confchg_fn_t)(cpg_handle_t handle, struct cpg_ring_id ring_id,
				       uint32_t member_list_entries, const uint32_t *member_list);

/* Callbacks of cpg_initialize(); NULL for events that are not wanted. 16 bytes (64-bit). */
typedef struct {
	cpg_deliver_fn_t cpg_deliver_fn;
	cpg_confchg_fn_t cpg_confchg_fn;
} cpg_callbacks_t;

/* What all models of cpg_model_initialize() begin with. 4 bytes. */
typedef struct {
	cpg_model_t model;
} cpg_model_data_t;

/* Flag: tell the ring that is there now, once, right after the own join. */
#define CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF 0x01

/* Callbacks and flags of CPG_MODEL_V1. 40 bytes (64-bit). */
typedef struct {
	cpg_model_t model; /* not read: the function's own argument counts */
	cpg_deliver_fn_t cpg_deliver_fn;
	cpg_confchg_fn_t cpg_confchg_fn;
	cpg_totem_confchg_fn_t cpg_totem_confchg_fn;
	unsigned int flags; /* 0 or CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF */
} cpg_model_v1_data_t;

/*
 * cpg_initialize - connect to the daemon: cpg_model_initialize() with CPG_MODEL_V1, the two
 * callbacks, no flag and a NULL context.
 *
 * callbacks: copied; NULL for none. *handle: finalize it to free it.
 * Errors: as cpg_model_initialize(). Source: cpg_initialize(3).
 */
cs_error_t cpg_initialize(cpg_handle_t *handle, cpg_callbacks_t *callbacks);

/*
 * cpg_model_initialize - connect to the daemon.
 *
 * model_data: a cpg_model_v1_data_t, copied; NULL for no callback and no flag. context: kept for
 * cpg_context_get(), never looked at. *handle: finalize it to free it. Joins nothing.
 * Errors: CS_ERR_INVALID_PARAM for another model or an unknown flag; CS_ERR_LIBRARY when no daemon
 * listens, at once; CS_ERR_TRY_AGAIN until the daemon has formed its first ring; CS_ERR_ACCESS for
 * users that are neither root nor named in uidgid; CS_ERR_NO_RESOURCES when the daemon serves as
 * many clients as it can; CS_ERR_NO_MEMORY. Waits for the daemon's answer.
 * Source: cpg_model_initialize(3).
 */
cs_error_t cpg_model_initialize(cpg_handle_t *handle, cpg_model_t model,
				cpg_model_data_t *model_data, void *context);

/*
 * cpg_finalize - disconnect and free the handle.
 *
 * Messages that were accepted are sent before the membership ends; the others see
 * CPG_REASON_PROCDOWN, after cpg_leave() CPG_REASON_LEAVE. No callback follows. Iterations and
 * cpg_zcb_alloc() buffers of the handle are gone; a thread inside cpg_dispatch() returns with
 * CS_ERR_BAD_HANDLE.
 * Errors: CS_ERR_BAD_HANDLE, also when another thread came first; CS_ERR_LIBRARY, and the handle is
 * freed all the same. Waits for the daemon's answer. Source: cpg_finalize(3).
 */
cs_error_t cpg_finalize(cpg_handle_t handle);

/*
 * cpg_fd_get - the descriptor that says when cpg_dispatch() has something to do. Local.
 *
 * *fd: readable while an event waits, readable and hung up when the daemon is gone; the same for
 * the handle's whole life, close-on-exec, owned by the library: poll it, nothing else.
 * Source: cpg_fd_get(3).
 */
cs_error_t cpg_fd_get(cpg_handle_t handle, int *fd);

/*
 * cpg_max_atomic_msgsize_get - the message size that programs lay their buffers out for. Local.
 *
 * *size: 1,047,552 bytes, corosync's figure. Not a limit: every message up to 64 MiB is one unit.
 * Source: cpg_max_atomic_msgsize_get(3).
 */
cs_error_t cpg_max_atomic_msgsize_get(cpg_handle_t handle, uint32_t *size);

/*
 * cpg_context_get, cpg_context_set - a pointer kept with the handle, NULL at first after
 * cpg_initialize(). Local; never looked at, never freed. Source: cpg_context_get(3).
 */
cs_error_t cpg_context_get(cpg_handle_t handle, void **context);
cs_error_t cpg_context_set(cpg_handle_t handle, void *context);

/*
 * cpg_dispatch - run the callbacks of events that have arrived.
 *
 * dispatch_types: CS_DISPATCH_ONE waits for one event, CS_DISPATCH_ALL takes what there is,
 * CS_DISPATCH_BLOCKING goes on until an error, CS_DISPATCH_ONE_NONBLOCKING takes one if there is
 * one. An event without a callback counts as one. A callback may call it again.
 * Errors: CS_ERR_TRY_AGAIN with ONE_NONBLOCKING when nothing waits; CS_ERR_BAD_HANDLE also when the
 * handle was finalized meanwhile, by a callback or another thread; CS_ERR_INVALID_PARAM for any
 * other flag; CS_ERR_LIBRARY once the events that arrived before the end are taken;
 * CS_ERR_NO_MEMORY. Source: cpg_dispatch(3).
 */
cs_error_t cpg_dispatch(cpg_handle_t handle, cs_dispatch_flags_t dispatch_types);

/*
 * cpg_join - become a member of a group, with this handle.
 *
 * Returns before the join has its place in the order; the first event of the group is the own
 * join. Sending is allowed at once. One group per handle, and one handle per group and process.
 * Errors: CS_ERR_NAME_TOO_LONG (looked at first); CS_ERR_EXIST when the handle has joined, or
 * another handle of the process this group; CS_ERR_TRY_AGAIN while an earlier membership is still
 * being removed, or the ring is changing; CS_ERR_NO_RESOURCES when all groups together have as many
 * members as the daemon can keep. Waits for the daemon's answer. Source: cpg_join(3).
 */
cs_error_t cpg_join(cpg_handle_t handle, const struct cpg_name *group);

/*
 * cpg_leave - stop being a member of the joined group.
 *
 * group: only its length is checked; the group that the handle joined is left. Events go on up to
 * and including the own leave, after which the handle may join again, any group.
 * Errors: CS_ERR_NAME_TOO_LONG (looked at first); CS_ERR_NOT_EXIST when not joined, or leaving
 * already; CS_ERR_TRY_AGAIN while the ring is changing. Waits for the daemon's answer.
 * Source: cpg_leave(3).
 */
cs_error_t cpg_leave(cpg_handle_t handle, const struct cpg_name *group);

/*
 * cpg_mcast_joined - send a message to the group that the handle joined, the sender included.
 *
 * iovec: iov_len pieces, copied, that together are one message of 0 bytes to 64 MiB; NULL when
 * iov_len is 0. guarantee: see the page; CPG_TYPE_AGREED is the usual one. CS_OK means accepted:
 * it will be delivered, in the membership that holds at its place in the order.
 * Errors: CS_ERR_TRY_AGAIN when there is no room or the ring is changing (dispatch, wait, repeat);
 * CS_ERR_NOT_EXIST when not joined or leaving; CS_ERR_TOO_BIG above 64 MiB. Never waits for the
 * ring. Source: cpg_mcast_joined(3).
 */
cs_error_t cpg_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee,
			    const struct iovec *iovec, unsigned int iov_len);

/*
 * cpg_membership_get - the members of any group, joined or not, as this node has delivered them.
 *
 * *member_list_entries, on entry: the room in member_list, 1 to 65,535 entries; anything else means
 * CPG_MEMBERS_MAX. On return: the group's size, 0 for an unknown group. member_list ascends by node
 * id, then pid; reason is 0.
 * Errors: CS_ERR_NAME_TOO_LONG and CS_ERR_INVALID_PARAM (looked at first); CS_ERR_NO_SPACE when the
 * group is larger than the room: the room is filled with its first members and
 * *member_list_entries says how many there are. Waits for the daemon's answer.
 * Source: cpg_membership_get(3).
 */
cs_error_t cpg_membership_get(cpg_handle_t handle, struct cpg_name *groupName,
			      struct cpg_address *member_list, int *member_list_entries);

/*
 * cpg_local_get - the node id of this node. Waits for the daemon's answer.
 * Source: cpg_local_get(3).
 */
cs_error_t cpg_local_get(cpg_handle_t handle, unsigned int *local_nodeid);

/*
 * cpg_flow_control_state_get - whether a send would now get CS_ERR_TRY_AGAIN. Local; a hint, it may
 * have changed when the call returns. Source: cpg_flow_control_state_get(3).
 */
cs_error_t cpg_flow_control_state_get(cpg_handle_t handle,
				      cpg_flow_control_state_t *flow_control_enabled);

/*
 * cpg_zcb_alloc - memory to write a message into, for cpg_zcb_mcast_joined().
 *
 * size: 0 bytes to 64 MiB. *buffer: writable, aligned for any type, zeroed or not; owned by the
 * caller until cpg_zcb_free() or cpg_finalize() of this handle.
 * Errors: CS_ERR_TOO_BIG above 64 MiB; CS_ERR_NO_MEMORY. Source: cpg_zcb_alloc(3).
 */
cs_error_t cpg_zcb_alloc(cpg_handle_t handle, size_t size, void **buffer);

/*
 * cpg_zcb_free - give back memory of cpg_zcb_alloc(), sent or not.
 *
 * Errors: CS_ERR_INVALID_PARAM when buffer is not such memory of this handle, or was given back.
 * Source: cpg_zcb_free(3).
 */
cs_error_t cpg_zcb_free(cpg_handle_t handle, void *buffer);

/*
 * cpg_zcb_mcast_joined - send the first msg_len bytes of such memory, as cpg_mcast_joined() would.
 *
 * The memory stays the caller's, who may write into it, send it again or free it as soon as the
 * call has returned: what was accepted does not change.
 * Errors: as cpg_mcast_joined(); CS_ERR_TOO_BIG above 64 MiB; CS_ERR_INVALID_PARAM when msg is not
 * memory of cpg_zcb_alloc() of this handle, or is smaller. Source: cpg_zcb_mcast_joined(3).
 */
cs_error_t cpg_zcb_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee, void *msg,
				size_t msg_len);

/*
 * cpg_iteration_initialize - begin a walk over groups or members, as this node has delivered them.
 *
 * group: with CPG_ITERATION_ONE_GROUP its name, else NULL. The walk is over a snapshot taken now.
 * *cpg_iteration_handle: finalize it to free it; cpg_finalize() does so too.
 * Errors: CS_ERR_NAME_TOO_LONG and CS_ERR_INVALID_PARAM (another type, a group where none belongs
 * or none where one does; looked at first); CS_ERR_NO_MEMORY. Waits for the daemon's answer.
 * Source: cpg_iteration_initialize(3).
 */
cs_error_t cpg_iteration_initialize(cpg_handle_t handle, cpg_iteration_type_t iteration_type,
				    const struct cpg_name *group,
				    cpg_iteration_handle_t *cpg_iteration_handle);

/*
 * cpg_iteration_next - the next item.
 *
 * Errors: CS_ERR_INVALID_PARAM (looked at first); CS_ERR_NO_SECTIONS after the last item, and again
 * whenever it is called then; *description is left alone. Source: cpg_iteration_next(3).
 */
cs_error_t cpg_iteration_next(cpg_iteration_handle_t handle,
			      struct cpg_iteration_description_t *description);

/*
 * cpg_iteration_finalize - end a walk and free its handle. Source: cpg_iteration_finalize(3).
 */
cs_error_t cpg_iteration_finalize(cpg_iteration_handle_t handle);

#ifdef __cplusplus
}
#endif

#endif /* COROSYNC_CPG_H_DEFINED */
