/* SPDX-License-Identifier: BSD-3-Clause */
/* Faults that tests put into a shared-memory link, from inside: the product has no such thing. */
#ifndef CORONET_TEST_SHM_BREAK_H
#define CORONET_TEST_SHM_BREAK_H

#include "transport.h"

/* Shuts the bulk socket down: both sides find it hung up. */
void shm_break_bulk(struct transport *t, uint32_t node);

#endif
