/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames: what is written is read back, and every malformed header, entry or announcement has its
 * reason. */
#include "wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "base/limits.h"

static const struct frame_header sample = {
	.info = {.ring = {1, 0x100000004},
		 .seq = 77,
		 .origin = 3,
		 .guarantee = FRAME_SAFE,
		 .repeated = true},
	.body = FRAME_PACKED,
	.body_size = 24,
	.entries = 1,
};

static void header__round_trips(void **state)
{
	uint8_t bytes[FRAME_HEADER_SIZE + 24] = {0};
	struct frame_header out;

	(void)state;
	frame_header_encode(&sample, bytes);
	assert_null(frame_header_decode(bytes, sizeof(bytes), &out));
	assert_true(ringid_equal(out.info.ring, sample.info.ring));
	assert_int_equal(out.info.seq, 77);
	assert_int_equal(out.info.origin, 3);
	assert_int_equal(out.info.guarantee, FRAME_SAFE);
	assert_true(out.info.repeated);
	assert_int_equal(out.body, FRAME_PACKED);
	assert_int_equal(out.entries, 1);
}

/* Each line breaks one byte of a good header. */
static void header__each_broken_field_is_named(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *reason;
	} cases[] = {
		{0, 0, "wrong magic"},
		{4, 9, "unknown frame version"},
		{5, 0, "unknown body kind"},
		{5, 3, "unknown body kind"},
		{6, 1, "unknown guarantee"},
		{7, 2, "unknown flags"},
		{8, 25, "body size does not match the bytes received"},
		{12, 0, "wrong number of entries"},
		{16, 0, "zero sequence number, origin or ring"},
		{20, 0, "zero sequence number, origin or ring"},
		{32, 0, "zero sequence number, origin or ring"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[FRAME_HEADER_SIZE + 24] = {0};
		struct frame_header out;

		frame_header_encode(&sample, bytes);
		bytes[cases[i].at] = cases[i].value;
		assert_string_equal(frame_header_decode(bytes, sizeof(bytes), &out),
				    cases[i].reason);
	}
}

static void header__short_bytes_are_refused(void **state)
{
	uint8_t bytes[FRAME_HEADER_SIZE] = {0};
	struct frame_header out;

	(void)state;
	for (size_t size = 0; size < FRAME_HEADER_SIZE; size++) {
		assert_string_equal(frame_header_decode(bytes, size, &out),
				    "shorter than a frame header");
	}
}

static void entries__are_stepped_through_and_bounded(void **state)
{
	uint8_t bytes[FRAME_HEADER_SIZE + 48] = {0};
	struct writer w = writer_of(bytes + FRAME_HEADER_SIZE, 48);
	size_t at = FRAME_HEADER_SIZE;
	struct frame_entry entry;

	(void)state;
	writer_u16(&w, 3);
	writer_u16(&w, 0);
	writer_u32(&w, 5);
	writer_bytes(&w, "metabytes", 8);
	writer_u16(&w, 1);
	writer_u16(&w, 0);
	writer_u32(&w, 24);
	assert_null(frame_entry_next(bytes, sizeof(bytes), &at, &entry));
	assert_memory_equal(entry.meta, "met", 3);
	assert_memory_equal(bytes + entry.payload_offset, "abyte", 5);
	assert_int_equal(at, FRAME_HEADER_SIZE + 16);
	assert_string_equal(frame_entry_next(bytes, sizeof(bytes), &at, &entry),
			    "entry runs past the frame");
}

static void entries__huge_sizes_do_not_wrap(void **state)
{
	uint8_t bytes[FRAME_HEADER_SIZE + 16];
	size_t at = FRAME_HEADER_SIZE;
	struct frame_entry entry;

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	assert_non_null(frame_entry_next(bytes, sizeof(bytes), &at, &entry));
	at = SIZE_MAX;
	assert_non_null(frame_entry_next(bytes, sizeof(bytes), &at, &entry));
}

