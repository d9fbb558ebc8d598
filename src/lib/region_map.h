/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of others that events refer to: announced on the side socket, mapped read-only when it
 * is first needed. With events.lock held. */
#ifndef CORONET_LIB_REGION_MAP_H
#define CORONET_LIB_REGION_MAP_H

#include "lib/instance.h"

/* The `size` bytes at offset of the region. 0; -ENOMEM, and it may be tried again; -EBADMSG:
 * there is no such place. */
int region_map_find(struct instance *instance, uint64_t region, uint64_t offset, uint64_t size,
		    const uint8_t **bytes);
/* After a payload was copied: whether it may have moved before that. 1: yes, and *bytes is where it
 * is now; 0: no; -ENOMEM; -EBADMSG: it is lost, the connection has ended. */
int region_map_moved(struct instance *instance, uint64_t end, uint64_t size, const uint8_t **bytes);
/* With all records read: takes what was announced or moved too late for them out of the socket. */
void region_map_tidy(struct instance *instance);
/* Records up to this position are of no interest any more. */
void region_map_forget_moves(struct events *events, uint64_t position);
void region_map_drop(struct instance *instance, uint64_t region);
void region_map_fini(struct events *events);

#endif
