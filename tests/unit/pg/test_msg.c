/* SPDX-License-Identifier: BSD-3-Clause */
/* Group messages as bytes. */
#include "pg/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pg/pg.h"

static const struct cpg_name name = {.length = 5, .value = "group"};

static void encode__layout_is_as_written(void **state)
{
	static const uint8_t expected[] = {2,	 5,   5,   0,	0x78, 0x56, 0x34,
					   0x12, 'g', 'r', 'o', 'u',  'p'};
	uint8_t bytes[PG_META_MAX];

	(void)state;
	assert_int_equal(pg_msg_encode(PG_MSG_LEAVE, CPG_REASON_PROCDOWN, 0x12345678, &name, bytes),
			 sizeof(expected));
	assert_memory_equal(bytes, expected, sizeof(expected));
}

static void decode__returns_what_was_encoded(void **state)
{
	static const enum pg_msg_kind kinds[] = {PG_MSG_JOIN, PG_MSG_LEAVE, PG_MSG_MCAST};
	uint8_t bytes[PG_META_MAX];
	struct pg_msg msg;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		cpg_reason_t why = kinds[i] == PG_MSG_LEAVE ? CPG_REASON_LEAVE : 0;
		uint32_t size = pg_msg_encode(kinds[i], why, 77, &name, bytes);

		assert_null(pg_msg_decode(bytes, size, &msg));
		assert_int_equal(msg.kind, kinds[i]);
		assert_int_equal(msg.reason, why);
		assert_int_equal(msg.pid, 77);
		assert_int_equal(msg.name_size, 5);
		assert_memory_equal(msg.name, "group", 5);
	}
}

static void decode__takes_the_empty_and_the_longest_name(void **state)
{
	struct cpg_name longest = {.length = GROUP_NAME_MAX};
	struct cpg_name empty = {.length = 0};
	uint8_t bytes[PG_META_MAX];
	struct pg_msg msg;
	uint32_t size;

	(void)state;
	memset(longest.value, 0xff, sizeof(longest.value));
	size = pg_msg_encode(PG_MSG_JOIN, 0, 1, &longest, bytes);
	assert_true(size <= PG_META_MAX);
	assert_null(pg_msg_decode(bytes, size, &msg));
	assert_int_equal(msg.name_size, GROUP_NAME_MAX);
	size = pg_msg_encode(PG_MSG_JOIN, 0, 1, &empty, bytes);
	assert_null(pg_msg_decode(bytes, size, &msg));
	assert_int_equal(msg.name_size, 0);
}

static void decode__refuses_every_shorter_or_longer_message(void **state)
{
	uint8_t bytes[PG_META_MAX + 1] = {0};
	struct pg_msg msg;
	uint32_t size = pg_msg_encode(PG_MSG_MCAST, 0, 1, &name, bytes);

	(void)state;
	for (uint32_t i = 0; i < size; i++) {
		assert_string_equal(pg_msg_decode(bytes, i, &msg), "group message truncated");
	}
	assert_string_equal(pg_msg_decode(bytes, size + 1, &msg),
			    "bytes after the end of a group message");
	assert_string_equal(pg_msg_decode(NULL, 0, &msg), "group message truncated");
}

static const char *decode_changed(uint32_t at, uint8_t value, cpg_reason_t why)
{
	uint8_t bytes[PG_META_MAX + GROUP_NAME_MAX] = {0};
	struct pg_msg msg;
	uint32_t size = pg_msg_encode(why ? PG_MSG_LEAVE : PG_MSG_JOIN, why, 1, &name, bytes);

	bytes[at] = value;
	return pg_msg_decode(bytes, size, &msg);
}

static void decode__names_what_is_wrong(void **state)
{
	(void)state;
	assert_string_equal(decode_changed(0, 0, 0), "unknown kind of group message");
	assert_string_equal(decode_changed(0, 5, 0), "unknown kind of group message");
	assert_string_equal(decode_changed(1, 1, 0), "reason in a message that has none");
	assert_string_equal(decode_changed(1, CPG_REASON_NODEDOWN, CPG_REASON_LEAVE),
			    "leave message with an unknown reason");
	assert_string_equal(decode_changed(1, 0, CPG_REASON_LEAVE),
			    "leave message with an unknown reason");
	assert_string_equal(decode_changed(2, 129, 0), "group name longer than 128 bytes");
	assert_string_equal(decode_changed(3, 0xff, 0), "group name longer than 128 bytes");
	assert_string_equal(decode_changed(2, 6, 0), "group message truncated");
}

