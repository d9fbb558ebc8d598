/* SPDX-License-Identifier: BSD-3-Clause */
/* Registered memory. The owner's regions have iova 0: offsets travel, addresses never do. */
#ifndef CORONET_VERBS_REGION_H
#define CORONET_VERBS_REGION_H

#include "verbs/verbs_int.h"

/* Registers memory under the name iova; `remote` is what peers may do: IBV_ACCESS_REMOTE_READ or nothing. NULL with errno: the reason has been logged,
 * with the memory lock limit that would do; `what` names the memory there. */
struct ibv_mr *verbs_region_register(struct transport *t, void *base, size_t size_bytes,
				     uint64_t iova, int remote, const char *what);
void verbs_region_release(struct transport *t, struct ibv_mr *mr, size_t size_bytes);

int verbs_region_add(struct transport *t, uint32_t id, const struct transport_region *region,
		     uint64_t *key);
void verbs_region_remove(struct transport *t, uint32_t id);

/* Scatter/gather element of a piece of one of our regions. -EINVAL: not inside one. */
int verbs_region_sge(const struct transport *t, const struct transport_seg *seg,
		     struct ibv_sge *out);

/* A key is the rkey with a check over it, so that a garbled one is refused here and does not cost a connection. */
uint64_t verbs_key_pack(uint32_t rkey);
/* False when it is no key. */
bool verbs_key_unpack(uint64_t key, uint32_t *rkey);

#endif
