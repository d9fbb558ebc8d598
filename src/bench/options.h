/* SPDX-License-Identifier: BSD-3-Clause */
/* What a run of coronet-bench is asked to do. */
#ifndef CORONET_BENCH_OPTIONS_H
#define CORONET_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <corosync/cpg.h>

enum {
	OPTIONS_SIZES_MAX = 64,
	OPTIONS_MEMBERS_MAX = CPG_MEMBERS_MAX,
	OPTIONS_RUNS_MAX = 1000,
	OPTIONS_LATENCY_MIN = 24 /* a message tells when it was meant to be sent */
};

#define OPTIONS_SIZE_MAX (UINT64_C(64) << 20)

enum bench_mode {
	BENCH_HELP,
	BENCH_THROUGHPUT,
	BENCH_LATENCY,
	BENCH_MEMORY
};

enum bench_form {
	BENCH_TABLE,
	BENCH_JSON,
	BENCH_CSV
};

struct options {
	enum bench_mode mode;
	enum bench_form form;
	const char *group;
	const char *plot; /* where its files begin; NULL for none */
	uint64_t sizes[OPTIONS_SIZES_MAX];
	size_t sizes_count;
	uint64_t duration_ns;
	uint64_t warmup_ns;
	uint64_t interval_ns; /* latency: pause between two messages that are alone */
	uint64_t patience_ns;
	uint64_t rate; /* latency: messages a second of all senders; 0 for one message at a time */
	uint32_t
		window; /* a sender's messages that may be on their way; 0 for as many as are taken */
	uint32_t members;
	uint32_t runs;
	int daemon_pid; /* whose processor time counts as the daemon's; 0 for nobody's */
	cpg_guarantee_t guarantee;
	bool receive_only;
	bool zcb;
	bool in_place;
	bool verify;
	bool quiet;
};

const char *bench_mode_name(enum bench_mode mode);
const char *guarantee_name(cpg_guarantee_t guarantee);

/*
 * Reads the command line. Pointers in *options point into argv. Returns 0, or -EINVAL with a sentence in why that names
 * the argument. Uses getopt: not for two threads at once.
 */
int options_parse(int argc, char **argv, struct options *options, char *why, size_t why_size);

/* A size in bytes with k or m for 1024 and its square behind it: 0, or -EINVAL. */
int options_parse_size(const char *text, uint64_t *size);

/* Seconds with a fraction, as nanoseconds: 0, or -EINVAL; at most a day. */
int options_parse_seconds(const char *text, uint64_t *ns);

/* The text of --help. */
const char *options_help(void);

#endif
