/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One member of a benchmark. Members go from step to step together: the first of them says what the step is, those that
 * send do so until its time is over and say how much it was, and when all of that is delivered each member tells the
 * first one what it saw.
 */
#ifndef CORONET_BENCH_BENCH_H
#define CORONET_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/histogram.h"
#include "bench/link.h"
#include "bench/message.h"
#include "bench/meter.h"
#include "bench/options.h"
#include "bench/pool.h"
#include "bench/traffic.h"

struct member {
	uint32_t nodeid;
	uint32_t pid;
	bool here; /* said hello */
	bool sends;
	bool ended; /* sent all of this step */
	bool has_result;
	uint64_t received; /* of it, in this step */
	uint64_t counted;  /* ... in the window */
	uint64_t early;	   /* of the next step */
	struct talk_end end;
	struct talk_result result;
};

/* What a step's messages took, on this member if it sends; the first member's are those of all. */
struct times {
	struct histogram own;
	struct histogram echo;
};

struct bench;

/* Told by the first member, with the results of all in bench->members; sum has the times of all senders. */
typedef void (*bench_step_fn_t)(struct bench *bench, const struct times *sum);

enum {
	TALK_SIZE_MAX =
		sizeof(struct talk_header) + sizeof(struct talk_result) + sizeof(struct times)
};

struct bench {
	const struct options *options;
	struct link link;
	struct member members[OPTIONS_MEMBERS_MAX];
	uint32_t members_count; /* 0 until all are here */
	uint32_t senders;
	uint32_t self;
	uint32_t last; /* who sent the last message */
	bool over;
	bool failed;
	bool stepping;
	uint32_t step_number;
	struct talk_step step;
	struct meter meter;
	struct traffic traffic;
	struct pool pool; /* --in-place: what this member sends from */
	uint64_t order;
	uint64_t early_order;
	uint64_t total;
	uint64_t faults;
	uint64_t last_event_ns; /* by the cheap clock */
	uint64_t last_shown_ns;
	struct times times;
	struct times sum;
	bench_step_fn_t step_done;
	void *context;	  /* for step_done */
	size_t talk_size; /* of what is to be said as soon as there is room; 0 for nothing */
	uint8_t talk[TALK_SIZE_MAX];
};

/* Takes part until all steps are done. 0, or -EIO after a message on the standard error output. */
int bench_run(struct bench *bench, const struct options *options, bench_step_fn_t step_done,
	      void *context);

/* A failure of this member, which ends its part; printf's arguments. */
void bench_fail(struct bench *bench, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says something in the group, in its turn; at most one thing waits. */
void bench_say(struct bench *bench, enum talk_kind kind, const void *body, size_t size);

/* --- For bench.c and steps.c -------------------------------------------------------------------------- */

/* What the first member does when all are here, and when all have told the results of a step. */
void steps_next(struct bench *bench);

void steps_data(struct bench *bench, uint32_t from, const uint8_t *message, size_t size);
void steps_talk(struct bench *bench, uint32_t from, const struct talk_header *header,
		const uint8_t *body);

#endif
