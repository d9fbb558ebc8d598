/* SPDX-License-Identifier: BSD-3-Clause */
/* The events that one poll returns. */
#ifndef CORONET_SHM_BATCH_H
#define CORONET_SHM_BATCH_H

#include "shm/shm_int.h"

static inline bool shm_batch_full(const struct shm_batch *batch)
{
	return batch->count >= batch->max;
}

/* The batch is not full. */
static inline struct transport_event *shm_batch_add(struct shm_batch *batch,
						    enum transport_event_kind kind, uint32_t node)
{
	struct transport_event *event = &batch->events[batch->count++];

	*event = (struct transport_event){.kind = kind, .node = node};
	return event;
}

#endif
