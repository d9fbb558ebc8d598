/* SPDX-License-Identifier: BSD-3-Clause */
/* A report as a table for people, as lines with commas and as JSON. */
#include "bench/report.h"

#include <inttypes.h>

#define FIGURE(name)	  offsetof(struct outcome, name)
#define QUANTILE(name, i) (offsetof(struct outcome, name) + (i) * sizeof(double))

static double megabytes(const struct report *report, size_t size, double rate)
{
	return rate * (double)report->options->sizes[size] / 1e6;
}

/* In percent of the median. */
static double spread_percent(const struct spread *spread)
{
	return spread->median > 0 ? (spread->max - spread->min) * 100 / spread->median : 0;
}

static bool verified(const struct report *report, size_t size)
{
	for (uint32_t run = 0; run < report->options->runs; run++) {
		if (!report_outcome(report, size, run)->verified) {
			return false;
		}
	}
	return true;
}

static const char *verdict(const struct report *report, size_t size)
{
	if (!report->options->verify) {
		return "-";
	}
	return verified(report, size) ? "yes" : "NO";
}

/* Few messages a second need a fraction. */
static int digits(double rate)
{
	return rate < 1000 ? 1 : 0;
}

/* --- For people ----------------------------------------------------------------------------------- */

static const char *path_text(const struct options *options)
{
	if (options->in_place) {
		return " in place";
	}
	return options->zcb ? " from zcb memory" : "";
}

static void head(const struct report *report, FILE *file)
{
	const struct options *options = report->options;

	fprintf(file, "%s: %" PRIu32 " members, %" PRIu32 " of them send%s; %s; ",
		bench_mode_name(options->mode), report->members_count, report->senders,
		path_text(options), guarantee_name(options->guarantee));
	if (options->rate > 0) {
		fprintf(file, "%" PRIu64 " messages/s offered; ", options->rate);
	} else if (options->mode == BENCH_LATENCY) {
		fprintf(file, "one at a time, %g s apart; ", (double)options->interval_ns / 1e9);
	}
	fprintf(file, "%g s a size, median of %" PRIu32 " runs\n%s\n\n",
		(double)options->duration_ns / 1e9, options->runs, link_library());
}

static void sender_lines(const struct report *report, size_t size, FILE *file)
{
	for (uint32_t i = 0; i < report->members_count && report->senders > 1; i++) {
		struct spread rate = report_spread(report, size, QUANTILE(sender_rates, i));

		if (report->members[i].sends) {
			fprintf(file, "%10s %12.*f  from node %" PRIu32 ", process %" PRIu32 "\n",
				"", digits(rate.median), rate.median, report->members[i].nodeid,
				report->members[i].pid);
		}
	}
}

static void throughput_line(const struct report *report, size_t size, FILE *file)
{
	struct spread rate = report_spread(report, size, FIGURE(rate));
	double slowest = report_spread(report, size, FIGURE(slowest)).median;

	fprintf(file, "%10" PRIu64 " %12.*f %12.*f %7.1f%% %11.2f %11.2f %9.2f %9.2f %9.0f %9s\n",
		report->options->sizes[size], digits(rate.median), rate.median, digits(slowest),
		slowest, spread_percent(&rate), megabytes(report, size, rate.median),
		megabytes(report, size, slowest), report_spread(report, size, FIGURE(cpu)).median,
		report_spread(report, size, FIGURE(daemon_cpu)).median,
		report_spread(report, size, FIGURE(try_again)).median, verdict(report, size));
	sender_lines(report, size, file);
}

static void latency_line(const struct report *report, size_t size, size_t offset, const char *what,
			 FILE *file)
{
	struct spread half = report_spread(report, size, offset);

	fprintf(file, "%10" PRIu64 " %-6s %9.0f", report->options->sizes[size], what,
		report_spread(report, size, FIGURE(samples)).median);
	for (size_t i = 0; i < QUANTILES; i++) {
		fprintf(file, " %9.1f",
			report_spread(report, size, offset + i * sizeof(double)).median / 1000);
	}
	fprintf(file, " %7.1f%% %9s\n", spread_percent(&half), verdict(report, size));
}

