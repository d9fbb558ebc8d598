/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of coronet-bench. */
#include "bench/options.h"

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct options options;
static char why[200];

/* The line's words, of which there are at most 31; getopt may put them into another order. */
static int parse(const char *line)
{
	static char words[400];
	char *argv[32] = {(char *)(uintptr_t) "coronet-bench"};
	int argc = 1;
	char *rest = words;
	char *word;

	assert_true(strlen(line) < sizeof(words));
	memcpy(words, line, strlen(line) + 1);
	while ((word = strsep(&rest, " ")) != NULL) {
		assert_true(argc < 31);
		argv[argc++] = word;
	}
	why[0] = '\0';
	return options_parse(argc, argv, &options, why, sizeof(why));
}

static void assert_bad(const char *line, const char *said)
{
	assert_int_equal(parse(line), -EINVAL);
	if (!strstr(why, said)) {
		fail_msg("\"%s\" is answered with \"%s\", without \"%s\"", line, why, said);
	}
}

static void options_parse__defaults(void **state)
{
	(void)state;
	assert_int_equal(parse("throughput"), 0);
	assert_int_equal(options.mode, BENCH_THROUGHPUT);
	assert_int_equal(options.form, BENCH_TABLE);
	assert_int_equal(options.members, 1);
	assert_int_equal(options.runs, 1);
	assert_int_equal(options.duration_ns, 3000000000);
	assert_int_equal(options.guarantee, CPG_TYPE_AGREED);
	assert_string_equal(options.group, "coronet-bench");
	assert_true(options.sizes_count > 1);
	assert_false(options.receive_only);
	assert_null(options.plot);
}

static void options_parse__all_of_throughput(void **state)
{
	(void)state;
	assert_int_equal(parse("throughput -s 1,4k,64m -t 0.25 -g safe -m 3 -r 5 --zcb --verify "
			       "--receive --window 9"),
			 0);
	assert_int_equal(options.sizes_count, 3);
	assert_int_equal(options.sizes[0], 1);
	assert_int_equal(options.sizes[1], 4096);
	assert_int_equal(options.sizes[2], OPTIONS_SIZE_MAX);
	assert_int_equal(options.duration_ns, 250000000);
	assert_int_equal(options.guarantee, CPG_TYPE_SAFE);
	assert_int_equal(options.members, 3);
	assert_int_equal(options.runs, 5);
	assert_int_equal(options.window, 9);
	assert_true(options.zcb && options.verify && options.receive_only);
}

static void options_parse__all_of_latency(void **state)
{
	(void)state;
	assert_int_equal(parse("--json --rate=5000 latency --group g --warmup 0 --interval 0.01 "
			       "--patience 5 --plot p -q --daemon-pid 77 --send"),
			 0);
	assert_int_equal(options.mode, BENCH_LATENCY);
	assert_int_equal(options.form, BENCH_JSON);
	assert_int_equal(options.rate, 5000);
	assert_int_equal(options.warmup_ns, 0);
	assert_int_equal(options.interval_ns, 10000000);
	assert_int_equal(options.patience_ns, 5000000000);
	assert_int_equal(options.daemon_pid, 77);
	assert_string_equal(options.group, "g");
	assert_string_equal(options.plot, "p");
	assert_true(options.quiet);
}

static void options_parse__help_needs_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(parse("--help"), 0);
	assert_int_equal(options.mode, BENCH_HELP);
	assert_int_equal(parse("-h"), 0);
	assert_int_equal(options.mode, BENCH_HELP);
}

static void options_parse__no_mode(void **state)
{
	(void)state;
	assert_bad("-t 3", "what is to be measured");
	assert_bad("speed", "speed");
	assert_bad("throughput latency", "latency");
}

static void options_parse__unknown_option(void **state)
{
	(void)state;
	assert_bad("throughput --nonsense", "--nonsense");
	assert_bad("throughput --members", "--members");
	assert_bad("throughput -x", "-x");
}

static void options_parse__bad_values(void **state)
{
	static const char *const values[] = {"-s 0",
					     "-s 65m",
					     "-s 1,",
					     "-s ,1",
					     "-s 1x",
					     "-s -1",
					     "-s 1,,2",
					     "-t -1",
					     "-t x",
					     "-t 1x",
					     "-t 1e9",
					     "-t nan",
					     "-g some",
					     "-m 0",
					     "-m 129",
					     "-m 1x",
					     "-r 0",
					     "-r 1001",
					     "--warmup x",
					     "--daemon-pid 0",
					     "--rate -5",
					     "--window x",
					     "--group=",
					     "--plot=",
					     "--patience -1",
					     "-r 99999999999999999999",
					     "-s 18446744073709551617"};
	char line[100];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(line, sizeof(line), "latency %s", values[i]);
		assert_int_equal(parse(line), -EINVAL);
		assert_true(why[0] != '\0');
	}
}

static void options_parse__group_too_long(void **state)
{
	char line[CPG_MAX_NAME_LENGTH + 40] = "throughput --group ";
	size_t at = strlen(line);

	(void)state;
	memset(line + at, 'g', CPG_MAX_NAME_LENGTH + 1);
	assert_int_equal(parse(line), -EINVAL);
	line[at + CPG_MAX_NAME_LENGTH] = '\0';
	assert_int_equal(parse(line), 0);
}

static void options_parse__too_many_sizes(void **state)
{
	char line[400] = "throughput -s 1";

	(void)state;
	for (int i = 1; i < OPTIONS_SIZES_MAX; i++) {
		strncat(line, ",1", sizeof(line) - strlen(line) - 1);
	}
	assert_int_equal(parse(line), 0);
	assert_int_equal(options.sizes_count, OPTIONS_SIZES_MAX);
	strncat(line, ",1", sizeof(line) - strlen(line) - 1);
	assert_int_equal(parse(line), -EINVAL);
}

static void options_parse__what_does_not_fit_together(void **state)
{
	(void)state;
	assert_bad("throughput --rate 5", "--rate");
	assert_bad("throughput -t 0", "0 seconds");
	assert_bad("latency -s 64,23", "24 bytes");
	assert_bad("memory --plot p", "memory");
	assert_int_equal(parse("latency -s 24"), 0);
	assert_int_equal(parse("throughput -s 1"), 0);
}

static void options_parse_size__units(void **state)
{
	uint64_t size = 0;

	(void)state;
	assert_int_equal(options_parse_size("64K", &size), 0);
	assert_int_equal(size, 65536);
	assert_int_equal(options_parse_size("1M", &size), 0);
	assert_int_equal(size, 1048576);
	assert_int_equal(options_parse_size("1kk", &size), -EINVAL);
	assert_int_equal(options_parse_size("", &size), -EINVAL);
	assert_int_equal(size, 1048576);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_parse__defaults),
		cmocka_unit_test(options_parse__all_of_throughput),
		cmocka_unit_test(options_parse__all_of_latency),
		cmocka_unit_test(options_parse__help_needs_nothing_else),
		cmocka_unit_test(options_parse__no_mode),
		cmocka_unit_test(options_parse__unknown_option),
		cmocka_unit_test(options_parse__bad_values),
		cmocka_unit_test(options_parse__group_too_long),
		cmocka_unit_test(options_parse__too_many_sizes),
		cmocka_unit_test(options_parse__what_does_not_fit_together),
		cmocka_unit_test(options_parse_size__units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
