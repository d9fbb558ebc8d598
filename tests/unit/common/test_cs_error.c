/* SPDX-License-Identifier: BSD-3-Clause */
/* The three functions of libcorosync_common, over every value with a meaning and the edges. */
#include <corosync/corotypes.h>

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

/* Beyond this no errno of Linux lies (MAX_ERRNO of the kernel). */
#define ERRNO_MAX 4095

struct mapping {
	int err;
	cs_error_t code;
};

static const struct mapping qb_mappings[] = {
	{EBADF, CS_ERR_BAD_HANDLE},	  {ENOMEM, CS_ERR_NO_MEMORY},
	{ENOMSG, CS_ERR_TRY_AGAIN},	  {ENOBUFS, CS_ERR_TRY_AGAIN},
	{ETIMEDOUT, CS_ERR_TRY_AGAIN},	  {EAGAIN, CS_ERR_TRY_AGAIN},
	{EBADE, CS_ERR_FAILED_OPERATION}, {ETIME, CS_ERR_TIMEOUT},
	{EINVAL, CS_ERR_INVALID_PARAM},	  {EBUSY, CS_ERR_BUSY},
	{EACCES, CS_ERR_ACCESS},	  {EOVERFLOW, CS_ERR_NAME_TOO_LONG},
	{EEXIST, CS_ERR_EXIST},		  {ENOSPC, CS_ERR_NO_SPACE},
	{EINTR, CS_ERR_INTERRUPT},	  {ENOENT, CS_ERR_NOT_EXIST},
	{ENODEV, CS_ERR_NOT_EXIST},	  {ENOSYS, CS_ERR_NOT_SUPPORTED},
	{ENOTSUP, CS_ERR_NOT_SUPPORTED},  {EOPNOTSUPP, CS_ERR_NOT_SUPPORTED},
	{EBADMSG, CS_ERR_MESSAGE_ERROR},  {EMSGSIZE, CS_ERR_TOO_BIG},
	{E2BIG, CS_ERR_TOO_BIG},
};

static const struct mapping hdb_mappings[] = {
	{EBADF, CS_ERR_BAD_HANDLE},
	{ENOMEM, CS_ERR_NO_MEMORY},
	{EMFILE, CS_ERR_NO_RESOURCES},
	{EACCES, CS_ERR_ACCESS},
};

static cs_error_t expected(const struct mapping *mappings, size_t count, int err)
{
	for (size_t i = 0; i < count; i++) {
		if (mappings[i].err == err) {
			return mappings[i].code;
		}
	}
	return CS_ERR_LIBRARY;
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	cs_error_t code;
	const char *text;
} names[] = {
	{CS_OK, "success"},
	{CS_ERR_LIBRARY, "CS_ERR_LIBRARY"},
	{CS_ERR_VERSION, "CS_ERR_VERSION"},
	{CS_ERR_INIT, "CS_ERR_INIT"},
	{CS_ERR_TIMEOUT, "CS_ERR_TIMEOUT"},
	{CS_ERR_TRY_AGAIN, "CS_ERR_TRY_AGAIN"},
	{CS_ERR_INVALID_PARAM, "CS_ERR_INVALID_PARAM"},
	{CS_ERR_NO_MEMORY, "CS_ERR_NO_MEMORY"},
	{CS_ERR_BAD_HANDLE, "CS_ERR_BAD_HANDLE"},
	{CS_ERR_BUSY, "CS_ERR_BUSY"},
	{CS_ERR_ACCESS, "CS_ERR_ACCESS"},
	{CS_ERR_NOT_EXIST, "CS_ERR_NOT_EXIST"},
	{CS_ERR_NAME_TOO_LONG, "CS_ERR_NAME_TOO_LONG"},
	{CS_ERR_EXIST, "CS_ERR_EXIST"},
	{CS_ERR_NO_SPACE, "CS_ERR_NO_SPACE"},
	{CS_ERR_INTERRUPT, "CS_ERR_INTERRUPT"},
	{CS_ERR_NAME_NOT_FOUND, "CS_ERR_NAME_NOT_FOUND"},
	{CS_ERR_NO_RESOURCES, "CS_ERR_NO_RESOURCES"},
	{CS_ERR_NOT_SUPPORTED, "CS_ERR_NOT_SUPPORTED"},
	{CS_ERR_BAD_OPERATION, "CS_ERR_BAD_OPERATION"},
	{CS_ERR_FAILED_OPERATION, "CS_ERR_FAILED_OPERATION"},
	{CS_ERR_MESSAGE_ERROR, "CS_ERR_MESSAGE_ERROR"},
	{CS_ERR_QUEUE_FULL, "CS_ERR_QUEUE_FULL"},
	{CS_ERR_QUEUE_NOT_AVAILABLE, "CS_ERR_QUEUE_NOT_AVAILABLE"},
	{CS_ERR_BAD_FLAGS, "CS_ERR_BAD_FLAGS"},
	{CS_ERR_TOO_BIG, "CS_ERR_TOO_BIG"},
	{CS_ERR_NO_SECTIONS, "CS_ERR_NO_SECTIONS"},
	{CS_ERR_CONTEXT_NOT_FOUND, "CS_ERR_CONTEXT_NOT_FOUND"},
	{CS_ERR_TOO_MANY_GROUPS, "CS_ERR_TOO_MANY_GROUPS"},
	{CS_ERR_SECURITY, "CS_ERR_SECURITY"},
};

