/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The window of time in which deliveries count. It opens with the first delivery after the warm-up, which does not count
 * itself, and closes with the first one after its length, which does: so it holds whole intervals, also when there are
 * few of them.
 */
#ifndef CORONET_BENCH_METER_H
#define CORONET_BENCH_METER_H

#include <stdbool.h>
#include <stdint.h>

enum meter_state {
	METER_WAITS,
	METER_RUNS,
	METER_CLOSED
};

struct meter {
	enum meter_state state;
	int daemon_pid; /* 0 for none */
	uint64_t from_ns;
	uint64_t length_ns;
	uint64_t begin_ns;
	uint64_t end_ns;
	uint64_t messages;
	uint64_t cpu_ns; /* of this process, within the window */
	uint64_t daemon_cpu_ns;
};

/* CLOCK_MONOTONIC; the second one is cheap, and up to 4 ms late. */
uint64_t meter_now_ns(void);
uint64_t meter_about_now_ns(void);

void meter_start(struct meter *meter, uint64_t from_ns, uint64_t length_ns, int daemon_pid);

/* A delivery: whether it counts. */
bool meter_count(struct meter *meter);

/* No more deliveries. */
void meter_finish(struct meter *meter);

uint64_t meter_elapsed_ns(const struct meter *meter);

#endif
