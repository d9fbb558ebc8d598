/* SPDX-License-Identifier: BSD-3-Clause */
/* Socket messages: what is written is read back, and nothing else decodes. */
#include "shm/shm_msg.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct shm_msg sample(enum shm_msg_kind kind)
{
	struct shm_msg msg = {.kind = kind,
			      .version = SHM_VERSION,
			      .purpose = SHM_BULK,
			      .reason = SHM_REASON_SLOT_SIZE,
			      .from = 0x01020304,
			      .to = 0xfffefdfc,
			      .slot_size_bytes = 8192,
			      .entries = 64,
			      .incarnation = UINT64_C(0x1122334455667788),
			      .link = UINT64_MAX,
			      .cluster = "a cluster"};

	return msg;
}

static void msg_decode__reads_greetings_back(void **state)
{
	const enum shm_msg_kind kinds[] = {SHM_HELLO, SHM_WELCOME, SHM_REJECT};

	(void)state;
	for (int i = 0; i < 3; i++) {
		uint8_t bytes[SHM_MSG_SIZE_MAX];
		struct shm_msg msg = sample(kinds[i]), read;
		size_t size = shm_msg_encode(&msg, bytes);

		assert_int_equal(shm_msg_decode(bytes, size, &read), 0);
		assert_int_equal(read.kind, msg.kind);
		assert_int_equal(read.version, msg.version);
		assert_int_equal(read.purpose, msg.purpose);
		assert_int_equal(read.reason, msg.reason);
		assert_int_equal(read.from, msg.from);
		assert_int_equal(read.to, msg.to);
		assert_int_equal(read.slot_size_bytes, msg.slot_size_bytes);
		assert_int_equal(read.entries, msg.entries);
		assert_int_equal(read.incarnation, msg.incarnation);
		assert_int_equal(read.link, msg.link);
		assert_string_equal(read.cluster, msg.cluster);
	}
}

static void msg_decode__reads_the_longest_cluster_name(void **state)
{
	uint8_t bytes[SHM_MSG_SIZE_MAX];
	struct shm_msg msg = sample(SHM_HELLO), read;

	(void)state;
	memset(msg.cluster, 'x', SHM_CLUSTER_MAX);
	msg.cluster[SHM_CLUSTER_MAX] = 0;
	assert_int_equal(shm_msg_decode(bytes, shm_msg_encode(&msg, bytes), &read), 0);
	assert_string_equal(read.cluster, msg.cluster);
}

static void msg_decode__reads_regions_and_wakes_back(void **state)
{
	uint8_t bytes[SHM_MSG_SIZE_MAX];
	struct shm_msg add = {
		.kind = SHM_REGION_ADD, .key = 77, .size_bytes = 1u << 30, .readable = true};
	struct shm_msg remove = {.kind = SHM_REGION_REMOVE, .key = UINT64_MAX};
	struct shm_msg wake = {.kind = SHM_WAKE};
	struct shm_msg read;

	(void)state;
	assert_int_equal(shm_msg_decode(bytes, shm_msg_encode(&add, bytes), &read), 0);
	assert_int_equal(read.key, 77);
	assert_int_equal(read.size_bytes, 1u << 30);
	assert_true(read.readable);
	assert_int_equal(shm_msg_decode(bytes, shm_msg_encode(&remove, bytes), &read), 0);
	assert_int_equal(read.kind, SHM_REGION_REMOVE);
	assert_true(read.key == UINT64_MAX);
	assert_int_equal(shm_msg_encode(&wake, bytes), 1);
	assert_int_equal(shm_msg_decode(bytes, 1, &read), 0);
	assert_int_equal(read.kind, SHM_WAKE);
}

/* One byte less or more is no message, whatever kind. */
static void msg_decode__refuses_other_lengths(void **state)
{
	const enum shm_msg_kind kinds[] = {SHM_HELLO,	   SHM_WELCOME,	      SHM_REJECT,
					   SHM_REGION_ADD, SHM_REGION_REMOVE, SHM_WAKE};

	(void)state;
	for (int i = 0; i < 6; i++) {
		uint8_t bytes[SHM_MSG_SIZE_MAX + 1] = {0};
		struct shm_msg msg = sample(kinds[i]), read;
		size_t size = shm_msg_encode(&msg, bytes);

		for (size_t less = 0; less < size; less++) {
			assert_int_equal(shm_msg_decode(bytes, less, &read), -EPROTO);
		}
		assert_int_equal(shm_msg_decode(bytes, size + 1, &read), -EPROTO);
	}
}

static void refuses_with(size_t at, uint8_t value)
{
	uint8_t bytes[SHM_MSG_SIZE_MAX];
	struct shm_msg msg = sample(SHM_HELLO), read;
	size_t size = shm_msg_encode(&msg, bytes);

	assert_true(at < size);
	bytes[at] = value;
	assert_int_equal(shm_msg_decode(bytes, size, &read), -EPROTO);
}

static void msg_decode__refuses_values_that_cannot_be(void **state)
{
	(void)state;
	refuses_with(0, 0);	       /* kind */
	refuses_with(0, SHM_WAKE + 1); /* kind */
	refuses_with(0, 0xff);	       /* kind */
	refuses_with(1, 'x');	       /* magic */
	refuses_with(7, 0);	       /* purpose */
	refuses_with(7, SHM_PROBE + 1);
	refuses_with(8, SHM_REASONS); /* reason */
	refuses_with(41, 8);	      /* length of the cluster name */
	refuses_with(42, 0);	      /* a NUL in it */
}

static void msg_decode__reads_who_says_it_of_another_version(void **state)
{
	uint8_t bytes[SHM_MSG_SIZE_MAX];
	struct shm_msg msg = sample(SHM_HELLO), read;

	(void)state;
	msg.version = SHM_VERSION + 1;
	shm_msg_encode(&msg, bytes);
	assert_int_equal(shm_msg_decode(bytes, 17, &read), 0);
	assert_int_equal(read.version, SHM_VERSION + 1);
	assert_int_equal(read.from, msg.from);
	assert_int_equal(read.to, msg.to);
	assert_int_equal(read.reason, SHM_REASON_VERSION);
	assert_int_equal(read.slot_size_bytes, 0);
	assert_int_equal(shm_msg_decode(bytes, 16, &read), -EPROTO);
}

static void reason_name__names_all(void **state)
{
	(void)state;
	for (int i = 0; i < SHM_REASONS; i++) {
		assert_string_not_equal(shm_reason_name((enum shm_reason)i), "unknown");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(msg_decode__reads_greetings_back),
		cmocka_unit_test(msg_decode__reads_the_longest_cluster_name),
		cmocka_unit_test(msg_decode__reads_regions_and_wakes_back),
		cmocka_unit_test(msg_decode__refuses_other_lengths),
		cmocka_unit_test(msg_decode__refuses_values_that_cannot_be),
		cmocka_unit_test(msg_decode__reads_who_says_it_of_another_version),
		cmocka_unit_test(reason_name__names_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
