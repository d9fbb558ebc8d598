/* SPDX-License-Identifier: BSD-3-Clause */
/* An engine that is a ring of its own: what it does with messages of every size, with memory, with
 * malformed frames, and at its end. Rings of several engines are the simulator's. */
#include "engine/engine.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "engine/engine_int.h"
#include "store/extents.h"
#include "tests/unit/engine/fake_transport.h"
#include "tests/unit/engine/small_ring.h"

#define SLOT   4096u
#define SLOTS  256u
#define COPY   256u
#define EAGER  3700u
#define REGION 7u
#define MEMORY (8u * 1024 * 1024)
#define CLIENT 1u
#define PIECE  8192u

struct message {
	uint64_t size;
	uint8_t first, last;
};

struct world {
	struct engine *engine;
	struct slab *slab;
	uint8_t *memory;
	uint64_t now;
	int persist_result;
	uint32_t views;
	uint64_t sent; /* pieces of send memory given back */
	struct message got[4096];
	uint32_t got_count;
	struct body *held; /* the first delivered body, if hold is set */
	bool hold;
	bool freed;
	char said[512]; /* last */
	uint32_t lines;
};

static struct world world;

static int persist(void *ctx, uint64_t ring_seq)
{
	(void)ctx;
	(void)ring_seq;
	return world.persist_result;
}

static void deliver(void *ctx, const struct engine_delivery *d)
{
	struct message *m = &world.got[world.got_count++];

	(void)ctx;
	m->size = d->size;
	if (d->size > 0) {
		const uint8_t *bytes = d->body->bytes + (d->offset - d->body->offset);

		m->first = bytes[0];
		m->last = bytes[d->size - 1];
	}
	if (world.hold && !world.held) {
		world.held = d->body;
		body_hold(d->body, HOLD_CLIENT);
	}
}

static void confchg(void *ctx, const struct engine_confchg *c)
{
	(void)ctx;
	(void)c;
	world.views++;
}

static void totem(void *ctx, uint32_t client, struct ringid ring, const struct nodeset *members)
{
	(void)ctx;
	(void)client;
	(void)ring;
	(void)members;
}

static void sent(void *ctx, uint32_t client, uint64_t cookie)
{
	(void)ctx;
	(void)cookie;
	assert_int_equal(client, CLIENT);
	world.sent++;
}

static int random_bytes(void *ctx, void *out, size_t size)
{
	(void)ctx;
	memset(out, 7, size);
	return 0;
}

static void say(void *ctx, int priority, const char *text)
{
	(void)ctx;
	(void)priority;
	world.lines++;
	snprintf(world.said, sizeof(world.said), "%s", text);
}

static const struct engine_config config = {
	.totem = SMALL_RING(3),
	.pg = SMALL_GROUPS,
	.slab = {.slot_size_bytes = SLOT, .slot_count = SLOTS, .extent_bytes = 1 << 20},
	.eager_size_bytes = EAGER,
	.digest = true,
	.copy_size_bytes = COPY,
	.incarnation = 1,
};

static const struct engine_host host = {.persist = persist,
					.deliver = deliver,
					.confchg = confchg,
					.totem = totem,
					.sent = sent,
					.random = random_bytes,
					.log = say};

static void turns(int count)
{
	for (int i = 0; i < count; i++) {
		engine_turn(world.engine, ++world.now);
	}
}

static void build_with(const struct engine_config *wanted)
{
	struct transport_config net = {
		.node = 3, .slot_size_bytes = SLOT, .slot_count = SLOTS, .bulk_depth = 64};
	struct transport *transport;

	memset(&world, 0, sizeof(world));
	world.now = 1000;
	assert_int_equal(slab_new(&wanted->slab, &world.slab), 0);
	assert_int_equal(transport_fake.open(&net, &transport), 0);
	assert_int_equal(engine_new(wanted, &host, &transport_fake, transport, world.slab,
				    &world.engine),
			 0);
}

static void build(void)
{
	build_with(&config);
}

static int set_up(void **state)
{
	(void)state;
	build();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	engine_free(&world.engine);
	slab_free(&world.slab);
	free(world.memory);
	return 0;
}

