/* SPDX-License-Identifier: BSD-3-Clause */
/* CRC32C against the examples of RFC 3720, B.4, and the two ways of computing it against each other. */
#include "base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void crc32c__examples_of_the_rfc(void **state)
{
	uint8_t bytes[32];

	(void)state;
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc32c(bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(bytes, sizeof(bytes)), 0x62a8ab43);
	for (uint8_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = i;
	}
	assert_int_equal(crc32c(bytes, sizeof(bytes)), 0x46dd794e);
	assert_int_equal(crc32c("123456789", 9), 0xe3069283);
}

static void fill(uint8_t *bytes, size_t size)
{
	uint32_t seed = 1;

	for (size_t i = 0; i < size; i++) {
		seed = seed * 1664525u + 1013904223u;
		bytes[i] = (uint8_t)(seed >> 24);
	}
}

/* Long enough that several lanes are computed side by side. */
static void crc32c__both_ways_agree_on_long_ones(void **state)
{
	static uint8_t bytes[50000];

	(void)state;
	fill(bytes, sizeof(bytes));
	for (size_t size = 12280; size + 8 <= sizeof(bytes); size += 1021) {
		assert_int_equal(crc32c(bytes + size % 8, size),
				 crc32c_portable(bytes + size % 8, size));
	}
}

static void crc32c__both_ways_agree(void **state)
{
	uint8_t bytes[300];

	(void)state;
	fill(bytes, sizeof(bytes));
	for (size_t from = 0; from < 9; from++) {
		for (size_t size = 0; from + size <= sizeof(bytes); size += 7) {
			assert_int_equal(crc32c(bytes + from, size),
					 crc32c_portable(bytes + from, size));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c__examples_of_the_rfc),
		cmocka_unit_test(crc32c__both_ways_agree),
		cmocka_unit_test(crc32c__both_ways_agree_on_long_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
