/* SPDX-License-Identifier: BSD-3-Clause */
/* Closes what strangers may have filled, in a thread of its own. With a UNIX socket go the descriptors that were sent
 * over it and not read, thousands of them if somebody likes; and the last descriptor of a TCP connection with
 * SO_LINGER (socket(7)) keeps its closer waiting for as long as the other end likes. */
#ifndef CORONET_CLOSER_H
#define CORONET_CLOSER_H

#include <stdbool.h>

/* Once in a process, before its system calls are filtered; without it closer_close closes at once. 0 or negative
 * errno. */
int closer_start(void);

/* Takes the descriptor, and never waits; nobody may be watching it any more. False: so many are waiting to be closed
 * that no more strangers should be let in for a moment. Thread-safe. `ctx` is not used: it fits
 * transport_config.discard and clients_config.discard. */
bool closer_close(void *ctx, int fd);

/* Closes what is left and ends the thread. Nothing if there is none. */
void closer_stop(void);

#endif
