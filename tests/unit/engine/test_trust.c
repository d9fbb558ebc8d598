/* SPDX-License-Identifier: BSD-3-Clause */
/* A protected engine and a peer that the test plays: what it believes, and what happens to somebody who
 * says what is not proven, says it twice, or bends it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "crypto/aead.h"
#include "engine/engine.h"
#include "engine/trust.h"
#include "tests/unit/engine/fake_transport.h"
#include "tests/unit/engine/small_ring.h"
#include "wire/control.h"

#define SLOT  4096u
#define SLOTS 256u
#define PEER  1u /* dials */
#define SELF  3u
#define PIECE 100u

static struct engine *engine;
static struct slab *slab;
static uint64_t now;
static uint32_t lines; /* of the log */
static struct cluster_key key, other_key, new_key;
static const struct crypto_suite suite = {CRYPTO_AES256, CRYPTO_SHA256};

/* The peer's side. */
static struct handshake_self peer_self;
static struct handshake peer;
static struct aead *session_out, *session_in, *frames;
static uint64_t numbers;
static uint32_t sessions;

static int random_bytes(void *ctx, void *out, size_t size)
{
	static uint32_t state = 1;

	(void)ctx;
	for (size_t i = 0; i < size; i++) {
		state = state * 1664525u + 1013904223u;
		((uint8_t *)out)[i] = (uint8_t)(state >> 24);
	}
	return 0;
}

static int persist(void *ctx, uint64_t ring_seq)
{
	(void)ctx;
	(void)ring_seq;
	return 0;
}

static void say(void *ctx, int priority, const char *text)
{
	(void)ctx;
	(void)priority;
	(void)text;
	lines++;
}

static const struct engine_config config = {
	.totem = SMALL_RING(SELF),
	.pg = SMALL_GROUPS,
	.slab = {.slot_size_bytes = SLOT, .slot_count = SLOTS, .extent_bytes = 1 << 20},
	.eager_size_bytes = 2000,
	.copy_size_bytes = 256,
	.protection = {.suite = {CRYPTO_AES256, CRYPTO_SHA256}, .key = &key, .cluster_name = "c"},
	.incarnation = 1,
};

static void turn(void)
{
	engine_turn(engine, now += 50);
}

static struct engine_trust_status status(void)
{
	struct engine_trust_status out;

	engine_trust_status(engine, &out);
	return out;
}

static void comes(const void *bytes, size_t size)
{
	struct transport_event event = {.kind = TRANSPORT_CONTROL,
					.node = PEER,
					.data = bytes,
					.size_bytes = (uint32_t)size};

	fake_event(&event);
	turn();
}

/* What the engine said last, opened. */
static size_t heard(uint8_t out[CHANNEL_SIZE_MAX])
{
	struct cursor c = cursor_of(fake.control, fake.control_size);
	size_t size = fake.control_size - SEAL_SIZE;
	struct aead_nonce nonce = {0};

	assert_true(fake.control_size > SEAL_SIZE);
	cursor_u32(&c);
	assert_int_equal(cursor_u32(&c), sessions);
	nonce.number = cursor_u64(&c);
	memcpy(out, fake.control + 16, size);
	assert_int_equal(aead_open(session_in, nonce, (struct aead_piece){fake.control, 16},
				   (struct aead_piece){fake.control + 16, size}, out,
				   fake.control + 16 + size),
			 0);
	return size;
}

static size_t seal_control(uint64_t number, const void *bytes, size_t size, uint8_t *out)
{
	struct writer w = writer_of(out, 16);
	struct aead_piece piece = {bytes, size};

	writer_u32(&w, 0x53524e43u);
	writer_u32(&w, sessions);
	writer_u64(&w, number);
	assert_int_equal(aead_seal(session_out, (struct aead_nonce){.number = number},
				   (struct aead_piece){out, 16}, &piece, 1, out + 16,
				   out + 16 + size),
			 0);
	return size + SEAL_SIZE;
}

static void say_sealed(const void *bytes, size_t size)
{
	uint8_t out[CHANNEL_SIZE_MAX];

	comes(out, seal_control(++numbers, bytes, size, out));
}

