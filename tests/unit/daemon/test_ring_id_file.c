/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring's number survives, never goes unnoticed when it cannot be stored, and starts at the clock where there is none. */
#include "daemon/ring_id_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/exit_code.h"

static char directory[64];
static struct messages messages;

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/coronet-test-ringid-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static void each_file(void (*act)(const char *path))
{
	DIR *list = opendir(directory);
	struct dirent *entry;
	char path[512];

	assert_non_null(list);
	while ((entry = readdir(list)) != NULL) {
		if (entry->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
			act(path);
		}
	}
	closedir(list);
}

static void remove_path(const char *path)
{
	remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	messages_fini(&messages);
	each_file(remove_path);
	return rmdir(directory);
}

static struct ring_id_file *open_file(void)
{
	struct ring_id_file *file = NULL;

	assert_int_equal(ring_id_file_new(directory, 7, &messages, &file), EXIT_OK);
	assert_non_null(file);
	return file;
}

static void write_bytes(const void *bytes, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/ringid_7", directory);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

static void ring_id_file_new__starts_at_the_clock(void **state)
{
	struct ring_id_file *file = open_file();

	(void)state;
	assert_true(ring_id_file_last(file) / 1000 >= (uint64_t)time(NULL) - 60);
	ring_id_file_free(&file);
}

/* A new disk: others may still be on a ring that this node named. */
static void ring_id_file_new__goes_on_above_what_was_lost(void **state)
{
	struct ring_id_file *file = open_file();
	uint64_t used = ring_id_file_last(file) + 4;

	(void)state;
	assert_int_equal(ring_id_file_store(file, used), 0);
	assert_int_equal(unlink(ring_id_file_path(file)), 0);
	ring_id_file_free(&file);
	usleep(10000);
	file = open_file();
	assert_true(ring_id_file_last(file) > used);
	ring_id_file_free(&file);
}

static void ring_id_file_store__is_read_by_the_next(void **state)
{
	struct ring_id_file *file = open_file();

	(void)state;
	assert_int_equal(ring_id_file_store(file, UINT64_C(0x123456789abc)), 0);
	ring_id_file_free(&file);
	file = open_file();
	assert_true(ring_id_file_last(file) == UINT64_C(0x123456789abc));
	ring_id_file_free(&file);
}

static void ring_id_file_store__keeps_one_file_of_8_bytes(void **state)
{
	struct ring_id_file *file = open_file();
	struct stat status;

	(void)state;
	for (uint64_t i = 1; i < 20; i++) {
		assert_int_equal(ring_id_file_store(file, i * 4), 0);
	}
	assert_int_equal(stat(ring_id_file_path(file), &status), 0);
	assert_int_equal(status.st_size, 8);
	ring_id_file_free(&file);
}

/* What a crash leaves: the new file half written beside the old one. */
static void ring_id_file_new__takes_the_old_number_after_a_crash(void **state)
{
	struct ring_id_file *file = open_file();
	char path[128];
	int fd;

	(void)state;
	assert_int_equal(ring_id_file_store(file, 40), 0);
	ring_id_file_free(&file);
	snprintf(path, sizeof(path), "%s/ringid_7.new", directory);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "\xff\xff\xff", 3), 3);
	close(fd);
	file = open_file();
	assert_int_equal(ring_id_file_last(file), 40);
	assert_int_equal(ring_id_file_store(file, 44), 0);
	ring_id_file_free(&file);
}

static void ring_id_file_new__refuses_what_is_no_number(void **state)
{
	static const size_t sizes[] = {0, 1, 7, 9, 16};
	struct ring_id_file *file = NULL;
	char bytes[16] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		write_bytes(bytes, sizes[i]);
		assert_int_equal(ring_id_file_new(directory, 7, &messages, &file), EXIT_RING_ID);
		assert_null(file);
	}
	assert_non_null(strstr(messages.list[0].text, "not a ring number, which has 8 bytes"));
}

static void ring_id_file_new__says_when_the_directory_is_none(void **state)
{
	struct ring_id_file *file = NULL;

	(void)state;
	assert_int_equal(ring_id_file_new("/dev/null/x", 7, &messages, &file), EXIT_DIRECTORY);
	assert_null(file);
	assert_non_null(strstr(messages.list[messages.count - 1].text, "/dev/null/x"));
}

/* Somebody puts a link in its place: it is not followed. */
static void ring_id_file_new__does_not_follow_links(void **state)
{
	struct ring_id_file *file = NULL;
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/ringid_7", directory);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	assert_int_equal(ring_id_file_new(directory, 7, &messages, &file), EXIT_RING_ID);
	assert_null(file);
}

static void ring_id_file_store__says_when_it_cannot(void **state)
{
	struct ring_id_file *file = open_file();
	char path[128];

	(void)state;
	assert_int_equal(ring_id_file_store(file, 8), 0);
	snprintf(path, sizeof(path), "%s/ringid_7.new", directory);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(ring_id_file_store(file, 12), -EISDIR);
	assert_int_equal(ring_id_file_last(file), 8);
	assert_int_equal(rmdir(path), 0);
	ring_id_file_free(&file);
	ring_id_file_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ring_id_file_new__starts_at_the_clock, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(ring_id_file_new__goes_on_above_what_was_lost,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(ring_id_file_store__is_read_by_the_next, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(ring_id_file_store__keeps_one_file_of_8_bytes,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			ring_id_file_new__takes_the_old_number_after_a_crash, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ring_id_file_new__refuses_what_is_no_number, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(ring_id_file_new__says_when_the_directory_is_none,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(ring_id_file_new__does_not_follow_links, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(ring_id_file_store__says_when_it_cannot, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
