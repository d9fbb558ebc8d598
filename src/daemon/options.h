/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of coronetd. */
#ifndef CORONET_DAEMON_OPTIONS_H
#define CORONET_DAEMON_OPTIONS_H

#include <stdbool.h>

enum options_action {
	OPTIONS_RUN,
	OPTIONS_TEST,
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_WRONG, /* has been said on stderr */
};

/* Texts are argv's, or constants. */
struct options {
	enum options_action action;
	bool foreground;
	const char *config;
	const char *node;    /* NULL: to be found out */
	const char *run_dir; /* NULL: not given, neither here nor in CORONET_RUN_DIR */
};

struct options options_parse(int argc, char *const *argv);
void options_help(void);

#endif
