/* SPDX-License-Identifier: BSD-3-Clause */
/* Results of all members, put together on the first of them. */
#include "bench/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

const char *const quantile_names[QUANTILES] = {"p50", "p90", "p99", "p99.9", "max"};
const double quantile_parts[QUANTILES] = {0.5, 0.9, 0.99, 0.999, 1};

int report_new(const struct options *options, struct report **out)
{
	struct report *report = calloc(1, sizeof(*report));

	if (!report) {
		return -ENOMEM;
	}
	report->options = options;
	report->outcomes = calloc(options->runs * options->sizes_count, sizeof(*report->outcomes));
	if (!report->outcomes) {
		free(report);
		return -ENOMEM;
	}
	*out = report;
	return 0;
}

void report_free(struct report **report)
{
	if (*report) {
		free((*report)->outcomes);
		free(*report);
		*report = NULL;
	}
}

struct outcome *report_outcome(const struct report *report, size_t size, uint32_t run)
{
	return &report->outcomes[run * report->options->sizes_count + size];
}

/* --- Over members --------------------------------------------------------------------------------- */

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left;
	double b = *(const double *)right;

	return a < b ? -1 : a > b;
}

double median_of(double *values, size_t count)
{
	if (count == 0) {
		return 0;
	}
	qsort(values, count, sizeof(values[0]), compare_doubles);
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static double per_second(uint64_t count, uint64_t ns)
{
	return ns == 0 ? 0 : (double)count * 1e9 / (double)ns;
}

static void add_rates(const struct bench *bench, struct outcome *outcome)
{
	double rates[OPTIONS_MEMBERS_MAX] = {0};
	uint64_t own_elapsed_ns = meter_elapsed_ns(&bench->meter);

	for (uint32_t i = 0; i < bench->members_count; i++) {
		const struct member *member = &bench->members[i];

		rates[i] = per_second(member->result.messages, member->result.elapsed_ns);
		outcome->sender_rates[i] = per_second(member->counted, own_elapsed_ns);
		outcome->cpu +=
			(double)member->result.cpu_ns / ((double)member->result.elapsed_ns + 1);
		outcome->daemon_cpu += (double)member->result.daemon_cpu_ns /
				       ((double)member->result.elapsed_ns + 1);
	}
	outcome->rate = median_of(rates, bench->members_count);
	outcome->slowest = rates[0];
}

static void add_times(struct outcome *outcome, const struct times *sum)
{
	outcome->samples = (double)sum->own.values;
	for (size_t i = 0; i < QUANTILES; i++) {
		outcome->own_ns[i] = (double)histogram_quantile(&sum->own, quantile_parts[i]);
		outcome->echo_ns[i] = (double)histogram_quantile(&sum->echo, quantile_parts[i]);
	}
}

static void add_checks(const struct bench *bench, struct outcome *outcome)
{
	const struct talk_result *first = &bench->members[0].result;
	bool same = true;

	for (uint32_t i = 0; i < bench->members_count; i++) {
		const struct talk_result *result = &bench->members[i].result;

		outcome->faults += (double)result->faults;
		same = same && result->order == first->order && result->total == first->total;
		outcome->try_again += (double)bench->members[i].end.try_again;
		if (bench->members[i].sends && bench->members[i].end.refused != 0) {
			outcome->refused = bench->members[i].end.refused;
		}
	}
	if (!same) {
		fputs("coronet-bench: the members have delivered different sequences\n", stderr);
		outcome->faults++;
	}
	outcome->verified = bench->step.verify && outcome->faults == 0;
}

static void tell(const struct bench *bench, const struct outcome *outcome)
{
	const struct talk_step *step = &bench->step;

	if (bench->options->quiet) {
		return;
	}
	fprintf(stderr, "%s%" PRIu64 " bytes, run %" PRIu32 " of %" PRIu32 ": ",
		isatty(STDERR_FILENO) ? "\r\033[K" : "", step->size, step->run + 1,
		bench->options->runs);
	if (outcome->refused) {
		fprintf(stderr, "refused (%s)\n", cs_strerror((cs_error_t)outcome->refused));
	} else if (step->mode == BENCH_LATENCY) {
		fprintf(stderr, "%.1f us half of the time, %.0f messages/s\n",
			outcome->own_ns[0] / 1000, outcome->rate);
	} else {
		fprintf(stderr, "%.0f messages/s, %.2f MB/s\n", outcome->rate,
			outcome->rate * (double)step->size / 1e6);
	}
}

void report_step(struct bench *bench, const struct times *sum)
{
	struct report *report = bench->context;
	size_t place = (bench->step_number - 1) % report->options->sizes_count;
	struct outcome *outcome = report_outcome(report, place, bench->step.run);

	report->members_count = bench->members_count;
	report->senders = bench->senders;
	for (uint32_t i = 0; i < bench->members_count; i++) {
		report->members[i].nodeid = bench->members[i].nodeid;
		report->members[i].pid = bench->members[i].pid;
		report->members[i].sends = bench->members[i].sends;
	}
	*outcome = (struct outcome){.done = true};
	add_rates(bench, outcome);
	add_times(outcome, sum);
	add_checks(bench, outcome);
	report->faulty = report->faulty || outcome->faults > 0;
	tell(bench, outcome);
}

/* --- Over runs ------------------------------------------------------------------------------------ */

uint32_t report_refused(const struct report *report, size_t size)
{
	for (uint32_t run = 0; run < report->options->runs; run++) {
		if (report_outcome(report, size, run)->refused) {
			return report_outcome(report, size, run)->refused;
		}
	}
	return 0;
}

struct spread report_spread(const struct report *report, size_t size, size_t offset)
{
	double values[OPTIONS_RUNS_MAX] = {0};
	struct spread spread;

	for (uint32_t run = 0; run < report->options->runs; run++) {
		const char *outcome = (const char *)report_outcome(report, size, run);

		values[run] = *(const double *)(const void *)(outcome + offset);
	}
	spread.median = median_of(values, report->options->runs);
	spread.min = values[0];
	spread.max = values[report->options->runs - 1];
	return spread;
}
