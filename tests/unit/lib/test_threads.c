/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads: any mixture of calls on one handle, many handles at once, finalize in the middle of it
 * all. Built with --enable-sanitizers=thread this is also the race detector's test. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <corosync/cpg.h>

#include "tests/unit/lib/server.h"

#define SENDERS	    4
#define MESSAGES    1500
#define CALLERS	    3
#define CALLS	    1000
#define DISPATCHERS 2

static struct server *server;
static const struct cpg_name the_group = {.length = 7, .value = "threads"};
static cpg_handle_t shared_handle;
static uint32_t next_of[SENDERS]; /* atomic: order per sending thread */
static int received;
static int out_of_order;
static int failed_calls;

static int start(void **state)
{
	(void)state;
	server = server_start(NULL);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server_stop(&server);
	return 0;
}

struct note {
	uint32_t sender, number, size, check;
};

/* Two dispatchers may overtake each other after taking their events; with one, the order is
 * exact. */
static void take_note(cpg_handle_t handle, const struct cpg_name *group, uint32_t node,
		      uint32_t pid, void *msg, size_t size)
{
	struct note note;

	(void)handle;
	(void)group;
	(void)node;
	(void)pid;
	memcpy(&note, msg, sizeof(note));
	if (note.size != size || note.check != (note.sender ^ note.number ^ note.size) ||
	    ((uint8_t *)msg)[size - 1] !=
		    (size > sizeof(note) ? 0x5a : (uint8_t)(note.check >> 24))) {
		__atomic_add_fetch(&failed_calls, 1, __ATOMIC_RELAXED);
	}
	if (__atomic_exchange_n(&next_of[note.sender], note.number + 1, __ATOMIC_RELAXED) !=
	    note.number) {
		__atomic_add_fetch(&out_of_order, 1, __ATOMIC_RELAXED);
	}
	__atomic_add_fetch(&received, 1, __ATOMIC_RELAXED);
}

static void *send_notes(void *arg)
{
	uint32_t sender = *(uint32_t *)arg;
	uint8_t *bytes = malloc(40000);

	memset(bytes, 0x5a, 40000);
	for (uint32_t i = 0; i < MESSAGES; i++) {
		struct note note = {.sender = sender, .number = i, .size = 17 + i % 50};
		struct iovec piece = {.iov_base = bytes};
		cs_error_t error;

		if (i % 20 == 0) { /* copied without the lock */
			note.size = 20000 + i;
		}
		note.check = note.sender ^ note.number ^ note.size;
		memcpy(bytes, &note, sizeof(note));
		piece.iov_len = note.size;
		while ((error = cpg_mcast_joined(shared_handle, CPG_TYPE_AGREED, &piece, 1)) ==
		       CS_ERR_TRY_AGAIN) {
			poll(NULL, 0, 1);
		}
		if (error != CS_OK) {
			__atomic_add_fetch(&failed_calls, 1, __ATOMIC_RELAXED);
		}
	}
	free(bytes);
	return NULL;
}

static bool call_once(unsigned int i)
{
	struct cpg_iteration_description_t item;
	cpg_iteration_handle_t iteration;
	struct cpg_name name = the_group;
	struct cpg_address members[4];
	unsigned int node = 0;
	int entries = 4;

	switch (i % 4) {
	case 0:
		return cpg_local_get(shared_handle, &node) == CS_OK && node == 1;
	case 1:
		return cpg_membership_get(shared_handle, &name, members, &entries) == CS_OK &&
		       entries == 1 && members[0].nodeid == 1;
	case 2:
		return cpg_join(shared_handle, &name) == CS_ERR_EXIST;
	default:
		return cpg_iteration_initialize(shared_handle, CPG_ITERATION_ONE_GROUP, &name,
						&iteration) == CS_OK &&
		       cpg_iteration_next(iteration, &item) == CS_OK && item.nodeid == 1 &&
		       cpg_iteration_finalize(iteration) == CS_OK;
	}
}

