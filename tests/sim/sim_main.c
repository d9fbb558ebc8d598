/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs seeds. A failing one prints what went wrong and the command that replays it with a trace. */
#include "tests/sim/sim.h"

#include <getopt.h>
#include <stdlib.h>
#include <time.h>

static void usage(const char *name)
{
	printf("usage: %s [--seed N] [--seeds COUNT] [--seconds T] [--first-failure] [--trace]\n"
	       "  --seed N       first seed, default 1\n"
	       "  --seeds COUNT  how many, default 1\n"
	       "  --seconds T    begins no more after that time\n"
	       "  --first-failure  stop there\n"
	       "  --trace        print what happens, in virtual seconds\n",
	       name);
}

struct run {
	uint64_t first, count;
	time_t seconds; /* 0: no limit */
	bool trace, stop;
};

static int run_seeds(const char *name, const struct run *run)
{
	static struct sim sim;
	time_t began = time(NULL);
	uint64_t failed = 0;
	uint64_t seed = run->first;

	for (; seed < run->first + run->count && !(run->stop && failed); seed++) {
		struct sim_options options = {.seed = seed, .trace = run->trace};
		const char *failure = sim_run(&options, &sim);

		if (failure) {
			failed++;
			printf("seed %llu: %s\n  replay: %s --seed %llu --trace\n",
			       (unsigned long long)seed, failure, name, (unsigned long long)seed);
			fflush(stdout);
		}
		if (run->seconds > 0 && time(NULL) - began >= run->seconds) {
			seed++;
			break;
		}
	}
	printf("%llu passed, %llu failed\n", (unsigned long long)(seed - run->first - failed),
	       (unsigned long long)failed);
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seed", required_argument, NULL, 's'},
						{"seeds", required_argument, NULL, 'n'},
						{"seconds", required_argument, NULL, 'l'},
						{"first-failure", no_argument, NULL, 'f'},
						{"trace", no_argument, NULL, 't'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct run run = {.first = 1, .count = 1};
	int option;

	while ((option = getopt_long(argc, argv, "s:n:l:fth", options, NULL)) != -1) {
		switch (option) {
		case 's':
			run.first = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			run.count = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			run.seconds = (time_t)strtoull(optarg, NULL, 0);
			break;
		case 'f':
			run.stop = true;
			break;
		case 't':
			run.trace = true;
			break;
		case 'h':
			usage(argv[0]);
			return 0;
		default:
			usage(argv[0]);
			return 2;
		}
	}
	return run_seeds(argv[0], &run);
}
