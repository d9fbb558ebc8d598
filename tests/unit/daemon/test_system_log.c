/* SPDX-License-Identifier: BSD-3-Clause */
/* A log that does not read, is not there, or comes back: no line waits for it. */
#include "daemon/system_log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 100000

static char directory[] = "/tmp/test_system_log.XXXXXX";
static char path[sizeof(directory) + 8];
static int reader = -1;

static void reader_goes(void)
{
	close(reader);
	reader = -1;
	unlink(path);
}

static void reader_comes(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, path, strlen(path));
	reader = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(reader >= 0);
	assert_int_equal(bind(reader, (struct sockaddr *)&address, sizeof(address)), 0);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(directory)) {
		return -1;
	}
	snprintf(path, sizeof(path), "%s/log", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int end(void **state)
{
	(void)state;
	system_log_close();
	reader_goes();
	return 0;
}

static void write__says_who_and_how_important(void **state)
{
	char got[512] = "";
	char wanted[128];

	(void)state;
	reader_comes();
	assert_int_equal(system_log_write(path, LOG_DAEMON | LOG_WARNING, "[MAIN] a word"), 0);
	assert_true(recv(reader, got, sizeof(got) - 1, 0) > 0);
	snprintf(wanted, sizeof(wanted), " coronetd[%d]: [MAIN] a word", (int)getpid());
	assert_memory_equal(got, "<28>", 4);
	assert_non_null(strstr(got, wanted));
	/* "Nov 23 04:05:06" */
	assert_int_equal(strstr(got, wanted) - got, 4 + 15);
}

static void write__does_not_wait_for_who_does_not_read(void **state)
{
	int err = 0;
	int taken;
	char got[512];

	(void)state;
	reader_comes();
	for (taken = 0; taken < MANY && !err; taken++) {
		err = system_log_write(path, LOG_DAEMON | LOG_INFO, "a line");
	}
	assert_int_equal(err, -EAGAIN);
	assert_true(recv(reader, got, sizeof(got), 0) > 0);
	assert_int_equal(system_log_write(path, LOG_DAEMON | LOG_INFO, "a line"), 0);
}

static void write__finds_a_reader_that_came_back(void **state)
{
	char got[512];

	(void)state;
	assert_int_equal(system_log_write(path, LOG_DAEMON | LOG_INFO, "lost"), -ENOENT);
	for (int i = 0; i < 3; i++) {
		reader_comes();
		assert_int_equal(system_log_write(path, LOG_DAEMON | LOG_INFO, "heard"), 0);
		assert_true(recv(reader, got, sizeof(got), 0) > 0);
		reader_goes();
		assert_true(system_log_write(path, LOG_DAEMON | LOG_INFO, "lost") < 0);
	}
}

static void write__a_path_that_is_none(void **state)
{
	char long_path[200];

	(void)state;
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(system_log_write(long_path, LOG_INFO, "a line"), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(write__says_who_and_how_important, end),
		cmocka_unit_test_teardown(write__does_not_wait_for_who_does_not_read, end),
		cmocka_unit_test_teardown(write__finds_a_reader_that_came_back, end),
		cmocka_unit_test_teardown(write__a_path_that_is_none, end),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
