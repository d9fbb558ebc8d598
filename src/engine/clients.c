/* SPDX-License-Identifier: BSD-3-Clause */
/* What local clients ask of the engine. Messages are packed until engine_flush, or the token, or the
 * next turn; all else goes to the ring at once. */
#include "engine/engine_int.h"

#include "base/check.h"
#include "engine/loan.h"

static void performed(struct engine *engine, uint64_t now_ms)
{
	engine->now_ms = now_ms;
	engine_perform_groups(engine);
	engine_pack_pump(engine);
}

int engine_client_open(struct engine *engine, uint32_t client, bool initial_totem_event)
{
	int err = pg_client_open(engine->pg, client, initial_totem_event);

	if (!err) {
		engine->client_open[client] = true;
	}
	return err;
}

void engine_client_close(struct engine *engine, uint32_t client, uint64_t now_ms)
{
	if (!engine->client_open[client]) {
		return;
	}
	engine->client_open[client] = false;
	pg_client_close(engine->pg, client);
	performed(engine, now_ms);
}

cs_error_t engine_join(struct engine *engine, uint32_t client, uint32_t pid,
		       const struct cpg_name *group, uint64_t now_ms)
{
	cs_error_t error = pg_join(engine->pg, client, pid, group);

	performed(engine, now_ms);
	return error;
}

cs_error_t engine_leave(struct engine *engine, uint32_t client, uint64_t now_ms)
{
	cs_error_t error = pg_leave(engine->pg, client);

	performed(engine, now_ms);
	return error;
}

bool engine_slots_short(const struct engine *engine)
{
	return engine->own_slots + CONTROL_SLOTS >= engine->own_slots_max ||
	       engine->posted < 3 * engine->config.totem.window_size;
}

bool engine_may_send(const struct engine *engine)
{
	return pg_active(engine->pg) && list_empty(&engine->queued) &&
	       engine->ready_count < READY_MAX && engine->stopping == RUNNING &&
	       engine->own_slots + CONTROL_SLOTS < engine->own_slots_max;
}

static cs_error_t mcast_body(struct engine *engine, uint32_t client, enum frame_guarantee guarantee,
			     struct body *body, uint64_t now_ms)
{
	struct pg_payload payload = {.body = body};
	cs_error_t error;

	if (body) {
		payload.region = body->region;
		payload.offset = body->offset;
		payload.size = body->size;
	}
	error = pg_mcast(engine->pg, client, guarantee, &payload);
	if (error != CS_OK) {
		if (body) {
			region_body_cancel(body);
		}
		return error;
	}
	engine->now_ms = now_ms;
	engine_perform_groups(engine);
	return CS_OK;
}

void engine_flush(struct engine *engine, uint64_t now_ms)
{
	engine->now_ms = now_ms;
	engine_pack_pump(engine);
	engine_borrow_flush(engine);
}

cs_error_t engine_mcast(struct engine *engine, uint32_t client, enum frame_guarantee guarantee,
			uint32_t region, uint64_t offset, uint64_t size, uint64_t cookie,
			uint64_t now_ms)
{
	struct body *body = NULL;

	if (size > MESSAGE_SIZE_MAX) {
		return CS_ERR_TOO_BIG;
	}
	if (!engine_may_send(engine)) {
		return CS_ERR_TRY_AGAIN;
	}
	if (size > 0) {
		body = region_body_new(engine, client, region, offset, size, cookie);
		if (!body) {
			return CS_ERR_INVALID_PARAM;
		}
	}
	return mcast_body(engine, client, guarantee, body, now_ms);
}

uint32_t engine_members(const struct engine *engine, const struct cpg_name *group,
			struct cpg_address *out, uint32_t max)
{
	return pg_members(engine->pg, group, out, max);
}

uint32_t engine_iterate(const struct engine *engine, struct cpg_iteration_description_t *out,
			uint32_t max)
{
	return pg_iterate(engine->pg, out, max);
}
