/* SPDX-License-Identifier: BSD-3-Clause */
/* Telling the owner what went wrong. */
#ifndef CORONET_SHM_LOG_H
#define CORONET_SHM_LOG_H

#include <syslog.h>

#include "shm/shm_int.h"

__attribute__((format(printf, 3, 4))) void shm_log(const struct transport_config *config,
						   int priority, const char *format, ...);
/* About one peer; a text that was the last one said about it is not said again. `text` lives for ever. */
void shm_log_peer(struct shm_peer *peer, int priority, const char *text);

#endif