static void latency_lines(const struct report *report, size_t size, FILE *file)
{
	latency_line(report, size, FIGURE(own_ns), "own", file);
	if (report->members_count > 1) {
		latency_line(report, size, FIGURE(echo_ns), "answer", file);
	}
}

void print_table(const struct report *report, FILE *file)
{
	bool latency = report->options->mode == BENCH_LATENCY;

	head(report, file);
	if (latency) {
		fprintf(file, "%10s %-6s %9s %9s %9s %9s %9s %9s %8s %9s\n", "bytes", "",
			"messages", "p50 us", "p90", "p99", "p99.9", "max", "spread", "verified");
	} else {
		fprintf(file, "%10s %12s %12s %8s %11s %11s %9s %9s %9s %9s\n", "bytes",
			"messages/s", "slowest", "spread", "MB/s", "slowest", "CPUs", "daemons'",
			"try again", "verified");
	}
	for (size_t size = 0; size < report->options->sizes_count; size++) {
		uint32_t refused = report_refused(report, size);

		if (refused) {
			fprintf(file, "%10" PRIu64 " refused (%s)\n", report->options->sizes[size],
				cs_strerror((cs_error_t)refused));
		} else if (latency) {
			latency_lines(report, size, file);
		} else {
			throughput_line(report, size, file);
		}
	}
}

/* --- For spreadsheets ----------------------------------------------------------------------------- */

static void csv_quantiles(const double *values, FILE *file)
{
	for (size_t i = 0; i < QUANTILES; i++) {
		fprintf(file, ",%.3f", values[i] / 1000);
	}
}

static void csv_line(const struct report *report, size_t size, uint32_t run, FILE *file)
{
	const struct outcome *outcome = report_outcome(report, size, run);

	fprintf(file,
		"%s,%" PRIu64 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32
		",%s,%s,%.3f,%.3f,%.4f,%.4f,%.4f,%.4f,%.0f,%.0f,%.0f",
		bench_mode_name(report->options->mode), report->options->sizes[size], run + 1,
		report->members_count, report->senders, guarantee_name(report->options->guarantee),
		outcome->refused ? "refused" : "ok", outcome->rate, outcome->slowest,
		megabytes(report, size, outcome->rate), megabytes(report, size, outcome->slowest),
		outcome->cpu, outcome->daemon_cpu, outcome->try_again, outcome->faults,
		outcome->samples);
	csv_quantiles(outcome->own_ns, file);
	csv_quantiles(outcome->echo_ns, file);
	fprintf(file, ",%" PRIu32 "\n", report->options->window);
}

void print_csv(const struct report *report, FILE *file)
{
	static const char *const kinds[] = {"own", "answer"};

	fputs("mode,bytes,run,members,senders,guarantee,state,messages_per_second,"
	      "messages_per_second_slowest,megabytes_per_second,megabytes_per_second_slowest,"
	      "cpus,daemon_cpus,try_again,faults,samples",
	      file);
	for (size_t kind = 0; kind < 2; kind++) {
		for (size_t i = 0; i < QUANTILES; i++) {
			fprintf(file, ",%s_%s_us", kinds[kind], quantile_names[i]);
		}
	}
	fputs(",window\n", file);
	for (uint32_t run = 0; run < report->options->runs; run++) {
		for (size_t size = 0; size < report->options->sizes_count; size++) {
			csv_line(report, size, run, file);
		}
	}
}

/* --- For programs --------------------------------------------------------------------------------- */

static void json_text(const char *text, FILE *file)
{
	fputc('"', file);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			fprintf(file, "\\%c", c);
		} else if (c < 0x20) {
			fprintf(file, "\\u%04x", c);
		} else {
			fputc(c, file);
		}
	}
	fputc('"', file);
}

