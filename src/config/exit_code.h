/* SPDX-License-Identifier: BSD-3-Clause */
/* What coronetd exits with; the numbers are corosync's where it has the same case. coronetd(8) lists them. */
#ifndef CORONET_CONFIG_EXIT_CODE_H
#define CORONET_CONFIG_EXIT_CODE_H

enum exit_code {
	EXIT_OK = 0,
	EXIT_USAGE = 1,
	EXIT_FORK = 4,
	EXIT_LOGGING = 7,
	EXIT_CONFIG = 8,
	EXIT_FATAL = 15,
	EXIT_DIRECTORY = 16,
	EXIT_LOCK = 17,
	EXIT_RUNNING = 18,
	EXIT_DEV_NULL = 19,
	EXIT_RING_ID = 21,
};

#endif
