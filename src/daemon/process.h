/* SPDX-License-Identifier: BSD-3-Clause */
/* The process itself: into the background, its priority, its limits, and word to whoever started it. */
#ifndef CORONET_DAEMON_PROCESS_H
#define CORONET_DAEMON_PROCESS_H

#include "config/config.h"

/* Forks; the parent waits for process_tell_parent and exits with what is told, so that whoever started the daemon learns how
 * its start went. Returns in the child: 0, or -errno when the fork failed. */
int process_background(void);
/* With EXIT_OK also lets go of the terminal. Without process_background it does nothing. Returns 0, or -errno when /dev/null cannot be opened. */
int process_tell_parent(int exit_code);

/* Tells systemd (sd_notify(3)), if it wants to know: "READY=1". */
void process_notify(const char *text);

/* First as many descriptors and as much locked memory as the process may have, then the configured priority, and memory locked if there is no
 * limit. Says in the log what was not permitted. */
void process_raise_limits(void);
void process_raise_priority(const struct config *config);

#endif
