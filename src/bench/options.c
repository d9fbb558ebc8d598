/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of coronet-bench. */
#include "bench/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

enum {
	OPTION_CSV = 256,
	OPTION_DAEMON_PID,
	OPTION_GROUP,
	OPTION_IN_PLACE,
	OPTION_INTERVAL,
	OPTION_JSON,
	OPTION_PATIENCE,
	OPTION_PLOT,
	OPTION_RATE,
	OPTION_RECEIVE,
	OPTION_SEND,
	OPTION_VERIFY,
	OPTION_WARMUP,
	OPTION_WINDOW,
	OPTION_ZCB
};

static const struct option long_options[] = {{"csv", no_argument, NULL, OPTION_CSV},
					     {"daemon-pid", required_argument, NULL,
					      OPTION_DAEMON_PID},
					     {"group", required_argument, NULL, OPTION_GROUP},
					     {"guarantee", required_argument, NULL, 'g'},
					     {"help", no_argument, NULL, 'h'},
					     {"in-place", no_argument, NULL, OPTION_IN_PLACE},
					     {"interval", required_argument, NULL, OPTION_INTERVAL},
					     {"json", no_argument, NULL, OPTION_JSON},
					     {"members", required_argument, NULL, 'm'},
					     {"patience", required_argument, NULL, OPTION_PATIENCE},
					     {"plot", required_argument, NULL, OPTION_PLOT},
					     {"quiet", no_argument, NULL, 'q'},
					     {"rate", required_argument, NULL, OPTION_RATE},
					     {"receive", no_argument, NULL, OPTION_RECEIVE},
					     {"runs", required_argument, NULL, 'r'},
					     {"seconds", required_argument, NULL, 't'},
					     {"send", no_argument, NULL, OPTION_SEND},
					     {"sizes", required_argument, NULL, 's'},
					     {"verify", no_argument, NULL, OPTION_VERIFY},
					     {"warmup", required_argument, NULL, OPTION_WARMUP},
					     {"window", required_argument, NULL, OPTION_WINDOW},
					     {"zcb", no_argument, NULL, OPTION_ZCB},
					     {0}};

const char *options_help(void)
{
	return "usage: coronet-bench throughput|latency|memory [OPTIONS]\n"
	       "Measures a process group: start one on each node, with the same group and number of\n"
	       "members. The lowest member tells the others what to do, and prints the results.\n"
	       "\n"
	       "  -m, --members N        wait for N members, itself included (1)\n"
	       "      --group NAME       where they meet (coronet-bench)\n"
	       "      --send             this member sends (it does, unless told otherwise)\n"
	       "      --receive          this member only receives\n"
	       "  -s, --sizes LIST       sizes of messages in bytes, as in 1,64,4k,64m\n"
	       "  -t, --seconds T        measure each size for T seconds (3)\n"
	       "      --warmup T         ... after T seconds that do not count (0.5)\n"
	       "  -r, --runs N           measure everything N times; median and spread (1)\n"
	       "  -g, --guarantee WORD   agreed, fifo, safe or unordered (agreed)\n"
	       "      --zcb              send from memory of cpg_zcb_alloc()\n"
	       "      --in-place         read messages where they are, send from buffers that are\n"
	       "                         handed over; with Coronet only\n"
	       "      --window N         at most N own messages on their way (0: no limit)\n"
	       "      --rate N           latency: offer N messages a second, all senders together\n"
	       "                         (0: one at a time)\n"
	       "      --interval T       latency: seconds between two that are alone (0.001)\n"
	       "      --verify           check each message's bytes, and that all have one order\n"
	       "      --daemon-pid PID   count this process's processor time as the daemon's\n"
	       "      --patience T       give up after T seconds without any event (30)\n"
	       "      --json             print JSON\n"
	       "      --csv              print a line with commas for each size and run\n"
	       "      --plot PREFIX      draw PREFIX-*.svg and PREFIX-*.png, with gnuplot\n"
	       "  -q, --quiet            no progress on the standard error output\n"
	       "  -h, --help             show this and exit\n"
	       "\n"
	       "Which service is measured depends on which libcpg.so.4 is loaded: see LD_LIBRARY_PATH.\n";
}

const char *bench_mode_name(enum bench_mode mode)
{
	switch (mode) {
	case BENCH_HELP:
		return "help";
	case BENCH_THROUGHPUT:
		return "throughput";
	case BENCH_LATENCY:
		return "latency";
	case BENCH_MEMORY:
		return "memory";
	}
	return "unknown";
}

const char *guarantee_name(cpg_guarantee_t guarantee)
{
	switch (guarantee) {
	case CPG_TYPE_UNORDERED:
		return "unordered";
	case CPG_TYPE_FIFO:
		return "fifo";
	case CPG_TYPE_AGREED:
		return "agreed";
	case CPG_TYPE_SAFE:
		return "safe";
	}
	return "unknown";
}

