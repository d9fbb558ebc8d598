/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames and payloads, sealed before they are sent; frames are opened where they arrived, payloads too unless
 * they can be opened out of the sender's memory. Sealing copies: once per frame, whatever the number of peers,
 * so what is sent can no longer be changed by the program that it came from. A sealed frame is followed by its
 * tag, number and generation; a payload's stand in its announcement, with a tag for each piece. */
#include "engine/trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/check.h"
#include "base/cursor.h"
#include "base/limits.h"

#define NO_CELL	       UINT32_MAX
#define WITH_SIZE      12
#define PAYLOAD_DOMAIN 1u
#define BLOCK	       16u

/* Memory that sealed things are sent from and READ from; nobody's programs see it. */
struct sealing {
	struct sealed frames; /* cells of a slot's size */
	uint32_t cells;
	uint32_t free_cell;
	uint32_t *next_cell;
	struct extents *payloads;
};

/* --- Memory --------------------------------------------------------------------------------------- */

static int frames_new(struct engine *engine, struct sealing *sealing)
{
	const struct slab_config *slab = &engine->config.slab;
	struct sealed_want want = {.name = "coronet-sealed",
				   .huge_pages = slab->huge_pages,
				   .numa_node = slab->numa_node,
				   .prefault = slab->prefault};
	struct transport_region region = {.use = "sealed frames"};
	uint64_t key;
	int err;

	sealing->cells = ENGINE_OWN_SLOTS(slab->slot_count);
	want.size = (size_t)sealing->cells * slab->slot_size_bytes;
	sealing->next_cell = calloc(sealing->cells, sizeof(*sealing->next_cell));
	err = sealing->next_cell ? sealed_new(&want, &sealing->frames) : -ENOMEM;
	if (err) {
		return err;
	}
	for (uint32_t i = 0; i < sealing->cells; i++) {
		sealing->next_cell[i] = i + 1 < sealing->cells ? i + 1 : NO_CELL;
	}
	region.base = sealing->frames.base;
	region.size_bytes = sealing->frames.size;
	region.fd = sealing->frames.fd;
	return engine->ops->region_add(engine->transport, REGION_HEADERS, &region, &key);
}

static int payloads_add(void *ctx, uint32_t segment, const struct sealed *memory)
{
	return engine_segment_add(ctx, SEALED_REGIONS + segment, memory,
				  &(struct transport_region){.remote_read = true,
							     .use = "sealed messages"});
}

static void payloads_remove(void *ctx, uint32_t segment)
{
	engine_segment_remove(ctx, SEALED_REGIONS + segment);
}

int engine_seal_init(struct engine *engine)
{
	struct extents_host host = {.ctx = engine, .add = payloads_add, .remove = payloads_remove};
	struct sealing *sealing = calloc(1, sizeof(*sealing));
	int err;

	if (!sealing) {
		return -ENOMEM;
	}
	engine->sealing = sealing;
	err = frames_new(engine, sealing);
	return err ? err : extents_new(&engine->config.slab, &host, &sealing->payloads);
}

void engine_seal_fini(struct engine *engine)
{
	struct sealing *sealing = engine->sealing;

	if (!sealing) {
		return;
	}
	extents_free(&sealing->payloads);
	sealed_free(&sealing->frames);
	free(sealing->next_cell);
	free(sealing);
	engine->sealing = NULL;
}

uint64_t engine_seal_memory(const struct engine *engine)
{
	struct extents_stats stats;

	if (!engine->sealing) {
		return 0;
	}
	extents_stats(engine->sealing->payloads, &stats);
	return engine->sealing->frames.size + stats.segment_bytes;
}

void engine_seal_turn(struct engine *engine)
{
	if (engine->sealing) {
		extents_turn(engine->sealing->payloads, engine->now_ms);
	}
}

uint64_t engine_seal_deadline_ms(const struct engine *engine)
{
	return engine->sealing ? extents_next_deadline_ms(engine->sealing->payloads) : UINT64_MAX;
}

/* --- Sealing -------------------------------------------------------------------------------------- */

static struct aead_piece write_with(uint8_t out[WITH_SIZE], uint32_t sender, uint32_t generation,
				    uint64_t size)
{
	struct writer w = writer_of(out, WITH_SIZE);

	writer_u32(&w, sender);
	writer_u32(&w, generation);
	writer_u32(&w, (uint32_t)size);
	return (struct aead_piece){out, WITH_SIZE};
}

/* What follows a sealed frame. */
struct trailer {
	uint8_t tag[AEAD_TAG_SIZE];
	uint64_t number;
	uint32_t generation;
};

static struct frame_key *count_blocks(struct engine *engine, uint64_t size)
{
	struct frame_key *key = &engine->trust->out;

