/* SPDX-License-Identifier: BSD-3-Clause */
/* What shared memory does beyond the contract, and what it refuses. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/conformance/end.h"

const struct rig *rig;

struct ends {
	struct end a, b;
};

static void test_fail(const char *text)
{
	fail_msg("%s", text);
}

static int ends_setup(void **state)
{
	struct ends *ends = calloc(1, sizeof(*ends));

	*state = ends;
	ends_pair(&ends->a, &ends->b);
	return 0;
}

static int ends_teardown(void **state)
{
	struct ends *ends = *state;

	end_close(&ends->a);
	end_close(&ends->b);
	free(ends);
	return 0;
}

static int opens(struct transport_config config)
{
	struct transport *t = NULL;
	int result = rig->ops->open(&config, &t);

	assert_true((result == 0) == (t != NULL));
	rig->ops->close(&t);
	return result;
}

static void open__refuses_impossible_settings(void **state)
{
	char name[300];
	struct transport_config good = {.cluster_name = end_cluster(),
					.node = 50,
					.incarnation = 1,
					.slot_size_bytes = 4096,
					.slot_count = 4,
					.bulk_depth = 4,
					.connect_timeout_ms = 300};
	struct transport_config config = good;

	(void)state;
	assert_int_equal(opens(good), 0);
	config.cluster_name = "";
	assert_int_equal(opens(config), -EINVAL);
	config.cluster_name = NULL;
	assert_int_equal(opens(config), -EINVAL);
	memset(name, 'n', sizeof(name));
	name[256] = 0;
	config.cluster_name = name;
	assert_int_equal(opens(config), -EINVAL);
	name[255] = 0;
	assert_int_equal(opens(config), 0);
	config = good;
	config.slot_count = 0;
	assert_int_equal(opens(config), -EINVAL);
	config = good;
	config.slot_size_bytes = 0;
	assert_int_equal(opens(config), -EINVAL);
	config = good;
	config.bulk_depth = 0;
	assert_int_equal(opens(config), -EINVAL);
	config.bulk_depth = 65537;
	assert_int_equal(opens(config), -EINVAL);
	config.bulk_depth = 65536;
	assert_int_equal(opens(config), 0);
}

/* Every depth works, powers of two or not: the ring has room for all that may be lent. */
static void open__of_any_depth_lends_as_much(void **state)
{
	const uint32_t depths[] = {1, 2, 3, 5, 100};

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct transport_config config = {.cluster_name = end_cluster(),
						  .node = 50,
						  .incarnation = 1,
						  .slot_size_bytes = END_SLOT_BYTES,
						  .slot_count = 4,
						  .bulk_depth = depths[i],
						  .connect_timeout_ms = 300};
		struct end other = {.node = 60}, odd = {.node = 50};
		struct transport_seg piece = end_seg(0, 64);
		uint32_t lent = 0;

		end_open(&other);
		assert_int_equal(rig->ops->open(&config, &odd.t), 0);
		odd.slab = end_memory_new(END_AREA_OFFSET + END_AREA_BYTES);
		assert_int_equal(end_region_add(&odd, 0, &odd.slab, true), 0);
		ends_link(&odd, &other);
		for (uint32_t round = 1; round <= 3; round++) {
			while (end_frame(&odd, 60, &piece, 1, lent) == 0) {
				lent++;
			}
			assert_int_equal(lent, round * depths[i]);
			run_until(odd.lent_count == 0 && other.frames.count == lent, &odd, &other);
		}
		end_close(&odd);
		end_close(&other);
	}
}

static void slot_post__refuses_what_cannot_be(void **state)
{
	struct end end = {.node = 30, .no_slots = true};
	struct ends *ends = *state;

	assert_int_equal(rig->ops->slot_post(ends->a.t, END_SLOTS), -EINVAL);
	assert_int_equal(rig->ops->slot_post(ends->a.t, UINT32_MAX), -EINVAL);
	assert_int_equal(rig->ops->slot_post(ends->a.t, 0), -EEXIST);
	/* Before there is a slab. */
	assert_int_equal(end_try_open(&end, end_cluster()), 0);
	assert_int_equal(rig->ops->slot_post(end.t, 0), -EINVAL);
	end_close(&end);
}

