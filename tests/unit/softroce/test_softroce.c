/* SPDX-License-Identifier: BSD-3-Clause */
/* Provisioning on a kernel made up by the test: softroce_nl_call and the look into /sys are
 * replaced. */
#include <arpa/inet.h>
#include <errno.h>
#include <rdma/rdma_netlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "softroce/netlink.h"
#include "softroce/softroce.h"

struct device {
	const char *name;
	const char *netdev;
	bool rxe;
};

/* The kernel: what it has, what it says, what it was asked to do. */
static struct {
	struct device devices[4];
	int count;
	int list_error, add_error, delete_error;
	bool module;
	int added, deleted;
	char added_name[64], added_netdev[64];
	uint32_t deleted_index;
} kernel;

int __wrap_softroce_nl_call(const struct nl_request *request,
			    void (*each)(void *ctx, const struct nl_answer *answer), void *ctx);
int __wrap_access(const char *path, int mode);

static uint16_t command_of(const struct nl_request *request)
{
	uint16_t type;

	memcpy(&type, request->bytes + 4, sizeof(type));
	return type & 0xff;
}

static void take_attributes(void *ctx, const struct nl_answer *answer)
{
	*(struct nl_answer *)ctx = *answer;
}

static struct nl_answer asked(const struct nl_request *request, uint8_t *copy)
{
	struct nl_answer answer = {0};
	uint32_t size = (uint32_t)request->size;

	memcpy(copy, request->bytes, request->size);
	memcpy(copy, &size, sizeof(size));
	softroce_nl_parse(copy, request->size, take_attributes, &answer);
	return answer;
}

static int dump_ports(const struct nl_answer *wanted,
		      void (*each)(void *ctx, const struct nl_answer *answer), void *ctx)
{
	const struct device *device = &kernel.devices[wanted->device_index];
	struct nl_answer answer = {
		.device_index = wanted->device_index,
		.port_index = 1,
		.device = device->name,
		.netdev = device->netdev,
	};

	each(ctx, &answer);
	return 0;
}

int __wrap_softroce_nl_call(const struct nl_request *request,
			    void (*each)(void *ctx, const struct nl_answer *answer), void *ctx)
{
	uint8_t copy[512];
	struct nl_answer wanted = asked(request, copy);

	switch (command_of(request)) {
	case RDMA_NLDEV_CMD_GET:
		for (int i = 0; i < kernel.count && !kernel.list_error; i++) {
			struct nl_answer answer = {.device_index = (uint32_t)i,
						   .device = kernel.devices[i].name};

			each(ctx, &answer);
		}
		return kernel.list_error;
	case RDMA_NLDEV_CMD_PORT_GET:
		return dump_ports(&wanted, each, ctx);
	case RDMA_NLDEV_CMD_NEWLINK:
		kernel.added++;
		snprintf(kernel.added_name, sizeof(kernel.added_name), "%s", wanted.device);
		snprintf(kernel.added_netdev, sizeof(kernel.added_netdev), "%s", wanted.netdev);
		return kernel.add_error;
	case RDMA_NLDEV_CMD_DELLINK:
		kernel.deleted++;
		kernel.deleted_index = wanted.device_index;
		return kernel.delete_error;
	}
	return -EINVAL;
}

int __wrap_access(const char *path, int mode)
{
	(void)mode;
	if (strcmp(path, "/sys/module/rdma_rxe") == 0) {
		return kernel.module ? 0 : -1;
	}
	for (int i = 0; i < kernel.count; i++) {
		char parent[128];

		snprintf(parent, sizeof(parent), "/sys/class/infiniband/%s/parent",
			 kernel.devices[i].name);
		if (kernel.devices[i].rxe && strcmp(path, parent) == 0) {
			return 0;
		}
	}
	return -1;
}

static int reset(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.devices[0] = (struct device){"mlx5_0", "ib0", false};
	kernel.devices[1] = (struct device){"rxe0", "dummy7", true};
	kernel.count = 2;
	kernel.module = true;
	return 0;
}

/* A real interface other than lo, which every host with a network has; NULL if this one has
 * none. */
static const char *some_netdev(void)
{
	static char name[IF_NAMESIZE];
	struct if_nameindex *all = if_nameindex();
	bool found = false;

	for (struct if_nameindex *i = all; i && i->if_index && !found; i++) {
		if (strcmp(i->if_name, "lo") != 0) {
			snprintf(name, sizeof(name), "%s", i->if_name);
			found = true;
		}
	}
	if_freenameindex(all);
	return found ? name : NULL;
}

static void list__tells_soft_roce_from_adapters(void **state)
{
	struct softroce_link links[4];
	int count;

	(void)state;
	assert_int_equal(softroce_list(links, 4, &count), SOFTROCE_OK);
	assert_int_equal(count, 2);
	assert_string_equal(links[0].device, "mlx5_0");
	assert_false(links[0].rxe);
	assert_string_equal(links[1].netdev, "dummy7");
	assert_int_equal(links[1].port, 1);
	assert_true(links[1].rxe);
	/* As many as there is room for. */
	assert_int_equal(softroce_list(links, 1, &count), SOFTROCE_OK);
	assert_int_equal(count, 1);
	kernel.list_error = -EPROTONOSUPPORT;
	assert_int_equal(softroce_list(links, 4, &count), SOFTROCE_NO_RDMA);
	assert_int_equal(count, 0);
}

