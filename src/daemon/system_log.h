/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines for the system's log. syslog(3) waits while the system's log is slow or stopped; this never does. */
#ifndef CORONET_DAEMON_SYSTEM_LOG_H
#define CORONET_DAEMON_SYSTEM_LOG_H

/* One line of at most 2,047 bytes, in the form of RFC 3164, for the socket at `path` (_PATH_LOG). priority: level | facility. Connects
 * when it has to. 0, or a negative errno when the line is lost: -EAGAIN when too many wait there. Not thread-safe. */
int system_log_write(const char *path, int priority, const char *text);
void system_log_close(void);

#endif
