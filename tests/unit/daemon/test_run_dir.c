/* SPDX-License-Identifier: BSD-3-Clause */
/* One daemon per run directory: the lock, who holds it, what is left of a dead one. */
#include "daemon/run_dir.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/exit_code.h"

static char base[64];
static struct messages messages;

static int set_up(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/coronet-test-rundir-XXXXXX");
	return mkdtemp(base) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	messages_fini(&messages);
	snprintf(command, sizeof(command), "rm -rf %s", base);
	return system(command);
}

static bool told(const char *text)
{
	for (uint32_t i = 0; i < messages.count; i++) {
		if (strstr(messages.list[i].text, text)) {
			return true;
		}
	}
	return false;
}

static const char *in_base(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	return path;
}

static void run_dir_new__makes_the_directory_and_the_lock(void **state)
{
	struct run_dir *dir = NULL;
	struct stat status;
	char text[32] = "";
	FILE *file;

	(void)state;
	assert_int_equal(run_dir_new(in_base("a/b"), &messages, &dir), EXIT_OK);
	assert_string_equal(run_dir_path(dir), in_base("a/b"));
	assert_int_equal(stat(in_base("a/b"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0755);
	file = fopen(in_base("a/b/coronetd.pid"), "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_int_equal(atol(text), getpid());
	run_dir_free(&dir);
	assert_null(dir);
	assert_int_not_equal(access(in_base("a/b/coronetd.pid"), F_OK), 0);
	run_dir_free(&dir);
}

/* In a process of its own: a process does not conflict with its own locks. Returns its exit code. */
static int try_in_child(const char *name)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct run_dir *dir = NULL;
		int code = run_dir_new(in_base(name), &messages, &dir);
		char expected[64];

		snprintf(expected, sizeof(expected), "a daemon runs here already, process %d",
			 (int)getppid());
		_exit(code == EXIT_RUNNING && !told(expected) ? 99 : code);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

static void run_dir_new__names_the_daemon_that_is_there(void **state)
{
	struct run_dir *dir = NULL;

	(void)state;
	assert_int_equal(run_dir_new(in_base("a"), &messages, &dir), EXIT_OK);
	assert_int_equal(try_in_child("a"), EXIT_RUNNING);
	assert_int_equal(access(in_base("a/coronetd.pid"), F_OK), 0);
	run_dir_free(&dir);
	assert_int_equal(try_in_child("a"), EXIT_OK);
}

/* The child above ended without removing its file: that is what a killed daemon leaves. */
static void run_dir_new__takes_over_from_the_dead(void **state)
{
	struct run_dir *dir = NULL;

	(void)state;
	assert_int_equal(try_in_child("a"), EXIT_OK);
	assert_int_equal(access(in_base("a/coronetd.pid"), F_OK), 0);
	assert_int_equal(run_dir_new(in_base("a"), &messages, &dir), EXIT_OK);
	run_dir_free(&dir);
}

static void run_dir_new__refuses_what_is_no_directory(void **state)
{
	struct run_dir *dir = NULL;
	char path[300];

	(void)state;
	fclose(fopen(in_base("file"), "w"));
	assert_int_equal(run_dir_new(in_base("file"), &messages, &dir), EXIT_DIRECTORY);
	assert_true(told("not usable as run directory"));
	assert_int_equal(run_dir_new(in_base("file/below"), &messages, &dir), EXIT_DIRECTORY);
	snprintf(path, sizeof(path), "%s/%0100d", base, 0);
	assert_int_equal(run_dir_new(path, &messages, &dir), EXIT_DIRECTORY);
	assert_true(told("107 characters are allowed"));
	assert_null(dir);
}

static void run_dir_new__does_not_follow_links(void **state)
{
	struct run_dir *dir = NULL;

	(void)state;
	assert_int_equal(mkdir(in_base("a"), 0755), 0);
	assert_int_equal(symlink("/etc/hostname", in_base("a/coronetd.pid")), 0);
	assert_int_equal(run_dir_new(in_base("a"), &messages, &dir), EXIT_LOCK);
	assert_null(dir);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(run_dir_new__makes_the_directory_and_the_lock),
		TEST(run_dir_new__names_the_daemon_that_is_there),
		TEST(run_dir_new__takes_over_from_the_dead),
		TEST(run_dir_new__refuses_what_is_no_directory),
		TEST(run_dir_new__does_not_follow_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
