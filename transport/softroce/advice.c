/* SPDX-License-Identifier: BSD-3-Clause */
/* Why there is no soft-RoCE device here, and what to type so that there is one; see softroce.h. */
#include "softroce/softroce.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define LINKS_MAX 256

static bool same_host(const struct sockaddr *a, const struct sockaddr *b)
{
	if (!a || a->sa_family != b->sa_family) {
		return false;
	}
	if (a->sa_family == AF_INET6) {
		return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
			      &((const struct sockaddr_in6 *)b)->sin6_addr,
			      sizeof(struct in6_addr)) == 0;
	}
	return a->sa_family == AF_INET && ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
						  ((const struct sockaddr_in *)b)->sin_addr.s_addr;
}

bool softroce_netdev_of(const struct sockaddr *addr, char netdev[IF_NAMESIZE])
{
	struct ifaddrs *all;
	bool found = false;

	if (getifaddrs(&all) != 0) {
		return false;
	}
	for (struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
		if (same_host(i->ifa_addr, addr)) {
			snprintf(netdev, IF_NAMESIZE, "%s", i->ifa_name);
			found = true;
		}
	}
	freeifaddrs(all);
	return found;
}

/* CAP_NET_ADMIN is what the kernel asks of who adds a link. */
static bool may_add(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (syscall(SYS_capget, &header, data) != 0) {
		return geteuid() == 0;
	}
	return data[0].effective & (1u << CAP_NET_ADMIN);
}

/* Whether the running kernel has the module, loaded or not. */
static bool module_exists(void)
{
	struct utsname name;
	char path[sizeof(name.release) + 40];
	char line[512];
	bool found = false;
	FILE *file;

	if (access("/sys/module/rdma_rxe", F_OK) == 0) {
		return true;
	}
	if (uname(&name) != 0) {
		return false;
	}
	for (int i = 0; i < 2 && !found; i++) {
		snprintf(path, sizeof(path), "/lib/modules/%s/%s", name.release,
			 i == 0 ? "modules.dep" : "modules.builtin");
		file = fopen(path, "re");
		while (file && !found && fgets(line, sizeof(line), file)) {
			found = strstr(line, "/rdma_rxe.ko") != NULL;
		}
		if (file) {
			fclose(file);
		}
	}
	return found;
}

enum softroce_answer softroce_possible(void)
{
	struct softroce_link links[LINKS_MAX];
	int count;
	enum softroce_answer answer = softroce_list(links, LINKS_MAX, &count);

	if (!module_exists()) {
		return answer == SOFTROCE_NO_RDMA ? SOFTROCE_NO_RDMA : SOFTROCE_NO_MODULE;
	}
	if (!may_add()) {
		return SOFTROCE_NO_PERMISSION;
	}
	/* The module is there: loading it brings the subsystem along. */
	return answer == SOFTROCE_NO_RDMA ? SOFTROCE_OK : answer;
}

const char *softroce_answer_text(enum softroce_answer answer)
{
	switch (answer) {
	case SOFTROCE_OK:
		return "nothing stands in the way";
	case SOFTROCE_NO_RDMA:
		return "this kernel has no RDMA subsystem (modprobe ib_core)";
	case SOFTROCE_NO_MODULE:
		return "this kernel has no soft-RoCE module (modprobe rdma_rxe)";
	case SOFTROCE_NO_PERMISSION:
		return "making a soft-RoCE device needs root, or CAP_NET_ADMIN";
	case SOFTROCE_NO_NETDEV:
		return "there is no such network interface";
	case SOFTROCE_BAD_NETDEV:
		return "this network interface cannot carry a soft-RoCE device";
	case SOFTROCE_NAME_TAKEN:
		return "an RDMA device of that name exists";
	case SOFTROCE_NO_DEVICE:
		return "there is no soft-RoCE device of that name";
	case SOFTROCE_FAILED:
		return "the kernel refused; its log (dmesg) may say why";
	}
	return "unknown answer";
}

static void first_free(char name[SOFTROCE_NAME_MAX], const struct softroce_link *links, int count)
{
	bool taken = true;

	for (int i = 0; taken; i++) {
		snprintf(name, SOFTROCE_NAME_MAX, "rxe%d", i);
		taken = false;
		for (int k = 0; k < count; k++) {
			taken = taken || strcmp(links[k].device, name) == 0;
		}
	}
}

void softroce_advice(const struct sockaddr *addr, char *text, size_t size)
{
	struct softroce_link links[LINKS_MAX];
	char netdev[IF_NAMESIZE];
	char name[SOFTROCE_NAME_MAX];
	int count = 0;
	enum softroce_answer answer = softroce_list(links, LINKS_MAX, &count);

	if (!softroce_netdev_of(addr, netdev)) {
		snprintf(text, size,
			 "no network interface of this host has it; correct the address, or "
			 "set \"transport: shm\" if all nodes are on this host");
		return;
	}
	for (int i = 0; i < count; i++) {
		if (strcmp(links[i].netdev, netdev) == 0) {
			snprintf(text, size,
				 "%s sits on %s, which has it; is that interface up, and the "
				 "module rdma_ucm loaded (modprobe rdma_ucm)?",
				 links[i].device, netdev);
			return;
		}
	}
	if (strcmp(netdev, "lo") == 0) {
		snprintf(text, size,
			 "it is the loopback interface's, which carries no RDMA; choose an address "
			 "of another interface, or set \"transport: shm\"");
		return;
	}
	first_free(name, links, answer == SOFTROCE_OK ? count : 0);
	snprintf(text, size,
		 "with an RDMA adapter, see that %s belongs to it and is up; without, run "
		 "\"modprobe rdma_rxe\" and \"rdma link add %s type rxe netdev %s\"; if all "
		 "nodes are on this host, \"transport: shm\" needs neither",
		 netdev, name, netdev);
}
