/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs seeds. A failing one prints what went wrong and the command that replays it with a trace. */
#include "tests/sim/sim.h"

#include <getopt.h>
#include <stdlib.h>

static void usage(const char *name)
{
	printf("usage: %s [--seed N] [--seeds COUNT] [--first-failure] [--trace]\n"
	       "  --seed N       first seed, default 1\n"
	       "  --seeds COUNT  how many, default 1\n"
	       "  --first-failure  stop there\n"
	       "  --trace        print what happens, in virtual seconds\n",
	       name);
}

static int run_seeds(const char *name, uint64_t first, uint64_t count, bool trace, bool stop)
{
	static struct sim sim;
	uint64_t failed = 0;

	for (uint64_t seed = first; seed < first + count && !(stop && failed); seed++) {
		struct sim_options options = {.seed = seed, .trace = trace};
		const char *failure = sim_run(&options, &sim);

		if (failure) {
			failed++;
			printf("seed %llu: %s\n  replay: %s --seed %llu --trace\n",
			       (unsigned long long)seed, failure, name, (unsigned long long)seed);
			fflush(stdout);
		}
	}
	printf("%llu passed, %llu failed\n", (unsigned long long)(count - failed),
	       (unsigned long long)failed);
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"seed", required_argument, NULL, 's'},	   {"seeds", required_argument, NULL, 'n'},
		{"first-failure", no_argument, NULL, 'f'}, {"trace", no_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},	   {NULL, 0, NULL, 0}};
	uint64_t first = 1;
	uint64_t count = 1;
	bool trace = false;
	bool stop = false;
	int option;

	while ((option = getopt_long(argc, argv, "s:n:fth", options, NULL)) != -1) {
		switch (option) {
		case 's':
			first = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			count = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			stop = true;
			break;
		case 't':
			trace = true;
			break;
		case 'h':
			usage(argv[0]);
			return 0;
		default:
			usage(argv[0]);
			return 2;
		}
	}
	return run_seeds(argv[0], first, count, trace, stop);
}