static void announce__round_trips_and_is_bounded(void **state)
{
	struct frame_announce in = {
		.key = 1, .offset = 4096, .size = 70000, .digest = 9, .loan = UINT64_MAX - 7};
	struct frame_announce out;
	uint8_t bytes[FRAME_ANNOUNCE_SIZE_MAX];

	(void)state;
	frame_announce_encode(&in, bytes);
	assert_null(frame_announce_decode(bytes, FRAME_ANNOUNCE_SIZE, &out));
	assert_true(out.key == 1 && out.offset == 4096 && out.size == 70000 && out.digest == 9 &&
		    out.loan == UINT64_MAX - 7);
	assert_string_equal(frame_announce_decode(bytes, FRAME_ANNOUNCE_SIZE - 1, &out),
			    "not of an announcement's size");
	in.size = MESSAGE_SIZE_MAX + 1ull;
	frame_announce_encode(&in, bytes);
	assert_string_equal(frame_announce_decode(bytes, FRAME_ANNOUNCE_SIZE, &out),
			    "announced size out of range");
	in.size = 0;
	frame_announce_encode(&in, bytes);
	assert_non_null(frame_announce_decode(bytes, FRAME_ANNOUNCE_SIZE, &out));
	in = (struct frame_announce){.offset = UINT64_MAX, .size = 1};
	frame_announce_encode(&in, bytes);
	assert_string_equal(frame_announce_decode(bytes, FRAME_ANNOUNCE_SIZE, &out),
			    "announced range wraps");
	in = (struct frame_announce){.size = 1, .chunk = READ_SIZE_MAX};
	frame_announce_encode(&in, bytes);
	assert_null(frame_announce_decode(bytes, FRAME_ANNOUNCE_SIZE, &out));
	assert_int_equal(out.chunk, READ_SIZE_MAX);
	in.chunk = READ_SIZE_MAX + FRAME_CHUNK_UNIT;
	frame_announce_encode(&in, bytes);
	assert_string_equal(frame_announce_decode(bytes, FRAME_ANNOUNCE_SIZE, &out),
			    "announced chunk out of range");
	in.chunk = FRAME_CHUNK_UNIT + 1;
	frame_announce_encode(&in, bytes);
	assert_string_equal(frame_announce_decode(bytes, FRAME_ANNOUNCE_SIZE, &out),
			    "announced chunk out of range");
}

#define SEALED_SIZE (FRAME_ANNOUNCE_SIZE + FRAME_SEAL_SIZE + 3 * FRAME_TAG_SIZE)
#define PIECE_AT    (FRAME_ANNOUNCE_SIZE + 12)

static void announce__with_a_seal(void **state)
{
	struct frame_announce in = {.key = 1,
				    .offset = 4096,
				    .size = 70000,
				    .seal = {.generation = 7,
					     .number = 1ull << 40,
					     .piece_bytes = 30000,
					     .tags = {{1, 2}, {3}, {4, 5}}}};
	struct frame_announce out;
	uint8_t bytes[FRAME_ANNOUNCE_SIZE_MAX];

	(void)state;
	assert_int_equal(frame_announce_encode(&in, bytes), SEALED_SIZE);
	assert_null(frame_announce_decode(bytes, SEALED_SIZE, &out));
	assert_int_equal(out.seal.generation, 7);
	assert_int_equal(out.seal.piece_bytes, 30000);
	assert_int_equal(out.seal.number, 1ull << 40);
	assert_memory_equal(out.seal.tags, in.seal.tags, sizeof(in.seal.tags));
	assert_null(frame_announce_decode(bytes, FRAME_ANNOUNCE_SIZE, &out));
	assert_int_equal(out.seal.generation, 0);
	in.loan = 1;
	frame_announce_encode(&in, bytes);
	assert_string_equal(frame_announce_decode(bytes, SEALED_SIZE, &out), "malformed seal");
	in.loan = 0;
	in.digest = 1;
	frame_announce_encode(&in, bytes);
	assert_string_equal(frame_announce_decode(bytes, SEALED_SIZE, &out), "malformed seal");
}

static void announce__sealed_pieces_are_bounded(void **state)
{
	struct frame_announce in = {
		.size = MESSAGE_SIZE_MAX,
		.seal = {.generation = 1, .piece_bytes = MESSAGE_SIZE_MAX / FRAME_SEAL_PIECES_MAX}};
	struct frame_announce out;
	uint8_t bytes[FRAME_ANNOUNCE_SIZE_MAX + FRAME_TAG_SIZE] = {0};

	(void)state;
	assert_int_equal(frame_announce_encode(&in, bytes), FRAME_ANNOUNCE_SIZE_MAX);
	assert_null(frame_announce_decode(bytes, FRAME_ANNOUNCE_SIZE_MAX, &out));
	assert_string_equal(frame_announce_decode(bytes, FRAME_ANNOUNCE_SIZE_MAX - FRAME_TAG_SIZE,
						  &out),
			    "malformed seal");
	assert_string_equal(frame_announce_decode(bytes, sizeof(bytes), &out),
			    "not of an announcement's size");
	memset(bytes + PIECE_AT, 0, 4);
	assert_string_equal(frame_announce_decode(bytes, FRAME_ANNOUNCE_SIZE_MAX, &out),
			    "malformed seal");
	bytes[PIECE_AT] = 1;
	assert_string_equal(frame_announce_decode(bytes, FRAME_ANNOUNCE_SIZE_MAX, &out),
			    "malformed seal");
	memset(bytes + PIECE_AT, 255, 4);
	assert_string_equal(
		frame_announce_decode(bytes, FRAME_ANNOUNCE_SIZE + FRAME_SEAL_SIZE + FRAME_TAG_SIZE,
				      &out),
		"malformed seal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header__round_trips),
		cmocka_unit_test(header__each_broken_field_is_named),
		cmocka_unit_test(header__short_bytes_are_refused),
		cmocka_unit_test(entries__are_stepped_through_and_bounded),
		cmocka_unit_test(entries__huge_sizes_do_not_wrap),
		cmocka_unit_test(announce__round_trips_and_is_bounded),
		cmocka_unit_test(announce__with_a_seal),
		cmocka_unit_test(announce__sealed_pieces_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
