/* SPDX-License-Identifier: BSD-3-Clause */
/* The frame: what travels on the bulk channel. One frame is one place in the total order.
 *
 *   0  magic u32           4  version u8     5  body u8 (enum frame_body)
 *   6  guarantee u8        7  flags u8 (bit 0: repeated)     8  body size u32
 *  12  entries u32        16  ring rep u32  20  origin node u32
 *  24  ring seq u64       32  seq u64
 *  40  body: `entries` entries of {meta size u16, zero u16, payload size u32, meta, payload},
 *      each padded to 8 bytes
 *
 * All numbers little-endian. A frame with FRAME_ANNOUNCE has one entry whose payload is not there:
 * a struct frame_announce stands in its place and says where to READ it. */
#ifndef CORONET_WIRE_FRAME_H
#define CORONET_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/ringid.h"

#define FRAME_MAGIC		0x544e5243u /* "CRNT" */
#define FRAME_VERSION		1
#define FRAME_HEADER_SIZE	40
#define FRAME_ENTRY_HEADER_SIZE 8
#define FRAME_ANNOUNCE_SIZE	40
#define FRAME_SEAL_SIZE		16 /* and a tag for each piece */
#define FRAME_TAG_SIZE		16
#define FRAME_SEAL_PIECES_MAX	16
#define FRAME_SEAL_PIECE_MAX	(MESSAGE_SIZE_MAX / FRAME_SEAL_PIECES_MAX)
#define FRAME_ANNOUNCE_SIZE_MAX \
	(FRAME_ANNOUNCE_SIZE + FRAME_SEAL_SIZE + FRAME_SEAL_PIECES_MAX * FRAME_TAG_SIZE)
#define FRAME_META_MAX	 1024
#define FRAME_CHUNK_UNIT 4096u

enum frame_body {
	FRAME_PACKED = 1,
	FRAME_ANNOUNCE = 2
};

/* As cpg_guarantee_t; FIFO travels as AGREED. */
enum frame_guarantee {
	FRAME_UNORDERED = 0,
	FRAME_AGREED = 2,
	FRAME_SAFE = 3
};

/* What the ring needs to know of a frame. */
struct frame_info {
	struct ringid ring;
	uint64_t seq;
	uint32_t origin; /* node that submitted it first */
	enum frame_guarantee guarantee;
	bool repeated; /* sent again because the receiver had asked for it */
};

struct frame_header {
	struct frame_info info;
	enum frame_body body;
	uint32_t body_size;
	uint32_t entries;
};

/* What a protected payload was sealed with, in pieces of one size, the last of which may be shorter. */
struct frame_seal {
	uint32_t generation; /* of its sender's key; 0: it is not sealed */
	uint32_t piece_bytes;
	uint64_t number;
	uint8_t tags[FRAME_SEAL_PIECES_MAX][FRAME_TAG_SIZE];
};

/* Where the payload of an announced message can be read: in a region of the frame's sender. */
struct frame_announce {
	uint64_t key;
	uint64_t offset;
	uint64_t size;
	uint32_t digest; /* CRC32C of the payload, 0 = none given */
	/* 0: every receiver reads it here. Else receivers pass it on, in chunks of so many bytes: a
	 * multiple of FRAME_CHUNK_UNIT, at most READ_SIZE_MAX */
	uint32_t chunk;
	/* not 0: the receiver may use the payload where it is, and gives the loan back with
	 * CONTROL_RETURN; grows with every announcement */
	uint64_t loan;
	/* Sealed: digest, chunk and loan are 0. */
	struct frame_seal seal;
};

/* One entry of a body; pointers into the frame. */
struct frame_entry {
	const uint8_t *meta;
	uint32_t meta_size;
	uint32_t payload_offset; /* from the frame's first byte */
	uint32_t payload_size;
};

void frame_header_encode(const struct frame_header *header, uint8_t out[FRAME_HEADER_SIZE]);
/* Checks everything but the entries. Returns NULL, or the reason for refusal as a constant string.
 */
const char *frame_header_decode(const uint8_t *bytes, size_t size, struct frame_header *out);

/* Steps through the entries of a packed body: *at starts as FRAME_HEADER_SIZE. Returns NULL when
 * *entry is the next one, or the reason why there is none; `size` is the frame's whole size. */
const char *frame_entry_next(const uint8_t *frame, size_t size, size_t *at,
			     struct frame_entry *entry);

/* Bytes that an entry takes in a packed body. */
static inline size_t frame_entry_size(size_t meta_size, size_t payload_size)
{
	return (FRAME_ENTRY_HEADER_SIZE + meta_size + payload_size + 7) & ~(size_t)7;
}

/* How many pieces a payload of `size` bytes is sealed in; above FRAME_SEAL_PIECES_MAX: that cannot be. */
uint64_t frame_seal_pieces(const struct frame_seal *seal, uint64_t size);
/* Bytes of the piece that begins at `offset` of such a payload. */
uint32_t frame_seal_piece_at(const struct frame_seal *seal, uint64_t size, uint64_t offset);
/* Returns the size. */
size_t frame_announce_encode(const struct frame_announce *announce,
			     uint8_t out[FRAME_ANNOUNCE_SIZE_MAX]);
const char *frame_announce_decode(const uint8_t *bytes, size_t size, struct frame_announce *out);

#endif