static void add_memory(void)
{
	struct transport_region region = {.size_bytes = MEMORY, .fd = -1, .remote_read = true};

	world.memory = calloc(1, MEMORY);
	region.base = world.memory;
	assert_int_equal(engine_region_add(world.engine, REGION, &region), 0);
}

static const struct cpg_name group = {.length = 4, .value = "test"};

static void join(void)
{
	engine_start(world.engine, world.now);
	turns(200);
	assert_true(engine_ready(world.engine));
	add_memory();
	assert_int_equal(engine_client_open(world.engine, CLIENT, false), 0);
	assert_int_equal(engine_join(world.engine, CLIENT, 42, &group, world.now), CS_OK);
	turns(5);
	assert_int_equal(world.views, 1);
}

static cs_error_t mcast(uint64_t offset, uint64_t size)
{
	return engine_mcast(world.engine, CLIENT, FRAME_AGREED, size ? REGION : 0, offset, size, 1,
			    world.now);
}

static void assert_all_given_back(void)
{
	struct totem_status ring;
	struct engine_stats stats;

	engine_status(world.engine, &ring, &stats);
	assert_int_equal(stats.slots_free, SLOTS - ENGINE_OWN_SLOTS(SLOTS));
	assert_int_equal(slab_slots_free(world.slab), ENGINE_OWN_SLOTS(SLOTS));
	assert_int_equal(stats.extents_free_bytes, 1 << 20);
}

static void log__not_filled_by_a_bulk_channel_that_flaps(void **state)
{
	struct transport_event down = {.kind = TRANSPORT_BULK_DOWN, .node = 1};
	struct transport_event up = {.kind = TRANSPORT_BULK_UP, .node = 1};
	uint32_t lines = world.lines;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		fake_event(&down);
		fake_event(&up);
		engine_turn(world.engine, 5000);
	}
	assert_in_range(world.lines - lines, 1, 30);
	fake_event(&down);
	engine_turn(world.engine, 5000 + 60000);
	assert_non_null(strstr(world.said, "more like it"));
}

static void memory__peers_may_read_nothing_but_what_can_be_announced(void **state)
{
	(void)state;
	assert_ptr_equal(fake.slab.base, slab_base(world.slab));
	assert_false(fake.slab.remote_read);
	assert_int_equal(fake.readable, 0);
	join();
	assert_int_equal(fake.readable, 1); /* the client's send memory */
}

static void messages__of_every_size_come_back_whole_and_in_order(void **state)
{
	static const uint64_t sizes[] = {0,	   1,	 7,	  8,	     COPY - 1, COPY,
					 COPY + 1, 300,	 1000,	  EAGER - 1, EAGER,    EAGER + 1,
					 0,	   5000, 1 << 20, 3,	     EAGER,    4u << 20};
	const uint32_t count = sizeof(sizes) / sizeof(sizes[0]);
	uint64_t offset = 0;

	(void)state;
	join();
	for (uint32_t i = 0; i < count; i++) {
		memset(world.memory + offset, (int)i + 1, sizes[i]);
		assert_int_equal(mcast(offset, sizes[i]), CS_OK);
		offset += sizes[i];
	}
	turns(50);
	assert_int_equal(world.got_count, count);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(world.got[i].size, sizes[i]);
		if (sizes[i] > 0) {
			assert_int_equal(world.got[i].first, i + 1);
			assert_int_equal(world.got[i].last, i + 1);
		}
	}
	assert_int_equal(world.sent, count - 2);
	assert_all_given_back();
}

/* More gathered payloads than one frame can have pieces, mixed with copied ones. */
static void messages__more_pieces_than_a_frame_takes(void **state)
{
	(void)state;
	join();
	for (uint32_t i = 0; i < 60; i++) {
		uint64_t size = i % 3 == 0 ? 20 : COPY + 1 + i % 5;

		memset(world.memory + i * 1024, (int)i, size);
		if (!engine_may_send(world.engine)) {
			turns(5);
		}
		assert_int_equal(mcast(i * 1024, size), CS_OK);
	}
	turns(50);
	assert_int_equal(world.got_count, 60);
	for (uint32_t i = 0; i < 60; i++) {
		assert_int_equal(world.got[i].first, i);
		assert_int_equal(world.got[i].last, i);
	}
	assert_int_equal(world.sent, 60);
	assert_all_given_back();
}