/* KEYS with one frame key of generation 1. */
static void tell_keys(const struct cluster_key *has, const struct cluster_key *has_next)
{
	uint8_t frame_key[CRYPTO_KEY_SIZE_MAX] = {9, 9, 9};
	uint8_t none[CRYPTO_KEY_SIZE_MAX] = {0};
	uint8_t out[128];
	struct writer w = writer_of(out, sizeof(out));

	writer_u32(&w, 0x4b524e43u);
	writer_u32(&w, 1);
	writer_u32(&w, 1);
	writer_bytes(&w, frame_key, sizeof(frame_key));
	writer_u32(&w, 0);
	writer_bytes(&w, none, sizeof(none));
	writer_bytes(&w, has->id, sizeof(has->id));
	writer_bytes(&w, has_next ? has_next->id : none, sizeof(has->id));
	if (!frames) {
		assert_int_equal(aead_new(suite.cipher, frame_key, &frames), 0);
	}
	say_sealed(out, w.used);
}

static void shake_hands(void)
{
	struct handshake_keys keys;
	uint8_t out[HANDSHAKE_SIZE_MAX];
	int size = handshake_hello(&peer, &peer_self, SELF, ++sessions, out);

	comes(out, (size_t)size);
	size = handshake_prove(&peer, &peer_self, fake.control, fake.control_size, out, &keys);
	assert_int_equal(size, HANDSHAKE_PROOF_SIZE);
	aead_free(&session_out);
	aead_free(&session_in);
	assert_int_equal(aead_new(suite.cipher, keys.send, &session_out), 0);
	assert_int_equal(aead_new(suite.cipher, keys.receive, &session_in), 0);
	numbers = 0;
	comes(out, (size_t)size);
}

static void become_trusted(void)
{
	shake_hands();
	tell_keys(&key, NULL);
	assert_int_equal(status().stats.handshakes, 1);
	assert_true(nodeset_has(&engine->linked, PEER));
}

static uint32_t seal_frame(uint64_t number, uint32_t generation, uint8_t *out)
{
	uint8_t with[12];
	uint8_t text[100] = "no frame";
	struct aead_piece piece = {text, sizeof(text)};
	struct writer w = writer_of(with, sizeof(with));

	writer_u32(&w, PEER);
	writer_u32(&w, generation);
	writer_u32(&w, sizeof(text));
	assert_int_equal(aead_seal(frames, (struct aead_nonce){.number = number},
				   (struct aead_piece){with, sizeof(with)}, &piece, 1, out,
				   out + sizeof(text)),
			 0);
	w = writer_of(out + sizeof(text) + AEAD_TAG_SIZE, 16);
	writer_u64(&w, number);
	writer_u32(&w, generation);
	writer_u32(&w, 0);
	return sizeof(text) + SEAL_SIZE;
}

static int set_up(void **state)
{
	struct transport_config net = {
		.node = SELF, .slot_size_bytes = SLOT, .slot_count = SLOTS, .bulk_depth = 64};
	struct transport_event up = {.kind = TRANSPORT_PEER_UP, .node = PEER};
	struct transport_peer entry = {.node = PEER};
	struct engine_host host = {.persist = persist, .random = random_bytes, .log = say};
	struct transport *transport;

	(void)state;
	now = 1000;
	lines = 0;
	sessions = 0;
	peer_self = (struct handshake_self){.suite = suite,
					    .cluster_name = "c",
					    .node = PEER,
					    .keys = {&key},
					    .random = random_bytes};
	if (slab_new(&config.slab, &slab) || transport_fake.open(&net, &transport) ||
	    engine_new(&config, &host, &transport_fake, transport, slab, &engine)) {
		return -1;
	}
	engine_peer_add(engine, &entry);
	engine_start(engine, now);
	fake_event(&up);
	turn();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	aead_free(&session_out);
	aead_free(&session_in);
	aead_free(&frames);
	engine_free(&engine);
	slab_free(&slab);
	return 0;
}

static void assert_not_cut(void)
{
	assert_int_equal(fake.fences, 0);
}

static void assert_cut(void)
{
	assert_int_equal(fake.fences, 1);
	assert_int_equal(fake.fenced, PEER);
	assert_false(nodeset_has(&engine->linked, PEER));
}

static void link__says_nothing_before_proof(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		turn();
	}
	assert_int_equal(fake.controls, 0);
	assert_false(nodeset_has(&engine->linked, PEER));
	become_trusted();
	turn();
	assert_true(fake.controls > 3);
	assert_int_equal(wire_control_kind(fake.control, fake.control_size), CONTROL_NONE);
}

