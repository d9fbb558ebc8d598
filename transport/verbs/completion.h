/* SPDX-License-Identifier: BSD-3-Clause */
/* Completion queues: arm, then poll until empty (an entry that is already there when a queue is
 * armed raises no event). */
#ifndef CORONET_VERBS_COMPLETION_H
#define CORONET_VERBS_COMPLETION_H

#include "verbs/verbs_int.h"

/* -ENOMEM and what the device said. */
int verbs_cq_init(struct transport *t, struct verbs_cq *cq, uint32_t entries);
void verbs_cq_fini(struct verbs_cq *cq);

/* The completion channel is readable. */
void verbs_cq_event(struct verbs_cq *cq);
/* Handles completions until the queue is empty and armed, or `room` more events wait for the owner
 * (t->leftover is then set). */
void verbs_cq_turn(struct transport *t, struct verbs_cq *cq, size_t room);
/* Handles everything that has completed by now, on both queues, whatever the owner's room. */
void verbs_drain(struct transport *t);

#endif
