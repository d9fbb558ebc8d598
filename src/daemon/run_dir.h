/* SPDX-License-Identifier: BSD-3-Clause */
/* The run directory: sockets, the lock that makes the daemon the only one in it, and its process id in the lock file. */
#ifndef CORONET_DAEMON_RUN_DIR_H
#define CORONET_DAEMON_RUN_DIR_H

#include <stddef.h>

#include "config/messages.h"

struct run_dir;

/* Makes the directory (mode 0755) if it is missing, and takes the lock. 0, or the exit code with the reason among the messages. Has to be
 * called in the process that stays: a fork loses the lock. */
int run_dir_new(const char *path, struct messages *messages, struct run_dir **out);
/* Removes the lock file and gives the lock up. */
void run_dir_free(struct run_dir **dir);

const char *run_dir_path(const struct run_dir *dir);

/* Makes a directory and its parents, mode 0755. 0 or negative errno. */
int directory_make(const char *path);

#endif