static void link__tells_keys_sealed(void **state)
{
	uint8_t out[CHANNEL_SIZE_MAX];

	(void)state;
	shake_hands();
	assert_int_equal(heard(out), 8 + 2 * 36 + 16);
	assert_memory_equal(out, "CNRK", 4);
	assert_memory_equal(out + 8 + 2 * 36, key.id, sizeof(key.id));
}

static void hello__with_another_key(void **state)
{
	struct handshake_claim claim;
	uint8_t out[HANDSHAKE_SIZE_MAX];

	(void)state;
	peer_self.keys[0] = &other_key;
	comes(out, (size_t)handshake_hello(&peer, &peer_self, SELF, 1, out));
	assert_null(handshake_read(fake.control, fake.control_size, &claim));
	assert_int_equal(claim.refusal, HANDSHAKE_OTHER_KEY);
	assert_int_equal(status().stats.refused, 1);
	assert_not_cut();
}

static void hello__without_pause_is_answered_seldom(void **state)
{
	uint8_t out[HANDSHAKE_SIZE_MAX];
	struct transport_event event = {.kind = TRANSPORT_CONTROL, .node = PEER, .data = out};

	(void)state;
	event.size_bytes = (uint32_t)handshake_hello(&peer, &peer_self, SELF, 1, out);
	for (int i = 0; i < 10; i++) {
		fake_event(&event);
	}
	turn();
	assert_int_equal(fake.controls, 1);
}

static void control__in_the_clear_is_not_heard(void **state)
{
	struct control wake = {.kind = CONTROL_WAKE, .sender = PEER};
	uint8_t bytes[CONTROL_SIZE_MAX];
	size_t size = wire_control_encode(&wake, bytes);

	(void)state;
	comes(bytes, size);
	become_trusted();
	comes(bytes, size);
	comes(bytes, 3);
	assert_int_equal(status().stats.clear, 3);
	assert_not_cut();
}

/* Nothing that is said before the proof may fill the log, however it is varied. */
static void log__not_filled_by_a_stranger(void **state)
{
	uint8_t broken[8] = {0};
	struct writer w = writer_of(broken, sizeof(broken));
	uint32_t before = lines;

	(void)state;
	writer_u32(&w, HANDSHAKE_MAGIC);
	for (int i = 0; i < 500; i++) {
		comes("in the clear", 12);
		comes(broken, sizeof(broken));
	}
	assert_in_range(lines - before, 2, 8);
	now += 60000;
	comes("in the clear", 12);
	comes(broken, sizeof(broken));
	assert_in_range(lines - before, 4, 10);
}

static void control__once_more(void **state)
{
	struct control wake = {.kind = CONTROL_WAKE, .sender = PEER};
	uint8_t bytes[CONTROL_SIZE_MAX];
	uint8_t out[CHANNEL_SIZE_MAX];
	size_t size = wire_control_encode(&wake, bytes);

	(void)state;
	become_trusted();
	size = seal_control(++numbers, bytes, size, out);
	comes(out, size);
	assert_not_cut();
	comes(out, size);
	assert_cut();
	assert_int_equal(status().stats.forged, 1);
}

static void control__bent(void **state)
{
	uint8_t out[CHANNEL_SIZE_MAX];
	size_t size;

	(void)state;
	become_trusted();
	size = seal_control(++numbers, "abcdef", 6, out);
	out[18] ^= 1;
	comes(out, size);
	assert_cut();
}

static void control__of_no_session(void **state)
{
	uint8_t out[CHANNEL_SIZE_MAX];
	size_t size;

	(void)state;
	become_trusted();
	size = seal_control(++numbers, "abcdef", 6, out);
	out[4] ^= 0x40;
	comes(out, size);
	assert_not_cut();
	comes(out, SEAL_SIZE - 1);
	assert_cut();
}

static void keys__malformed(void **state)
{
	(void)state;
	become_trusted();
	say_sealed("CNRK\1\0\0\0", 8);
	assert_cut();
}

static void frame__before_trust(void **state)
{
	uint8_t out[512];
	uint8_t clear[200] = "CRNT";

	(void)state;
	shake_hands();
	assert_int_equal(aead_new(suite.cipher, (const uint8_t[32]){9, 9, 9}, &frames), 0);
	fake_frame(PEER, out, seal_frame(1, 1, out));
	turn();
	assert_int_equal(status().stats.early, 1);
	assert_not_cut();
	fake_frame(PEER, clear, sizeof(clear));
	turn();
	assert_int_equal(status().stats.early, 2);
}

