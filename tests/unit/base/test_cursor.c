/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading and writing bytes: little-endian, never past the end, and failed for good afterwards. */
#include "base/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void numbers__round_trip_little_endian(void **state)
{
	uint8_t bytes[15];
	struct writer w = writer_of(bytes, sizeof(bytes));
	struct cursor c = cursor_of(bytes, sizeof(bytes));

	(void)state;
	writer_u8(&w, 0x01);
	writer_u16(&w, 0x0203);
	writer_u32(&w, 0x04050607);
	writer_u64(&w, 0x08090a0b0c0d0e0f);
	assert_true(writer_ok(&w));
	assert_int_equal(w.used, sizeof(bytes));
	assert_int_equal(bytes[1], 0x03);
	assert_int_equal(bytes[3], 0x07);
	assert_int_equal(bytes[14], 0x08);
	assert_int_equal(cursor_u8(&c), 0x01);
	assert_int_equal(cursor_u16(&c), 0x0203);
	assert_int_equal(cursor_u32(&c), 0x04050607);
	assert_true(cursor_u64(&c) == 0x08090a0b0c0d0e0f);
	assert_true(cursor_ok(&c));
	assert_int_equal(c.left, 0);
}

static void reading__past_the_end_gives_zeros_for_good(void **state)
{
	const uint8_t bytes[] = {0xff, 0xff, 0xff};
	struct cursor c = cursor_of(bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(cursor_u32(&c), 0);
	assert_false(cursor_ok(&c));
	assert_int_equal(cursor_u8(&c), 0);
	assert_null(cursor_bytes(&c, 0));
	c = cursor_of(bytes, sizeof(bytes));
	assert_null(cursor_bytes(&c, SIZE_MAX));
	assert_false(cursor_ok(&c));
}

static void writing__past_the_end_touches_nothing(void **state)
{
	uint8_t bytes[4] = {1, 2, 3, 4};
	struct writer w = writer_of(bytes, 3);

	(void)state;
	writer_u16(&w, 0);
	writer_u16(&w, 0xffff);
	writer_u8(&w, 0xff);
	assert_false(writer_ok(&w));
	assert_int_equal(w.used, 2);
	assert_int_equal(bytes[2], 3);
	assert_int_equal(bytes[3], 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers__round_trip_little_endian),
		cmocka_unit_test(reading__past_the_end_gives_zeros_for_good),
		cmocka_unit_test(writing__past_the_end_touches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