/* As many pieces as the transport takes, and not one more, whatever stands between them. */
static void frame__has_the_pieces_that_the_transport_takes(void **state)
{
	static uint8_t bytes[COPY + 1];
	struct body body = {.home = BODY_SEND, .region = REGION, .size = 100, .bytes = bytes};
	static const uint8_t meta[8];

	(void)state;
	for (int max = FRAME_SEGS_MIN; max <= FRAME_SEGS_MAX; max++) {
		struct transport_seg segs[FRAME_SEGS_MAX + 1];
		struct frame *frame;
		int pieces = 0;

		tear_down(NULL);
		fake_segs_max = max;
		build();
		body_hold(&body, HOLD_BUILD);
		frame = frame_own_new(world.engine, FRAME_AGREED, false);
		assert_non_null(frame);
		for (; frame_fits(frame, sizeof(meta), body.size, true); pieces++) {
			frame_append_piece(frame, meta, sizeof(meta), &body);
			frame_append_copy(frame, meta, sizeof(meta), bytes, 3);
		}
		assert_int_equal(pieces, (max - 2) / 2);
		/* the header comes before them */
		assert_in_range(frame_segs(frame, segs), max - 2, max - 1);
		body_drop(&frame->body, HOLD_STORE);
	}
	fake_segs_max = FRAME_SEGS_MAX;
}

static void messages__few_pieces_in_a_frame(void **state)
{
	tear_down(state);
	fake_segs_max = FRAME_SEGS_MIN;
	build();
	messages__more_pieces_than_a_frame_takes(state);
	fake_segs_max = FRAME_SEGS_MAX;
}

static uint64_t sealed_bytes(void)
{
	struct totem_status ring;
	struct engine_stats stats;

	engine_status(world.engine, &ring, &stats);
	return stats.sealed_bytes;
}

static const struct crypto_suite suite = {CRYPTO_AES256, CRYPTO_SHA256};

static struct cluster_key key_of(const char *text)
{
	struct cluster_key key;

	assert_int_equal(cluster_key_derive(suite, "c", text, strlen(text), &key), 0);
	return key;
}

/* A protected engine in a ring of its own. */
static void rebuild_protected(void)
{
	struct engine_config protected = config;
	struct cluster_key key = key_of("secret");

	tear_down(NULL);
	protected.read_size_bytes = PIECE;
	protected.eager_size_bytes = EAGER - SEAL_SIZE;
	protected.protection =
		(struct engine_protection){.suite = suite, .key = &key, .cluster_name = "c"};
	build_with(&protected);
	join();
}

/* A turn seals one piece, and asks for the next turn at once; what comes behind the message waits. */
static void messages__large_ones_are_sealed_a_piece_at_a_time(void **state)
{
	(void)state;
	rebuild_protected();
	assert_int_equal(mcast(0, 2 * PIECE + 1), CS_OK);
	for (uint32_t i = 1; i <= 2; i++) {
		assert_int_equal(mcast(MEMORY / 2, 100), CS_ERR_TRY_AGAIN);
		assert_int_equal(sealed_bytes(), i * PIECE);
		assert_true(engine_next_deadline_ms(world.engine) <= world.now);
		assert_int_equal(world.got_count, 0);
		turns(1);
	}
	assert_int_equal(sealed_bytes(), 2 * PIECE + 1);
	assert_int_equal(mcast(MEMORY / 2, 100), CS_OK);
	turns(5);
	assert_int_equal(world.got_count, 2);
	assert_int_equal(world.got[0].size, 2 * PIECE + 1);
	/* not more pieces than an announcement has tags for */
	assert_int_equal(mcast(0, FRAME_SEAL_PIECES_MAX * PIECE + 1), CS_OK);
	assert_int_equal(sealed_bytes(), 2 * PIECE + 1 + 2 * PIECE);
	turns(FRAME_SEAL_PIECES_MAX);
	assert_int_equal(world.got_count, 3);
	assert_all_given_back();
}

