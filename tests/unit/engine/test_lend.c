/* SPDX-License-Identifier: BSD-3-Clause */
/* What is lent to peers, and for how long; what they lend us; and what is copied before others can
 * have it. Peers are played by the test. */
#include "engine/loan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/mark.h"
#include "tests/unit/engine/fake_transport.h"
#include "tests/unit/engine/small_ring.h"

#define KIB	1024u
#define MIB	(1024u * KIB)
#define REGION	7u
#define OTHER	8u
#define SIZE	(4u * MIB)
#define PIECE	(256u * KIB)
#define PEER	5u
#define LIFE	99u
#define LATE_MS 500u
#define LOOK_MS 100u
#define EXTENTS (16u * MIB)
#define CLIENT	1u

struct world {
	struct engine *engine;
	struct slab *slab;
	int memory[2];
	uint64_t given_back; /* pieces of send memory */
	struct frame *frames[64];
	uint32_t frame_count;
};

static struct world world;

static int persist(void *ctx, uint64_t ring_seq)
{
	(void)ctx;
	(void)ring_seq;
	return 0;
}

static void sent(void *ctx, uint32_t client, uint64_t cookie)
{
	(void)ctx;
	(void)client;
	(void)cookie;
	world.given_back++;
}

static void say(void *ctx, int priority, const char *text)
{
	(void)ctx;
	(void)priority;
	(void)text;
}

static const struct engine_config config = {
	.totem = SMALL_RING(3),
	.pg = SMALL_GROUPS,
	.slab = {.slot_size_bytes = 4096,
		 .slot_count = 256,
		 .extent_bytes = EXTENTS,
		 .extent_step_bytes = EXTENTS / 2},
	.eager_size_bytes = 3700,
	.copy_size_bytes = 256,
	.read_size_bytes = MIB,
	.incarnation = 1,
};

static void add_region(uint32_t id, int *fd)
{
	struct transport_region region = {.size_bytes = SIZE, .remote_read = true};

	*fd = memfd_create("lend", MFD_CLOEXEC);
	assert_int_equal(ftruncate(*fd, SIZE), 0);
	region.fd = *fd;
	region.base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	assert_int_equal(engine_region_add(world.engine, id, &region), 0);
}

static int set_up(void **state)
{
	static const struct engine_host host = {.persist = persist, .sent = sent, .log = say};
	struct transport_config net = {
		.node = 3, .slot_size_bytes = 4096, .slot_count = 256, .bulk_depth = 64};
	struct transport *transport;

	(void)state;
	memset(&world, 0, sizeof(world));
	assert_int_equal(slab_new(&config.slab, &world.slab), 0);
	assert_int_equal(transport_fake.open(&net, &transport), 0);
	fake_maps_memory = true;
	assert_int_equal(engine_new(&config, &host, &transport_fake, transport, world.slab,
				    &world.engine),
			 0);
	world.engine->now_ms = 1000;
	add_region(REGION, &world.memory[0]);
	add_region(OTHER, &world.memory[1]);
	nodeset_add(&world.engine->linked, PEER);
	engine_lend_link_up(world.engine, PEER, LIFE);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < world.frame_count; i++) {
		body_drop(&world.frames[i]->body, HOLD_STORE);
	}
	engine_free(&world.engine);
	slab_free(&world.slab);
	close(world.memory[0]);
	close(world.memory[1]);
	return 0;
}

static struct frame *frame_with(struct body *payload)
{
	struct frame_info info = {.ring = {3, 4}, .seq = 1 + world.frame_count, .origin = 3};
	struct frame *frame = frame_announced_new(world.engine, &info, (const uint8_t *)"", 0);

	assert_non_null(frame);
	frame->payload = payload;
	body_hold(payload, HOLD_STORE);
	world.frames[world.frame_count++] = frame;
	return frame;
}

static struct frame *message(uint32_t region, uint32_t number, uint64_t size)
{
	struct body *payload =
		region_body_new(world.engine, CLIENT, region, number * size, size, number);
	struct frame *frame;

	assert_non_null(payload);
	frame = frame_with(payload);
	body_drop(payload, HOLD_BUILD);
	return frame;
}

/* An announcement to the peer; 0: it has to READ. */
static uint64_t lend(uint32_t region, uint32_t number)
{
	uint64_t loan = engine_lend(world.engine, message(region, number, PIECE));

	engine_lend_to(world.engine, loan, PEER);
	engine_lend_told(world.engine, loan);
	return loan;
}

static void give_back(uint64_t loan)
{
	struct control_return returned = {.count = 1, .loan = {loan}};

	engine_lend_returned(world.engine, PEER, &returned);
}

static void wait_ms(uint64_t ms)
{
	uint64_t until_ms = world.engine->now_ms + ms;

	while (world.engine->now_ms < until_ms) {
		world.engine->now_ms += 10;
		engine_lend_look(world.engine);
	}
}

/* The ring needs none of them any more. */
static void release_all(void)
{
	for (uint32_t i = 0; i < world.frame_count; i++) {
		body_drop(&world.frames[i]->body, HOLD_STORE);
	}
	world.frame_count = 0;
}

