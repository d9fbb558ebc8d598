/* SPDX-License-Identifier: BSD-3-Clause */
/* The shared-memory transport: daemons of one host, one user and one cluster name. Needs no
 * adapter, no module, no privilege. */
#ifndef CORONET_SHM_H
#define CORONET_SHM_H

#include "transport.h"

extern const struct transport_ops transport_shm;

#endif
