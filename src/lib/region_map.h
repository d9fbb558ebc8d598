/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of others that events refer to: announced on the side socket, mapped read-only when it is first needed. With events.lock held. */
#ifndef CORONET_LIB_REGION_MAP_H
#define CORONET_LIB_REGION_MAP_H

#include "lib/instance.h"

/* The `size` bytes at offset of the region. 0; -ENOMEM, and it may be tried again; -EBADMSG: there is no such place. */
int region_map_find(struct instance *instance, uint64_t region, uint64_t offset, uint64_t size,
		    const uint8_t **bytes);
/* The connection has ended and the place may have been used anew: where the daemon put the payload
 * of the record that ends at `end`. -EBADMSG: nowhere. */
int region_map_rescued(struct instance *instance, uint64_t end, uint64_t size,
		       const uint8_t **bytes);
void region_map_drop(struct instance *instance, uint64_t region);
void region_map_fini(struct events *events);

#endif
