/* SPDX-License-Identifier: BSD-3-Clause */
/* See options.h; coronetd(8) and --help are held against each other by tests/docs/man_options.sh. */
#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	OPTION_NODE = 256,
	OPTION_RUN_DIR
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"foreground", no_argument, NULL, 'f'},
	{"help", no_argument, NULL, 'h'},
	{"node", required_argument, NULL, OPTION_NODE},
	{"run-dir", required_argument, NULL, OPTION_RUN_DIR},
	{"test", no_argument, NULL, 't'},
	{"version", no_argument, NULL, 'v'},
	{0},
};

static void take(struct options *options, int option)
{
	switch (option) {
	case 'c':
		options->config = optarg;
		return;
	case 'f':
		options->foreground = true;
		return;
	case 'h':
		options->action = OPTIONS_HELP;
		return;
	case 't':
		options->action = OPTIONS_TEST;
		return;
	case 'v':
		options->action = OPTIONS_VERSION;
		return;
	case OPTION_NODE:
		options->node = optarg;
		return;
	case OPTION_RUN_DIR:
		options->run_dir = optarg;
		return;
	default:
		options->action = OPTIONS_WRONG;
		return;
	}
}

static void complain(struct options *options, const char *what, const char *which)
{
	fprintf(stderr, "coronetd: %s%s\n", what, which);
	options->action = OPTIONS_WRONG;
}

struct options options_parse(int argc, char *const *argv)
{
	struct options options = {.config = CORONET_DEFAULT_CONFIG};
	const char *environment = secure_getenv("CORONET_RUN_DIR");
	int option;

	if (environment && environment[0]) {
		options.run_dir = environment;
	}
	optind = 1;
	while (options.action != OPTIONS_WRONG &&
	       (option = getopt_long(argc, argv, "c:fhtv", long_options, NULL)) != -1) {
		take(&options, option);
	}
	if (options.action != OPTIONS_WRONG && optind < argc) {
		complain(&options, "what does this argument mean: ", argv[optind]);
	}
	if (options.run_dir && options.run_dir[0] == '\0') {
		complain(&options, "--run-dir needs the name of a directory", "");
	}
	if (options.action == OPTIONS_WRONG) {
		fprintf(stderr, "Try coronetd --help.\n");
	}
	return options;
}

void options_help(void)
{
	fputs("usage: coronetd [OPTIONS]\n"
	      "Serves process groups (libcpg) of this node; one daemon per node forms the ring.\n"
	      "\n"
	      "  -c, --config FILE    read FILE instead of " CORONET_DEFAULT_CONFIG "\n"
	      "  -f, --foreground     stay in the foreground\n"
	      "      --node NODE      be the node with this name, ring address or id\n"
	      "      --run-dir DIR    keep sockets, lock and state in DIR, not " CORONET_DEFAULT_RUN_DIR
	      "\n"
	      "  -t, --test           check the configuration and exit\n"
	      "  -v, --version        show the version and exit\n"
	      "  -h, --help           show this and exit\n",
	      stdout);
}