/* --- Values --------------------------------------------------------------------------------------- */

static int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *number, char **end)
{
	unsigned long long value;

	if (!isdigit((unsigned char)text[0])) {
		return -EINVAL;
	}
	errno = 0;
	value = strtoull(text, end, 10);
	if (errno != 0 || value < min || value > max) {
		return -EINVAL;
	}
	*number = value;
	return 0;
}

static int parse_whole(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
	char *end;
	uint64_t value;

	if (parse_number(text, min, max, &value, &end) < 0 || *end != '\0') {
		return -EINVAL;
	}
	*number = value;
	return 0;
}

/* One size; *end is where the text goes on. */
static int parse_size(const char *text, uint64_t *size, char **end)
{
	uint64_t value;
	unsigned int shift = 0;

	if (parse_number(text, 1, OPTIONS_SIZE_MAX, &value, end) < 0) {
		return -EINVAL;
	}
	if (tolower((unsigned char)**end) == 'k') {
		shift = 10;
	} else if (tolower((unsigned char)**end) == 'm') {
		shift = 20;
	}
	*end += shift > 0;
	if (value > OPTIONS_SIZE_MAX >> shift) {
		return -EINVAL;
	}
	*size = value << shift;
	return 0;
}

int options_parse_size(const char *text, uint64_t *size)
{
	char *end;
	uint64_t value;

	if (parse_size(text, &value, &end) < 0 || *end != '\0') {
		return -EINVAL;
	}
	*size = value;
	return 0;
}

int options_parse_seconds(const char *text, uint64_t *ns)
{
	char *end;
	double value;

	if (!isdigit((unsigned char)text[0])) {
		return -EINVAL;
	}
	value = strtod(text, &end);
	if (*end != '\0' || !(value >= 0 && value <= 86400)) {
		return -EINVAL;
	}
	*ns = (uint64_t)(value * (double)SECOND_NS + 0.5);
	return 0;
}

static int parse_sizes(struct options *options, const char *text)
{
	char *end;

	options->sizes_count = 0;
	while (options->sizes_count < OPTIONS_SIZES_MAX) {
		if (parse_size(text, &options->sizes[options->sizes_count], &end) < 0) {
			return -EINVAL;
		}
		options->sizes_count++;
		if (*end == '\0') {
			return 0;
		}
		if (*end != ',') {
			return -EINVAL;
		}
		text = end + 1;
	}
	return -EINVAL;
}

static int parse_guarantee(struct options *options, const char *text)
{
	static const cpg_guarantee_t all[] = {CPG_TYPE_UNORDERED, CPG_TYPE_FIFO, CPG_TYPE_AGREED,
					      CPG_TYPE_SAFE};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(text, guarantee_name(all[i])) == 0) {
			options->guarantee = all[i];
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_group(struct options *options, const char *text)
{
	if (text[0] == '\0' || strlen(text) > CPG_MAX_NAME_LENGTH) {
		return -EINVAL;
	}
	options->group = text;
	return 0;
}

static int parse_count(const char *text, uint32_t min, uint32_t max, uint32_t *count)
{
	uint64_t number;

	if (parse_whole(text, min, max, &number) < 0) {
		return -EINVAL;
	}
	*count = (uint32_t)number;
	return 0;
}

static int parse_pid(struct options *options, const char *text)
{
	uint32_t pid;

	if (parse_count(text, 1, INT32_MAX, &pid) < 0) {
		return -EINVAL;
	}
	options->daemon_pid = (int)pid;
	return 0;
}

/* --- The line ------------------------------------------------------------------------------------- */

static int parse_flag(struct options *options, int option)
{
	switch (option) {
	case OPTION_CSV:
		options->form = BENCH_CSV;
		return 0;
	case OPTION_JSON:
		options->form = BENCH_JSON;
		return 0;
	case OPTION_RECEIVE:
		options->receive_only = true;
		return 0;
	case OPTION_SEND:
		options->receive_only = false;
		return 0;
	case OPTION_VERIFY:
		options->verify = true;
		return 0;
	case OPTION_IN_PLACE:
		options->in_place = true;
		return 0;
	case OPTION_ZCB:
		options->zcb = true;
		return 0;
	case 'q':
		options->quiet = true;
		return 0;
	case 'h':
		options->mode = BENCH_HELP;
		return 0;
	}
	return -EINVAL;
}

static int parse_value(struct options *options, int option, const char *text)
{
	switch (option) {
	case 's':
		return parse_sizes(options, text);
	case 't':
		return options_parse_seconds(text, &options->duration_ns);
	case 'g':
		return parse_guarantee(options, text);
	case 'm':
		return parse_count(text, 1, OPTIONS_MEMBERS_MAX, &options->members);
	case 'r':
		return parse_count(text, 1, OPTIONS_RUNS_MAX, &options->runs);
	case OPTION_DAEMON_PID:
		return parse_pid(options, text);
	case OPTION_GROUP:
		return parse_group(options, text);
	case OPTION_INTERVAL:
		return options_parse_seconds(text, &options->interval_ns);
	case OPTION_PATIENCE:
		return options_parse_seconds(text, &options->patience_ns);
	case OPTION_PLOT:
		options->plot = text;
		return text[0] != '\0' ? 0 : -EINVAL;
	case OPTION_RATE:
		return parse_whole(text, 0, SECOND_NS, &options->rate);
	case OPTION_WARMUP:
		return options_parse_seconds(text, &options->warmup_ns);
	case OPTION_WINDOW:
		return parse_count(text, 0, UINT32_MAX, &options->window);
	}
	return -EINVAL;
}

static int parse_mode(struct options *options, const char *text)
{
	static const enum bench_mode all[] = {BENCH_THROUGHPUT, BENCH_LATENCY, BENCH_MEMORY};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(text, bench_mode_name(all[i])) == 0) {
			options->mode = all[i];
			return 0;
		}
	}
	return -EINVAL;
}

