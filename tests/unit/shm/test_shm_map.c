/* SPDX-License-Identifier: BSD-3-Clause */
/* A peer's memory is mapped while that peer ends the link and looks whether anybody sees its memory. Whenever
 * in between that happens: either the peer finds a mark and leaves the memory alone, or nothing is mapped.
 * Linked with --wrap=mark_open, so that the other process's steps come at any point of ours. */
#include "store/mark.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/conformance/end.h"

#define MARK 4711u

const struct rig *rig;

static struct end owner, reader;
static struct end_memory memory;

enum when {
	NEVER,
	BEFORE_THE_MARK,
	BEHIND_THE_MARK
};

static enum when when;
static bool given_up; /* the owner has ended the link, and writes into the memory again */

int __real_mark_open(int fd, uint64_t mark, int *out);
int __wrap_mark_open(int fd, uint64_t mark, int *out);

static void owner_ends_the_link(void)
{
	end_fence(&owner, reader.node);
	given_up = !mark_there(memory.fd, MARK);
}

int __wrap_mark_open(int fd, uint64_t mark, int *out)
{
	int result;

	if (when == BEFORE_THE_MARK) {
		owner_ends_the_link();
	}
	result = __real_mark_open(fd, mark, out);
	if (when == BEHIND_THE_MARK) {
		owner_ends_the_link();
	}
	return result;
}

static void test_fail(const char *text)
{
	fail_msg("%s", text);
}

static int set_up(void **state)
{
	(void)state;
	owner = (struct end){0};
	reader = (struct end){0};
	given_up = false;
	ends_pair(&owner, &reader);
	memory = end_memory_new(65536);
	return end_region_add(&owner, 5, &memory, true);
}

static int tear_down(void **state)
{
	(void)state;
	end_close(&reader);
	end_close(&owner);
	end_memory_free(&memory);
	return 0;
}

static int map_now(struct transport_map *map)
{
	run_for(50, &owner, &reader);
	return rig->ops->map(reader.t, owner.node, memory.key, MARK, map);
}

static void unmap(const struct transport_map *map)
{
	munmap((void *)(uintptr_t)map->base, map->size_bytes);
	close(map->fd);
}

static void map__shows_the_memory_with_its_mark(void **state)
{
	struct transport_map map;

	(void)state;
	when = NEVER;
	memory.base[100] = 42;
	assert_int_equal(map_now(&map), 0);
	assert_int_equal(map.base[100], 42);
	owner_ends_the_link();
	assert_false(given_up);
	unmap(&map);
	assert_false(mark_there(memory.fd, MARK));
}

static void map__nothing_that_its_owner_has_given_up(void **state)
{
	struct transport_map map;

	(void)state;
	when = BEFORE_THE_MARK;
	assert_int_equal(map_now(&map), -ENOTCONN);
	assert_true(given_up);
	assert_false(mark_there(memory.fd, MARK));
}

static void map__is_seen_by_an_owner_that_looks_later(void **state)
{
	struct transport_map map;
	int result;

	(void)state;
	when = BEHIND_THE_MARK;
	result = map_now(&map);
	assert_false(given_up);
	if (result == 0) {
		unmap(&map);
	}
	assert_false(mark_there(memory.fd, MARK));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(map__shows_the_memory_with_its_mark, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(map__nothing_that_its_owner_has_given_up, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(map__is_seen_by_an_owner_that_looks_later, set_up,
						tear_down),
	};
	struct rig shm = {.ops = transport_find("shm"), .patience_ms = 10000};
	char name[64];

	snprintf(name, sizeof(name), "map-%d", (int)getpid());
	end_cluster_set(name);
	end_fail = test_fail;
	rig = &shm;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