static void *call_much(void *arg)
{
	unsigned int first = *(uint32_t *)arg;

	for (unsigned int i = 0; i < CALLS; i++) {
		if (!call_once(first + i)) {
			__atomic_add_fetch(&failed_calls, 1, __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

static void *dispatch_for_ever(void *arg)
{
	(void)arg;
	if (cpg_dispatch(shared_handle, CS_DISPATCH_BLOCKING) != CS_ERR_BAD_HANDLE) {
		__atomic_add_fetch(&failed_calls, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* A join is answered before the ring has ordered it. */
static void wait_for_membership(void)
{
	struct cpg_name name = the_group;
	struct cpg_address members[4];
	int entries = 0;

	for (int i = 0; i < 2000 && entries == 0; i++) {
		poll(NULL, 0, 10);
		entries = 4;
		assert_int_equal(cpg_membership_get(shared_handle, &name, members, &entries),
				 CS_OK);
	}
	assert_int_equal(entries, 1);
}

static void run_all(int dispatchers)
{
	static const cpg_callbacks_t callbacks = {.cpg_deliver_fn = take_note};
	uint32_t numbers[SENDERS + CALLERS];
	pthread_t threads[SENDERS + CALLERS];
	pthread_t dispatching[DISPATCHERS];

	memset(next_of, 0, sizeof(next_of));
	received = out_of_order = failed_calls = 0;
	assert_int_equal(cpg_initialize(&shared_handle, (cpg_callbacks_t *)&callbacks), CS_OK);
	assert_int_equal(cpg_join(shared_handle, &the_group), CS_OK);
	wait_for_membership();
	for (int i = 0; i < dispatchers; i++) {
		pthread_create(&dispatching[i], NULL, dispatch_for_ever, NULL);
	}
	for (uint32_t i = 0; i < SENDERS + CALLERS; i++) {
		numbers[i] = i;
		pthread_create(&threads[i], NULL, i < SENDERS ? send_notes : call_much,
			       &numbers[i]);
	}
	for (int i = 0; i < SENDERS + CALLERS; i++) {
		pthread_join(threads[i], NULL);
	}
	for (int i = 0;
	     i < 2000 && __atomic_load_n(&received, __ATOMIC_RELAXED) < SENDERS * MESSAGES; i++) {
		poll(NULL, 0, 10);
	}
	assert_int_equal(cpg_finalize(shared_handle), CS_OK);
	for (int i = 0; i < dispatchers; i++) {
		pthread_join(dispatching[i], NULL);
	}
	assert_int_equal(received, SENDERS * MESSAGES);
	assert_int_equal(failed_calls, 0);
}

static void handle__shared_by_all(void **state)
{
	(void)state;
	run_all(1);
	assert_int_equal(out_of_order, 0);
}

static void handle__two_dispatchers(void **state)
{
	(void)state;
	run_all(DISPATCHERS);
}

static void *open_and_close(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		cpg_handle_t handle;

		if (cpg_initialize(&handle, NULL) != CS_OK ||
		    cpg_dispatch(handle, CS_DISPATCH_ALL) != CS_OK ||
		    cpg_finalize(handle) != CS_OK ||
		    cpg_dispatch(handle, CS_DISPATCH_ALL) != CS_ERR_BAD_HANDLE) {
			__atomic_add_fetch(&failed_calls, 1, __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

static void handles__opened_by_all(void **state)
{
	pthread_t threads[8];

	(void)state;
	failed_calls = 0;
	for (int i = 0; i < 8; i++) {
		pthread_create(&threads[i], NULL, open_and_close, NULL);
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_int_equal(failed_calls, 0);
}

static void *call_until_bad(void *arg)
{
	unsigned int kind = *(uint32_t *)arg;
	static char text[] = "twenty bytes of text";
	struct iovec piece = {.iov_base = text, .iov_len = 20};
	cs_error_t error = CS_OK;
	unsigned int node;
	void *buffer;

	while (error != CS_ERR_BAD_HANDLE) {
		switch (kind % 4) {
		case 0:
			error = cpg_mcast_joined(shared_handle, CPG_TYPE_AGREED, &piece, 1);
			break;
		case 1:
			error = cpg_local_get(shared_handle, &node);
			break;
		case 2:
			error = cpg_dispatch(shared_handle, CS_DISPATCH_ALL);
			break;
		default:
			error = cpg_zcb_alloc(shared_handle, 100, &buffer);
			break;
		}
		if (error != CS_OK && error != CS_ERR_TRY_AGAIN && error != CS_ERR_BAD_HANDLE &&
		    error != CS_ERR_LIBRARY) {
			print_error("call %u: error %d\n", kind % 4, error);
			__atomic_add_fetch(&failed_calls, 1, __ATOMIC_RELAXED);
			return NULL;
		}
	}
	return NULL;
}

static void finalize__in_the_middle(void **state)
{
	(void)state;
	failed_calls = 0;
	for (int round = 0; round < 10; round++) {
		uint32_t numbers[8];
		pthread_t threads[8];
		cs_error_t error;

		assert_int_equal(cpg_initialize(&shared_handle, NULL), CS_OK);
		do {
			error = cpg_join(shared_handle, &the_group);
		} while (error == CS_ERR_TRY_AGAIN && poll(NULL, 0, 1) == 0);
		assert_int_equal(error, CS_OK);
		for (uint32_t i = 0; i < 8; i++) {
			numbers[i] = i;
			pthread_create(&threads[i], NULL, call_until_bad, &numbers[i]);
		}
		poll(NULL, 0, 10);
		assert_int_equal(cpg_finalize(shared_handle), CS_OK);
		for (int i = 0; i < 8; i++) {
			pthread_join(threads[i], NULL);
		}
	}
	assert_int_equal(failed_calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handle__shared_by_all),
		cmocka_unit_test(handle__two_dispatchers),
		cmocka_unit_test(handles__opened_by_all),
		cmocka_unit_test(finalize__in_the_middle),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