	key->blocks += size / BLOCK + 2;
	return key;
}

static int seal_frame(struct engine *engine, const struct aead_piece *pieces, size_t count,
		      uint64_t size, uint8_t *out, struct trailer *trailer)
{
	struct frame_key *key = count_blocks(engine, size);
	struct aead_nonce nonce = {.number = ++key->number};
	uint8_t with[WITH_SIZE];

	trailer->generation = key->generation;
	trailer->number = nonce.number;
	return aead_seal(key->aead, nonce,
			 write_with(with, engine->config.totem.node, key->generation, size), pieces,
			 count, out, trailer->tag);
}

static void write_trailer(const struct trailer *trailer, uint8_t *out)
{
	struct writer w = writer_of(out, SEAL_SIZE);

	writer_bytes(&w, trailer->tag, sizeof(trailer->tag));
	writer_u64(&w, trailer->number);
	writer_u32(&w, trailer->generation);
	writer_u32(&w, 0);
	check(writer_ok(&w) && w.used == SEAL_SIZE);
}

int engine_seal_frame(struct engine *engine, const struct aead_piece *pieces, size_t count,
		      struct transport_seg *out)
{
	struct sealing *sealing = engine->sealing;
	uint32_t cell = sealing->free_cell;
	uint32_t cell_size = engine->config.slab.slot_size_bytes;
	struct trailer trailer;
	uint64_t size = 0;
	uint8_t *at;

	if (cell == NO_CELL) {
		return -ENOSPC;
	}
	for (size_t i = 0; i < count; i++) {
		size += pieces[i].size;
	}
	check(size + SEAL_SIZE <= cell_size);
	at = (uint8_t *)sealing->frames.base + (size_t)cell * cell_size;
	if (seal_frame(engine, pieces, count, size, at, &trailer)) {
		return -EIO;
	}
	write_trailer(&trailer, at + size);
	sealing->free_cell = sealing->next_cell[cell];
	*out = (struct transport_seg){REGION_HEADERS, (uint32_t)(size + SEAL_SIZE),
				      (uint64_t)cell * cell_size};
	return 0;
}

void engine_seal_frame_free(struct engine *engine, const struct transport_seg *seg)
{
	struct sealing *sealing = engine->sealing;
	uint32_t cell = (uint32_t)(seg->offset / engine->config.slab.slot_size_bytes);

	sealing->next_cell[cell] = sealing->free_cell;
	sealing->free_cell = cell;
}

/* What waits to be sent leaves room for what a dead node sent and others lack: the ring may need that
 * to go on. */
static bool leaves_room(const struct sealing *sealing, uint64_t size)
{
	struct extents_stats stats;

	extents_stats(sealing->payloads, &stats);
	return stats.used_bytes == 0 ||
	       stats.used_bytes + size <= extents_ordinary_max(stats.limit_bytes);
}

static void give_back(struct engine *engine, bool *there, const struct extent *extent)
{
	if (*there && engine->sealing) {
		extents_put(engine->sealing->payloads, extent->segment, extent->offset,
			    engine->now_ms);
	}
	*there = false;
}

/* As long as one READ, unless that makes too many. */
static uint32_t piece_bytes(const struct engine *engine, uint64_t size)
{
	uint64_t unit = engine_read_size(engine);
	uint64_t most = unit * FRAME_SEAL_PIECES_MAX;

	return (uint32_t)(unit * ((size + most - 1) / most));
}

static bool begin(struct engine *engine, struct frame *frame, bool spare)
{
	struct sealing *sealing = engine->sealing;
	struct sealed_payload *sealed = &frame->sealed;
	struct frame_key *key = &engine->trust->out;
	uint64_t size = frame->payload->size;
	struct extent extent;

	if (!sealed->announced) {
		give_back(engine, &sealed->there, &sealed->extent);
	}
	if ((!spare && !leaves_room(sealing, size)) ||
	    extents_take(sealing->payloads, size, engine->now_ms, &extent)) {
		return false;
	}
	give_back(engine, &sealed->former_there, &sealed->former);
	sealed->former_there = sealed->there;
	sealed->former = sealed->extent;
	sealed->there = true;
	sealed->announced = false;
	sealed->extent = extent;
	sealed->sealed_bytes = 0;
	sealed->seal = (struct frame_seal){.generation = key->generation,
					   .number = ++key->number,
					   .piece_bytes = piece_bytes(engine, size)};
	return true;
}

static uint32_t domain_of(uint64_t piece)
{
	return PAYLOAD_DOMAIN + (uint32_t)piece;
}

