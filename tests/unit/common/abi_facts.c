/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prints what the public headers and libcorosync_common say: sizes, offsets, values, texts, and
 * every answer of its three functions in the range that means something.
 *
 * Compiled twice by abi_reference.sh, against the distribution's headers and against ours; the two
 * outputs must be equal. Function and field types are asserted, so both must compile.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include <corosync/corodefs.h>
#include <corosync/cpg.h>

/* A negative value of an unsigned type is a large one. */
#define IS_SIGNED(type) ((type)-1 < (type)1)

static void print_layout(void)
{
#define ABI_TYPE(type, size, alignment) \
	printf("%s: %zu bytes, aligned to %zu\n", #type, sizeof(type), _Alignof(type));
#define ABI_FIELD(type, field, field_type, at)                                                   \
	_Static_assert(__builtin_types_compatible_p(__typeof__(((type *)0)->field), field_type), \
		       #type "." #field " type");                                                \
	printf("%s.%s: %zu bytes at %zu\n", #type, #field, sizeof(((type *)0)->field),           \
	       offsetof(type, field));
#define ABI_VALUE(name, value) printf("%s = %lld\n", #name, (long long)(name));
#define ABI_TEXT(name, text)   printf("%s = \"%s\"\n", #name, name);
#define ABI_CALL(type, result, arguments) \
	_Static_assert(__builtin_types_compatible_p(type, result(*) arguments), #type);
#include "abi_list.h"
	printf("cs_error_t signed: %d\n", IS_SIGNED(cs_error_t));
	printf("cpg_handle_t signed: %d\n", IS_SIGNED(cpg_handle_t));
	printf("cs_time_t signed: %d\n", IS_SIGNED(cs_time_t));
}

static void print_answers(void)
{
	for (int i = -4200; i <= 4200; i++) {
		printf("%d: %s, %u, %u\n", i, cs_strerror((cs_error_t)i),
		       (unsigned)qb_to_cs_error(i), (unsigned)hdb_error_to_cs(i));
	}
}

int main(void)
{
	print_layout();
	print_answers();
	return 0;
}
