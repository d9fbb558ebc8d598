/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: what other nodes say to the groups. The input is a script for one pg, node 1: bytes of
 * alleged messages, ring changes and calls of its clients. Whatever it is, decoding is total, the update
 * holds together and the view is in order. Own submissions come back to it as they were sent.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pg/msg.h"
#include "pg/pg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLIENTS	 4
#define OWN_MAX	 64
#define OWN_SIZE 256

struct script {
	const uint8_t *at;
	size_t left;
};

struct own {
	uint32_t count;
	uint32_t size[OWN_MAX];
	uint8_t meta[OWN_MAX][OWN_SIZE];
};

static uint8_t next(struct script *s)
{
	if (s->left == 0) {
		return 0;
	}
	s->left--;
	return *s->at++;
}

static void require(int condition)
{
	if (!condition) {
		abort();
	}
}

static void check_list(const struct cpg_address *list, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		require(list[i - 1].nodeid < list[i].nodeid ||
			(list[i - 1].nodeid == list[i].nodeid && list[i - 1].pid < list[i].pid));
	}
}

static void check_action(const struct pg_action *a, struct own *own)
{
	switch (a->kind) {
	case PG_ACT_SUBMIT:
		require(a->meta_size <= FRAME_META_MAX);
		if (own->count < OWN_MAX && a->meta_size <= OWN_SIZE) {
			memcpy(own->meta[own->count], a->meta, a->meta_size);
			own->size[own->count] = a->meta_size;
			own->count++;
		}
		return;
	case PG_ACT_DELIVER:
		require(a->client < CLIENTS && a->group->length <= GROUP_NAME_MAX);
		return;
	case PG_ACT_CONFCHG:
		require(a->client < CLIENTS && a->left_count + a->joined_count > 0);
		check_list(a->members, a->members_count);
		check_list(a->left, a->left_count);
		check_list(a->joined, a->joined_count);
		return;
	case PG_ACT_TOTEM:
		require(a->client < CLIENTS && nodeset_has(a->ring_members, 1));
		return;
	}
}

static void collect(const struct pg *pg, struct own *own)
{
	const struct pg_update *update = pg_update(pg);

	require(update->count <= update->capacity);
	for (uint32_t i = 0; i < update->count; i++) {
		check_action(&update->actions[i], own);
	}
}

static void change_ring(struct pg *pg, struct script *s, struct ringid *ring, struct own *own)
{
	struct nodeset members = {.count = 1, .id = {1}};
	struct nodeset together = members;
	uint8_t bits = next(s);

	for (uint32_t id = 2; id <= 5; id++) {
		if (bits >> (id - 2) & 1) {
			nodeset_add(&members, id);
		}
		if (bits >> (id + 2) & 1) {
			nodeset_add(&together, id);
		}
	}
	if (next(s) % 4 != 0) {
		pg_transitional(pg, &together);
		collect(pg, own);
	}
	ring->seq++;
	pg_regular(pg, *ring, &members);
	collect(pg, own);
}

/* The bytes as they are, or a sound message made of them: else the fuzzer would never get past the decoder. */
static void message(struct pg *pg, struct script *s, struct ringid ring, struct own *own)
{
	uint32_t origin = 2 + next(s) % 4;
	struct cpg_name name = {.length = next(s) % 3, .value = "ab"};
	uint8_t bytes[FRAME_META_MAX] = {0};
	uint8_t kind = next(s) % 6;
	struct pg_sync_part part;
	size_t size = next(s);

	if (kind == PG_MSG_SYNC) {
		pg_sync_part_begin(&part, ring, next(s) % 2, bytes);
		for (size_t i = size % 8; i > 0; i--) {
			pg_sync_part_add(&part, next(s) % 16, &name);
		}
		size = pg_sync_part_end(&part, next(s) % 4 != 0);
	} else if (kind >= PG_MSG_JOIN && kind <= PG_MSG_MCAST) {
		size = pg_msg_encode((enum pg_msg_kind)kind,
				     kind == PG_MSG_LEAVE ? CPG_REASON_LEAVE : 0, next(s) % 16,
				     &name, bytes);
	} else {
		size = size < s->left ? size : s->left;
		memcpy(bytes, s->at, size);
		s->at += size;
		s->left -= size;
	}
	if (next(s) % 8 == 0) {
		pg_message_early(pg, origin, ring, bytes, size, NULL);
	} else {
		pg_message(pg, origin, ring, bytes, size, NULL);
	}
	collect(pg, own);
}

static void client_call(struct pg *pg, struct script *s, struct own *own)
{
	uint8_t what = next(s);
	uint32_t client = what % CLIENTS;
	struct cpg_name name = {.length = next(s) % 3, .value = "ab"};

	switch (what >> 4 & 7) {
	case 0:
		pg_client_open(pg, client, what >> 7);
		break;
	case 1:
		pg_client_close(pg, client);
		break;
	case 2:
	case 3:
	case 4:
		pg_join(pg, client, next(s) % 16, &name);
		break;
	case 5:
		pg_leave(pg, client);
		break;
	default:
		pg_mcast(pg, client, FRAME_AGREED, NULL);
		break;
	}
	collect(pg, own);
}

static void deliver_own(struct pg *pg, struct ringid ring, struct own *own)
{
	uint8_t meta[OWN_SIZE];
	uint32_t size;

	if (own->count == 0) {
		return;
	}
	size = own->size[0];
	memcpy(meta, own->meta[0], size);
	own->count--;
	memmove(own->meta[0], own->meta[1], own->count * sizeof(own->meta[0]));
	memmove(&own->size[0], &own->size[1], own->count * sizeof(own->size[0]));
	pg_message(pg, 1, ring, meta, size, NULL);
	collect(pg, own);
}

static void run(struct pg *pg, struct script *s, struct own *own)
{
	struct ringid ring = {.rep = 1, .seq = 0};

	while (s->left > 0) {
		uint8_t what = next(s) % 16;

		if (what == 0) {
			change_ring(pg, s, &ring, own);
		} else if (what < 6) {
			deliver_own(pg, ring, own);
		} else if (what < 11) {
			message(pg, s, ring, own);
		} else {
			client_call(pg, s, own);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pg_limits limits = {.clients_max = CLIENTS, .members_max = 12};
	static struct own own;
	struct script script = {.at = data, .left = size};
	struct pg *pg;
	struct pg_msg msg;

	pg_msg_decode(data, size, &msg);
	require(pg_new(1, &limits, &pg) == 0);
	own.count = 0;
	run(pg, &script, &own);
	pg_free(&pg);
	return 0;
}