static void set_defaults(struct options *options)
{
	*options = (struct options){.group = "coronet-bench",
				    .duration_ns = 3 * SECOND_NS,
				    .warmup_ns = SECOND_NS / 2,
				    .interval_ns = SECOND_NS / 1000,
				    .patience_ns = 30 * SECOND_NS,
				    .members = 1,
				    .runs = 1,
				    .guarantee = CPG_TYPE_AGREED};
}

/* Sizes that nobody asked for. */
static void default_sizes(struct options *options)
{
	static const char *const sizes[] = {[BENCH_HELP] = "1",
					    [BENCH_THROUGHPUT] = "64,1k,8k,64k,1m",
					    [BENCH_LATENCY] = "64,1k,64k",
					    [BENCH_MEMORY] = "64k,1m,64m"};

	if (options->sizes_count == 0) {
		(void)parse_sizes(options, sizes[options->mode]);
	}
}

static int check_together(const struct options *options, char *why, size_t why_size)
{
	if (options->duration_ns == 0) {
		snprintf(why, why_size, "nothing can be measured in 0 seconds");
		return -EINVAL;
	}
	if (options->zcb && options->in_place) {
		snprintf(why, why_size, "--zcb copies what --in-place does not: one of them");
		return -EINVAL;
	}
	if (options->rate > 0 && options->mode != BENCH_LATENCY) {
		snprintf(why, why_size, "--rate belongs to the mode latency");
		return -EINVAL;
	}
	for (size_t i = 0; i < options->sizes_count; i++) {
		if (options->mode == BENCH_LATENCY && options->sizes[i] < OPTIONS_LATENCY_MIN) {
			snprintf(why, why_size,
				 "the mode latency needs messages of %d bytes and more",
				 OPTIONS_LATENCY_MIN);
			return -EINVAL;
		}
	}
	if (options->mode == BENCH_MEMORY && options->plot) {
		snprintf(why, why_size, "the mode memory draws nothing");
		return -EINVAL;
	}
	return 0;
}

static int find_mode(int argc, char **argv, struct options *options, char *why, size_t why_size)
{
	if (optind >= argc) {
		snprintf(why, why_size, "what is to be measured: throughput, latency or memory?");
		return -EINVAL;
	}
	if (parse_mode(options, argv[optind]) < 0) {
		snprintf(why, why_size, "nothing can be measured that is called %s", argv[optind]);
		return -EINVAL;
	}
	if (optind + 1 < argc) {
		snprintf(why, why_size, "what does this argument mean: %s", argv[optind + 1]);
		return -EINVAL;
	}
	default_sizes(options);
	return check_together(options, why, why_size);
}

int options_parse(int argc, char **argv, struct options *options, char *why, size_t why_size)
{
	bool help = false;
	int option;

	set_defaults(options);
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "g:hm:qr:s:t:", long_options, NULL)) != -1) {
		help = help || option == 'h';
		if (option == '?') {
			snprintf(why, why_size,
				 "an option that is not known, or lacks its value: %s",
				 argv[optind - 1]);
			return -EINVAL;
		}
		if (optarg ? parse_value(options, option, optarg) : parse_flag(options, option)) {
			snprintf(why, why_size, "%s has no meaning here: %s", argv[optind - 1],
				 optarg ? optarg : "");
			return -EINVAL;
		}
	}
	return help ? 0 : find_mode(argc, argv, options, why, why_size);
}
