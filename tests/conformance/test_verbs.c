/* SPDX-License-Identifier: BSD-3-Clause */
/* The conformance suite on the RDMA transport: on the lab's devices, one per node, or with all ends
 * on whatever device this host has, told apart by their ports. CONFORMANCE_VERBS_ADDRESS chooses
 * the address for that. */
#include "tests/conformance/conformance.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "softroce/softroce.h"
#include "verbs/verbs.h"

#define LINKS_MAX  256
#define LAB_NODES  6
#define PORT_FIRST 5500

static struct softroce_link links[LINKS_MAX];
static int links_count;
/* Either one address for all, or the lab's. */
static struct sockaddr_in common;
static bool in_lab;

static bool has_device(const struct sockaddr_in *address)
{
	char netdev[IF_NAMESIZE];

	if (!softroce_netdev_of((const struct sockaddr *)address, netdev)) {
		return false;
	}
	for (int i = 0; i < links_count; i++) {
		if (strcmp(links[i].netdev, netdev) == 0) {
			return true;
		}
	}
	return false;
}

static struct sockaddr_in lab_address(uint32_t node)
{
	struct sockaddr_in address = {.sin_family = AF_INET};

	address.sin_addr.s_addr = htonl(0x0a320000u + node);
	return address;
}

static bool find_lab(void)
{
	for (uint32_t node = 1; node <= LAB_NODES; node++) {
		struct sockaddr_in address = lab_address(node);

		if (!has_device(&address)) {
			return false;
		}
	}
	return true;
}

static bool find_common(void)
{
	const char *wish = getenv("CONFORMANCE_VERBS_ADDRESS");
	struct ifaddrs *all;
	bool found = false;

	if (wish) {
		common.sin_family = AF_INET;
		return inet_pton(AF_INET, wish, &common.sin_addr) == 1;
	}
	if (getifaddrs(&all) != 0) {
		return false;
	}
	for (struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET) {
			memcpy(&common, i->ifa_addr, sizeof(common));
			found = has_device(&common);
		}
	}
	freeifaddrs(all);
	return found;
}

/* Called in puppets too, which are told nothing: everybody finds the same. */
static void find_once(void)
{
	static bool done;

	if (done) {
		return;
	}
	done = true;
	if (softroce_list(links, LINKS_MAX, &links_count) != SOFTROCE_OK) {
		links_count = 0;
	}
	links_count = links_count < LINKS_MAX ? links_count : LINKS_MAX;
	in_lab = !getenv("CONFORMANCE_VERBS_ADDRESS") && find_lab();
}

static const char *verbs_unusable(void)
{
	find_once();
	return in_lab || find_common() ? NULL : "no RDMA device here has an IPv4 address";
}

static struct sockaddr_storage address_of(uint32_t node)
{
	struct sockaddr_storage storage = {0};
	struct sockaddr_in address;

	find_once();
	if (!in_lab && common.sin_family == 0) {
		(void)find_common();
	}
	address = in_lab ? lab_address(node) : common;
	address.sin_port = htons((uint16_t)(PORT_FIRST + node));
	memcpy(&storage, &address, sizeof(address));
	return storage;
}

static void verbs_configure(struct transport_config *config)
{
	config->addr = address_of(config->node);
}

static void verbs_locate(struct transport_peer *peer)
{
	peer->addr = address_of(peer->node);
}

int main(int argc, char **argv)
{
	static const struct rig with = {
		.ops = &transport_verbs,
		.unusable = verbs_unusable,
		.nodes_max = LAB_NODES,
		/* Emulated processors are slow. */
		.patience_ms = 20000,
		.gone_ms = 1000,
		.load_frames = 2000,
		.processes = true,
		.configure = verbs_configure,
		.locate = verbs_locate,
		.break_bulk = verbs_break_bulk,
	};

	return conformance_main(&with, argc, argv);
}