/* What is sealed well is looked at: this is none, and its sender should have known. */
static void frame__genuine_and_malformed(void **state)
{
	uint8_t out[512];

	(void)state;
	become_trusted();
	fake_frame(PEER, out, seal_frame(1, 1, out));
	turn();
	assert_int_equal(status().stats.forged, 0);
	assert_cut();
}

static void frame__once_more_over_the_next_link(void **state)
{
	struct transport_event up = {.kind = TRANSPORT_PEER_UP, .node = PEER};
	uint8_t out[512];
	uint32_t size;

	(void)state;
	become_trusted();
	size = seal_frame(7, 1, out);
	fake_frame(PEER, out, size);
	turn();
	assert_cut();
	fake.fences = 0;
	fake_event(&up);
	turn();
	shake_hands();
	tell_keys(&key, NULL);
	fake_frame(PEER, out, size);
	turn();
	assert_int_equal(status().stats.replayed, 1);
	assert_not_cut();
}

static void frame__bent(void **state)
{
	uint8_t out[512];
	uint32_t size;

	(void)state;
	become_trusted();
	size = seal_frame(1, 1, out);
	out[50] ^= 4;
	fake_frame(PEER, out, size);
	turn();
	assert_int_equal(status().stats.forged, 1);
	assert_cut();
}

static void frame__of_another_generation(void **state)
{
	uint8_t out[512];

	(void)state;
	become_trusted();
	fake_frame(PEER, out, seal_frame(1, 2, out));
	turn();
	assert_int_equal(status().stats.early, 1);
	assert_not_cut();
}

/* The peer seals one piece of a payload of `size` bytes. */
static void seal_piece(struct frame_seal *seal, uint32_t index, uint64_t size,
		       const struct aead_piece *text, uint8_t *out)
{
	uint8_t with[12];
	struct writer w = writer_of(with, sizeof(with));

	writer_u32(&w, PEER);
	writer_u32(&w, seal->generation);
	writer_u32(&w, (uint32_t)size);
	assert_int_equal(aead_seal(frames, (struct aead_nonce){seal->number, 1 + index},
				   (struct aead_piece){with, sizeof(with)}, text, 1, out,
				   seal->tags[index]),
			 0);
}

static void payload__every_piece_has_its_place(void **state)
{
	uint8_t text[2 * PIECE] = "a payload", sealed[sizeof(text)], opened[sizeof(text)];
	struct frame_seal seal = {.generation = 1, .piece_bytes = PIECE, .number = 5};
	struct frame_seal swapped;
	struct body body = {.bytes = opened, .size = sizeof(opened)};

	(void)state;
	become_trusted();
	seal_piece(&seal, 0, sizeof(text), &(struct aead_piece){text, PIECE}, sealed);
	seal_piece(&seal, 1, sizeof(text), &(struct aead_piece){text + PIECE, PIECE},
		   sealed + PIECE);
	assert_true(engine_open_piece(engine, PEER, &seal, 0, sealed, &body));
	assert_true(engine_open_piece(engine, PEER, &seal, PIECE, sealed + PIECE, &body));
	assert_memory_equal(opened, text, sizeof(text));
	/* of a longer payload, in another's place, of another payload, bent */
	body.size--;
	assert_false(engine_open_piece(engine, PEER, &seal, 0, sealed, &body));
	body.size++;
	swapped = seal;
	memcpy(swapped.tags[1], seal.tags[0], sizeof(seal.tags[0]));
	assert_false(engine_open_piece(engine, PEER, &swapped, PIECE, sealed, &body));
	seal.number++;
	assert_false(engine_open_piece(engine, PEER, &seal, 0, sealed, &body));
	seal.number--;
	sealed[PIECE - 1] ^= 1;
	assert_false(engine_open_piece(engine, PEER, &seal, 0, sealed, &body));
	seal.generation++;
	assert_false(engine_open_piece(engine, PEER, &seal, PIECE, sealed + PIECE, &body));
}

static void tell_got(uint32_t generation)
{
	uint8_t out[12];
	struct writer w = writer_of(out, sizeof(out));

	writer_u32(&w, 0x4b524e43u);
	writer_u32(&w, 2);
	writer_u32(&w, generation);
	say_sealed(out, w.used);
}

