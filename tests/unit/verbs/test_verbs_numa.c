/* SPDX-License-Identifier: BSD-3-Clause */
/* Which NUMA node an adapter says it is on, from files as sysfs has them. */
#include "verbs/numa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];
static char inner[96];
static char file[128];

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/coronet-numa-XXXXXX");
	if (!mkdtemp(dir)) {
		return -1;
	}
	snprintf(inner, sizeof(inner), "%s/device", dir);
	snprintf(file, sizeof(file), "%s/numa_node", inner);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(file);
	rmdir(inner);
	return rmdir(dir);
}

static void numa_node__what_the_file_says(void **state)
{
	static const struct {
		const char *text;
		int node;
	} cases[] = {
		{"0\n", 0},   {"1\n", 1},   {"7", 7},	     {"1023\n", 1023},
		{"-1\n", -1}, {"-2\n", -1}, {"1024\n", -1},  {"99999999999999999999\n", -1},
		{"", -1},     {"\n", -1},   {"node0\n", -1}, {"1 2\n", -1},
		{"3x\n", -1},
	};

	(void)state;
	assert_int_equal(mkdir(inner, 0700), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FILE *out = fopen(file, "w");

		assert_non_null(out);
		assert_true(fputs(cases[i].text, out) >= 0);
		assert_int_equal(fclose(out), 0);
		assert_int_equal(verbs_numa_node(dir), cases[i].node);
	}
}

/* soft-RoCE has no device behind it. */
static void numa_node__no_file(void **state)
{
	char path[5000];

	(void)state;
	assert_int_equal(verbs_numa_node(dir), -1);
	assert_int_equal(mkdir(inner, 0700), 0);
	assert_int_equal(verbs_numa_node(dir), -1);
	assert_int_equal(mkdir(file, 0700), 0);
	assert_int_equal(verbs_numa_node(dir), -1);
	assert_int_equal(rmdir(file), 0);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(verbs_numa_node(path), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(numa_node__what_the_file_says, set_up, tear_down),
		cmocka_unit_test_setup_teardown(numa_node__no_file, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
