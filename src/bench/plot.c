/* SPDX-License-Identifier: BSD-3-Clause */
/* Data and a script for gnuplot, which runs as a process of its own. */
#include "bench/plot.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int run_gnuplot(const char *argument)
{
	char *argv[] = {(char *)(uintptr_t) "gnuplot", (char *)(uintptr_t)argument, NULL};
	pid_t pid;
	int status;
	int error = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);

	if (error != 0) {
		return -error;
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return -errno;
		}
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

int plot_possible(void)
{
	return run_gnuplot("/dev/null") == 0 ? 0 : -ENOENT;
}

static void write_data(const struct report *report, FILE *file)
{
	fputs("# bytes messages/s MB/s p50us p90us p99us p99.9us max\n", file);
	for (size_t size = 0; size < report->options->sizes_count; size++) {
		struct spread rate = report_spread(report, size, offsetof(struct outcome, rate));

		if (report_refused(report, size)) {
			continue;
		}
		fprintf(file, "%" PRIu64 " %.3f %.4f", report->options->sizes[size], rate.median,
			rate.median * (double)report->options->sizes[size] / 1e6);
		for (size_t i = 0; i < QUANTILES; i++) {
			size_t offset = offsetof(struct outcome, own_ns) + i * sizeof(double);

			fprintf(file, " %.3f", report_spread(report, size, offset).median / 1000);
		}
		fputc('\n', file);
	}
}

static void write_picture(FILE *file, const char *prefix, const char *name, const char *y_label,
			  const char *curves)
{
	static const char *const terminals[][2] = {{"svg size 800,500", "svg"},
						   {"pngcairo size 800,500", "png"}};

	for (size_t i = 0; i < 2; i++) {
		fprintf(file, "set terminal %s\nset output '%s-%s.%s'\nset ylabel '%s'\n",
			terminals[i][0], prefix, name, terminals[i][1], y_label);
		fprintf(file, "plot %s\n", curves);
	}
}

static void write_script(const struct report *report, const char *prefix, FILE *file)
{
	fprintf(file,
		"set logscale xy\nset grid\nset xlabel 'bytes a message'\nset key below\n"
		"data = '%s.dat'\n",
		prefix);
	if (report->options->mode == BENCH_THROUGHPUT) {
		write_picture(file, prefix, "messages", "messages/s",
			      "data using 1:2 with linespoints notitle");
		write_picture(file, prefix, "megabytes", "MB/s",
			      "data using 1:3 with linespoints notitle");
	} else {
		write_picture(file, prefix, "latency", "microseconds until the own delivery",
			      "data using 1:4 with linespoints title 'p50', "
			      "data using 1:6 with linespoints title 'p99', "
			      "data using 1:7 with linespoints title 'p99.9'");
	}
}

static FILE *create(const char *prefix, const char *suffix, char *path, size_t path_size)
{
	FILE *file;

	snprintf(path, path_size, "%s%s", prefix, suffix);
	file = fopen(path, "we");
	if (!file) {
		fprintf(stderr, "coronet-bench: %s: %s\n", path, strerror(errno));
	}
	return file;
}

int plot_report(const struct report *report, const char *prefix)
{
	char path[PATH_MAX];
	FILE *file;
	int error;

	/* Quoted in the script. */
	if (strchr(prefix, '\'') || strlen(prefix) > PATH_MAX - 32) {
		fprintf(stderr, "coronet-bench: plots cannot have this name: %s\n", prefix);
		return -EINVAL;
	}
	file = create(prefix, ".dat", path, sizeof(path));
	if (!file) {
		return -EIO;
	}
	write_data(report, file);
	fclose(file);
	file = create(prefix, ".gp", path, sizeof(path));
	if (!file) {
		return -EIO;
	}
	write_script(report, prefix, file);
	fclose(file);
	error = run_gnuplot(path);
	if (error < 0) {
		fprintf(stderr, "coronet-bench: gnuplot %s: %s\n", path, strerror(-error));
	}
	return error;
}
