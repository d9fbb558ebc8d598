/* SPDX-License-Identifier: BSD-3-Clause */
/* What tests of libcpg share: a program that records its callbacks. */
#ifndef CORONET_TESTS_UNIT_LIB_PROGRAM_H
#define CORONET_TESTS_UNIT_LIB_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <coronet/cpg.h>

/* One handle and what its callbacks saw. Found again through the handle's context. */
struct program {
	cpg_handle_t handle;
	int messages;
	int confchgs;
	int totems;
	uint64_t bytes;
	uint8_t *last; /* copy of the last message */
	bool in_place;
	uint8_t *msg; /* as the callback has got it */
	size_t last_size;
	uint32_t last_node, last_pid;
	struct cpg_name last_group;
	size_t members, left, joined; /* of the last confchg */
	struct cpg_address first_left, first_joined;
	uint32_t ring_nodes;
	struct cpg_ring_id ring;
	int completions, sendables;
	void *completed; /* the last buffer that came back */
	/* Called at the end of every callback, if set. */
	void (*hook)(struct program *program);
};

extern const struct cpg_name group_g;

/* Aborts the test unless the daemon lets it in. flags as in cpg_model_v1_data_t. */
void program_open(struct program *program, unsigned int flags);
/* Opens, joins "g" and takes the own join. */
void program_join(struct program *program);
/* The same with CORONET_CPG_MODEL; flags as there. */
void program_join_extended(struct program *program, unsigned int flags);
void program_close(struct program *program);

/* Sends `size` bytes of test message n; repeats after TRY_AGAIN, dispatching meanwhile. */
void program_send(struct program *program, uint64_t n, size_t size);
/* Skips the test where CORONET_VALGRIND is set (tests/long/valgrind). */
void program_not_under_valgrind(void);
/* Dispatches until that many messages, confchgs or totem events were seen. Fails the test after
 * 20 s. */
void program_wait_messages(struct program *program, int count);
void program_wait_confchgs(struct program *program, int count);
void program_wait_totems(struct program *program, int count);
/* The same, until that many buffers came back or refused sends may be repeated. */
void program_wait_completions(struct program *program, int count);
void program_wait_sendables(struct program *program, int count);
struct coronet_cpg_stats program_stats(const struct program *program);
/* Whether these bytes are test message n. */
bool message_is(const uint8_t *bytes, uint64_t n, size_t size);
/* Whether the last message is test message n, byte for byte. */
bool program_last_is(const struct program *program, uint64_t n, size_t size);
/* What poll(2) says about the handle's descriptor now, or within a time. */
short program_poll(const struct program *program, int timeout_ms);

/* A buffer with test message n; free(3) it. */
uint8_t *message_new(uint64_t n, size_t size);

#endif
