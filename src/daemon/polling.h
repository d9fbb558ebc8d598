/* SPDX-License-Identifier: BSD-3-Clause */
/* Staying awake: what linger.h decides, carried out. */
#ifndef CORONET_DAEMON_POLLING_H
#define CORONET_DAEMON_POLLING_H

#include "daemon/linger.h"

struct daemon;

struct polling {
	struct lingering linger;
	/* Of /proc; -1: the kernel does not tell. */
	int schedstat_fd, loadavg_fd;
	uint32_t online; /* processors of the host */
	uint64_t heard_ms;
	bool awake;	/* what engine and clients were told */
	bool found;	/* there was work since the policy was asked last */
	uint64_t taken; /* messages of programs, then */
};

void polling_start(struct polling *polling, enum config_poll mode);
void polling_end(struct polling *polling);
/* Comes into force with the next turn. */
void polling_change(struct polling *polling, enum config_poll mode);

/* The first turn of the engine, and while the daemon is awake more of them, for some microseconds, until something is found. True:
 * something was. */
bool polling_look(struct daemon *daemon);

/* After the clients' turn, when nothing is left to do. True: look again without sleeping. False: everybody knows that he has to wake us. */
bool polling_goes_on(struct daemon *daemon);

#endif
