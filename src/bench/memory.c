/* SPDX-License-Identifier: BSD-3-Clause */
/* memcpy() from one block to another, again and again. */
#include "bench/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/meter.h"
#include "bench/report.h"

enum {
	COPIED_BETWEEN_LOOKS = 1 << 20
};

static double copy_for(uint8_t *to, const uint8_t *from, size_t size, uint64_t duration_ns)
{
	uint64_t between = size < COPIED_BETWEEN_LOOKS ? COPIED_BETWEEN_LOOKS / size : 1;
	uint64_t begin_ns = meter_now_ns();
	uint64_t elapsed_ns = 0;
	uint64_t copied = 0;

	while (elapsed_ns < duration_ns) {
		for (uint64_t i = 0; i < between; i++) {
			memcpy(to, from, size);
			/* The compiler has to believe that somebody reads it. */
			__asm__ volatile("" : : "r"(to) : "memory");
		}
		copied += between * size;
		elapsed_ns = meter_now_ns() - begin_ns;
	}
	return (double)copied * 1000 / (double)elapsed_ns;
}

static void print_size(const struct options *options, size_t place, double *rates)
{
	double median = median_of(rates, options->runs);
	double max = rates[options->runs - 1];
	uint64_t size = options->sizes[place];

	switch (options->form) {
	case BENCH_TABLE:
		printf("%10" PRIu64 " %11.0f %7.1f%%\n", size, median,
		       (max - rates[0]) * 100 / median);
		return;
	case BENCH_CSV:
		printf("memory,%" PRIu64 ",%.1f,%.1f,%.1f\n", size, rates[0], median, max);
		return;
	case BENCH_JSON:
		printf("%s{\"bytes\":%" PRIu64 ",\"megabytes_per_second\":"
		       "{\"min\":%.1f,\"median\":%.1f,\"max\":%.1f}}",
		       place > 0 ? ",\n" : "\n", size, rates[0], median, max);
		return;
	}
}

static void print_head(const struct options *options)
{
	switch (options->form) {
	case BENCH_TABLE:
		printf("memory: one thread copies blocks; median of %" PRIu32
		       " runs\n\n%10s %11s %8s\n",
		       options->runs, "bytes", "MB/s", "spread");
		return;
	case BENCH_CSV:
		puts("mode,bytes,megabytes_per_second_min,megabytes_per_second,"
		     "megabytes_per_second_max");
		return;
	case BENCH_JSON:
		fputs("{\"mode\":\"memory\",\"sizes\":[", stdout);
		return;
	}
}

int memory_run(const struct options *options)
{
	double rates[OPTIONS_RUNS_MAX];

	print_head(options);
	for (size_t place = 0; place < options->sizes_count; place++) {
		size_t size = options->sizes[place];
		uint8_t *from = malloc(size);
		uint8_t *to = malloc(size);

		if (!from || !to) {
			free(from);
			free(to);
			return -ENOMEM;
		}
		memset(from, 1, size);
		memset(to, 2, size);
		for (uint32_t run = 0; run < options->runs; run++) {
			copy_for(to, from, size, options->warmup_ns);
			rates[run] = copy_for(to, from, size, options->duration_ns);
		}
		print_size(options, place, rates);
		free(from);
		free(to);
	}
	if (options->form == BENCH_JSON) {
		puts("]}");
	}
	return 0;
}