static void region_add__refuses_memory_that_peers_could_not_trust(void **state)
{
	struct ends *ends = *state;
	struct end_memory memory = end_memory_new(8192);
	struct end_memory larger = memory, odd = memory, loose = memory;

	larger.size_bytes = 12288;
	assert_int_equal(end_region_add(&ends->a, 1, &larger, true), -EINVAL);
	odd.size_bytes = 5000;
	assert_int_equal(end_region_add(&ends->a, 1, &odd, true), -EINVAL);
	odd.size_bytes = 0;
	assert_int_equal(end_region_add(&ends->a, 1, &odd, true), -EINVAL);
	loose.fd = memfd_create("loose", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(loose.fd, 8192), 0);
	assert_int_equal(end_region_add(&ends->a, 1, &loose, true), -EINVAL);
	/* Sealed, but whoever is shown it could write there. */
	assert_int_equal(fcntl(loose.fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(end_region_add(&ends->a, 1, &loose, true), -EINVAL);
	assert_int_equal(fcntl(loose.fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	assert_int_equal(end_region_add(&ends->a, 1, &loose, true), 0);
	rig->ops->region_remove(ends->a.t, 1);
	close(loose.fd);
	loose.fd = -1;
	assert_int_equal(end_region_add(&ends->a, 1, &loose, true), -EINVAL);
	assert_int_equal(end_region_add(&ends->a, 1, &memory, true), 0);
	rig->ops->region_remove(ends->a.t, 1);
	/* Twice is harmless, and so is what never was. */
	rig->ops->region_remove(ends->a.t, 1);
	rig->ops->region_remove(ends->a.t, TRANSPORT_REGIONS_MAX);
	end_memory_free(&memory);
}

static void peer_add__has_room_for_all_nodes(void **state)
{
	struct ends *ends = *state;

	assert_int_equal(end_peer_add(&ends->a, 1), -EEXIST);
	for (uint32_t i = 1; i < NODES_MAX; i++) {
		assert_int_equal(end_peer_add(&ends->a, 100 + i), 0);
	}
	assert_int_equal(end_peer_add(&ends->a, 99), -ENOSPC);
	rig->ops->peer_remove(ends->a.t, 101);
	assert_int_equal(end_peer_add(&ends->a, 99), 0);
}

/* The last words of a daemon that leaves in order are heard. */
static void close__lets_control_messages_arrive(void **state)
{
	struct ends *ends = *state;
	struct end *closes[2] = {&ends->a, &ends->b};

	for (int i = 0; i < 2; i++) {
		struct end *one = closes[i], *other = closes[1 - i];

		for (uint32_t k = 0; k < 20; k++) {
			assert_int_equal(end_control(one, other->node, &k, sizeof(k)), 0);
		}
		end_close(one);
		run_until(other->links[one->node].downs == 1, other);
		assert_int_equal(other->controls.count, 20);
		assert_int_equal(other->links[one->node].gones, 1);
		ends_teardown(state);
		ends_setup(state);
		ends = *state;
		closes[0] = &ends->a;
		closes[1] = &ends->b;
	}
}

/* More announcements than a socket holds, while the peer takes none: they follow, and so do the
 * frames that need them. */
static void regions__that_find_no_room_are_announced_later(void **state)
{
	struct ends *ends = *state;
	struct end_memory memory = end_memory_new(4096);
	struct transport_seg piece = {.size_bytes = 4096};
	const uint32_t count = 1500;

	pattern_fill(memory.base, 4096, 3);
	for (uint32_t id = 1; id <= count; id++) {
		assert_int_equal(end_region_add(&ends->a, id, &memory, true), 0);
	}
	for (uint32_t i = 0; i < 5; i++) {
		piece.region = count - i;
		assert_int_equal(end_frame(&ends->a, 2, &piece, 1, i), 0);
	}
	/* This key is known to the peer before its announcement. */
	assert_int_equal(end_read(&ends->b, 1, memory.key, 0, end_seg(0, 4096), 9), 0);
	run_until(ends->b.frames.count == 5 && ends->a.lent_count == 0 && ends->b.read_count == 1,
		  &ends->a, &ends->b);
	for (uint32_t i = 0; i < 5; i++) {
		assert_true(pattern_holds(ends->b.frames.items[i].bytes, 4096, 3));
	}
	assert_int_equal(ends->b.reads[0].status, 0);
	assert_true(pattern_holds(end_area(&ends->b, 0), 4096, 3));
	for (uint32_t id = 1; id <= count; id += 2) {
		rig->ops->region_remove(ends->a.t, id);
	}
	run_for(100, &ends->a, &ends->b);
	piece.region = 2;
	assert_int_equal(end_frame(&ends->a, 2, &piece, 1, 7), 0);
	run_until(ends->b.frames.count == 6, &ends->a, &ends->b);
	assert_int_equal(ends->a.links[2].downs + ends->b.links[1].downs, 0);
	end_close(&ends->a);
	end_memory_free(&memory);
}

/* Slots of another size on the other side: no link, and a reason in the log instead of torn
 * frames. */
static char said[512];

static void say(void *ctx, int priority, const char *text)
{
	(void)ctx;
	(void)priority;
	snprintf(said, sizeof(said), "%s", text);
}

static void link__needs_the_same_slot_size(void **state)
{
	struct ends *ends = *state;
	struct transport_config config = {.cluster_name = end_cluster(),
					  .node = 40,
					  .incarnation = 1,
					  .slot_size_bytes = 4096,
					  .slot_count = 4,
					  .bulk_depth = 4,
					  .connect_timeout_ms = 300,
					  .log = say};
	struct end other = {.node = 40};

	assert_int_equal(rig->ops->open(&config, &other.t), 0);
	assert_int_equal(end_peer_add(&other, 1), 0);
	assert_int_equal(end_peer_add(&ends->a, 40), 0);
	run_for(100, &ends->a, &ends->b, &other);
	assert_int_equal(other.links[1].ups + ends->a.links[40].ups, 0);
	assert_non_null(strstr(said, "slot size"));
	end_close(&other);
}

static void open__says_who_has_the_name(void **state)
{
	struct ends *ends = *state;
	struct transport_config config = {.cluster_name = end_cluster(),
					  .node = ends->a.node,
					  .incarnation = 1,
					  .slot_size_bytes = 4096,
					  .slot_count = 4,
					  .bulk_depth = 4,
					  .connect_timeout_ms = 300,
					  .log = say};
	char process[64];

	assert_int_equal(opens(config), -EADDRINUSE);
	assert_non_null(strstr(said, "node 1"));
	snprintf(process, sizeof(process), "process %d of user %u", (int)getpid(),
		 (unsigned)geteuid());
	assert_non_null(strstr(said, process));
	assert_non_null(strstr(said, end_cluster()));
}

static void device__names_cluster_and_user(void **state)
{
	struct ends *ends = *state;

	assert_non_null(strstr(rig->ops->device(ends->a.t), end_cluster()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ends_test(function) cmocka_unit_test_setup_teardown(function, ends_setup, ends_teardown)
		cmocka_unit_test(open__refuses_impossible_settings),
		cmocka_unit_test(open__of_any_depth_lends_as_much),
		ends_test(slot_post__refuses_what_cannot_be),
		ends_test(region_add__refuses_memory_that_peers_could_not_trust),
		ends_test(peer_add__has_room_for_all_nodes),
		ends_test(close__lets_control_messages_arrive),
		ends_test(regions__that_find_no_room_are_announced_later),
		ends_test(link__needs_the_same_slot_size),
		ends_test(open__says_who_has_the_name),
		ends_test(device__names_cluster_and_user),
	};
	const struct rig shm = {.ops = transport_find("shm"), .patience_ms = 5000};
	char name[32];

	rig = &shm;
	end_fail = test_fail;
	snprintf(name, sizeof(name), "link-%d", (int)getpid());
	end_cluster_set(name);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
