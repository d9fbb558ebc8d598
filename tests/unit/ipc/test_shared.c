/* SPDX-License-Identifier: BSD-3-Clause */
/* The event ring: every size and place of a record, a full ring, and what each side may claim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/shared.h"

static void *shared;
static struct ipc_event_writer writer;
static struct ipc_event_reader reader;
static uint8_t data[IPC_EVENT_DATA_MAX];

static int fresh(void **state)
{
	(void)state;
	shared = aligned_alloc(64, IPC_SHARED_SIZE);
	memset(shared, 0, IPC_SHARED_SIZE);
	writer = (struct ipc_event_writer){.shared = shared};
	reader = (struct ipc_event_reader){.shared = shared};
	ipc_events_begin(shared);
	ipc_store(&ipc_indexes(shared)->events_wake_at, UINT64_MAX);
	for (size_t i = 0; i < sizeof(data); i++) {
		data[i] = (uint8_t)(i * 13);
	}
	return 0;
}

static int done(void **state)
{
	(void)state;
	free(shared);
	return 0;
}

static bool write_one(uint32_t number, uint32_t size)
{
	struct ipc_event event = {.kind = IPC_EVENT_INLINE, .node = number, .data_size = size};

	bool written = ipc_events_write(&writer, &event, data);

	ipc_events_show(&writer);
	return written;
}

static void read_one(uint32_t number, uint32_t size)
{
	struct ipc_event event;
	const uint8_t *at;

	assert_int_equal(ipc_events_peek(&reader, &event, &at), IPC_READ_EVENT);
	assert_int_equal(event.node, number);
	assert_int_equal(event.data_size, size);
	assert_memory_equal(at, data, size);
	ipc_events_consume(&reader, &event);
}

static void nothing_there(void)
{
	struct ipc_event event;
	const uint8_t *at;

	assert_int_equal(ipc_events_peek(&reader, &event, &at), IPC_READ_EMPTY);
	assert_true(ipc_events_empty(&reader));
}

static void one_by_one__every_size(void **state)
{
	(void)state;
	nothing_there();
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t size = (i * 7) % 3000;

		assert_true(write_one(i, size));
		assert_false(ipc_events_empty(&reader));
		read_one(i, size);
		nothing_there();
		assert_true(ipc_events_look(&writer));
		assert_int_equal(writer.consumed, writer.written);
	}
}

/* One byte for each time that the client was quiet: due when it is shown something then, and only then. */
static void quiet__one_byte_each_time(void **state)
{
	struct ipc_event event = {.kind = IPC_EVENT_SENDABLE};

	(void)state;
	assert_true(ipc_events_quiet(&writer));
	assert_int_equal(ipc_events_rest(&reader), IPC_REST_STILL);
	assert_false(ipc_events_show(&writer)); /* nothing new */
	for (int i = 0; i < 3; i++) {
		assert_true(ipc_events_write(&writer, &event, NULL));
		nothing_there(); /* not shown yet */
		assert_int_equal(ipc_events_rest(&reader), IPC_REST_STILL);
		assert_true(ipc_events_show(&writer));
		assert_false(ipc_events_quiet(&writer));
		assert_true(ipc_events_write(&writer, &event, NULL));
		assert_false(ipc_events_show(&writer)); /* it is not quiet */
		assert_int_equal(ipc_events_rest(&reader), IPC_REST_NONE);
		read_one(0, 0);
		assert_int_equal(ipc_events_rest(&reader), IPC_REST_NONE);
		read_one(0, 0);
		assert_false(ipc_events_quiet(&writer));
		assert_int_equal(ipc_events_rest(&reader), IPC_REST_BEGUN);
		assert_int_equal(ipc_events_rest(&reader), IPC_REST_STILL);
		assert_true(ipc_events_look(&writer));
	}
}

static void full__then_goes_on(void **state)
{
	uint32_t in = 0, out = 0;

	(void)state;
	for (int round = 0; round < 200; round++) {
		while (write_one(in, (in * 31) % 5000)) {
			in++;
		}
		assert_false(ipc_events_room(&writer, (in * 31) % 5000));
		for (int i = 0; i < 17 + round && out < in; i++, out++) {
			read_one(out, (out * 31) % 5000);
		}
		assert_true(ipc_events_look(&writer));
	}
	for (; out < in; out++) {
		read_one(out, (out * 31) % 5000);
	}
	nothing_there();
}

/* Records of 48 bytes leave every remainder of 8 before the end of the ring. */
static void padding__of_8_bytes(void **state)
{
	uint32_t first = (IPC_EVENT_BYTES - 8) % 48;

	(void)state;
	assert_true(write_one(0, first));
	read_one(0, first);
	ipc_events_look(&writer);
	while (IPC_EVENT_BYTES - writer.written >= 48) {
		assert_true(write_one(1, 0));
		read_one(1, 0);
		ipc_events_look(&writer);
	}
	assert_in_range(IPC_EVENT_BYTES - writer.written, 8, 40);
	assert_true(write_one(2, 100));
	read_one(2, 100);
	assert_true(ipc_events_look(&writer));
	nothing_there();
}