static void json_spread(const char *name, const struct spread *spread, double factor, FILE *file)
{
	fprintf(file, ",\"%s\":{\"min\":%.4f,\"median\":%.4f,\"max\":%.4f}", name,
		spread->min * factor, spread->median * factor, spread->max * factor);
}

static void json_figure(const struct report *report, size_t size, const char *name, size_t offset,
			double factor, FILE *file)
{
	struct spread spread = report_spread(report, size, offset);

	json_spread(name, &spread, factor, file);
}

static void json_senders(const struct report *report, size_t size, FILE *file)
{
	const char *comma = "";

	fputs(",\"senders\":[", file);
	for (uint32_t i = 0; i < report->members_count; i++) {
		if (!report->members[i].sends) {
			continue;
		}
		fprintf(file, "%s{\"nodeid\":%" PRIu32 ",\"pid\":%" PRIu32, comma,
			report->members[i].nodeid, report->members[i].pid);
		json_figure(report, size, "messages_per_second", QUANTILE(sender_rates, i), 1,
			    file);
		fputc('}', file);
		comma = ",";
	}
	fputc(']', file);
}

static void json_times(const struct report *report, size_t size, const char *name, size_t offset,
		       FILE *file)
{
	fprintf(file, ",\"%s\":{\"unit\":\"us\"", name);
	for (size_t i = 0; i < QUANTILES; i++) {
		json_figure(report, size, quantile_names[i], offset + i * sizeof(double), 0.001,
			    file);
	}
	fputc('}', file);
}

static void json_size(const struct report *report, size_t size, FILE *file)
{
	uint32_t refused = report_refused(report, size);

	fprintf(file, "{\"bytes\":%" PRIu64 ",\"refused\":%s", report->options->sizes[size],
		refused ? "true" : "false");
	if (refused) {
		fprintf(file, ",\"error\":\"%s\"}", cs_strerror((cs_error_t)refused));
		return;
	}
	if (report->options->verify) {
		fprintf(file, ",\"verified\":%s", verified(report, size) ? "true" : "false");
	}
	json_figure(report, size, "messages_per_second", FIGURE(rate), 1, file);
	json_figure(report, size, "messages_per_second_slowest", FIGURE(slowest), 1, file);
	json_figure(report, size, "megabytes_per_second", FIGURE(rate), megabytes(report, size, 1),
		    file);
	json_figure(report, size, "cpus", FIGURE(cpu), 1, file);
	json_figure(report, size, "daemon_cpus", FIGURE(daemon_cpu), 1, file);
	json_figure(report, size, "try_again", FIGURE(try_again), 1, file);
	json_senders(report, size, file);
	if (report->options->mode == BENCH_LATENCY) {
		json_figure(report, size, "samples", FIGURE(samples), 1, file);
		json_times(report, size, "own", FIGURE(own_ns), file);
		json_times(report, size, "answer", FIGURE(echo_ns), file);
	}
	fputc('}', file);
}

void print_json(const struct report *report, FILE *file)
{
	const struct options *options = report->options;

	fprintf(file, "{\"mode\":\"%s\",\"library\":", bench_mode_name(options->mode));
	json_text(link_library(), file);
	fprintf(file,
		",\"members\":%" PRIu32 ",\"senders\":%" PRIu32
		",\"guarantee\":\"%s\",\"zcb\":%s,\"in_place\":%s,\"rate\":%" PRIu64
		",\"seconds\":%g,\"warmup\":%g,\"runs\":%" PRIu32 ",\"sizes\":[",
		report->members_count, report->senders, guarantee_name(options->guarantee),
		options->zcb ? "true" : "false", options->in_place ? "true" : "false",
		options->rate, (double)options->duration_ns / 1e9, (double)options->warmup_ns / 1e9,
		options->runs);
	for (size_t size = 0; size < options->sizes_count; size++) {
		fputs(size > 0 ? ",\n" : "\n", file);
		json_size(report, size, file);
	}
	fputs("]}\n", file);
}
