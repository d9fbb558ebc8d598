/* SPDX-License-Identifier: BSD-3-Clause */
/* Key files, good ones and all that is refused; secrets that are not in core dumps. */
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
#include <unistd.h>

#include <cmocka.h>

#include "crypto/keyfile.h"
#include "crypto/secret.h"

static char dir[] = "/tmp/coronet-key-XXXXXX";
static char path[64];
static char why[KEYFILE_WHY_SIZE];
static struct keyfile *key;

static int make_dir(void **state)
{
	(void)state;
	key = secret_new(sizeof(*key));
	return key && mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	secret_free(key, sizeof(*key));
	return rmdir(dir);
}

static int no_file(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/key", dir);
	unlink(path);
	return 0;
}

static void write_file(size_t size, mode_t mode)
{
	FILE *file;

	unlink(path);
	file = fopen(path, "w");
	assert_non_null(file);
	for (size_t i = 0; i < size; i++) {
		fputc((int)(i % 251), file);
	}
	fclose(file);
	chmod(path, mode);
}

static void assert_refused(int err, const char *words)
{
	assert_int_equal(keyfile_read(path, key, why), err);
	assert_non_null(strstr(why, path));
	assert_non_null(strstr(why, words));
	assert_int_equal(key->size, 0);
}

static void read__what_was_written(void **state)
{
	struct stat st;

	(void)state;
	for (size_t size = KEYFILE_SIZE_MIN; size <= KEYFILE_SIZE_MAX; size *= 2) {
		uint8_t first[8];

		unlink(path);
		assert_int_equal(keyfile_write(path, size, why), 0);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0400);
		assert_int_equal(keyfile_read(path, key, why), 0);
		assert_int_equal(key->size, size);
		memcpy(first, key->bytes, sizeof(first));
		unlink(path);
		assert_int_equal(keyfile_write(path, size, why), 0);
		assert_int_equal(keyfile_read(path, key, why), 0);
		assert_memory_not_equal(key->bytes, first, sizeof(first));
	}
}

static void write__nothing_is_overwritten(void **state)
{
	(void)state;
	write_file(200, 0400);
	assert_int_equal(keyfile_write(path, 128, why), -EEXIST);
	assert_non_null(strstr(why, "overwritten"));
	assert_int_equal(keyfile_read(path, key, why), 0);
	assert_int_equal(key->size, 200);
	assert_int_equal(keyfile_write(path, 127, why), -EINVAL);
	assert_int_equal(keyfile_write(path, 4097, why), -EINVAL);
}

static void read__sizes(void **state)
{
	(void)state;
	write_file(KEYFILE_SIZE_MIN - 1, 0400);
	assert_refused(-EINVAL, "has 127 bytes");
	write_file(KEYFILE_SIZE_MAX + 1, 0400);
	assert_refused(-EINVAL, "has 4097 bytes");
	write_file(0, 0400);
	assert_refused(-EINVAL, "has 0 bytes");
	write_file(KEYFILE_SIZE_MAX, 0600);
	assert_int_equal(keyfile_read(path, key, why), 0);
	assert_int_equal(key->size, KEYFILE_SIZE_MAX);
	assert_int_equal(key->bytes[KEYFILE_SIZE_MAX - 1], (KEYFILE_SIZE_MAX - 1) % 251);
}

static void read__modes(void **state)
{
	static const mode_t bad[] = {0404, 0402, 0401, 0420, 0666};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_file(256, bad[i]);
		assert_refused(-EPERM, "chmod");
	}
	write_file(256, 0440);
	assert_int_equal(keyfile_read(path, key, why), 0);
}

static void read__owners(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		skip();
	}
	write_file(256, 0400);
	assert_int_equal(chown(path, 12345, 0), 0);
	assert_refused(-EPERM, "belongs to user 12345");
}

static void read__what_is_no_file(void **state)
{
	(void)state;
	assert_refused(-ENOENT, "coronet-keygen");
	assert_int_equal(mkfifo(path, 0400), 0);
	assert_refused(-EINVAL, "not a regular file");
	unlink(path);
	assert_int_equal(mkdir(path, 0500), 0);
	assert_refused(-EINVAL, "not a regular file");
	rmdir(path);
}

/* The VmFlags of the mapping that a pointer lies in. */
static bool has_flag(const void *at, const char *flag)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned long begin = 0;
	unsigned long end = 0;
	bool found = false;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long from;
		unsigned long to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
			begin = from;
			end = to;
		}
		if (strncmp(line, "VmFlags:", 8) == 0 && (uintptr_t)at >= begin &&
		    (uintptr_t)at < end) {
			found = strstr(line, flag) != NULL;
		}
	}
	fclose(maps);
	return found;
}

static void secret__is_not_dumped(void **state)
{
	char plain[16];

	(void)state;
	assert_true(has_flag(key, " dd"));
	assert_false(has_flag(plain, " dd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(read__what_was_written, no_file, no_file),
		cmocka_unit_test_setup_teardown(write__nothing_is_overwritten, no_file, no_file),
		cmocka_unit_test_setup_teardown(read__sizes, no_file, no_file),
		cmocka_unit_test_setup_teardown(read__modes, no_file, no_file),
		cmocka_unit_test_setup_teardown(read__owners, no_file, no_file),
		cmocka_unit_test_setup_teardown(read__what_is_no_file, no_file, no_file),
		cmocka_unit_test(secret__is_not_dumped),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
