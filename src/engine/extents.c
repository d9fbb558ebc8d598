/* SPDX-License-Identifier: BSD-3-Clause */
/* Bodies in extents, and the segments that they lie in: each is a region of the transport, and so has
 * a key that peers can READ it by. */
#include "engine/engine_int.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

#include "base/check.h"

#define ROOM_MAX_MS 1000u

struct extent_body {
	struct body body; /* first */
	struct engine *engine;
};

int engine_segment_add(struct engine *engine, uint32_t id, const struct sealed *memory,
		       const struct transport_region *how)
{
	struct region *slot = &engine->regions[id];
	struct transport_region region = *how;
	int err;

	region.base = memory->base;
	region.size_bytes = memory->size;
	region.fd = memory->fd;
	err = engine->ops->region_add(engine->transport, id, &region, &slot->key);

	if (!err) {
		slot->used = true;
		slot->memory = region;
	}
	return err;
}

void engine_segment_remove(struct engine *engine, uint32_t id)
{
	engine->ops->region_remove(engine->transport, id);
	engine->regions[id].used = false;
}

/* What is opened here is for this node only. */
static int segment_add(void *ctx, uint32_t segment, const struct sealed *memory)
{
	struct engine *engine = ctx;

	return engine_segment_add(engine, ENGINE_REGIONS_MAX + segment, memory,
				  &(struct transport_region){.remote_read = !engine->trust,
							     .local = engine->trust != NULL,
							     .use = "large messages"});
}

static void segment_remove(void *ctx, uint32_t segment)
{
	struct engine *engine = ctx;
	uint32_t id = ENGINE_REGIONS_MAX + segment;

	engine_segment_remove(engine, id);
	if (engine->host.region_gone) {
		engine->host.region_gone(engine->host.ctx, id);
	}
}

int engine_extents_init(struct engine *engine)
{
	struct extents_host host = {.ctx = engine, .add = segment_add, .remove = segment_remove};

	return extents_new(&engine->config.slab, &host, &engine->extents);
}

static void extent_body_free(struct body *body)
{
	struct extent_body *extent = (struct extent_body *)(void *)body;
	struct engine *engine = extent->engine;

	extents_put(engine->extents, body->region - ENGINE_REGIONS_MAX, body->offset,
		    engine->now_ms);
	free(extent);
}

/* The transport has said why. */
static void complain_of_memory(struct engine *engine, uint64_t size)
{
	struct extents_stats stats;

	extents_stats(engine->extents, &stats);
	engine_log(engine, LOG_ERR,
		   "a message of %llu bytes waits for memory: %llu bytes are there for large "
		   "messages, and more could not be had. It is tried again; until then this "
		   "node holds up the ring, and may be excluded",
		   (unsigned long long)size, (unsigned long long)stats.segment_bytes);
}

static void complain_of_room(struct engine *engine, uint64_t size)
{
	engine_log(engine, LOG_ERR,
		   "a message of %llu bytes has found no room for %u ms in the %llu bytes of "
		   "rdma.extents: until there is some this node holds up the ring, and may be "
		   "excluded",
		   (unsigned long long)size, ROOM_MAX_MS,
		   (unsigned long long)engine->config.slab.extent_bytes);
}

/* Once for each message that waits. */
static void complain(struct engine *engine, uint64_t size, int err)
{
	if (engine->extents_complained) {
		return;
	}
	if (err == -ENOMEM) {
		complain_of_memory(engine, size);
		engine->extents_complained = true;
	} else if (extents_waited_ms(engine->extents, engine->now_ms) >= ROOM_MAX_MS) {
		complain_of_room(engine, size);
		engine->extents_complained = true;
	}
}

struct body *engine_extent_new(struct engine *engine, uint64_t size)
{
	struct extent_body *body = calloc(1, sizeof(*body));
	struct extent extent;
	int err = body ? extents_take(engine->extents, size, engine->now_ms, &extent) : -ENOMEM;

	if (err) {
		if (body) {
			complain(engine, size, err);
		}
		free(body);
		return NULL;
	}
	engine->extents_complained = false;
	body->engine = engine;
	body->body = (struct body){.home = BODY_EXTENT,
				   .region = ENGINE_REGIONS_MAX + extent.segment,
				   .offset = extent.offset,
				   .size = size,
				   .bytes = extent.bytes,
				   .spare = extent.spare,
				   .free = extent_body_free};
	body_hold(&body->body, HOLD_BUILD);
	return &body->body;
}

bool engine_extents_short(const struct engine *engine)
{
	return extents_short(engine->extents);
}

bool engine_segment(const struct engine *engine, uint32_t region, struct transport_region *out)
{
	if (region < ENGINE_REGIONS_MAX || region >= SEALED_REGIONS ||
	    !engine->regions[region].used) {
		return false;
	}
	*out = engine->regions[region].memory;
	return true;
}

bool engine_segment_taken(const struct engine *engine, uint32_t region, uint64_t offset,
			  uint64_t size_bytes)
{
	return extents_taken(engine->extents, region - ENGINE_REGIONS_MAX, offset, size_bytes);
}