static void frame_key__is_replaced_in_time(void **state)
{
	(void)state;
	become_trusted();
	tell_got(1);
	assert_int_equal(status().generation, 1);
	engine->trust->out.blocks = AEAD_BLOCKS_MAX;
	turn();
	turn();
	assert_int_equal(status().generation, 1);
	tell_got(2);
	assert_int_equal(status().generation, 2);
	assert_true(engine->trust->out.blocks < AEAD_BLOCKS_MAX);
	assert_not_cut();
}

static void key__changes_when_the_peer_has_it(void **state)
{
	struct engine_trust_status is;

	(void)state;
	become_trusted();
	engine_change_key(engine, &new_key);
	turn();
	is = status();
	assert_memory_equal(is.key, key.id, sizeof(key.id));
	assert_memory_equal(is.next_key, new_key.id, sizeof(key.id));
	assert_true(nodeset_has(&is.waiting_for, PEER));
	peer_self.keys[0] = &new_key;
	peer_self.keys[1] = &key;
	tell_keys(&key, &new_key);
	is = status();
	assert_true(is.changing);
	shake_hands(); /* the peer dials */
	tell_keys(&key, &new_key);
	is = status();
	assert_false(is.changing);
	assert_memory_equal(is.key, new_key.id, sizeof(key.id));
	assert_int_equal(is.waiting_for.count, 0);
	assert_int_equal(is.stats.handshakes, 1); /* the link never ended */
	assert_not_cut();
}

/* How often keys are said in so many turns. */
static int keys_said(int turns)
{
	uint8_t said[CHANNEL_SIZE_MAX];
	int count = 0;

	for (int i = 0; i < turns; i++) {
		fake.control_size = 0;
		turn();
		if (fake.control_size > SEAL_SIZE) {
			struct cursor c = cursor_of(said, heard(said));

			count += cursor_u32(&c) == 0x4b524e43u && cursor_u32(&c) == 1;
		}
	}
	return count;
}

/* What is said of keys may get lost, and so may the answer: it is said again until it has come. */
static void key__is_told_again(void **state)
{
	(void)state;
	become_trusted();
	assert_int_equal(keys_said(60), 0);
	engine_change_key(engine, &new_key);
	assert_int_equal(keys_said(20), 1);
	assert_int_equal(keys_said(20), 1);
	assert_int_equal(keys_said(20), 1);
	engine_change_key(engine, &key);
	assert_int_equal(keys_said(60), 0);
}

static void key__a_change_is_called_off(void **state)
{
	static const uint8_t none[CLUSTER_KEY_ID_SIZE];

	(void)state;
	become_trusted();
	engine_change_key(engine, &new_key);
	engine_change_key(engine, &key);
	turn();
	assert_memory_equal(status().key, key.id, sizeof(key.id));
	assert_memory_equal(status().next_key, none, sizeof(none));
	tell_keys(&key, &new_key);
	assert_false(status().changing);
}

static int make_keys(void **state)
{
	(void)state;
	return cluster_key_derive(suite, "c", "1", 1, &key) ||
	       cluster_key_derive(suite, "c", "2", 1, &other_key) ||
	       cluster_key_derive(suite, "c", "3", 1, &new_key);
}

#define WITH_ENGINE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ENGINE(link__says_nothing_before_proof),
		WITH_ENGINE(link__tells_keys_sealed),
		WITH_ENGINE(hello__with_another_key),
		WITH_ENGINE(hello__without_pause_is_answered_seldom),
		WITH_ENGINE(control__in_the_clear_is_not_heard),
		WITH_ENGINE(log__not_filled_by_a_stranger),
		WITH_ENGINE(control__once_more),
		WITH_ENGINE(control__bent),
		WITH_ENGINE(control__of_no_session),
		WITH_ENGINE(keys__malformed),
		WITH_ENGINE(frame__before_trust),
		WITH_ENGINE(frame__genuine_and_malformed),
		WITH_ENGINE(frame__once_more_over_the_next_link),
		WITH_ENGINE(frame__bent),
		WITH_ENGINE(frame__of_another_generation),
		WITH_ENGINE(payload__every_piece_has_its_place),
		WITH_ENGINE(frame_key__is_replaced_in_time),
		WITH_ENGINE(key__changes_when_the_peer_has_it),
		WITH_ENGINE(key__is_told_again),
		WITH_ENGINE(key__a_change_is_called_off),
	};

	return cmocka_run_group_tests(tests, make_keys, NULL);
}
