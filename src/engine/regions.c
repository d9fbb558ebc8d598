/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients' send memory and the bodies in it. A region outlives its client until the last message in
 * it is released. */
#include "engine/engine_int.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"

/* A body of send memory, and whom to tell. */
struct sent_body {
	struct body body; /* first */
	struct engine *engine;
	uint32_t client;
	bool cancelled;
};

int engine_region_add(struct engine *engine, uint32_t region, const struct transport_region *memory)
{
	struct region *slot;
	int err;

	if (region == TRANSPORT_REGION_SLAB || region >= ENGINE_REGIONS_MAX) {
		return -EINVAL;
	}
	slot = &engine->regions[region];
	if (slot->used) {
		return -EEXIST;
	}
	/* What is sealed is sent from elsewhere: the adapter and the peers need not see the plain text. */
	err = engine->trust
		      ? 0
		      : engine->ops->region_add(engine->transport, region, memory, &slot->key);
	if (err) {
		return err;
	}
	slot->used = true;
	slot->removing = false;
	slot->memory = *memory;
	slot->bodies = 0;
	slot->late_bytes = 0;
	return 0;
}

uint64_t engine_region_key(const struct engine *engine, uint32_t region)
{
	check(region != TRANSPORT_REGION_SLAB && engine->regions[region].used);
	return engine->regions[region].key;
}

static void region_gone(struct engine *engine, uint32_t region)
{
	struct region *slot = &engine->regions[region];

	if (!engine->trust) {
		engine->ops->region_remove(engine->transport, region);
	}
	slot->used = false;
	if (slot->on_free) {
		slot->on_free(slot->on_free_ctx, region);
	}
}

void engine_region_remove(struct engine *engine, uint32_t region,
			  void (*on_free)(void *ctx, uint32_t region), void *ctx)
{
	struct region *slot = &engine->regions[region];

	check(slot->used && !slot->removing);
	slot->removing = true;
	slot->on_free = on_free;
	slot->on_free_ctx = ctx;
	if (slot->bodies == 0) {
		region_gone(engine, region);
	}
}

static void sent_body_free(struct body *body)
{
	struct sent_body *sent = (struct sent_body *)(void *)body;
	struct engine *engine = sent->engine;
	struct region *slot = &engine->regions[body->region];

	if (!sent->cancelled && engine->host.sent) {
		engine->host.sent(engine->host.ctx, sent->client, body->cookie);
	}
	slot->bodies--;
	if (slot->removing && slot->bodies == 0) {
		region_gone(engine, body->region);
	}
	free(sent);
}

struct body *region_body_new(struct engine *engine, uint32_t client, uint32_t region,
			     uint64_t offset, uint64_t size, uint64_t cookie)
{
	struct region *slot;
	struct sent_body *sent;

	if (region == TRANSPORT_REGION_SLAB || region >= ENGINE_REGIONS_MAX) {
		return NULL;
	}
	slot = &engine->regions[region];
	if (!slot->used || slot->removing || offset > slot->memory.size_bytes ||
	    size > slot->memory.size_bytes - offset) {
		return NULL;
	}
	sent = calloc(1, sizeof(*sent));
	if (!sent) {
		return NULL;
	}
	sent->engine = engine;
	sent->client = client;
	sent->body = (struct body){.home = BODY_SEND,
				   .region = region,
				   .offset = offset,
				   .size = size,
				   .bytes = (uint8_t *)slot->memory.base + offset,
				   .free = sent_body_free,
				   .cookie = cookie};
	body_hold(&sent->body, HOLD_BUILD);
	slot->bodies++;
	return &sent->body;
}

void region_body_cancel(struct body *body)
{
	((struct sent_body *)(void *)body)->cancelled = true;
	body_drop(body, HOLD_BUILD);
}
