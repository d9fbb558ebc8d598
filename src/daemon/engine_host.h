/* SPDX-License-Identifier: BSD-3-Clause */
/* What the engine needs from the daemon: durable ring numbers, clients, the log. */
#ifndef CORONET_DAEMON_ENGINE_HOST_H
#define CORONET_DAEMON_ENGINE_HOST_H

#include "daemon/daemon.h"

struct engine_host engine_host(struct daemon *daemon);

#endif
