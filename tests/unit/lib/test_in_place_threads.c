/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages in place with many threads on one handle: some dispatch and hold, others let go of what those hold, others hand
 * buffers over and wait until they are back. No byte may change while it is held. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <coronet/cpg.h>

#include "tests/unit/lib/server.h"

#define DISPATCHERS 2
#define RELEASERS   2
#define SENDERS	    2
#define MESSAGES    600
#define BUFFERS	    8
#define HELD_MAX    40

/* What is held by nobody in particular. */
struct shelf {
	pthread_mutex_t lock;
	const uint8_t *message[HELD_MAX];
	size_t size[HELD_MAX];
	int count;
};

static struct server *server;
static const struct cpg_name the_group = {.length = 5, .value = "place"};
static cpg_handle_t handle;
static struct shelf shelf = {.lock = PTHREAD_MUTEX_INITIALIZER};
static int received, spoiled, failed_calls, senders_left;

static void count(int *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}

static int value(int *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static int start(void **state)
{
	struct server_options options = {.inline_max_bytes = 256};

	(void)state;
	server = server_start(&options);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server_stop(&server);
	return 0;
}

/* All bytes of a message are the same. */
static void check_message(const uint8_t *message, size_t size)
{
	for (size_t i = 1; i < size; i++) {
		if (message[i] != message[0]) {
			count(&spoiled);
			return;
		}
	}
}

static bool put_on_shelf(const uint8_t *message, size_t size)
{
	bool room;

	pthread_mutex_lock(&shelf.lock);
	room = shelf.count < HELD_MAX;
	if (room) {
		shelf.message[shelf.count] = message;
		shelf.size[shelf.count++] = size;
	}
	pthread_mutex_unlock(&shelf.lock);
	return room;
}

static const uint8_t *take_from_shelf(size_t *size)
{
	const uint8_t *message = NULL;

	pthread_mutex_lock(&shelf.lock);
	if (shelf.count > 0) {
		message = shelf.message[--shelf.count];
		*size = shelf.size[shelf.count];
	}
	pthread_mutex_unlock(&shelf.lock);
	return message;
}

static void deliver(cpg_handle_t of, const struct cpg_name *group, uint32_t node, uint32_t pid,
		    void *message, size_t size)
{
	(void)group;
	(void)node;
	(void)pid;
	check_message(message, size);
	if (coronet_cpg_hold(of, message) != CS_OK) {
		count(&failed_calls);
	} else if (!put_on_shelf(message, size) && coronet_cpg_release(of, message) != CS_OK) {
		count(&failed_calls);
	}
	count(&received);
}

static bool done(void)
{
	return value(&received) >= SENDERS * MESSAGES;
}

static void *dispatch(void *arg)
{
	(void)arg;
	while (!done()) {
		cs_error_t error = cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING);

		if (error == CS_ERR_TRY_AGAIN) {
			poll(NULL, 0, 1);
		} else if (error != CS_OK) {
			count(&failed_calls);
			return NULL;
		}
	}
	return NULL;
}

static void *release(void *arg)
{
	const uint8_t *message;
	size_t size = 0;

	(void)arg;
	while ((message = take_from_shelf(&size)) != NULL || !done()) {
		if (!message) {
			poll(NULL, 0, 1);
			continue;
		}
		check_message(message, size);
		if (coronet_cpg_release(handle, message) != CS_OK) {
			count(&failed_calls);
		}
	}
	return NULL;
}

static size_t size_of(int number)
{
	static const size_t sizes[] = {40, 3000, 90000};

	return sizes[number % 3];
}

static void hand_over(void *buffer, int number)
{
	cs_error_t error;

	memset(buffer, number, size_of(number));
	while ((error = coronet_cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, buffer,
						     size_of(number))) == CS_ERR_TRY_AGAIN) {
		poll(NULL, 0, 1);
	}
	if (error != CS_OK) {
		count(&failed_calls);
	}
}

/* Whoever finds a buffer that is back sends with it, whoever's it was. */
static void *send_from_buffers(void *arg)
{
	int sent = 0;

	(void)arg;
	for (; sent < BUFFERS; sent++) {
		void *buffer;

		if (coronet_cpg_zcb_alloc(handle, size_of(2), &buffer) != CS_OK) {
			count(&failed_calls);
			return NULL;
		}
		hand_over(buffer, sent);
	}
	while (sent < MESSAGES) {
		void *buffer;

		if (coronet_cpg_zcb_completed(handle, &buffer) == CS_OK) {
			hand_over(buffer, sent++);
		} else {
			poll(NULL, 0, 1);
		}
	}
	__atomic_sub_fetch(&senders_left, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void in_place__many_threads(void **state)
{
	coronet_cpg_model_data_t model = {.cpg_deliver_fn = deliver,
					  .flags = CORONET_CPG_DELIVER_IN_PLACE,
					  .size = sizeof(model)};
	pthread_t threads[DISPATCHERS + RELEASERS + SENDERS];
	struct coronet_cpg_stats stats;
	int started = 0;

	(void)state;
	senders_left = SENDERS;
	assert_int_equal(cpg_model_initialize(&handle, CORONET_CPG_MODEL,
					      (cpg_model_data_t *)&model, NULL),
			 CS_OK);
	assert_int_equal(cpg_join(handle, &the_group), CS_OK);
	for (int i = 0; i < DISPATCHERS; i++) {
		pthread_create(&threads[started++], NULL, dispatch, NULL);
	}
	for (int i = 0; i < RELEASERS; i++) {
		pthread_create(&threads[started++], NULL, release, NULL);
	}
	for (int i = 0; i < SENDERS; i++) {
		pthread_create(&threads[started++], NULL, send_from_buffers, NULL);
	}
	for (int i = 0; i < started; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_int_equal(coronet_cpg_stats_get(handle, &stats, sizeof(stats)), CS_OK);
	assert_int_equal(stats.messages_delivered, SENDERS * MESSAGES);
	assert_int_equal(stats.messages_held, 0);
	assert_int_equal(stats.bytes_copied_sending, 0);
	assert_int_equal(spoiled, 0);
	assert_int_equal(failed_calls, 0);
	assert_int_equal(senders_left, 0);
	assert_int_equal(cpg_finalize(handle), CS_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_place__many_threads),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
