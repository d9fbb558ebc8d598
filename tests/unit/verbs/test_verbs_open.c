/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening the RDMA transport when the world does not play along: nothing is left behind, and the
 * log says what would help. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "tests/unit/verbs/fake.h"
#include "verbs/verbs.h"

static struct transport_config config_of(const char *address)
{
	struct transport_config config = {
		.cluster_name = "test",
		.node = 1,
		.incarnation = 100,
		.slot_size_bytes = 8192,
		.slot_count = 16,
		.bulk_depth = 8,
		.connect_timeout_ms = 300,
		.ack_timeout_ms = 1000,
		.log = fake_log,
	};
	struct sockaddr_in *addr = (struct sockaddr_in *)&config.addr;

	addr->sin_family = AF_INET;
	inet_pton(AF_INET, address, &addr->sin_addr);
	return config;
}

static int reset(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

static struct transport_peer peer_of(uint32_t node)
{
	struct transport_peer peer = {.node = node};
	struct sockaddr_in *addr = (struct sockaddr_in *)&peer.addr;

	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(0x0a000000 + node);
	return peer;
}

static void open__failing_at_any_call_leaves_nothing(void **state)
{
	struct transport_config config = config_of("10.0.0.1");
	struct transport *const untouched = (struct transport *)&config;
	int at = 0;

	(void)state;
	for (;; at++) {
		struct transport *t = untouched;
		int error;

		fake_reset();
		fake.fail_at = at;
		error = transport_verbs.open(&config, &t);
		if (error == 0) {
			transport_verbs.close(&t);
			assert_null(t);
			assert_true(fake_all_gone());
			break;
		}
		assert_true(error < 0);
		assert_ptr_equal(t, untouched);
		assert_true(fake_all_gone());
		assert_true(strlen(fake.log) > 0);
	}
	/* Event channel, id, bind, attributes, domain, page, two times channel and queue, two
	 * receive queues, listen. */
	assert_int_equal(at, 13);
}

static void open__without_a_device_tells_what_to_type(void **state)
{
	struct transport_config config = config_of("203.0.113.7");
	struct transport *t = NULL;

	(void)state;
	fake.bind_errno = EADDRNOTAVAIL;
	assert_int_equal(transport_verbs.open(&config, &t), -ENODEV);
	assert_non_null(strstr(fake.log, "203.0.113.7:5405"));
	assert_non_null(strstr(fake.log, "no network interface of this host has it"));
	assert_non_null(strstr(fake.log, "transport: shm"));
	assert_true(fake_all_gone());
}

static void open__on_a_taken_port_says_so(void **state)
{
	struct transport_config config = config_of("10.0.0.1");
	struct transport *t = NULL;

	(void)state;
	fake.bind_errno = EADDRINUSE;
	assert_int_equal(transport_verbs.open(&config, &t), -EADDRINUSE);
	assert_non_null(strstr(fake.log, "another program listens on 10.0.0.1:5405"));
}

static void open__without_permission_says_so(void **state)
{
	struct transport_config config = config_of("10.0.0.1");
	struct transport *t = NULL;

	(void)state;
	fake.bind_errno = EACCES;
	assert_int_equal(transport_verbs.open(&config, &t), -EACCES);
	assert_non_null(strstr(fake.log, "/dev/infiniband"));
}

static void open__refuses_a_device_that_is_not_wanted(void **state)
{
	struct transport_config config = config_of("10.0.0.1");
	struct transport *t = NULL;

	(void)state;
	config.device = "mlx5_0";
	assert_int_equal(transport_verbs.open(&config, &t), -ENODEV);
	assert_non_null(strstr(fake.log, "belongs to the RDMA device fake0, not to mlx5_0"));
	assert_true(fake_all_gone());
	config.device = "fake0";
	assert_int_equal(transport_verbs.open(&config, &t), 0);
	assert_string_equal(transport_verbs.device(t), "fake0 port 1, 10.0.0.1:5405");
	transport_verbs.close(&t);
}

static void open__refuses_devices_that_cannot(void **state)
{
	struct transport_config config = config_of("10.0.0.1");
	struct transport *t = NULL;

	(void)state;
	fake.attr.max_sge = FRAME_SEGS_MIN - 1;
	assert_int_equal(transport_verbs.open(&config, &t), -ENODEV);
	assert_non_null(strstr(fake.log, "gathers only 3 pieces"));
	fake_reset();
	fake.attr.max_qp_rd_atom = 0;
	assert_int_equal(transport_verbs.open(&config, &t), -ENODEV);
	fake_reset();
	fake.attr.max_srq_wr = 15;
	assert_int_equal(transport_verbs.open(&config, &t), -EINVAL);
	assert_non_null(strstr(fake.log, "16 slots"));
	fake_reset();
	fake_transport_type(IBV_TRANSPORT_IWARP);
	assert_int_equal(transport_verbs.open(&config, &t), -ENODEV);
	assert_true(fake_all_gone());
}

static void open__takes_the_pieces_that_the_device_gathers(void **state)
{
	static const int cases[][2] = {{4, 4}, {6, 6}, {13, 13}, {16, 16}, {30, 16}};
	struct transport_config config = config_of("10.0.0.1");
	struct transport *t = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_reset();
		fake.attr.max_sge = cases[i][0];
		assert_int_equal(transport_verbs.open(&config, &t), 0);
		assert_int_equal(transport_verbs.segs_max(t), cases[i][1]);
		transport_verbs.close(&t);
	}
}

