/* SPDX-License-Identifier: BSD-3-Clause */
/* RDMA netlink messages: what is built, and that whatever comes back is taken apart safely. */
#include <errno.h>
#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "softroce/netlink.h"

struct heard {
	int count;
	struct nl_answer last;
	char device[64];
};

static void each(void *ctx, const struct nl_answer *answer)
{
	struct heard *heard = ctx;

	heard->count++;
	heard->last = *answer;
	if (answer->device) {
		strncpy(heard->device, answer->device, sizeof(heard->device) - 1);
	}
}

/* A request is an answer as well: the same headers and attributes. The length is filled in when it
 * is sent. */
static size_t message(struct nl_request *request, uint8_t *bytes)
{
	struct nlmsghdr header;

	memcpy(bytes, request->bytes, request->size);
	memcpy(&header, bytes, sizeof(header));
	header.nlmsg_len = (uint32_t)request->size;
	memcpy(bytes, &header, sizeof(header));
	return request->size;
}

static size_t sample(uint8_t *bytes)
{
	struct nl_request request;

	softroce_nl_begin(&request, RDMA_NLDEV_CMD_GET, NLM_F_DUMP);
	softroce_nl_u32(&request, RDMA_NLDEV_ATTR_DEV_INDEX, 7);
	softroce_nl_text(&request, RDMA_NLDEV_ATTR_DEV_NAME, "rxe12");
	softroce_nl_u32(&request, RDMA_NLDEV_ATTR_PORT_INDEX, 1);
	softroce_nl_text(&request, RDMA_NLDEV_ATTR_NDEV_NAME, "eth0");
	assert_false(request.failed);
	return message(&request, bytes);
}

static void request__is_what_the_kernel_wants(void **state)
{
	struct nl_request request;
	struct nlmsghdr header;

	(void)state;
	softroce_nl_begin(&request, RDMA_NLDEV_CMD_NEWLINK, NLM_F_ACK);
	memcpy(&header, request.bytes, sizeof(header));
	assert_int_equal(header.nlmsg_type, 0x1403);
	assert_int_equal(header.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
	softroce_nl_text(&request, RDMA_NLDEV_ATTR_LINK_TYPE, "rxe");
	/* Header, then length 8, type 65, "rxe" and its zero. */
	assert_int_equal(request.size, NLMSG_HDRLEN + 8);
	assert_memory_equal(request.bytes + NLMSG_HDRLEN, "\x08\x00\x41\x00rxe", 8);
}

static void request__that_grows_too_long_fails(void **state)
{
	struct nl_request request;
	char name[300];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = 0;
	softroce_nl_begin(&request, RDMA_NLDEV_CMD_GET, 0);
	softroce_nl_text(&request, RDMA_NLDEV_ATTR_DEV_NAME, name);
	assert_true(request.failed);
	assert_int_equal(softroce_nl_call(&request, NULL, NULL), -ENAMETOOLONG);
	softroce_nl_begin(&request, RDMA_NLDEV_CMD_GET, 0);
	for (int i = 0; i < 200; i++) {
		softroce_nl_u32(&request, RDMA_NLDEV_ATTR_DEV_INDEX, 1);
	}
	assert_true(request.failed);
	assert_true(request.size <= sizeof(request.bytes));
}

static void parse__reads_every_attribute(void **state)
{
	struct heard heard = {0};
	uint8_t bytes[512];
	size_t size = sample(bytes);

	(void)state;
	assert_int_equal(softroce_nl_parse(bytes, size, each, &heard), 1);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.last.device_index, 7);
	assert_int_equal(heard.last.port_index, 1);
	assert_string_equal(heard.last.device, "rxe12");
	assert_string_equal(heard.last.netdev, "eth0");
}

static void parse__goes_through_several_messages_to_the_end(void **state)
{
	struct heard heard = {0};
	struct nlmsghdr end = {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = NLMSG_DONE};
	uint8_t bytes[1024];
	size_t size = sample(bytes);

	(void)state;
	size += sample(bytes + size);
	memcpy(bytes + size, &end, sizeof(end));
	assert_int_equal(softroce_nl_parse(bytes, size + sizeof(end), each, &heard), 0);
	assert_int_equal(heard.count, 2);
}

static int parse_error(int32_t error, size_t size)
{
	struct {
		struct nlmsghdr header;
		int32_t error;
		struct nlmsghdr about;
	} message = {
		.header = {.nlmsg_len = (uint32_t)size, .nlmsg_type = NLMSG_ERROR},
		.error = error,
	};

	return softroce_nl_parse(&message, size, NULL, NULL);
}

static void parse__returns_the_kernels_errors(void **state)
{
	(void)state;
	assert_int_equal(parse_error(0, 36), 0);
	assert_int_equal(parse_error(-EPERM, 36), -EPERM);
	assert_int_equal(parse_error(-EPERM, 20), -EPERM);
	assert_int_equal(parse_error(EPERM, 36), -EBADMSG);
	assert_int_equal(parse_error(-EPERM, 18), -EBADMSG);
}

static void parse__of_anything_cut_short_is_safe(void **state)
{
	uint8_t bytes[512];
	size_t size = sample(bytes);

	(void)state;
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t exact[512];
		struct nlmsghdr header;
		struct heard heard = {0};

		/* A length that says more than there is. */
		if (cut > 0) {
			assert_int_equal(softroce_nl_parse(bytes, cut, each, &heard), -EBADMSG);
		}
		/* A length that is true, of a message that ends inside an attribute. */
		memcpy(exact, bytes, cut);
		if (cut >= sizeof(header)) {
			memcpy(&header, exact, sizeof(header));
			header.nlmsg_len = (uint32_t)cut;
			memcpy(exact, &header, sizeof(header));
			(void)softroce_nl_parse(exact, cut, each, &heard);
		}
	}
}

static void parse__of_any_flipped_byte_is_safe(void **state)
{
	uint8_t bytes[512];
	size_t size = sample(bytes);
	int good = 0;

	(void)state;
	for (size_t at = 0; at < size; at++) {
		for (int value = 0; value < 256; value += 5) {
			/* On the heap of its own size, so that a sanitizer sees one byte too
			 * far. */
			uint8_t *copy = test_malloc(size);
			struct heard heard = {0};

			memcpy(copy, bytes, size);
			copy[at] = (uint8_t)value;
			good += softroce_nl_parse(copy, size, each, &heard) >= 0;
			test_free(copy);
		}
	}
	assert_true(good > 0);
}

static void parse__of_a_name_without_end_gives_none(void **state)
{
	struct heard heard = {0};
	struct nl_request request;
	uint8_t bytes[512];
	size_t size;

	(void)state;
	softroce_nl_begin(&request, RDMA_NLDEV_CMD_GET, 0);
	softroce_nl_text(&request, RDMA_NLDEV_ATTR_DEV_NAME, "rxe");
	size = message(&request, bytes);
	bytes[size - 1] = 'x';
	assert_int_equal(softroce_nl_parse(bytes, size, each, &heard), 1);
	assert_null(heard.last.device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request__is_what_the_kernel_wants),
		cmocka_unit_test(request__that_grows_too_long_fails),
		cmocka_unit_test(parse__reads_every_attribute),
		cmocka_unit_test(parse__goes_through_several_messages_to_the_end),
		cmocka_unit_test(parse__returns_the_kernels_errors),
		cmocka_unit_test(parse__of_anything_cut_short_is_safe),
		cmocka_unit_test(parse__of_any_flipped_byte_is_safe),
		cmocka_unit_test(parse__of_a_name_without_end_gives_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
