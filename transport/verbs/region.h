/* SPDX-License-Identifier: BSD-3-Clause */
/* Registered memory. The owner's regions have iova 0: offsets travel, addresses never do. */
#ifndef CORONET_VERBS_REGION_H
#define CORONET_VERBS_REGION_H

#include "verbs/verbs_int.h"

/* Registers memory under the name iova; `remote` is what peers may do: IBV_ACCESS_REMOTE_READ or
 * nothing. NULL with errno: the reason has been logged, with the memory lock limit that would do;
 * `what` names the memory there. */
struct ibv_mr *verbs_region_register(struct transport *t, void *base, size_t size_bytes,
				     uint64_t iova, int remote, const char *what);
void verbs_region_release(struct transport *t, struct ibv_mr *mr, size_t size_bytes);

int verbs_region_add(struct transport *t, uint32_t id, const struct transport_region *region,
		     uint64_t *key);
void verbs_region_remove(struct transport *t, uint32_t id);

/* Scatter/gather element of a piece of one of our regions. -EINVAL: not inside one. */
int verbs_region_sge(const struct transport *t, const struct transport_seg *seg,
		     struct ibv_sge *out);

/* What peers name a region by: the rkey (32 bits), the region's size in units of 4096 bytes (24
 * bits, all ones: unknown), and a check over both (8 bits). A READ that cannot be right is refused
 * before it costs the connection; the peer's adapter checks all the same. */
struct verbs_key {
	uint32_t rkey;
	uint64_t size_bytes;
};

uint64_t verbs_key_pack(struct verbs_key key);
/* False when it is no key. */
bool verbs_key_unpack(uint64_t packed, struct verbs_key *out);

#endif
