/* SPDX-License-Identifier: BSD-3-Clause */
/* A descriptor whose closing waits, and its way into a socket of somebody who has to close it. */
#ifndef CORONET_TEST_GIVE_H
#define CORONET_TEST_GIVE_H

#include <stdbool.h>

#define GIVEN_LINGER_S 20

/* A TCP connection that keeps its last closer waiting for so many seconds, as nobody reads at *other, the caller's
 * too. -1: there are none to be had. */
int given_linger(int *other);

/* Sends the descriptor over a UNIX socket, with a byte, and closes it here. False: the kernel or the other end does not
 * take it. */
bool give(int over, int fd);

#endif
