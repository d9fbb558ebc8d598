/* SPDX-License-Identifier: BSD-3-Clause */
/* Telling the owner what went wrong. */
#ifndef CORONET_SHM_LOG_H
#define CORONET_SHM_LOG_H

#include <syslog.h>

#include "shm/shm_int.h"

__attribute__((format(printf, 3, 4))) void shm_log(const struct transport_config *config,
						   int priority, const char *format, ...);
/* "shm: node N: WHAT WHY"; said once as long as WHY is the same, and not for each of many. Both texts live
 * for ever. */
void shm_log_peer(struct shm_peer *peer, int priority, const char *what, const char *why);
/* Whether a line is due about somebody who is no peer: he can cause as many as he likes. */
bool shm_log_guest(struct transport *t);

#endif
