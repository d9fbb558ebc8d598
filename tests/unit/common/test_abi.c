/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The public headers keep the binary interface.
 *
 * Most of this test is done when it compiles: every line of abi_list.h becomes an assertion. The
 * rest runs: texts, and what the inline function returns.
 */
#include <corosync/corodefs.h>
#include <corosync/cpg.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#ifdef __LP64__

#define ABI_TYPE(type, size, alignment)                        \
	_Static_assert(sizeof(type) == (size), #type " size"); \
	_Static_assert(_Alignof(type) == (alignment), #type " alignment");
#define ABI_FIELD(type, field, field_type, at)                                                   \
	_Static_assert(offsetof(type, field) == (at), #type "." #field " offset");               \
	_Static_assert(__builtin_types_compatible_p(__typeof__(((type *)0)->field), field_type), \
		       #type "." #field " type");
#define ABI_VALUE(name, value) _Static_assert((name) == (value), #name);
#define ABI_TEXT(name, text)
#define ABI_CALL(type, result, arguments) \
	_Static_assert(__builtin_types_compatible_p(type, result(*) arguments), #type);
#include "abi_list.h"
#undef ABI_TYPE
#undef ABI_FIELD
#undef ABI_VALUE
#undef ABI_TEXT
#undef ABI_CALL

static void texts__are_the_printf_formats(void **state)
{
	(void)state;
#define ABI_TYPE(type, size, alignment)
#define ABI_FIELD(type, field, field_type, at)
#define ABI_VALUE(name, value)
#define ABI_TEXT(name, text) assert_string_equal(name, text);
#define ABI_CALL(type, result, arguments)
#include "abi_list.h"
}

#endif

static void pri_ring_id__prints_both_halves_in_hex(void **state)
{
	char text[64];

	(void)state;
	snprintf(text, sizeof(text), CS_PRI_RING_ID, (uint32_t)31, (uint64_t)0x123456789abULL);
	assert_string_equal(text, "1f.123456789ab");
	snprintf(text, sizeof(text), CS_PRI_NODE_ID_PADDED, UINT32_MAX);
	assert_string_equal(text, "4294967295");
	snprintf(text, sizeof(text), CS_PRI_NODE_ID_PADDED, (uint32_t)7);
	assert_string_equal(text, "         7");
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void timestamp_get__is_the_monotonic_clock_in_ns(void **state)
{
	uint64_t before_ns = monotonic_ns();
	uint64_t now_ns = cs_timestamp_get();

	(void)state;
	assert_in_range(now_ns, before_ns, monotonic_ns());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef __LP64__
		cmocka_unit_test(texts__are_the_printf_formats),
#endif
		cmocka_unit_test(pri_ring_id__prints_both_halves_in_hex),
		cmocka_unit_test(timestamp_get__is_the_monotonic_clock_in_ns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
