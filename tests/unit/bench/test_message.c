/* SPDX-License-Identifier: BSD-3-Clause */
/* Data messages: what --verify finds in them, and in their order. */
#include "bench/message.h"

#include <stdarg.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

enum {
	SIZE_MAX_TESTED = 5000
};

static uint8_t message[SIZE_MAX_TESTED];

static struct data_header header_of(uint64_t number)
{
	return (struct data_header){.kind = MESSAGE_DATA, .step = 7, .number = number};
}

static void message_intact__as_stamped_in_all_sizes(void **state)
{
	struct data_header header = header_of(5);

	(void)state;
	for (size_t size = 1; size < SIZE_MAX_TESTED; size += size < 3100 ? 1 : 97) {
		message_fill(message, size);
		message_stamp(message, size, &header, true);
		assert_true(message_intact(message, size, &header));
	}
}

/* One bit anywhere. */
static void message_intact__any_bit_changed(void **state)
{
	struct data_header header = header_of(5);

	(void)state;
	for (size_t size = 1; size < 1100; size = size * 2 + 1) {
		message_fill(message, size);
		message_stamp(message, size, &header, true);
		for (size_t bit = 0; bit < size * 8; bit++) {
			message[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_false(message_intact(message, size, &header));
			message[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

static void message_intact__another_number(void **state)
{
	struct data_header sent = header_of(5);
	struct data_header expected = header_of(6);

	(void)state;
	for (size_t size = 9; size < 100; size++) {
		message_fill(message, size);
		message_stamp(message, size, &sent, true);
		assert_false(message_intact(message, size, &expected));
	}
}

/* A kilobyte of the message before, where that had the same bytes but for its number. */
static void message_intact__piece_of_the_message_before(void **state)
{
	static uint8_t before[SIZE_MAX_TESTED];
	struct data_header header = header_of(4);

	(void)state;
	message_fill(before, sizeof(before));
	message_stamp(before, sizeof(before), &header, true);
	header.number++;
	for (size_t at = 1000; at + 1024 <= SIZE_MAX_TESTED; at += 512) {
		message_fill(message, sizeof(message));
		message_stamp(message, sizeof(message), &header, true);
		memcpy(message + at, before + at, 1024);
		assert_false(message_intact(message, sizeof(message), &header));
	}
}

static void message_header__shorter_than_a_header(void **state)
{
	struct data_header header = header_of(0x0102030405060708);
	struct data_header found;

	(void)state;
	message_stamp(message, 1, &header, false);
	message_header(message, 1, &found);
	assert_int_equal(found.kind, MESSAGE_DATA);
	assert_int_equal(found.step, 0);
	assert_int_equal(found.number, 0);
}

static uint64_t order_of(const uint64_t *numbers, size_t count, bool any_order)
{
	uint64_t order = 0;

	for (size_t i = 0; i < count; i++) {
		order = message_order(order, (uint32_t)(numbers[i] >> 8), numbers[i] & 0xff,
				      any_order);
	}
	return order;
}

static void message_order__two_exchanged(void **state)
{
	const uint64_t one[] = {0x000, 0x100, 0x001, 0x101};
	const uint64_t two[] = {0x000, 0x001, 0x100, 0x101};

	(void)state;
	assert_true(order_of(one, 4, false) != order_of(two, 4, false));
	assert_true(order_of(one, 4, true) == order_of(two, 4, true));
}

static void message_order__one_is_another_or_comes_twice(void **state)
{
	const uint64_t right[] = {0x000, 0x100, 0x001};
	const uint64_t other[] = {0x000, 0x100, 0x002};
	const uint64_t twice[] = {0x000, 0x100, 0x100};

	(void)state;
	for (int any_order = 0; any_order < 2; any_order++) {
		assert_true(order_of(right, 3, any_order) != order_of(other, 3, any_order));
		assert_true(order_of(right, 3, any_order) != order_of(twice, 3, any_order));
		assert_true(order_of(right, 3, any_order) != order_of(right, 2, any_order));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_intact__as_stamped_in_all_sizes),
		cmocka_unit_test(message_intact__any_bit_changed),
		cmocka_unit_test(message_intact__another_number),
		cmocka_unit_test(message_intact__piece_of_the_message_before),
		cmocka_unit_test(message_header__shorter_than_a_header),
		cmocka_unit_test(message_order__two_exchanged),
		cmocka_unit_test(message_order__one_is_another_or_comes_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
