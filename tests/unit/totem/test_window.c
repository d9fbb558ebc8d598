/* SPDX-License-Identifier: BSD-3-Clause */
/* The window: places, aru, release, and its being used round and round. */
#include "totem/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct window *window;

static int setup(void **state)
{
	(void)state;
	window = calloc(1, sizeof(*window));
	return window ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(window);
	return 0;
}

static void put(uint64_t seq)
{
	struct frame_info info = {.seq = seq, .origin = 7, .guarantee = FRAME_SAFE};

	window_put(window, &info, (void *)(uintptr_t)(seq + 1000));
}

static void window_put__raises_aru_over_closed_gaps(void **state)
{
	(void)state;
	put(2);
	put(3);
	assert_int_equal(window->aru, 0);
	assert_int_equal(window->high, 3);
	assert_true(window_has(window, 2));
	assert_false(window_has(window, 1));
	put(1);
	assert_int_equal(window->aru, 3);
	put(5);
	assert_int_equal(window->aru, 3);
	assert_int_equal(window->here, 4);
}

static void window_put__keeps_what_is_known_of_the_frame(void **state)
{
	const struct place *place;

	(void)state;
	window_at(window, 4)->state = PLACE_PENDING;
	window_at(window, 4)->misses = 9;
	put(4);
	place = window_at(window, 4);
	assert_int_equal(place->state, PLACE_HERE);
	assert_int_equal(place->origin, 7);
	assert_int_equal(place->guarantee, FRAME_SAFE);
	assert_int_equal(place->misses, 0);
	assert_ptr_equal(place->frame, (void *)(uintptr_t)1004);
}

static void window_covers__ends_at_the_window(void **state)
{
	(void)state;
	assert_false(window_covers(window, 0));
	assert_true(window_covers(window, 1));
	assert_true(window_covers(window, TOTEM_WINDOW_MAX));
	assert_false(window_covers(window, TOTEM_WINDOW_MAX + 1));
	assert_false(window_covers(window, UINT64_MAX));
	assert_false(window_has(window, TOTEM_WINDOW_MAX + 1));
}

static void window_take__moves_the_window_on(void **state)
{
	(void)state;
	for (uint64_t seq = 1; seq <= 3 * TOTEM_WINDOW_MAX; seq++) {
		put(seq);
		assert_int_equal(window->aru, seq);
		if (seq > 100) {
			assert_ptr_equal(window_take(window), (void *)(uintptr_t)(seq + 900));
			assert_int_equal(window->here, 100);
		}
	}
	assert_false(window_covers(window, 3 * TOTEM_WINDOW_MAX - 100));
	assert_true(window_has(window, 3 * TOTEM_WINDOW_MAX - 100));
}

static void window_take__passes_over_gaps(void **state)
{
	(void)state;
	put(2);
	put(3);
	assert_null(window_take(window));
	assert_int_equal(window->released, 1);
	assert_int_equal(window->aru, 3);
	assert_ptr_equal(window_take(window), (void *)(uintptr_t)1002);
	assert_ptr_equal(window_take(window), (void *)(uintptr_t)1003);
	assert_null(window_take(window));
	assert_int_equal(window->aru, 4);
	assert_int_equal(window->here, 0);
	window_reset(window);
	assert_int_equal(window->high, 0);
	assert_int_equal(window->released, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(window_put__raises_aru_over_closed_gaps, setup,
						teardown),
		cmocka_unit_test_setup_teardown(window_put__keeps_what_is_known_of_the_frame, setup,
						teardown),
		cmocka_unit_test_setup_teardown(window_covers__ends_at_the_window, setup, teardown),
		cmocka_unit_test_setup_teardown(window_take__moves_the_window_on, setup, teardown),
		cmocka_unit_test_setup_teardown(window_take__passes_over_gaps, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
