/* SPDX-License-Identifier: BSD-3-Clause */
/* The window in which deliveries count. */
#include "bench/meter.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

static void meter_count__before_the_window(void **state)
{
	struct meter meter;
	uint64_t now = meter_now_ns();

	(void)state;
	meter_start(&meter, now + 1000000000, 1000000000, 0);
	assert_false(meter_count(&meter));
	meter_finish(&meter);
	assert_int_equal(meter.messages, 0);
	assert_int_equal(meter_elapsed_ns(&meter), 0);
}

/* The one that opens it does not count, the one that closes it does. */
static void meter_count__holds_whole_intervals(void **state)
{
	struct meter meter;

	(void)state;
	meter_start(&meter, 0, 1, 0);
	assert_false(meter_count(&meter));
	usleep(20000);
	assert_true(meter_count(&meter));
	assert_false(meter_count(&meter));
	assert_int_equal(meter.messages, 1);
	assert_in_range(meter_elapsed_ns(&meter), 20000000, 10000000000);
}

static void meter_finish__ends_a_window_that_is_open(void **state)
{
	struct meter meter;

	(void)state;
	meter_start(&meter, 0, UINT64_MAX / 2, 0);
	meter_count(&meter);
	assert_true(meter_count(&meter));
	assert_true(meter_count(&meter));
	usleep(1000);
	meter_finish(&meter);
	assert_int_equal(meter.messages, 2);
	assert_in_range(meter_elapsed_ns(&meter), 1000000, 10000000000);
}

/* This process as its own daemon: both ways to ask for its time agree, to two ticks. */
static void meter_count__processor_time(void **state)
{
	struct meter meter;
	uint64_t begin_ns = meter_now_ns();

	(void)state;
	meter_start(&meter, 0, UINT64_MAX / 2, getpid());
	meter_count(&meter);
	while (meter_now_ns() < begin_ns + 200000000) {
		continue;
	}
	meter_finish(&meter);
	assert_true(meter.cpu_ns > 1000000);
	assert_true(meter.cpu_ns <= meter_elapsed_ns(&meter) + 20000000);
	assert_true(meter.daemon_cpu_ns + 20000000 >= meter.cpu_ns);
	assert_true(meter.cpu_ns + 20000000 >= meter.daemon_cpu_ns);
}

static void meter_start__process_that_does_not_exist(void **state)
{
	struct meter meter;

	(void)state;
	/* Larger than any process id can be. */
	meter_start(&meter, 0, UINT64_MAX / 2, 0x7fffffff);
	meter_count(&meter);
	meter_finish(&meter);
	assert_int_equal(meter.daemon_cpu_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(meter_count__before_the_window),
		cmocka_unit_test(meter_count__holds_whole_intervals),
		cmocka_unit_test(meter_finish__ends_a_window_that_is_open),
		cmocka_unit_test(meter_count__processor_time),
		cmocka_unit_test(meter_start__process_that_does_not_exist),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
