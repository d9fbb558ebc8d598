/* SPDX-License-Identifier: BSD-3-Clause */
/* A histogram of times in fixed memory: 64 steps to each power of two, so no value is off by more than 1.6%. */
#ifndef CORONET_BENCH_HISTOGRAM_H
#define CORONET_BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
	HISTOGRAM_STEP_BITS = 6,
	HISTOGRAM_VALUE_BITS = 40, /* nanoseconds up to 18 minutes; what is longer counts as that */
	HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS,
	HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS
};

/* Plain numbers, so that it can be sent as it is. */
struct histogram {
	uint64_t values; /* how many were added */
	uint64_t highest;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* Adds all values of other. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);

/*
 * The value that the given part (0 to 1) of all values does not exceed: the upper end of its bucket, but never more
 * than the highest value. 0 when it is empty.
 */
uint64_t histogram_quantile(const struct histogram *histogram, double part);

#endif
