/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames in memory: one place in the order each. */
#ifndef CORONET_ENGINE_FRAME_H
#define CORONET_ENGINE_FRAME_H

#include "base/limits.h"
#include "base/list.h"
#include "crypto/aead.h"
#include "engine/engine.h"
#include "wire/frame.h"

#define PIECES_MAX	  ((FRAME_SEGS_MAX - 2) / 2) /* a header, and runs around them */
#define ANNOUNCE_META_MAX 152			     /* fits PG_META_MAX */

/* A payload that is part of a frame but lies in send memory. */
struct piece {
	uint32_t at; /* where it stands in the frame as receivers see it */
	uint32_t size;
	struct body *body;
};

/* An announced payload as peers may READ it, when everything is sealed. What was announced stays as it is while
 * anybody has the key to open it: sealed anew, it gets another place. */
struct sealed_payload {
	bool there, former_there, announced;
	struct extent extent, former; /* of the generation before */
	struct frame_seal seal;
	uint64_t sealed_bytes; /* so far */
};

struct frame {
	struct body body; /* first: a slot's body is its frame */
	struct engine *engine;
	struct list link; /* in engine.ready, or on its own */
	struct frame_header header;
	int64_t slot; /* -1: none (announced) */
	bool own;
	uint32_t size;	    /* as receivers see it, with the header */
	uint32_t slot_used; /* bytes of it that are in the slot */
	uint32_t piece_count;
	struct piece pieces[PIECES_MAX];
	struct body *payload; /* announced: where it is; NULL while it is pulled */
	uint32_t digest;      /* announced: CRC32C of the payload; 0: changed after sending */
	bool announced;	      /* at least once */
	struct sealed_payload sealed;
	uint32_t meta_size;
	uint8_t meta[ANNOUNCE_META_MAX];
	uint64_t early; /* entries delivered ahead of their place */
};

/* What fits a slot. */
static inline uint32_t frame_size_max(const struct engine_config *config)
{
	return config->slab.slot_size_bytes -
	       (config->protection.suite.hash != CRYPTO_HASH_NONE ? SEAL_SIZE : 0);
}

/* frame.c */
void engine_frames_fini(struct engine *engine);
struct frame *frame_own_new(struct engine *engine, enum frame_guarantee guarantee,
			    bool for_control);
struct frame *frame_received_new(struct engine *engine, uint32_t slot, uint32_t size,
				 const struct frame_header *header);
struct frame *frame_announced_new(struct engine *engine, const struct frame_info *info,
				  const uint8_t *meta, uint32_t meta_size);
bool frame_fits(const struct frame *frame, uint32_t meta_size, uint64_t payload_size,
		bool external);
void frame_append_copy(struct frame *frame, const uint8_t *meta, uint32_t meta_size,
		       const uint8_t *payload, uint32_t payload_size);
void frame_append_piece(struct frame *frame, const uint8_t *meta, uint32_t meta_size,
			struct body *body);
/* One entry of any frame, in order; false at the end. */
struct frame_walk {
	uint32_t index;
	uint32_t at;	  /* as receivers see it */
	uint32_t outside; /* bytes of pieces passed so far */
	uint32_t piece;
};
struct frame_walk frame_walk_start(void);
bool frame_walk_next(struct frame *frame, struct frame_walk *walk, const uint8_t **meta,
		     uint32_t *meta_size, struct pg_payload *payload);
/* Fills segs (FRAME_SEGS_MAX) with everything but the header; returns how many. */
int frame_segs(const struct frame *frame, struct transport_seg *segs);
/* The same as this process sees it. */
int frame_pieces(const struct frame *frame, struct aead_piece *pieces);

#endif