static void lend__not_when_half_of_the_region_is_late(void **state)
{
	uint64_t loans[9];

	(void)state;
	for (uint32_t i = 0; i < 8; i++) {
		loans[i] = lend(REGION, i);
		assert_true(loans[i] > 0);
	}
	wait_ms(LATE_MS + LOOK_MS);
	loans[8] = lend(REGION, 8); /* exactly half is late */
	assert_true(loans[8] > 0);
	wait_ms(LATE_MS + LOOK_MS);
	assert_int_equal(lend(REGION, 9), 0);
	assert_true(lend(OTHER, 0) > 0);
	give_back(loans[3]);
	loans[3] = lend(REGION, 10);
	assert_true(loans[3] > 0);
	release_all();
	assert_int_equal(world.given_back, 2); /* what came back, and what was not lent */
}

/* Readers that are quick may have all of a region. */
static void lend__what_comes_back_in_time_never_counts(void **state)
{
	uint64_t loans[16];

	(void)state;
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 16; i++) {
			loans[i] = lend(REGION, i);
			assert_true(loans[i] > 0);
		}
		wait_ms(LATE_MS - LOOK_MS);
		for (uint32_t i = 0; i < 16; i++) {
			give_back(loans[i]);
		}
		wait_ms(LATE_MS + LOOK_MS);
		release_all();
	}
	assert_int_equal(world.engine->stats.lent, 0);
	assert_int_equal(world.given_back, 3 * 16);
}

/* A link ends with loans out. They stay as long as anybody sees the memory who got it over that link; what
 * comes back over the next one does not end them. */
static void lend__over_a_lost_link_lasts_as_long_as_its_mark(void **state)
{
	uint64_t loan = lend(REGION, 0);
	int fd;

	(void)state;
	release_all();
	assert_int_equal(mark_open(world.memory[0], engine_link_mark(PEER, LIFE), &fd), 0);
	engine_lend_link_ended(world.engine, PEER);
	engine_lend_link_up(world.engine, PEER, LIFE + 1);
	give_back(loan);
	wait_ms(20 * LATE_MS);
	assert_int_equal(world.given_back, 0);
	close(fd);
	wait_ms(LOOK_MS);
	assert_int_equal(world.given_back, 1);
}

/* What its link's life has taken stays out of reach of the next one, too. */
static void lend__lost_links_together_get_no_more_than_half(void **state)
{
	int fds[4];
	uint32_t lent = 0;

	(void)state;
	for (uint32_t life = 0; life < 4; life++) {
		assert_int_equal(mark_open(world.memory[0], engine_link_mark(PEER, LIFE + life),
					   &fds[life]),
				 0);
		for (uint32_t i = 0; i < 3; i++) {
			lent += lend(REGION, lent) > 0;
		}
		engine_lend_link_ended(world.engine, PEER);
		engine_lend_link_up(world.engine, PEER, LIFE + life + 1);
		wait_ms(LATE_MS + LOOK_MS);
	}
	assert_int_equal(lent, 9);
	for (uint32_t life = 0; life < 4; life++) {
		close(fds[life]);
	}
	wait_ms(LOOK_MS);
	assert_int_equal(world.engine->stats.lent, 0);
	assert_true(lend(REGION, 0) > 0);
}

/* A peer lends as much as it wants to and has no room for what it gets back. */
static uint32_t borrow_without_end(uint32_t turns)
{
	struct frame_announce announce = {.size = PIECE};

	engine_borrow_link_up(world.engine, PEER, LIFE);
	for (uint32_t turn = 1; turn <= turns && fake.fences == 0; turn++) {
		for (int i = 0; i < 100; i++) {
			announce.loan++;
			assert_null(engine_borrow(world.engine, PEER, &announce, true));
		}
		engine_borrow_flush(world.engine);
	}
	return (uint32_t)announce.loan;
}

static void borrow__from_whom_takes_nothing_back_ends(void **state)
{
	(void)state;
	fake.controls_full = true;
	assert_in_range(borrow_without_end(1000), LOANS_MAX, LOANS_MAX + 100);
	assert_int_equal(fake.fences, 1);
	assert_int_equal(fake.fenced, PEER);
	/* Nothing of it is left. */
	assert_int_equal(engine_borrow_deadline_ms(world.engine), UINT64_MAX);
}

static void borrow__from_whom_takes_all_back_goes_on(void **state)
{
	(void)state;
	assert_int_equal(borrow_without_end(200), 20000);
	assert_int_equal(fake.fences, 0);
}

/* --- A payload of a peer's that a third node asks us for --- */

static uint32_t peer_bodies;

static void peer_body_free(struct body *body)
{
	peer_bodies--;
	free(body->bytes);
	free(body);
}

static struct frame *borrowed(uint64_t size)
{
	struct body *body = calloc(1, sizeof(*body));
	struct frame *frame;

	body->home = BODY_PEER;
	body->size = size;
	body->bytes = malloc(size);
	body->free = peer_body_free;
	for (uint64_t i = 0; i < size; i++) {
		body->bytes[i] = (uint8_t)(i * 7 + (i >> 12));
	}
	peer_bodies++;
	frame = frame_with(body);
	return frame;
}

