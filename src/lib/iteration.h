/* SPDX-License-Identifier: BSD-3-Clause */
/* Walks over a snapshot that the daemon took. They hold no use of their instance, which closes
 * them when it is finalized. */
#ifndef CORONET_LIB_ITERATION_H
#define CORONET_LIB_ITERATION_H

#include "lib/instance.h"

/* Closes every walk that began at this instance. */
void iterations_close(struct instance *instance);

#endif