static int seal_piece(struct engine *engine, struct frame *frame)
{
	struct sealed_payload *sealed = &frame->sealed;
	struct frame_seal *seal = &sealed->seal;
	uint64_t at = sealed->sealed_bytes;
	uint64_t index = at / seal->piece_bytes;
	uint64_t whole = frame->payload->size;
	struct aead_piece piece = {frame->payload->bytes + at,
				   frame_seal_piece_at(seal, whole, at)};
	struct frame_key *key = count_blocks(engine, piece.size);
	uint8_t with[WITH_SIZE];

	sealed->sealed_bytes += piece.size;
	engine->stats.sealed_bytes += piece.size;
	return aead_seal(key->aead, (struct aead_nonce){seal->number, domain_of(index)},
			 write_with(with, engine->config.totem.node, seal->generation, whole),
			 &piece, 1, sealed->extent.bytes + at, seal->tags[index]);
}

/* What was sealed with another key than the present one is sealed anew. */
static bool is_begun(const struct engine *engine, const struct frame *frame)
{
	return frame->sealed.there &&
	       frame->sealed.seal.generation == engine->trust->out.generation;
}

bool engine_seal_goes_on(const struct engine *engine, const struct frame *frame)
{
	return engine->trust && is_begun(engine, frame) &&
	       frame->sealed.sealed_bytes < frame->payload->size;
}

bool engine_seal_is_whole(const struct engine *engine, const struct frame *frame)
{
	return is_begun(engine, frame) && frame->sealed.sealed_bytes == frame->payload->size;
}

bool engine_seal_payload(struct engine *engine, struct frame *frame, bool spare)
{
	if (!is_begun(engine, frame) && !begin(engine, frame, spare)) {
		return false;
	}
	if (engine_seal_goes_on(engine, frame) && seal_piece(engine, frame)) {
		engine_seal_payload_free(engine, frame);
		return false;
	}
	return engine_seal_is_whole(engine, frame);
}

void engine_seal_payload_free(struct engine *engine, struct frame *frame)
{
	give_back(engine, &frame->sealed.there, &frame->sealed.extent);
	give_back(engine, &frame->sealed.former_there, &frame->sealed.former);
}

void engine_seal_forget(struct engine *engine)
{
	if (engine->sealing) {
		extents_forget(engine->sealing->payloads);
	}
}

/* --- Opening -------------------------------------------------------------------------------------- */

static struct frame_key *key_of(struct engine *engine, uint32_t node, uint32_t generation)
{
	struct acquaintance *peer = trust_peer(engine->trust, node);

	for (int i = 0; peer && peer->trusted && i < FRAME_GENERATIONS; i++) {
		if (generation != 0 && peer->frames[i].generation == generation) {
			return &peer->frames[i];
		}
	}
	return NULL;
}

static uint32_t read_trailer(const uint8_t *bytes, struct trailer *out)
{
	struct cursor c = cursor_of(bytes, SEAL_SIZE);

	memcpy(out->tag, cursor_bytes(&c, sizeof(out->tag)), sizeof(out->tag));
	out->number = cursor_u64(&c);
	out->generation = cursor_u32(&c);
	return cursor_u32(&c);
}

int engine_open_frame(struct engine *engine, uint32_t node, uint8_t *bytes, uint32_t size)
{
	struct engine_trust_stats *stats = &engine->trust->stats;
	struct aead_piece sealed = {bytes, size - SEAL_SIZE};
	uint8_t with[WITH_SIZE];
	struct trailer trailer;
	struct frame_key *key;

	if (size < SEAL_SIZE || read_trailer(bytes + sealed.size, &trailer) != 0) {
		return -EBADMSG;
	}
	key = key_of(engine, node, trailer.generation);
	if (!key) {
		stats->early++;
		return -EAGAIN;
	}
	if (!replay_fresh(&key->replay, trailer.number)) {
		stats->replayed++;
		return -EAGAIN;
	}
	if (aead_open(key->aead, (struct aead_nonce){trailer.number, 0},
		      write_with(with, node, trailer.generation, sealed.size), sealed, bytes,
		      trailer.tag)) {
		stats->forged++;
		return -EBADMSG;
	}
	replay_take(&key->replay, trailer.number);
	return (int)sealed.size;
}

bool engine_open_piece(struct engine *engine, uint32_t node, const struct frame_seal *seal,
		       uint64_t offset, const uint8_t *sealed, const struct body *body)
{
	struct frame_key *key = key_of(engine, node, seal->generation);
	uint64_t index = offset / seal->piece_bytes;
	struct aead_piece piece = {sealed, frame_seal_piece_at(seal, body->size, offset)};
	uint8_t with[WITH_SIZE];

	return key && aead_open(key->aead, (struct aead_nonce){seal->number, domain_of(index)},
				write_with(with, node, seal->generation, body->size), piece,
				body->bytes + offset, seal->tags[index]) == 0;
}
