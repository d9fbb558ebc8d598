/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Coronet's libcpg can do beyond corosync's: messages are read where they arrived and sent
 * from where they were written, without a copy, and a program learns from its descriptor when it
 * may send again. The symbols have the version CORONET_CPG_1.0; a program that is to run on
 * corosync too looks them up with dlsym(3).
 *
 * A handle for this is made by cpg_model_initialize() with the model CORONET_CPG_MODEL; everything
 * in <corosync/cpg.h> works on it too. What is said there of every function holds here as well.
 * The whole story, with examples: coronet_cpg_overview(3).
 */
#ifndef CORONET_CPG_H_DEFINED
#define CORONET_CPG_H_DEFINED

#include <corosync/cpg.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The `model` of cpg_model_initialize(), and of its data. */
#define CORONET_CPG_MODEL ((cpg_model_t)0x434e0001)

/*
 * For `flags`. Messages are not copied for cpg_deliver_fn: `msg`, of any alignment, points into
 * memory that others read too. It must not be written to: the memory is mapped read-only, and who
 * tries gets a SIGSEGV. It is readable until the callback returns, or until coronet_cpg_release()
 * after coronet_cpg_hold(). What the library had to copy all the same is used in the same way.
 */
#define CORONET_CPG_DELIVER_IN_PLACE 0x100u

/*
 * A buffer that was handed over with coronet_cpg_zcb_mcast_joined() is the caller's again. Runs in
 * cpg_dispatch(). It may send it again or free it.
 */
typedef void (*coronet_cpg_completed_fn_t)(cpg_handle_t handle, void *buffer);

/*
 * A send was refused with CS_ERR_TRY_AGAIN, and now there is room. Runs in cpg_dispatch(), once
 * after any number of refusals; another send may be refused again, and then it runs again.
 */
typedef void (*coronet_cpg_sendable_fn_t)(cpg_handle_t handle);

/*
 * The data of CORONET_CPG_MODEL. It begins like cpg_model_v1_data_t and means the same there; any
 * callback may be NULL. flags: 0, CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF and
 * CORONET_CPG_DELIVER_IN_PLACE. size: sizeof(coronet_cpg_model_data_t), so that later versions can
 * tell.
 */
typedef struct {
	cpg_model_t model;
	cpg_deliver_fn_t cpg_deliver_fn;
	cpg_confchg_fn_t cpg_confchg_fn;
	cpg_totem_confchg_fn_t cpg_totem_confchg_fn;
	unsigned int flags;
	unsigned int size;
	coronet_cpg_completed_fn_t completed_fn;
	coronet_cpg_sendable_fn_t sendable_fn;
} coronet_cpg_model_data_t;

/*
 * coronet_cpg_hold - keep the message that is being delivered readable after the callback. Local.
 *
 * msg: as it was given to cpg_deliver_fn, which has to be running in this thread, on a handle with
 * CORONET_CPG_DELIVER_IN_PLACE. The memory is the ring's: what is held for long is missing there,
 * and beyond a share of it further messages are copied for this program (docs/clients.md), which is
 * slower but loses nothing. What came from a buffer of a program of this node keeps that buffer
 * from completing. Once the connection is down (CS_ERR_LIBRARY) held messages may change;
 * cpg_finalize() ends all holds.
 * Errors: CS_ERR_NOT_EXIST when msg is not being delivered in this thread; CS_ERR_EXIST when it is
 * held already; CS_ERR_NO_MEMORY. Source: coronet_cpg_hold(3).
 */
cs_error_t coronet_cpg_hold(cpg_handle_t handle, const void *msg);

/*
 * coronet_cpg_release - let go of a held message, from any thread, in any order. Local.
 *
 * Errors: CS_ERR_NOT_EXIST when msg is not held. Source: coronet_cpg_hold(3).
 */
cs_error_t coronet_cpg_release(cpg_handle_t handle, const void *msg);

/*
 * coronet_cpg_zcb_alloc - memory to write a message into that is sent from there.
 *
 * size: 1 byte to 64 MiB. *buffer: writable, aligned to 64 bytes, not zeroed; the caller's until it
 * is handed over or freed, and again after its completion; gone with cpg_finalize(). It is part of
 * what the daemon grants this program (clients.send_memory_max) and of 4,096 messages on their way.
 * Errors: CS_ERR_TRY_AGAIN when all of that is in use; CS_ERR_TOO_BIG above 64 MiB;
 * CS_ERR_INVALID_PARAM for 0 bytes; CS_ERR_NO_MEMORY. May wait for the daemon's answer.
 * Source: coronet_cpg_zcb_alloc(3).
 */
cs_error_t coronet_cpg_zcb_alloc(cpg_handle_t handle, size_t size, void **buffer);

/*
 * coronet_cpg_zcb_mcast_joined - hand the buffer over and send its first msg_len bytes.
 *
 * With CS_OK the buffer is the ring's until its completion (completed_fn, or
 * coronet_cpg_zcb_completed()): every member must have received the message, and those on this host
 * must have read it. Who writes into it before breaks the message for some members, and nothing else.
 * Errors: as cpg_mcast_joined(), and the buffer stays the caller's; CS_ERR_INVALID_PARAM when it is
 * none of this handle, is smaller than msg_len, or is handed over already; also for msg_len 0.
 * Source: coronet_cpg_zcb_mcast_joined(3).
 */
cs_error_t coronet_cpg_zcb_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee,
					void *buffer, size_t msg_len);

/*
 * coronet_cpg_zcb_completed - the next buffer that has come back, for programs without
 * completed_fn. Local.
 *
 * Errors: CS_ERR_TRY_AGAIN when none has. Source: coronet_cpg_zcb_mcast_joined(3).
 */
cs_error_t coronet_cpg_zcb_completed(cpg_handle_t handle, void **buffer);

/*
 * coronet_cpg_zcb_free - give back memory of coronet_cpg_zcb_alloc().
 *
 * One that is handed over is freed when it completes, which nobody is told of then.
 * Errors: CS_ERR_INVALID_PARAM when it is none of this handle. Source: coronet_cpg_zcb_alloc(3).
 */
cs_error_t coronet_cpg_zcb_free(cpg_handle_t handle, void *buffer);

/* Counted since the handle was made; bytes of payload that a processor copied in this process. */
struct coronet_cpg_stats {
	uint64_t messages_sent;
	uint64_t messages_delivered;
	uint64_t bytes_sent;
	uint64_t bytes_delivered;
	uint64_t bytes_copied_sending;
	uint64_t bytes_copied_delivering;
	uint64_t messages_held; /* now */
};

/*
 * coronet_cpg_stats_get - what passed through this handle, and what of it was copied. Local.
 *
 * size: sizeof(*stats); a shorter one gets the first fields, of a longer one the rest is zeroed.
 * Source: coronet_cpg_stats_get(3).
 */
cs_error_t coronet_cpg_stats_get(cpg_handle_t handle, struct coronet_cpg_stats *stats, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* CORONET_CPG_H_DEFINED */
