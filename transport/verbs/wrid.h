/* SPDX-License-Identifier: BSD-3-Clause */
/* What a work request's 64-bit id says: on a failed completion nothing else may be read
 * (ibv_poll_cq(3)), so it names the kind of work, the peer, the generation of the peer's queue pair
 * and the slot. Never a pointer: stale ids must be harmless. */
#ifndef CORONET_VERBS_WRID_H
#define CORONET_VERBS_WRID_H

#include <stdbool.h>
#include <stdint.h>

enum wr_kind {
	WR_CONTROL_SEND = 1, /* slot: send buffer of the peer */
	WR_CONTROL_RECV,     /* slot: receive buffer; no peer, the pool is common */
	WR_FRAME_SEND,	     /* slot: place in the peer's queue of frames */
	WR_FRAME_RECV,	     /* slot: slot of the slab; no peer */
	WR_READ,	     /* slot: place in the peer's queue of READs */
	WR_KEEPALIVE,	     /* a READ of a few bytes; slot: the channel's class */
};
#define WR_KINDS 6

struct wrid {
	enum wr_kind kind;
	uint8_t peer;
	uint16_t generation;
	uint32_t slot;
};

static inline uint64_t verbs_wrid_pack(struct wrid id)
{
	return (uint64_t)id.kind << 56 | (uint64_t)id.peer << 48 | (uint64_t)id.generation << 32 |
	       id.slot;
}

/* False when the kind is none of ours; *out is then unchanged. */
static inline bool verbs_wrid_unpack(uint64_t packed, struct wrid *out)
{
	uint32_t kind = (uint32_t)(packed >> 56);

	if (kind < WR_CONTROL_SEND || kind > WR_KINDS) {
		return false;
	}
	out->kind = (enum wr_kind)kind;
	out->peer = (uint8_t)(packed >> 48);
	out->generation = (uint16_t)(packed >> 32);
	out->slot = (uint32_t)packed;
	return true;
}

#endif