static void open__refuses_a_senseless_configuration(void **state)
{
	struct transport_config config = config_of("10.0.0.1");
	struct transport *t = NULL;

	(void)state;
	config.slot_count = 0;
	assert_int_equal(transport_verbs.open(&config, &t), -EINVAL);
	config = config_of("10.0.0.1");
	config.addr.ss_family = AF_UNIX;
	assert_int_equal(transport_verbs.open(&config, &t), -EINVAL);
	config = config_of("10.0.0.1");
	config.slot_size_bytes = 16u << 20;
	assert_int_equal(transport_verbs.open(&config, &t), -EINVAL);
	config = config_of("10.0.0.1");
	config.bulk_depth = 1u << 20;
	assert_int_equal(transport_verbs.open(&config, &t), -EINVAL);
	assert_int_equal(fake.calls, 0);
}

/* Completion queues have room for so many peers and no more. */
static void peer_add__stops_where_the_device_ends(void **state)
{
	struct transport_config config = config_of("10.0.0.1");
	struct transport *t = NULL;
	uint32_t added = 0;
	int error = 0;

	(void)state;
	fake.attr.max_cqe = 16 + 5 * 2 * (8 + 17);
	config.addr.ss_family = AF_INET;
	assert_int_equal(transport_verbs.open(&config, &t), 0);
	while (error == 0) {
		struct transport_peer peer = peer_of(2 + added);

		error = transport_verbs.peer_add(t, &peer);
		added += error == 0;
	}
	assert_int_equal(error, -ENOSPC);
	assert_int_equal(added, 5);
	transport_verbs.peer_remove(t, 3);
	assert_int_equal(transport_verbs.peer_add(t, &(struct transport_peer){0}), -EINVAL);
	assert_int_equal(transport_verbs.peer_add(t, (struct transport_peer[]){peer_of(50)}), 0);
	assert_int_equal(transport_verbs.peer_add(t, (struct transport_peer[]){peer_of(50)}),
			 -EEXIST);
	transport_verbs.close(&t);
	assert_true(fake_all_gone());
}

static void peer_add__failing_at_any_call_adds_nobody(void **state)
{
	struct transport_config config = config_of("10.0.0.1");
	struct transport_peer peer = peer_of(2);
	struct transport *t = NULL;
	int at = 0;
	int error;

	(void)state;
	do {
		fake_reset();
		assert_int_equal(transport_verbs.open(&config, &t), 0);
		fake.fail_at = fake.calls + at++;
		error = transport_verbs.peer_add(t, &peer);
		if (error < 0) {
			struct transport_peer_stats stats;

			assert_int_equal(transport_verbs.peer_stats(t, 2, &stats), -ENOENT);
			/* And it works when the world does. */
			fake.fail_at = -1;
			assert_int_equal(transport_verbs.peer_add(t, &peer), 0);
		}
		transport_verbs.close(&t);
		assert_true(fake_all_gone());
	} while (error < 0);
	assert_true(at > 2);
}

