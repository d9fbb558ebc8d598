/* SPDX-License-Identifier: BSD-3-Clause */
/* hostile WHAT SECONDS SEED ARGUMENTS...
 *
 *   clients RUN-DIR                     clients that break the rules of src/ipc
 *   storm RUN-DIR                       connects as fast as it can, and hangs up
 *   refused RUN-DIR                     a user who may not connect: fails if it learns anything
 *   strangers CLUSTER OWN,OWN... NODE.. processes of the daemons' user that greet the nodes as they must
 *                                       not; OWN: ids to claim, the first is configured, absent, and below the nodes
 *   node CLUSTER ID NODE...             a configured node that links and speaks nonsense; it is no member
 *   givers RUN-DIR CLUSTER UID NODE     a user without rights who leaves descriptors that nobody can close quickly
 *
 * Exit: 0 the time is over, 1 a daemon did what it must not, 2 usage. */
#include "tests/system/hostile/hostile.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

uint64_t hostile_seed = 1;
const char *hostile_run_dir = "";

uint64_t hostile_roll(void)
{
	uint64_t z = hostile_seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint32_t hostile_below(uint32_t sides)
{
	return (uint32_t)(hostile_roll() % sides);
}

uint64_t hostile_number(void)
{
	static const uint64_t near[] = {0,	    64,		4096,	  1u << 18,   1u << 20,
					4u << 20,   8192,	1u << 26, 1ull << 31, 1ull << 32,
					1ull << 40, 1ull << 62, 2048,	  1ull << 63};

	switch (hostile_below(3)) {
	case 0:
		return hostile_roll();
	case 1:
		return near[hostile_below(sizeof(near) / sizeof(near[0]))] + hostile_below(5) - 2;
	default:
		return hostile_below(1000);
	}
}

void hostile_bytes(void *to, size_t size)
{
	uint8_t *at = to;

	for (size_t i = 0; i < size; i++) {
		at[i] = (uint8_t)hostile_roll();
	}
}

uint64_t hostile_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void hostile_pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

void hostile_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "hostile: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

void hostile_all_ways(struct hostile_way *ways, uint32_t count, uint64_t ms)
{
	uint64_t until_ms = hostile_now_ms() + ms;

	/* Each once, however little time there is. */
	for (uint32_t i = 0; i < count || hostile_now_ms() < until_ms; i++) {
		struct hostile_way *way = &ways[i < count ? i : hostile_below(count)];

		if (getenv("HOSTILE_TRACE")) {
			fprintf(stderr, "%s\n", way->name);
		}
		way->run();
		way->times++;
	}
	for (uint32_t i = 0; i < count; i++) {
		printf("%s %u%s", ways[i].name, ways[i].times, i + 1 < count ? ", " : "\n");
	}
}

static void many_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int usage(void)
{
	fprintf(stderr, "usage: see the head of main.c\n");
	return 2;
}

int main(int argc, char **argv)
{
	uint64_t ms = argc > 2 ? strtoull(argv[2], NULL, 10) * 1000 : 0;

	if (argc < 5) {
		return usage();
	}
	hostile_seed = strtoull(argv[3], NULL, 10);
	hostile_run_dir = argv[4];
	signal(SIGPIPE, SIG_IGN);
	many_descriptors();
	alarm((unsigned)(ms / 1000 + 120));
	if (strcmp(argv[1], "clients") == 0) {
		return hostile_clients(ms);
	}
	if (strcmp(argv[1], "storm") == 0) {
		return hostile_storm(ms);
	}
	if (strcmp(argv[1], "refused") == 0) {
		return hostile_refused(ms);
	}
	if (strcmp(argv[1], "strangers") == 0 && argc > 6) {
		return hostile_strangers(ms, argc - 4, argv + 4);
	}
	if (strcmp(argv[1], "givers") == 0) {
		return hostile_givers(ms, argc - 4, argv + 4);
	}
	if (strcmp(argv[1], "node") == 0 && argc > 6) {
		return hostile_node(ms, argc - 4, argv + 4);
	}
	return usage();
}
