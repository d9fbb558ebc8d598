/* SPDX-License-Identifier: BSD-3-Clause */
/* How fast this machine copies memory: what every figure of bytes a second is measured against. */
#ifndef CORONET_BENCH_MEMORY_H
#define CORONET_BENCH_MEMORY_H

#include "bench/options.h"

/* Copies blocks of all sizes with one thread and prints bytes a second. 0, or -ENOMEM. */
int memory_run(const struct options *options);

#endif
