/* SPDX-License-Identifier: BSD-3-Clause */
/* The results of all sizes and runs, and what is made of them. */
#ifndef CORONET_BENCH_REPORT_H
#define CORONET_BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/bench.h"
#include "bench/options.h"

enum {
	QUANTILES = 5 /* p50, p90, p99, p99.9, max */
};

/* One size in one run. */
struct outcome {
	bool done;
	bool verified;	  /* asked for, and nothing wrong */
	uint32_t refused; /* the cs_error_t, or 0 */
	double rate;	  /* messages a second: median over members */
	double slowest;	  /* ... and the lowest of them */
	double cpu;	  /* seconds a second: all members */
	double daemon_cpu;
	double try_again;
	double faults;
	double samples;
	double own_ns[QUANTILES];
	double echo_ns[QUANTILES];
	double sender_rates[OPTIONS_MEMBERS_MAX]; /* by place in members */
};

/* A figure over all runs. */
struct spread {
	double min;
	double median;
	double max;
};

struct report {
	const struct options *options;
	struct {
		uint32_t nodeid;
		uint32_t pid;
		bool sends;
	} members[OPTIONS_MEMBERS_MAX];
	uint32_t members_count;
	uint32_t senders;
	bool faulty;
	struct outcome *outcomes; /* [run][size] */
};

extern const char *const quantile_names[QUANTILES];
extern const double quantile_parts[QUANTILES];

/* 0, or -ENOMEM. options are borrowed. */
int report_new(const struct options *options, struct report **out);
void report_free(struct report **report);

/* A step is done: a bench_step_fn_t whose context is a report. */
void report_step(struct bench *bench, const struct times *sum);

struct outcome *report_outcome(const struct report *report, size_t size, uint32_t run);

/* Whether no run of this size was refused; else the error. */
uint32_t report_refused(const struct report *report, size_t size);

/* A figure of struct outcome, by its offset, over all runs of the size at this place. */
struct spread report_spread(const struct report *report, size_t size, size_t offset);

/* Sorts values; the middle one, or the mean of the two. */
double median_of(double *values, size_t count);

/* The forms of the report, to a file; what is written is complete when fflush() is content. */
void print_table(const struct report *report, FILE *file);
void print_csv(const struct report *report, FILE *file);
void print_json(const struct report *report, FILE *file);

#endif