static void ensure__takes_what_is_there(void **state)
{
	char device[SOFTROCE_NAME_MAX];
	bool created = true;

	(void)state;
	assert_int_equal(softroce_ensure("dummy7", "other", device, &created), SOFTROCE_OK);
	assert_string_equal(device, "rxe0");
	assert_false(created);
	assert_int_equal(kernel.added, 0);
}

static void ensure__makes_one_with_a_free_name(void **state)
{
	const char *netdev = some_netdev();
	char device[SOFTROCE_NAME_MAX];
	bool created = false;

	(void)state;
	if (!netdev) {
		skip();
	}
	assert_int_equal(softroce_ensure(netdev, NULL, device, &created), SOFTROCE_OK);
	assert_string_equal(device, "rxe1");
	assert_string_equal(kernel.added_name, "rxe1");
	assert_string_equal(kernel.added_netdev, netdev);
	assert_true(created);
	assert_int_equal(softroce_ensure(netdev, "mine", device, &created), SOFTROCE_OK);
	assert_string_equal(device, "mine");
	assert_int_equal(softroce_ensure(netdev, "mlx5_0", device, &created), SOFTROCE_NAME_TAKEN);
	assert_int_equal(kernel.added, 2);
}

static void ensure__says_why_not(void **state)
{
	static const struct {
		int error;
		bool module;
		enum softroce_answer answer;
	} cases[] = {
		{-EPERM, true, SOFTROCE_NO_PERMISSION}, {-EINVAL, false, SOFTROCE_NO_MODULE},
		{-EINVAL, true, SOFTROCE_BAD_NETDEV},	{-ENODEV, true, SOFTROCE_NO_NETDEV},
		{-EEXIST, true, SOFTROCE_NAME_TAKEN},	{-ENOENT, true, SOFTROCE_FAILED},
	};
	const char *netdev = some_netdev();
	char device[SOFTROCE_NAME_MAX] = "untouched";
	bool created = false;

	(void)state;
	if (!netdev) {
		skip();
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		kernel.add_error = cases[i].error;
		kernel.module = cases[i].module;
		assert_int_equal(softroce_ensure(netdev, NULL, device, &created), cases[i].answer);
	}
	assert_string_equal(device, "untouched");
	assert_false(created);
	assert_int_equal(softroce_ensure("no-such-netdev", NULL, device, &created),
			 SOFTROCE_NO_NETDEV);
	assert_int_equal(softroce_ensure("a-name-that-no-interface-can-have", NULL, device,
					 &created),
			 SOFTROCE_NO_NETDEV);
	assert_int_equal(softroce_ensure("lo", NULL, device, &created), SOFTROCE_BAD_NETDEV);
}

static void undo__removes_soft_roce_only(void **state)
{
	(void)state;
	assert_int_equal(softroce_undo("mlx5_0"), SOFTROCE_NO_DEVICE);
	assert_int_equal(softroce_undo("absent"), SOFTROCE_NO_DEVICE);
	assert_int_equal(kernel.deleted, 0);
	assert_int_equal(softroce_undo("rxe0"), SOFTROCE_OK);
	assert_int_equal(kernel.deleted, 1);
	assert_int_equal(kernel.deleted_index, 1);
	kernel.delete_error = -EPERM;
	assert_int_equal(softroce_undo("rxe0"), SOFTROCE_NO_PERMISSION);
}

static void answers__all_have_a_text(void **state)
{
	(void)state;
	for (int answer = 0; answer < SOFTROCE_ANSWERS; answer++) {
		assert_string_not_equal(softroce_answer_text((enum softroce_answer)answer),
					"unknown answer");
	}
}

static void advice_for(const char *address, char *text, size_t size)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};

	assert_int_equal(inet_pton(AF_INET, address, &addr.sin_addr), 1);
	softroce_advice((struct sockaddr *)&addr, text, size);
}

static void advice__fits_the_case(void **state)
{
	char text[512];
	char small[8];

	(void)state;
	advice_for("203.0.113.77", text, sizeof(text));
	assert_non_null(strstr(text, "no network interface of this host has it"));
	advice_for("127.0.0.1", text, sizeof(text));
	assert_non_null(strstr(text, "loopback"));
	kernel.devices[1].netdev = "lo";
	advice_for("127.0.0.1", text, sizeof(text));
	assert_non_null(strstr(text, "rxe0 sits on lo"));
	advice_for("203.0.113.77", small, sizeof(small));
	assert_int_equal(strlen(small), sizeof(small) - 1);
}

static void netdev_of__finds_both_families(void **state)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	char netdev[IF_NAMESIZE];

	(void)state;
	in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(softroce_netdev_of((struct sockaddr *)&in4, netdev));
	assert_string_equal(netdev, "lo");
	in4.sin_addr.s_addr = htonl(0xcb007107);
	assert_false(softroce_netdev_of((struct sockaddr *)&in4, netdev));
	in6.sin6_addr.s6_addr[0] = 0x20;
	assert_false(softroce_netdev_of((struct sockaddr *)&in6, netdev));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(list__tells_soft_roce_from_adapters, reset),
		cmocka_unit_test_setup(ensure__takes_what_is_there, reset),
		cmocka_unit_test_setup(ensure__makes_one_with_a_free_name, reset),
		cmocka_unit_test_setup(ensure__says_why_not, reset),
		cmocka_unit_test_setup(undo__removes_soft_roce_only, reset),
		cmocka_unit_test_setup(answers__all_have_a_text, reset),
		cmocka_unit_test_setup(advice__fits_the_case, reset),
		cmocka_unit_test_setup(netdev_of__finds_both_families, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