static void look__refuses_impossible_positions(void **state)
{
	struct ipc_line *consumed = &ipc_indexes(shared)->events_consumed;

	(void)state;
	assert_true(write_one(0, 0));
	ipc_store(consumed, 49);
	assert_false(ipc_events_look(&writer));
	ipc_store(consumed, UINT64_MAX);
	assert_false(ipc_events_look(&writer));
	ipc_store(consumed, 48);
	assert_true(ipc_events_look(&writer));
	ipc_store(consumed, 47);
	assert_false(ipc_events_look(&writer));
	assert_int_equal(writer.consumed, 48);
}

static void expect_corrupt(const struct ipc_event *record, uint64_t published)
{
	struct ipc_event event;
	const uint8_t *at;

	reader.read = 0;
	memcpy((uint8_t *)shared + IPC_EVENTS_AT, record, sizeof(*record));
	ipc_store(&ipc_indexes(shared)->events_published, published);
	assert_int_equal(ipc_events_peek(&reader, &event, &at), IPC_READ_CORRUPT);
}

static void peek__refuses_nonsense(void **state)
{
	static const struct ipc_event records[] = {
		{.size = 0, .kind = IPC_EVENT_MESSAGE},
		{.size = 40, .kind = IPC_EVENT_MESSAGE},
		{.size = 49, .kind = IPC_EVENT_MESSAGE},
		{.size = 104, .kind = IPC_EVENT_MESSAGE},
		{.size = 0xfffffff8u, .kind = IPC_EVENT_MESSAGE},
		{.size = 56, .kind = IPC_EVENT_INLINE, .data_size = 9},
		{.size = 56, .kind = IPC_EVENT_INLINE, .data_size = UINT32_MAX},
		{.size = 56, .kind = IPC_EVENT_INLINE, .data_size = 4, .group_size = 5},
		{.size = 96, .kind = IPC_EVENT_INLINE, .data_size = 4, .group_size = 129},
		{.size = 0, .kind = IPC_EVENT_PAD},
		{.size = 4, .kind = IPC_EVENT_PAD},
		{.size = 104, .kind = IPC_EVENT_PAD},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		expect_corrupt(&records[i], 96);
	}
	expect_corrupt(&(struct ipc_event){.size = 48, .kind = IPC_EVENT_MESSAGE}, 40);
	expect_corrupt(&(struct ipc_event){.size = 48, .kind = IPC_EVENT_MESSAGE}, 4);
}

static bool consume_next(void)
{
	struct ipc_event event;
	const uint8_t *at;

	assert_int_equal(ipc_events_peek(&reader, &event, &at), IPC_READ_EVENT);
	return ipc_events_consume(&reader, &event);
}

static void bell__exactly_when_asked(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 6; i++) {
		assert_true(write_one(i, 0));
	}
	assert_false(consume_next());
	ipc_store(&ipc_indexes(shared)->events_wake_at, 3 * 48);
	assert_false(consume_next());
	assert_true(consume_next());
	assert_false(consume_next());
	ipc_store(&ipc_indexes(shared)->events_wake_at, 4 * 48 + 1);
	assert_true(consume_next());
	ipc_store(&ipc_indexes(shared)->events_wake_at, UINT64_MAX);
	assert_false(consume_next());
}

static uint32_t seed;

static uint32_t next_random(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

/* Long streams of random sizes with a reader that lags at random. */
static void random__in_order(void **state)
{
	uint32_t sizes[8192];
	uint32_t in = 0, out = 0;

	(void)state;
	seed = 7;
	while (out < 200000) {
		uint32_t size = next_random() % (next_random() % 50 ? 200 : IPC_EVENT_DATA_MAX);

		if (next_random() % 3 && in - out < 8192 && write_one(in, size)) {
			sizes[in++ % 8192] = size;
		} else if (out < in) {
			read_one(out, sizes[out % 8192]);
			out++;
			assert_true(ipc_events_look(&writer));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_by_one__every_size, fresh, done),
		cmocka_unit_test_setup_teardown(quiet__one_byte_each_time, fresh, done),
		cmocka_unit_test_setup_teardown(full__then_goes_on, fresh, done),
		cmocka_unit_test_setup_teardown(padding__of_8_bytes, fresh, done),
		cmocka_unit_test_setup_teardown(look__refuses_impossible_positions, fresh, done),
		cmocka_unit_test_setup_teardown(peek__refuses_nonsense, fresh, done),
		cmocka_unit_test_setup_teardown(bell__exactly_when_asked, fresh, done),
		cmocka_unit_test_setup_teardown(random__in_order, fresh, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