/* The peer is to have it. */
static bool can_serve(struct frame *frame)
{
	struct nodeset members = {0};
	struct totem_action action = {.kind = TOTEM_ACT_SEND,
				      .mask = 1,
				      .members = &members,
				      .frame = frame,
				      .info = frame->header.info};

	nodeset_add(&members, PEER);
	return engine_can_serve(world.engine, &action);
}

static bool is_whole(const struct frame *frame, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++) {
		if (frame->payload->bytes[i] != (uint8_t)(i * 7 + (i >> 12))) {
			return false;
		}
	}
	return frame->payload->home == BODY_EXTENT && frame->payload->size == size;
}

static void serve__a_small_one_at_once(void **state)
{
	struct frame *frame = borrowed(MIB);

	(void)state;
	assert_true(can_serve(frame));
	assert_true(is_whole(frame, MIB));
	assert_int_equal(peer_bodies, 0);
}

/* Nothing that takes long happens in one turn; until all of it is here nobody is told of it, and then who asked is. */
static void serve__a_large_one_piece_by_piece(void **state)
{
	struct frame *frame = borrowed(8 * MIB - 100);
	int turns = 0;

	(void)state;
	do {
		turns++;
		assert_false(can_serve(frame));
		assert_false(can_serve(frame));
		assert_int_equal(frame->payload->home, BODY_PEER);
		assert_int_equal(fake.frames, 0);
	} while (engine_serve(world.engine));
	assert_int_equal(turns, 7);
	assert_int_equal(fake.frames, 1);
	assert_true(can_serve(frame));
	assert_true(is_whole(frame, 8 * MIB - 100));
	assert_int_equal(peer_bodies, 0);
}

/* What is asked for meanwhile waits, and is told in its turn. */
static void serve__one_after_the_other(void **state)
{
	struct frame *large = borrowed(3 * MIB), *small = borrowed(1);

	(void)state;
	assert_false(can_serve(large));
	assert_false(can_serve(small));
	assert_true(engine_serve(world.engine));
	assert_true(engine_serve(world.engine));
	assert_int_equal(fake.frames, 1);
	assert_int_equal(small->payload->home, BODY_PEER);
	assert_false(engine_serve(world.engine));
	assert_int_equal(fake.frames, 2);
	assert_true(is_whole(large, 3 * MIB) && is_whole(small, 1));
}

static void serve__not_into_another_ring(void **state)
{
	struct frame *frame = borrowed(2 * MIB);

	(void)state;
	assert_false(can_serve(frame));
	engine_serve_forget_askers(world.engine);
	assert_false(engine_serve(world.engine));
	assert_int_equal(fake.frames, 0);
	assert_true(can_serve(frame));
}

static void serve__stops_when_nobody_needs_it_any_more(void **state)
{
	struct frame *frame = borrowed(8 * MIB);

	(void)state;
	assert_false(can_serve(frame));
	assert_true(engine_serve(world.engine));
	release_all();
	assert_int_equal(peer_bodies, 1);
	assert_false(engine_serve(world.engine));
	assert_int_equal(peer_bodies, 0);
	assert_true(can_serve(borrowed(MIB)));
}

/* Nothing of it comes back before the ring goes on: whoever asks again finds another segment. */
static void serve__more_than_one_segment(void **state)
{
	struct frame *frame;
	int served = 0;

	(void)state;
	do {
		frame = borrowed(MIB);
		served++;
	} while (served < 100 && can_serve(frame));
	assert_in_range(served, 2, 99);
	assert_int_equal(peer_bodies, 1);
	world.engine->now_ms += EXTENTS_PATIENCE_MS;
	assert_true(can_serve(frame));
	assert_int_equal(peer_bodies, 0);
}

/* Many at once, and an engine that ends in the middle. */
static void serve__ends_with_the_engine(void **state)
{
	(void)state;
	assert_false(can_serve(borrowed(3 * MIB)));
	assert_false(can_serve(borrowed(3 * MIB)));
	assert_true(engine_serve(world.engine));
	assert_true(engine_serve(world.engine));
	assert_int_equal(peer_bodies, 1);
	assert_true(engine_serve(world.engine));
	release_all();
}

int main(void)
{
#define world_test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		world_test(lend__not_when_half_of_the_region_is_late),
		world_test(lend__what_comes_back_in_time_never_counts),
		world_test(lend__over_a_lost_link_lasts_as_long_as_its_mark),
		world_test(lend__lost_links_together_get_no_more_than_half),
		world_test(borrow__from_whom_takes_nothing_back_ends),
		world_test(borrow__from_whom_takes_all_back_goes_on),
		world_test(serve__a_small_one_at_once),
		world_test(serve__a_large_one_piece_by_piece),
		world_test(serve__one_after_the_other),
		world_test(serve__not_into_another_ring),
		world_test(serve__stops_when_nobody_needs_it_any_more),
		world_test(serve__more_than_one_segment),
		world_test(serve__ends_with_the_engine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
