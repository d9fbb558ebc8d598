/* SPDX-License-Identifier: BSD-3-Clause */
/* Marks: seen for exactly as long as somebody can see the memory. */
#include "store/mark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK 0xfedcba9876543210u
#define SIZE 8192

static int memory;

static int set_up(void **state)
{
	(void)state;
	memory = memfd_create("test", MFD_CLOEXEC);
	return memory < 0 || ftruncate(memory, SIZE) ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	return close(memory);
}

static void mark__lasts_as_long_as_its_descriptor(void **state)
{
	int fd;

	(void)state;
	assert_false(mark_there(memory, MARK));
	assert_int_equal(mark_open(memory, MARK, &fd), 0);
	assert_true(mark_there(memory, MARK));
	assert_false(mark_there(memory, MARK + 2));
	close(fd);
	assert_false(mark_there(memory, MARK));
}

static void mark__lasts_as_long_as_a_mapping(void **state)
{
	void *base;
	int fd;

	(void)state;
	assert_int_equal(mark_open(memory, MARK, &fd), 0);
	base = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(base, MAP_FAILED);
	close(fd);
	assert_true(mark_there(memory, MARK));
	munmap(base, SIZE);
	assert_false(mark_there(memory, MARK));
}

/* As a client that is killed while it reads. */
static void mark__ends_with_a_killed_process(void **state)
{
	int fd;
	pid_t child;

	(void)state;
	assert_int_equal(mark_open(memory, MARK, &fd), 0);
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	close(fd);
	assert_true(mark_there(memory, MARK));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_false(mark_there(memory, MARK));
}

static void mark__of_one_does_not_end_with_that_of_another(void **state)
{
	int first;
	int second;

	(void)state;
	assert_int_equal(mark_open(memory, MARK, &first), 0);
	assert_int_equal(mark_open(memory, MARK, &second), 0);
	/* As a client that takes its own away. */
	assert_int_equal(fcntl(first, F_OFD_SETLK, &(struct flock){.l_type = F_UNLCK}), 0);
	assert_true(mark_there(memory, MARK));
	close(second);
	assert_false(mark_there(memory, MARK));
	close(first);
}

/* As by a daemon whose client sleeps and keeps the memory mapped that it has no message in any more. */
static void mark__can_be_taken_off_from_afar(void **state)
{
	void *base;
	int passed_on;
	int fd;

	(void)state;
	assert_int_equal(mark_open(memory, MARK, &fd), 0);
	passed_on = dup(fd);
	base = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, passed_on, 0);
	assert_ptr_not_equal(base, MAP_FAILED);
	mark_take_off(fd);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_false(mark_there(memory, MARK));
	munmap(base, SIZE);
	close(passed_on);
}

static void open__can_only_read(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(mark_open(memory, MARK, &fd), 0);
	assert_ptr_equal(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(write(fd, "x", 1), -1);
	close(fd);
	assert_int_equal(mark_open(-1, MARK, &fd), -ENOENT);
	assert_true(mark_there(-1, MARK));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(mark__lasts_as_long_as_its_descriptor, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(mark__lasts_as_long_as_a_mapping, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(mark__ends_with_a_killed_process, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(mark__of_one_does_not_end_with_that_of_another,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(mark__can_be_taken_off_from_afar, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(open__can_only_read, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
