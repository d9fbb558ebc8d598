/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames to bytes and back. Decoding is total: any bytes give a header or a reason. */
#include "wire/frame.h"

#include <string.h>

#include "base/cursor.h"

#define FLAG_REPEATED 1u

void frame_header_encode(const struct frame_header *header, uint8_t out[FRAME_HEADER_SIZE])
{
	const struct frame_info *info = &header->info;
	struct writer w = writer_of(out, FRAME_HEADER_SIZE);

	writer_u32(&w, FRAME_MAGIC);
	writer_u8(&w, FRAME_VERSION);
	writer_u8(&w, (uint8_t)header->body);
	writer_u8(&w, (uint8_t)info->guarantee);
	writer_u8(&w, info->repeated ? FLAG_REPEATED : 0);
	writer_u32(&w, header->body_size);
	writer_u32(&w, header->entries);
	writer_u32(&w, info->ring.rep);
	writer_u32(&w, info->origin);
	writer_u64(&w, info->ring.seq);
	writer_u64(&w, info->seq);
}

static const char *check_fields(const struct frame_header *header, uint8_t flags, size_t size)
{
	if (header->body != FRAME_PACKED && header->body != FRAME_ANNOUNCE) {
		return "unknown body kind";
	}
	if (header->info.guarantee != FRAME_UNORDERED && header->info.guarantee != FRAME_AGREED &&
	    header->info.guarantee != FRAME_SAFE) {
		return "unknown guarantee";
	}
	if ((flags & ~FLAG_REPEATED) != 0) {
		return "unknown flags";
	}
	if (header->body_size != size - FRAME_HEADER_SIZE) {
		return "body size does not match the bytes received";
	}
	if (header->entries == 0 || (header->body == FRAME_ANNOUNCE && header->entries != 1)) {
		return "wrong number of entries";
	}
	if (header->info.seq == 0 || header->info.origin == 0 || header->info.ring.rep == 0) {
		return "zero sequence number, origin or ring";
	}
	return NULL;
}

const char *frame_header_decode(const uint8_t *bytes, size_t size, struct frame_header *out)
{
	struct cursor c = cursor_of(bytes, size);
	uint8_t flags;

	if (size < FRAME_HEADER_SIZE) {
		return "shorter than a frame header";
	}
	if (cursor_u32(&c) != FRAME_MAGIC) {
		return "wrong magic";
	}
	if (cursor_u8(&c) != FRAME_VERSION) {
		return "unknown frame version";
	}
	*out = (struct frame_header){0};
	out->body = cursor_u8(&c);
	out->info.guarantee = cursor_u8(&c);
	flags = cursor_u8(&c);
	out->info.repeated = flags & FLAG_REPEATED;
	out->body_size = cursor_u32(&c);
	out->entries = cursor_u32(&c);
	out->info.ring.rep = cursor_u32(&c);
	out->info.origin = cursor_u32(&c);
	out->info.ring.seq = cursor_u64(&c);
	out->info.seq = cursor_u64(&c);
	return check_fields(out, flags, size);
}

const char *frame_entry_next(const uint8_t *frame, size_t size, size_t *at,
			     struct frame_entry *entry)
{
	size_t start = *at < size ? *at : size;
	struct cursor c = cursor_of(frame + start, size - start);
	uint32_t meta_size = cursor_u16(&c);
	uint16_t zero = cursor_u16(&c);
	uint32_t payload_size = cursor_u32(&c);
	const uint8_t *meta = cursor_bytes(&c, meta_size);
	const uint8_t *payload = cursor_bytes(&c, payload_size);

	if (!cursor_ok(&c)) {
		return "entry runs past the frame";
	}
	if (meta_size == 0 || meta_size > FRAME_META_MAX || zero != 0) {
		return "malformed entry header";
	}
	entry->meta = meta;
	entry->meta_size = meta_size;
	entry->payload_offset = (uint32_t)(payload - frame);
	entry->payload_size = payload_size;
	*at += frame_entry_size(meta_size, payload_size);
	return NULL;
}

uint64_t frame_seal_pieces(const struct frame_seal *seal, uint64_t size)
{
	return seal->piece_bytes == 0 ? UINT64_MAX
				      : (size + seal->piece_bytes - 1) / seal->piece_bytes;
}

uint32_t frame_seal_piece_at(const struct frame_seal *seal, uint64_t size, uint64_t offset)
{
	return size - offset < seal->piece_bytes ? (uint32_t)(size - offset) : seal->piece_bytes;
}

size_t frame_announce_encode(const struct frame_announce *announce,
			     uint8_t out[FRAME_ANNOUNCE_SIZE_MAX])
{
	struct writer w = writer_of(out, FRAME_ANNOUNCE_SIZE_MAX);

	writer_u64(&w, announce->key);
	writer_u64(&w, announce->offset);
	writer_u64(&w, announce->size);
	writer_u32(&w, announce->digest);
	writer_u32(&w, announce->chunk);
	writer_u64(&w, announce->loan);
	if (announce->seal.generation != 0) {
		writer_u64(&w, announce->seal.number);
		writer_u32(&w, announce->seal.generation);
		writer_u32(&w, announce->seal.piece_bytes);
		writer_bytes(&w, announce->seal.tags,
			     frame_seal_pieces(&announce->seal, announce->size) * FRAME_TAG_SIZE);
	}
	return w.used;
}

/* NULL, or what is wrong. A sealed payload is taken whole, from its sender. */
static const char *decode_seal(struct cursor *c, size_t size, struct frame_announce *out)
{
	uint64_t count;
	const uint8_t *tags;

	out->seal.number = cursor_u64(c);
	out->seal.generation = cursor_u32(c);
	out->seal.piece_bytes = cursor_u32(c);
	count = frame_seal_pieces(&out->seal, out->size);
	if (out->seal.piece_bytes > FRAME_SEAL_PIECE_MAX || count > FRAME_SEAL_PIECES_MAX ||
	    size != FRAME_SEAL_SIZE + count * FRAME_TAG_SIZE) {
		return "malformed seal";
	}
	tags = cursor_bytes(c, count * FRAME_TAG_SIZE);
	if (!cursor_ok(c) || out->seal.generation == 0 || out->digest || out->chunk || out->loan) {
		return "malformed seal";
	}
	memcpy(out->seal.tags, tags, count * FRAME_TAG_SIZE);
	return NULL;
}

const char *frame_announce_decode(const uint8_t *bytes, size_t size, struct frame_announce *out)
{
	struct cursor c = cursor_of(bytes, size);

	out->key = cursor_u64(&c);
	out->offset = cursor_u64(&c);
	out->size = cursor_u64(&c);
	out->digest = cursor_u32(&c);
	out->chunk = cursor_u32(&c);
	out->loan = cursor_u64(&c);
	if (size < FRAME_ANNOUNCE_SIZE || size > FRAME_ANNOUNCE_SIZE_MAX) {
		return "not of an announcement's size";
	}
	if (out->size == 0 || out->size > MESSAGE_SIZE_MAX) {
		return "announced size out of range";
	}
	if (out->offset > UINT64_MAX - out->size) {
		return "announced range wraps";
	}
	if (out->chunk % FRAME_CHUNK_UNIT != 0 || out->chunk > READ_SIZE_MAX) {
		return "announced chunk out of range";
	}
	out->seal = (struct frame_seal){0};
	return size > FRAME_ANNOUNCE_SIZE ? decode_seal(&c, size - FRAME_ANNOUNCE_SIZE, out) : NULL;
}
