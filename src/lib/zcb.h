/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers of cpg_zcb_alloc. They are ordinary memory of this process: a stock program writes into
 * its buffer as soon as the send has returned, so what is sent has to be a copy in any case
 * (docs/clients.md). */
#ifndef CORONET_LIB_ZCB_H
#define CORONET_LIB_ZCB_H

#include <pthread.h>

struct zcbs;

void zcbs_init(struct zcbs *zcbs);
/* Frees all buffers. */
void zcbs_fini(struct zcbs *zcbs);

#endif
