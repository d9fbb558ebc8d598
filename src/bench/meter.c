/* SPDX-License-Identifier: BSD-3-Clause */
/* The window, and processor time spent within it. */
#include "bench/meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS UINT64_C(1000000000)

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

uint64_t meter_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t meter_about_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC_COARSE);
}

static uint64_t timeval_ns(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * SECOND_NS + (uint64_t)time->tv_usec * 1000;
}

static uint64_t own_cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return timeval_ns(&usage.ru_utime) + timeval_ns(&usage.ru_stime);
}

/* The 14th and 15th words of a process's stat line: its ticks in user and system mode. */
static uint64_t stat_ticks(const char *line)
{
	/* The second word is a name in parentheses, which may hold anything. */
	const char *at = strrchr(line, ')');
	char *end = NULL;
	uint64_t ticks;

	for (int word = 2; at && word < 14; word++) {
		at = strchr(at + 1, ' ');
	}
	if (!at) {
		return 0;
	}
	ticks = strtoull(at, &end, 10);
	return ticks + strtoull(end, NULL, 10);
}

static uint64_t process_cpu_ns(int pid)
{
	char line[1024] = "";
	char path[64];
	FILE *file;

	if (pid == 0) {
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file) {
		return 0;
	}
	if (!fgets(line, sizeof(line), file)) {
		line[0] = '\0';
	}
	fclose(file);
	return stat_ticks(line) * (SECOND_NS / (uint64_t)sysconf(_SC_CLK_TCK));
}

void meter_start(struct meter *meter, uint64_t from_ns, uint64_t length_ns, int daemon_pid)
{
	*meter = (struct meter){
		.from_ns = from_ns, .length_ns = length_ns, .daemon_pid = daemon_pid};
}

static void open_window(struct meter *meter)
{
	meter->state = METER_RUNS;
	meter->begin_ns = meter_now_ns();
	meter->cpu_ns = own_cpu_ns();
	meter->daemon_cpu_ns = process_cpu_ns(meter->daemon_pid);
}

static void close_window(struct meter *meter)
{
	meter->state = METER_CLOSED;
	meter->end_ns = meter_now_ns();
	meter->cpu_ns = own_cpu_ns() - meter->cpu_ns;
	meter->daemon_cpu_ns = process_cpu_ns(meter->daemon_pid) - meter->daemon_cpu_ns;
}

bool meter_count(struct meter *meter)
{
	switch (meter->state) {
	case METER_WAITS:
		if (meter_about_now_ns() >= meter->from_ns) {
			open_window(meter);
		}
		return false;
	case METER_RUNS:
		meter->messages++;
		if (meter_about_now_ns() >= meter->begin_ns + meter->length_ns) {
			close_window(meter);
		}
		return true;
	case METER_CLOSED:
		return false;
	}
	return false;
}

void meter_finish(struct meter *meter)
{
	if (meter->state == METER_RUNS) {
		close_window(meter);
	}
}

uint64_t meter_elapsed_ns(const struct meter *meter)
{
	return meter->state == METER_CLOSED ? meter->end_ns - meter->begin_ns : 0;
}
