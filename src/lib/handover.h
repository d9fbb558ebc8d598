/* SPDX-License-Identifier: BSD-3-Clause */
/* Pieces of send memory that the program writes itself and hands over: its own, the ring's, its
 * own again. Under sending.lock, but for the last. */
#ifndef CORONET_LIB_HANDOVER_H
#define CORONET_LIB_HANDOVER_H

#include "lib/instance.h"

/* The daemon has given the piece back. False: nobody wants it. */
bool handover_returned(struct sending *sending, struct handover *handover);
void handovers_fini(struct sending *sending);

/* The daemon says that something was taken or given back: runs completed_fn for all that came back,
 * then sendable_fn if a send had been refused. No lock held. */
void handover_call_back(struct instance *instance);

#endif
