/* SPDX-License-Identifier: BSD-3-Clause */
/* What a report makes of the results of members and runs. */
#include "bench/report.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct options options;
static struct bench bench;
static struct times sum;
static struct report *report;

static int set_up(void **state)
{
	(void)state;
	options = (struct options){.mode = BENCH_THROUGHPUT,
				   .sizes = {100, 1000},
				   .sizes_count = 2,
				   .runs = 3,
				   .quiet = true,
				   .verify = true};
	memset(&bench, 0, sizeof(bench));
	memset(&sum, 0, sizeof(sum));
	bench.options = &options;
	bench.members_count = 3;
	bench.senders = 1;
	bench.members[0].sends = true;
	bench.step.verify = true;
	if (report_new(&options, &report) < 0) {
		return -1;
	}
	bench.context = report;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	report_free(&report);
	assert_null(report);
	return 0;
}

/* The step's number tells its size and run; all members have seen so many messages in a second. */
static void step(uint32_t number, const uint64_t *messages)
{
	bench.step_number = number;
	bench.step.run = (number - 1) / 2;
	for (uint32_t i = 0; i < 3; i++) {
		bench.members[i].result.messages = messages[i];
		bench.members[i].result.elapsed_ns = 1000000000;
	}
	report_step(&bench, &sum);
}

static double rate_of(size_t size, double (*which)(struct spread))
{
	return which(report_spread(report, size, offsetof(struct outcome, rate)));
}

static double min_of(struct spread spread)
{
	return spread.min;
}

static double middle_of(struct spread spread)
{
	return spread.median;
}

static double max_of(struct spread spread)
{
	return spread.max;
}

static void assert_near(double value, double expected)
{
	assert_true(value > expected * 0.999 - 0.001 && value < expected * 1.001 + 0.001);
}

static void report_step__median_and_slowest_member(void **state)
{
	(void)state;
	step(1, (const uint64_t[]){50, 10, 20});
	assert_near(report_outcome(report, 0, 0)->rate, 20);
	assert_near(report_outcome(report, 0, 0)->slowest, 10);
}

static void report_spread__over_runs(void **state)
{
	(void)state;
	step(1, (const uint64_t[]){7, 7, 7});
	step(2, (const uint64_t[]){1, 1, 1});
	step(3, (const uint64_t[]){5, 5, 5});
	step(4, (const uint64_t[]){3, 3, 3});
	step(5, (const uint64_t[]){6, 6, 6});
	step(6, (const uint64_t[]){2, 2, 2});
	assert_near(rate_of(0, min_of), 5);
	assert_near(rate_of(0, middle_of), 6);
	assert_near(rate_of(0, max_of), 7);
	assert_near(rate_of(1, middle_of), 2);
}

static void report_step__nothing_in_the_window(void **state)
{
	(void)state;
	step(1, (const uint64_t[]){0, 0, 0});
	bench.members[1].result.elapsed_ns = 0;
	report_step(&bench, &sum);
	assert_near(report_outcome(report, 0, 0)->rate, 0);
}

static void report_step__refused_by_a_sender(void **state)
{
	(void)state;
	bench.members[0].end.refused = CS_ERR_TOO_BIG;
	step(2, (const uint64_t[]){0, 0, 0});
	assert_int_equal(report_refused(report, 1), CS_ERR_TOO_BIG);
	assert_int_equal(report_refused(report, 0), 0);
	assert_false(report->faulty);
}

static void report_step__members_disagree(void **state)
{
	(void)state;
	step(1, (const uint64_t[]){1, 1, 1});
	assert_true(report_outcome(report, 0, 0)->verified);
	bench.members[2].result.order = 1;
	step(2, (const uint64_t[]){1, 1, 1});
	assert_false(report_outcome(report, 1, 0)->verified);
	assert_true(report->faulty);
}

static void report_step__a_member_has_lost_one(void **state)
{
	(void)state;
	bench.members[1].result.total = 1;
	step(1, (const uint64_t[]){1, 1, 1});
	assert_true(report->faulty);
}

static void report_step__a_member_found_a_fault(void **state)
{
	(void)state;
	bench.members[1].result.faults = 1;
	step(1, (const uint64_t[]){1, 1, 1});
	assert_true(report->faulty);
	assert_false(report_outcome(report, 0, 0)->verified);
}

static void median_of__odd_and_even(void **state)
{
	double values[] = {4, 1, 3, 2};

	(void)state;
	assert_near(median_of(values, 4), 2.5);
	assert_near(median_of(values, 3), 2);
	assert_near(median_of(values, 0), 0);
}

/* A form of the report, printed into text. */
static size_t printed(void (*print)(const struct report *, FILE *), char *text, size_t size)
{
	FILE *file = fmemopen(text, size, "w");
	size_t length;

	assert_non_null(file);
	print(report, file);
	length = (size_t)ftell(file);
	fclose(file);
	return length;
}

static void print_all__refused_and_measured(void **state)
{
	char text[10000];

	(void)state;
	step(1, (const uint64_t[]){20, 20, 20});
	step(3, (const uint64_t[]){20, 20, 20});
	step(5, (const uint64_t[]){20, 20, 20});
	bench.members[0].end.refused = CS_ERR_TOO_BIG;
	step(2, (const uint64_t[]){0, 0, 0});
	assert_true(printed(print_table, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "1000 refused (CS_ERR_TOO_BIG)"));
	assert_non_null(strstr(text, "100         20.0         20.0     0.0%"));
	assert_true(printed(print_json, text, sizeof(text)) > 0);
	assert_non_null(
		strstr(text, "{\"bytes\":1000,\"refused\":true,\"error\":\"CS_ERR_TOO_BIG\"}"));
	assert_non_null(
		strstr(text, "\"messages_per_second\":{\"min\":20.0000,\"median\":20.0000"));
	assert_true(printed(print_csv, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "\nthroughput,1000,1,3,1,unordered,refused,"));
	assert_non_null(strstr(text, "\nthroughput,100,3,3,1,unordered,ok,20.000,"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(report_step__median_and_slowest_member),
		TEST(report_spread__over_runs),
		TEST(report_step__nothing_in_the_window),
		TEST(report_step__refused_by_a_sender),
		TEST(report_step__members_disagree),
		TEST(report_step__a_member_has_lost_one),
		TEST(report_step__a_member_found_a_fault),
		TEST(median_of__odd_and_even),
		TEST(print_all__refused_and_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