/* It begins anew, in the place that it has: there may be no room for two. */
static void messages__half_sealed_when_the_key_changes(void **state)
{
	struct cluster_key key = key_of("another");
	struct engine_trust_status before, after;
	const uint64_t size = 3 * (1u << 20) / 4;

	(void)state;
	rebuild_protected();
	engine_trust_status(world.engine, &before);
	assert_int_equal(mcast(0, size), CS_OK);
	turns(1);
	assert_in_range(sealed_bytes(), PIECE, size - 1);
	engine_change_key(world.engine, &key);
	engine_trust_status(world.engine, &after);
	assert_int_not_equal(after.generation, before.generation);
	turns(2 * FRAME_SEAL_PIECES_MAX);
	assert_int_equal(world.got_count, 1);
	assert_true(sealed_bytes() > size);
	assert_all_given_back();
}

static void stop__seals_what_was_accepted(void **state)
{
	(void)state;
	rebuild_protected();
	assert_int_equal(mcast(0, 3 * PIECE), CS_OK);
	engine_stop(world.engine, world.now);
	for (int i = 0; i < 1000 && !engine_stopped(world.engine); i++) {
		turns(1);
	}
	assert_true(engine_stopped(world.engine));
	assert_int_equal(sealed_bytes(), 3 * PIECE);
	assert_int_equal(world.sent, 1);
}

static void free__in_the_middle_of_sealing(void **state)
{
	(void)state;
	rebuild_protected();
	assert_int_equal(mcast(0, 3 * PIECE), CS_OK);
	assert_int_equal(mcast(0, 3 * PIECE), CS_ERR_TRY_AGAIN);
}