static void strerror__names_every_code(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		assert_string_equal(cs_strerror(names[i].code), names[i].text);
	}
}

static int has_name(int code)
{
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if ((int)names[i].code == code) {
			return 1;
		}
	}
	return 0;
}

static void strerror__anything_else_is_unknown(void **state)
{
	const int others[] = {INT_MIN, INT_MAX, -1, 0, 29};

	(void)state;
	for (int code = -200; code <= 200; code++) {
		if (!has_name(code)) {
			assert_string_equal(cs_strerror((cs_error_t)code), "unknown error");
		}
	}
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		assert_string_equal(cs_strerror((cs_error_t)others[i]), "unknown error");
	}
}

static void qb_to_cs_error__success_is_zero_and_more(void **state)
{
	(void)state;
	assert_int_equal(qb_to_cs_error(0), CS_OK);
	assert_int_equal(qb_to_cs_error(1), CS_OK);
	assert_int_equal(qb_to_cs_error(EBADF), CS_OK);
	assert_int_equal(qb_to_cs_error(INT_MAX), CS_OK);
}

static void qb_to_cs_error__maps_every_errno(void **state)
{
	(void)state;
	for (int err = 1; err <= ERRNO_MAX; err++) {
		assert_int_equal(qb_to_cs_error(-err),
				 expected(qb_mappings, COUNT_OF(qb_mappings), err));
	}
	assert_int_equal(qb_to_cs_error(INT_MIN), CS_ERR_LIBRARY);
}

static void hdb_error_to_cs__success_is_zero_only(void **state)
{
	(void)state;
	assert_int_equal(hdb_error_to_cs(0), CS_OK);
	assert_int_equal(hdb_error_to_cs(1), CS_ERR_LIBRARY);
	assert_int_equal(hdb_error_to_cs(EBADF), CS_ERR_LIBRARY);
	assert_int_equal(hdb_error_to_cs(INT_MAX), CS_ERR_LIBRARY);
}

static void hdb_error_to_cs__maps_every_errno(void **state)
{
	(void)state;
	for (int err = 1; err <= ERRNO_MAX; err++) {
		assert_int_equal(hdb_error_to_cs(-err),
				 expected(hdb_mappings, COUNT_OF(hdb_mappings), err));
	}
	assert_int_equal(hdb_error_to_cs(INT_MIN), CS_ERR_LIBRARY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strerror__names_every_code),
		cmocka_unit_test(strerror__anything_else_is_unknown),
		cmocka_unit_test(qb_to_cs_error__success_is_zero_and_more),
		cmocka_unit_test(qb_to_cs_error__maps_every_errno),
		cmocka_unit_test(hdb_error_to_cs__success_is_zero_only),
		cmocka_unit_test(hdb_error_to_cs__maps_every_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
