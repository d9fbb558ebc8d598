/* SPDX-License-Identifier: BSD-3-Clause */
/* Handles: what was not given out, or was closed, finds nothing; objects live until their last
 * use. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/handle.h"

static int destroyed;

static void destroy(void *object)
{
	free(object);
	__atomic_add_fetch(&destroyed, 1, __ATOMIC_RELAXED);
}

static struct handles table = HANDLES_INIT(destroy);

static uint64_t add(void)
{
	uint64_t handle = 0;

	assert_int_equal(handles_add(&table, malloc(1), &handle), 0);
	return handle;
}

static void end(uint64_t handle)
{
	assert_non_null(handles_get(&table, handle));
	assert_true(handles_close(&table, handle));
	handles_put(&table, handle);
}

static void get__unknown(void **state)
{
	uint64_t handle = add();

	(void)state;
	assert_null(handles_get(&table, 0));
	assert_null(handles_get(&table, UINT64_MAX));
	assert_null(handles_get(&table, handle + 1));
	assert_null(handles_get(&table, handle ^ 1ull << 32));
	assert_null(handles_get(&table, handle & UINT32_MAX));
	assert_null(handles_get(&table, handle | UINT64_MAX << 32));
	assert_true((int64_t)handle > 0);
	end(handle);
}

static void close__object_lives_until_the_last_use(void **state)
{
	uint64_t handle = add();

	(void)state;
	destroyed = 0;
	assert_non_null(handles_get(&table, handle));
	assert_non_null(handles_get(&table, handle));
	assert_true(handles_close(&table, handle));
	assert_false(handles_close(&table, handle));
	assert_null(handles_get(&table, handle));
	handles_put(&table, handle);
	assert_int_equal(destroyed, 0);
	handles_put(&table, handle);
	assert_int_equal(destroyed, 1);
	assert_null(handles_get(&table, handle));
	assert_false(handles_close(&table, handle));
}

static void place__used_again_with_another_check(void **state)
{
	uint64_t first = add();
	uint64_t second;

	(void)state;
	end(first);
	second = add();
	assert_int_equal((uint32_t)first, (uint32_t)second);
	assert_int_not_equal(first >> 32, second >> 32);
	assert_null(handles_get(&table, first));
	end(second);
}

static void add__until_the_table_is_full(void **state)
{
	const uint32_t max = HANDLE_CHUNK_SLOTS * HANDLE_CHUNKS;
	uint64_t *handles = calloc(max, sizeof(*handles));
	void *object = malloc(1);
	uint64_t more = 77;

	(void)state;
	for (uint32_t i = 0; i < max; i++) {
		handles[i] = add();
	}
	assert_true(handles_add(&table, object, &more) < 0);
	assert_int_equal(more, 77);
	for (uint32_t i = 0; i < max; i++) {
		end(handles[i]);
	}
	assert_int_equal(handles_add(&table, object, &more), 0);
	end(more);
	free(handles);
}

static uint64_t contested;
static int winners;

static void *close_it(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++) {
		uint64_t handle = __atomic_load_n(&contested, __ATOMIC_ACQUIRE);

		if (handles_get(&table, handle)) {
			if (handles_close(&table, handle)) {
				uint64_t next = 0;

				__atomic_add_fetch(&winners, 1, __ATOMIC_RELAXED);
				handles_add(&table, malloc(1), &next);
				__atomic_store_n(&contested, next, __ATOMIC_RELEASE);
			}
			handles_put(&table, handle);
		}
	}
	return NULL;
}

static void close__one_winner_each(void **state)
{
	pthread_t threads[4];

	(void)state;
	destroyed = winners = 0;
	contested = add();
	for (int i = 0; i < 4; i++) {
		pthread_create(&threads[i], NULL, close_it, NULL);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_true(winners > 0);
	assert_int_equal(destroyed, winners);
	end(contested);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get__unknown),
		cmocka_unit_test(close__object_lives_until_the_last_use),
		cmocka_unit_test(place__used_again_with_another_check),
		cmocka_unit_test(add__until_the_table_is_full),
		cmocka_unit_test(close__one_winner_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