static void mcast__refuses_what_it_cannot_take(void **state)
{
	(void)state;
	add_memory();
	assert_int_equal(engine_client_open(world.engine, CLIENT, false), 0);
	assert_int_equal(mcast(0, 1), CS_ERR_TRY_AGAIN);
	free(world.memory);
	world.memory = NULL;
	engine_free(&world.engine);
	slab_free(&world.slab);
	build();
	join();
	assert_int_equal(mcast(MEMORY, 1), CS_ERR_INVALID_PARAM);
	assert_int_equal(mcast(UINT64_MAX, 2), CS_ERR_INVALID_PARAM);
	assert_int_equal(mcast(1, MEMORY), CS_ERR_INVALID_PARAM);
	assert_int_equal(mcast(0, MESSAGE_SIZE_MAX + 1ull), CS_ERR_TOO_BIG);
	assert_int_equal(engine_mcast(world.engine, CLIENT, FRAME_AGREED, 0, 0, 1, 1, world.now),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(engine_mcast(world.engine, CLIENT, FRAME_AGREED, REGION + 1, 0, 1, 1,
				      world.now),
			 CS_ERR_INVALID_PARAM);
	assert_int_equal(engine_client_open(world.engine, CLIENT + 1, false), 0);
	assert_int_equal(engine_mcast(world.engine, CLIENT + 1, FRAME_AGREED, REGION, 0, 1, 1,
				      world.now),
			 CS_ERR_NOT_EXIST);
	assert_int_equal(world.sent, 0);
}

static void mcast__says_try_again_before_memory_runs_out(void **state)
{
	uint32_t accepted = 0;

	(void)state;
	join();
	while (accepted < 3000 && mcast(0, COPY) == CS_OK) {
		accepted++;
	}
	assert_in_range(accepted, 1, 2999);
	assert_false(engine_may_send(world.engine));
	assert_int_equal(engine_leave(world.engine, CLIENT, world.now), CS_OK);
	turns(200);
	assert_true(engine_may_send(world.engine));
	assert_int_equal(world.got_count, accepted);
	assert_int_equal(world.views, 2);
	assert_all_given_back();
}

/* When the ring changes they have to keep all of it, so there is never more than they have room for. */
static void mcast__no_more_than_members_can_keep(void **state)
{
	uint64_t share = extents_ordinary_max(config.slab.extent_bytes) / 2 / 3;

	(void)state;
	join();
	world.engine->members = 4;
	assert_int_equal(mcast(0, share / 2), CS_OK);
	assert_int_equal(mcast(0, share / 2), CS_OK);
	assert_int_equal(world.engine->announced_bytes, share / 2 * 2);
	assert_true(engine_may_send(world.engine));
	assert_int_equal(mcast(0, 2 * share), CS_OK);
	assert_int_equal(world.engine->announced_bytes, share / 2 * 2);
	assert_false(engine_may_send(world.engine));
	turns(5); /* all have got the first two: one is taken whatever its size */
	assert_true(engine_may_send(world.engine));
	turns(50);
	assert_int_equal(world.got_count, 3);
	assert_int_equal(world.engine->announced_bytes, 0);
	world.engine->members = 1;
	assert_int_equal(mcast(0, share), CS_OK);
	assert_int_equal(mcast(0, share), CS_OK);
	assert_true(engine_may_send(world.engine));
	turns(50);
	assert_all_given_back();
}

/* An operator can tell why this node may be excluded. */
static void extents__without_room_for_long(void **state)
{
	struct body *bodies[100];
	uint32_t count = 0;

	(void)state;
	engine_start(world.engine, world.now);
	turns(200);
	/* What has waited gets segments of their own, until there is no more. */
	for (int round = 0; round < 20; round++) {
		while (count < 100 && (bodies[count] = engine_extent_new(world.engine, 100000))) {
			count++;
		}
		turns(EXTENTS_PATIENCE_MS);
	}
	assert_in_range(count, 1, 99);
	turns(1);
	bodies[count] = engine_extent_new(world.engine, 100000);
	assert_null(bodies[count]);
	body_drop(bodies[--count], HOLD_BUILD);
	bodies[count] = engine_extent_new(world.engine, 100000);
	assert_non_null(bodies[count++]); /* nobody has waited */
	assert_null(engine_extent_new(world.engine, 100000));
	world.said[0] = '\0';
	turns(999);
	assert_null(engine_extent_new(world.engine, 100000));
	assert_string_equal(world.said, "");
	turns(1);
	assert_null(engine_extent_new(world.engine, 100000));
	assert_non_null(strstr(world.said, "of 100000 bytes has found no room for 1000 ms in the "
					   "1048576 bytes of rdma.extents"));
	while (count > 0) {
		body_drop(bodies[--count], HOLD_BUILD);
	}
	assert_all_given_back();
}

static void note_freed(void *ctx, uint32_t region)
{
	(void)ctx;
	assert_int_equal(region, REGION);
	world.freed = true;
}

static void region__lives_until_its_last_message_is_let_go(void **state)
{
	(void)state;
	join();
	world.hold = true;
	assert_int_equal(mcast(0, EAGER + 1), CS_OK);
	turns(20);
	assert_non_null(world.held);
	engine_client_close(world.engine, CLIENT, world.now);
	engine_region_remove(world.engine, REGION, note_freed, NULL);
	turns(20);
	assert_false(world.freed);
	body_drop(world.held, HOLD_CLIENT);
	assert_true(world.freed);
	assert_int_equal(fake.regions, 2);
}

static void frames__malformed_ones_cost_the_peer_its_link(void **state)
{
	uint8_t frame[128] = {0};
	struct frame_header header = {.info = {.ring = {1, 4}, .seq = 1, .origin = 9},
				      .body = FRAME_PACKED,
				      .body_size = 64,
				      .entries = 1};
	struct totem_status ring;
	struct engine_stats stats;

	(void)state;
	join();
	header.info.guarantee = FRAME_AGREED;
	fake_frame(9, "garbage", 7);
	turns(1);
	frame_header_encode(&header, frame); /* entry of no meta */
	fake_frame(9, frame, sizeof(frame));
	turns(1);
	header.body = FRAME_ANNOUNCE;
	frame_header_encode(&header, frame);
	fake_frame(9, frame, sizeof(frame));
	turns(1);
	engine_status(world.engine, &ring, &stats);
	assert_int_equal(stats.frames_rejected, 3);
	assert_int_equal(fake.fences, 3);
	assert_int_equal(fake.fenced, 9);
	assert_all_given_back();
	assert_int_equal(mcast(0, 5), CS_OK);
	turns(5);
	assert_int_equal(world.got_count, 1);
}

/* Well-formed, but of a ring and a node that nobody knows: dropped, and that is all. */
static void frames__foreign_ones_leave_no_trace(void **state)
{
	uint8_t frame[FRAME_HEADER_SIZE + 16] = {0};
	struct frame_header header = {
		.info = {.ring = {1, 4}, .seq = 1, .origin = 9, .guarantee = FRAME_AGREED},
		.body = FRAME_PACKED,
		.body_size = 16,
		.entries = 1};
	struct writer w = writer_of(frame + FRAME_HEADER_SIZE, 16);

	(void)state;
	join();
	frame_header_encode(&header, frame);
	writer_u16(&w, 8);
	fake_frame(9, frame, sizeof(frame));
	turns(3);
	assert_int_equal(fake.fences, 0);
	assert_int_equal(world.got_count, 0);
	assert_all_given_back();
}

static void ring_sequence__that_cannot_be_stored_stops_the_engine(void **state)
{
	(void)state;
	world.persist_result = -EIO;
	engine_start(world.engine, world.now);
	turns(100);
	assert_true(engine_failed(world.engine));
	assert_false(engine_ready(world.engine));
}

static void stop__delivers_what_was_accepted_then_leaves(void **state)
{
	(void)state;
	join();
	assert_int_equal(mcast(0, 100), CS_OK);
	engine_stop(world.engine, world.now);
	for (int i = 0; i < 500 && !engine_stopped(world.engine); i++) {
		turns(1);
	}
	assert_true(engine_stopped(world.engine));
	assert_int_equal(mcast(0, 100), CS_ERR_TRY_AGAIN);
}

static void new__refuses_sizes_that_do_not_fit_together(void **state)
{
	struct transport_config net = {.node = 3, .slot_size_bytes = SLOT, .slot_count = SLOTS};
	struct engine_config odd = config;
	struct engine *engine = NULL;
	struct transport *transport;

	(void)state;
	engine_free(&world.engine);
	transport_fake.open(&net, &transport);
	odd.eager_size_bytes = SLOT;
	assert_int_equal(engine_new(&odd, &host, &transport_fake, transport, world.slab, &engine),
			 -EINVAL);
	transport_fake.open(&net, &transport);
	odd = config;
	odd.totem.window_size = SLOTS;
	assert_int_equal(engine_new(&odd, &host, &transport_fake, transport, world.slab, &engine),
			 -EINVAL);
	assert_null(engine);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(memory__peers_may_read_nothing_but_what_can_be_announced),
		TEST(messages__of_every_size_come_back_whole_and_in_order),
		TEST(messages__more_pieces_than_a_frame_takes),
		TEST(frame__has_the_pieces_that_the_transport_takes),
		TEST(messages__few_pieces_in_a_frame),
		TEST(messages__large_ones_are_sealed_a_piece_at_a_time),
		TEST(messages__half_sealed_when_the_key_changes),
		TEST(stop__seals_what_was_accepted),
		TEST(free__in_the_middle_of_sealing),
		TEST(mcast__refuses_what_it_cannot_take),
		TEST(mcast__says_try_again_before_memory_runs_out),
		TEST(mcast__no_more_than_members_can_keep),
		TEST(extents__without_room_for_long),
		TEST(log__not_filled_by_a_bulk_channel_that_flaps),
		TEST(region__lives_until_its_last_message_is_let_go),
		TEST(frames__malformed_ones_cost_the_peer_its_link),
		TEST(frames__foreign_ones_leave_no_trace),
		TEST(ring_sequence__that_cannot_be_stored_stops_the_engine),
		TEST(stop__delivers_what_was_accepted_then_leaves),
		TEST(new__refuses_sizes_that_do_not_fit_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