static void region_add__never_permits_remote_writes(void **state)
{
	struct transport_config config = config_of("10.0.0.1");
	struct transport_region region = {.size_bytes = 16 * 8192, .remote_read = true};
	struct transport *t = NULL;
	uint64_t key;

	(void)state;
	region.base = aligned_alloc(4096, region.size_bytes);
	assert_int_equal(transport_verbs.open(&config, &t), 0);
	assert_int_equal(transport_verbs.region_add(t, 0, &region, &key), 0);
	assert_int_equal(transport_verbs.peer_add(t, (struct transport_peer[]){peer_of(2)}), 0);
	assert_int_equal(fake.mr_access & (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC |
					   IBV_ACCESS_MW_BIND),
			 0);
	assert_true(fake.mr_access & IBV_ACCESS_REMOTE_READ);
	fake.mr_access = 0;
	region.remote_read = false;
	assert_int_equal(transport_verbs.region_add(t, 1, &region, &key), 0);
	assert_int_equal(fake.mr_access, IBV_ACCESS_LOCAL_WRITE);
	transport_verbs.close(&t);
	free(region.base);
	assert_true(fake_all_gone());
}

static void region_add__refuses_what_cannot_be(void **state)
{
	struct transport_config config = config_of("10.0.0.1");
	struct transport_region region = {.size_bytes = 16 * 8192};
	struct transport *t = NULL;
	uint64_t key;

	(void)state;
	region.base = aligned_alloc(4096, region.size_bytes);
	assert_int_equal(transport_verbs.open(&config, &t), 0);
	region.size_bytes -= 4096;
	assert_int_equal(transport_verbs.region_add(t, 0, &region, &key), -EINVAL);
	region.size_bytes = 5000;
	assert_int_equal(transport_verbs.region_add(t, 1, &region, &key), -EINVAL);
	region.size_bytes = 4096;
	assert_int_equal(transport_verbs.region_add(t, TRANSPORT_REGIONS_MAX, &region, &key),
			 -EINVAL);
	assert_int_equal(transport_verbs.slot_post(t, 0), -EINVAL);
	region.size_bytes = 16 * 8192;
	assert_int_equal(transport_verbs.region_add(t, 0, &region, &key), 0);
	assert_int_equal(transport_verbs.region_add(t, 0, &region, &key), -EEXIST);
	assert_int_equal(transport_verbs.slot_post(t, 16), -EINVAL);
	assert_int_equal(transport_verbs.slot_post(t, 15), 0);
	assert_int_equal(transport_verbs.slot_post(t, 15), -EEXIST);
	transport_verbs.close(&t);
	free(region.base);
}

static void region_add__beyond_the_lock_limit_prints_the_need(void **state)
{
	struct transport_config config = config_of("10.0.0.1");
	struct transport_region region = {.size_bytes = 1u << 20};
	struct transport *t = NULL;
	struct rlimit old, low;
	uint64_t key;

	(void)state;
	region.base = aligned_alloc(4096, region.size_bytes);
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &old), 0);
	low = old;
	low.rlim_cur = 65536;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &low), 0);
	assert_int_equal(transport_verbs.open(&config, &t), 0);
	fake.fail_at = fake.calls;
	assert_int_equal(transport_verbs.region_add(t, 0, &region, &key), -ENOMEM);
	/* The page for keepalives and the region. */
	assert_non_null(
		strstr(fake.log, "RLIMIT_MEMLOCK is 65536 bytes and at least 1052672 are needed"));
	assert_non_null(strstr(fake.log, "ulimit -l 1028"));
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &old), 0);
	transport_verbs.close(&t);
	free(region.base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(open__failing_at_any_call_leaves_nothing, reset),
		cmocka_unit_test_setup(open__without_a_device_tells_what_to_type, reset),
		cmocka_unit_test_setup(open__on_a_taken_port_says_so, reset),
		cmocka_unit_test_setup(open__without_permission_says_so, reset),
		cmocka_unit_test_setup(open__refuses_a_device_that_is_not_wanted, reset),
		cmocka_unit_test_setup(open__refuses_devices_that_cannot, reset),
		cmocka_unit_test_setup(open__takes_the_pieces_that_the_device_gathers, reset),
		cmocka_unit_test_setup(open__refuses_a_senseless_configuration, reset),
		cmocka_unit_test_setup(peer_add__stops_where_the_device_ends, reset),
		cmocka_unit_test_setup(peer_add__failing_at_any_call_adds_nobody, reset),
		cmocka_unit_test_setup(region_add__never_permits_remote_writes, reset),
		cmocka_unit_test_setup(region_add__refuses_what_cannot_be, reset),
		cmocka_unit_test_setup(region_add__beyond_the_lock_limit_prints_the_need, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