static uint32_t make_sync(uint8_t *bytes, uint32_t entries, bool last)
{
	struct ringid ring = {.rep = 3, .seq = 0x1122334455667788};
	struct pg_sync_part part;

	pg_sync_part_begin(&part, ring, 9, bytes);
	for (uint32_t i = 0; i < entries; i++) {
		assert_true(pg_sync_part_add(&part, 100 + i, &name));
	}
	return pg_sync_part_end(&part, last);
}

static void sync__returns_what_was_added(void **state)
{
	uint8_t bytes[FRAME_META_MAX];
	uint32_t size = make_sync(bytes, 3, true);
	struct pg_msg_entry entry;
	struct pg_msg msg;

	(void)state;
	assert_int_equal(size, PG_SYNC_HEADER_SIZE + 3 * (PG_SYNC_ENTRY_HEADER_SIZE + 5));
	assert_null(pg_msg_decode(bytes, size, &msg));
	assert_int_equal(msg.kind, PG_MSG_SYNC);
	assert_int_equal(msg.part, 9);
	assert_int_equal(msg.ring.rep, 3);
	assert_int_equal(msg.ring.seq, 0x1122334455667788);
	assert_true(msg.last);
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(pg_msg_sync_next(&msg, &entry));
		assert_int_equal(entry.pid, 100 + i);
		assert_int_equal(entry.name_size, 5);
		assert_memory_equal(entry.name, "group", 5);
	}
	assert_false(pg_msg_sync_next(&msg, &entry));
	assert_null(pg_msg_decode(bytes, make_sync(bytes, 0, false), &msg));
	assert_false(msg.last);
}

static void sync__refuses_every_shorter_or_longer_message(void **state)
{
	uint8_t bytes[FRAME_META_MAX] = {0};
	uint32_t size = make_sync(bytes, 3, true);
	struct pg_msg msg;

	(void)state;
	for (uint32_t i = 0; i < size; i++) {
		uint8_t *exact = malloc(i + 1);

		assert_non_null(exact);
		memcpy(exact, bytes, i);
		assert_non_null(strstr(pg_msg_decode(exact, i, &msg), "truncated"));
		free(exact);
	}
	assert_string_equal(pg_msg_decode(bytes, size + 1, &msg),
			    "bytes after the last entry of a sync message");
	bytes[1] = 0x03;
	assert_string_equal(pg_msg_decode(bytes, size, &msg), "unknown flags in a sync message");
	bytes[1] = 0x01;
	bytes[12] = 1;
	assert_string_equal(pg_msg_decode(bytes, size, &msg), "unknown flags in a sync message");
	bytes[12] = 0;
	bytes[2] = 0xff;
	bytes[3] = 0xff;
	assert_non_null(pg_msg_decode(bytes, size, &msg));
}

static void sync__a_full_part_says_so_and_stays_whole(void **state)
{
	struct cpg_name longest = {.length = GROUP_NAME_MAX};
	uint8_t bytes[FRAME_META_MAX];
	struct pg_sync_part part;
	struct pg_msg msg;
	uint32_t added = 0;
	uint32_t size;

	(void)state;
	pg_sync_part_begin(&part, (struct ringid){.rep = 1, .seq = 4}, 0, bytes);
	while (pg_sync_part_add(&part, added, &longest)) {
		added++;
	}
	size = pg_sync_part_end(&part, false);
	assert_int_equal(added, (FRAME_META_MAX - PG_SYNC_HEADER_SIZE) / PG_SYNC_ENTRY_MAX);
	assert_null(pg_msg_decode(bytes, size, &msg));
	assert_int_equal(msg.entries, added);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encode__layout_is_as_written),
		cmocka_unit_test(decode__returns_what_was_encoded),
		cmocka_unit_test(decode__takes_the_empty_and_the_longest_name),
		cmocka_unit_test(decode__refuses_every_shorter_or_longer_message),
		cmocka_unit_test(decode__names_what_is_wrong),
		cmocka_unit_test(sync__returns_what_was_added),
		cmocka_unit_test(sync__refuses_every_shorter_or_longer_message),
		cmocka_unit_test(sync__a_full_part_says_so_and_stays_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
