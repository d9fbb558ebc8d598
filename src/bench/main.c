/* SPDX-License-Identifier: BSD-3-Clause */
/* coronet-bench: how fast a process group is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/memory.h"
#include "bench/options.h"
#include "bench/plot.h"
#include "bench/report.h"

#define PROGRAM "coronet-bench"

static void print(const struct report *report)
{
	switch (report->options->form) {
	case BENCH_TABLE:
		print_table(report, stdout);
		return;
	case BENCH_JSON:
		print_json(report, stdout);
		return;
	case BENCH_CSV:
		print_csv(report, stdout);
		return;
	}
}

static int finish_output(int result)
{
	if (fflush(stdout) || ferror(stdout)) {
		perror(PROGRAM);
		return EXIT_FAILURE;
	}
	return result;
}

static int measure_memory(const struct options *options)
{
	if (memory_run(options) < 0) {
		fputs(PROGRAM ": no memory for blocks of this size\n", stderr);
		return finish_output(EXIT_FAILURE);
	}
	return finish_output(EXIT_SUCCESS);
}

static int measure(const struct options *options)
{
	static struct bench bench;
	struct report *report = NULL;
	int result = EXIT_FAILURE;

	if (options->plot && plot_possible() < 0) {
		fputs(PROGRAM ": --plot needs gnuplot, which is not here (Debian: gnuplot-nox)\n",
		      stderr);
		return EXIT_FAILURE;
	}
	if (report_new(options, &report) < 0) {
		fputs(PROGRAM ": no memory for the results\n", stderr);
		return EXIT_FAILURE;
	}
	if (bench_run(&bench, options, report_step, report) < 0) {
		goto out;
	}
	result = report->faulty ? EXIT_FAILURE : EXIT_SUCCESS;
	/* The others have told theirs to the first one. */
	if (bench.self == 0) {
		print(report);
		if (options->plot && plot_report(report, options->plot) < 0) {
			result = EXIT_FAILURE;
		}
	}
	result = finish_output(result);
out:
	report_free(&report);
	return result;
}

int main(int argc, char **argv)
{
	struct options options;
	char why[200];

	if (options_parse(argc, argv, &options, why, sizeof(why)) < 0) {
		fprintf(stderr, PROGRAM ": %s\n", why);
		return EXIT_FAILURE;
	}
	switch (options.mode) {
	case BENCH_HELP:
		fputs(options_help(), stdout);
		return EXIT_SUCCESS;
	case BENCH_MEMORY:
		return measure_memory(&options);
	case BENCH_THROUGHPUT:
	case BENCH_LATENCY:
		return measure(&options);
	}
	return EXIT_FAILURE;
}
