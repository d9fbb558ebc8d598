/* SPDX-License-Identifier: BSD-3-Clause */
/* The histogram: below 64 each value has a bucket, above each power of two has 64. */
#include "bench/histogram.h"

#define VALUE_MAX ((UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1)

static size_t bucket_of(uint64_t value)
{
	unsigned int shift;

	if (value < HISTOGRAM_STEPS) {
		return value;
	}
	shift = 63 - (unsigned int)__builtin_clzll(value) - HISTOGRAM_STEP_BITS;
	return (size_t)(shift + 1) * HISTOGRAM_STEPS + (size_t)(value >> shift) - HISTOGRAM_STEPS;
}

static uint64_t bucket_end(size_t bucket)
{
	size_t power = bucket >> HISTOGRAM_STEP_BITS;
	uint64_t step = bucket & (HISTOGRAM_STEPS - 1);

	return power == 0 ? step : ((HISTOGRAM_STEPS + step + 1) << (power - 1)) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	if (value > VALUE_MAX) {
		value = VALUE_MAX;
	}
	if (value > histogram->highest) {
		histogram->highest = value;
	}
	histogram->values++;
	histogram->buckets[bucket_of(value)]++;
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
	histogram->values += other->values;
	if (other->highest > histogram->highest) {
		histogram->highest = other->highest;
	}
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		histogram->buckets[i] += other->buckets[i];
	}
}

uint64_t histogram_quantile(const struct histogram *histogram, double part)
{
	double wanted = part * (double)histogram->values;
	uint64_t passed = 0;

	if (histogram->values == 0) {
		return 0;
	}
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		passed += histogram->buckets[i];
		if (passed > 0 && (double)passed >= wanted) {
			uint64_t end = bucket_end(i);

			return end < histogram->highest ? end : histogram->highest;
		}
	}
	return histogram->highest;
}
