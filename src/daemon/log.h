/* SPDX-License-Identifier: BSD-3-Clause */
/* The log: libqb's, to stderr, syslog, a file and the flight recorder. Until log_open nothing is written. Single-threaded.
 * Whoever reads stderr or the system's log may be slow or stopped: lines that are not taken at once are dropped and counted, for the
 * ring must not wait. */
#ifndef CORONET_DAEMON_LOG_H
#define CORONET_DAEMON_LOG_H

#include "config/config.h"

/* What logging says holds from now on; called again after a reload. 0, or a negative errno of the log file, which is then left out and
 * said in the log. */
int log_open(const struct config_logging *logging);
void log_close(void);

/* After this the process has lost its terminal: nothing goes to stderr. */
void log_detach_stderr(void);

/* The flight recorder keeps the last lines of all levels in memory; a crash writes them to `path`. Call once, in the process that stays. */
void log_recorder_start(const char *path);
/* Writes it now. 0 or negative errno; -ENOENT when there is none. */
int log_recorder_write(void);

#define log_say(part, priority, ...) \
	log_write(part, priority, __FILE__, __LINE__, __func__, __VA_ARGS__)
__attribute__((format(printf, 6, 7))) void log_write(enum log_part part, int priority,
						     const char *file, int line,
						     const char *function, const char *format, ...);

/* "warning" for LOG_WARNING. */
const char *log_priority_name(int priority);

#endif
