/* SPDX-License-Identifier: BSD-3-Clause */
/* Listing, making and removing soft-RoCE devices; see softroce.h. */
#include "softroce/softroce.h"

#include <errno.h>
#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "softroce/netlink.h"

#define LINKS_MAX  256
#define NAME_TRIES 1000

struct listing {
	struct softroce_link *links;
	int max;
	int count;
	bool overflow;
};

/* Of all drivers only rxe shows its interface in a file of this name. */
static bool is_rxe(const char *device)
{
	char path[SOFTROCE_NAME_MAX + 40];

	if (strchr(device, '/') || device[0] == '.') {
		return false;
	}
	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/parent", device);
	return access(path, F_OK) == 0;
}

static void add_device(void *ctx, const struct nl_answer *answer)
{
	struct listing *listing = ctx;
	struct softroce_link *link;

	if (!answer->device || strlen(answer->device) >= SOFTROCE_NAME_MAX) {
		return;
	}
	if (listing->count == listing->max) {
		listing->overflow = true;
		return;
	}
	link = &listing->links[listing->count++];
	*link = (struct softroce_link){.index = answer->device_index};
	snprintf(link->device, sizeof(link->device), "%s", answer->device);
	link->rxe = is_rxe(link->device);
}

static void add_port(void *ctx, const struct nl_answer *answer)
{
	struct softroce_link *link = ctx;

	/* Adapters that Coronet can use have one port per device; the first one with an interface
	 * counts. */
	if (link->netdev[0] || !answer->netdev || strlen(answer->netdev) >= IF_NAMESIZE) {
		return;
	}
	link->port = answer->port_index;
	snprintf(link->netdev, sizeof(link->netdev), "%s", answer->netdev);
}

static enum softroce_answer answer_of(int error)
{
	switch (error) {
	case 0:
		return SOFTROCE_OK;
	case -EPROTONOSUPPORT:
	case -EAFNOSUPPORT:
		return SOFTROCE_NO_RDMA;
	case -EPERM:
	case -EACCES:
		return SOFTROCE_NO_PERMISSION;
	case -ENODEV:
		return SOFTROCE_NO_NETDEV;
	}
	return SOFTROCE_FAILED;
}

enum softroce_answer softroce_list(struct softroce_link *links, int max, int *count)
{
	struct listing listing = {.links = links, .max = max};
	struct nl_request request;
	int error;

	softroce_nl_begin(&request, RDMA_NLDEV_CMD_GET, NLM_F_DUMP);
	error = softroce_nl_call(&request, add_device, &listing);
	for (int i = 0; i < listing.count && error == 0; i++) {
		softroce_nl_begin(&request, RDMA_NLDEV_CMD_PORT_GET, NLM_F_DUMP);
		softroce_nl_u32(&request, RDMA_NLDEV_ATTR_DEV_INDEX, links[i].index);
		error = softroce_nl_call(&request, add_port, &links[i]);
		/* A device may vanish between the two questions. */
		error = error == -ENODEV || error == -EINVAL ? 0 : error;
	}
	*count = listing.count;
	return answer_of(error);
}

static bool module_loaded(void)
{
	return access("/sys/module/rdma_rxe", F_OK) == 0;
}

static enum softroce_answer link_add(const char *netdev, const char *device)
{
	struct nl_request request;
	int error;

	softroce_nl_begin(&request, RDMA_NLDEV_CMD_NEWLINK, NLM_F_ACK);
	softroce_nl_text(&request, RDMA_NLDEV_ATTR_DEV_NAME, device);
	softroce_nl_text(&request, RDMA_NLDEV_ATTR_LINK_TYPE, "rxe");
	softroce_nl_text(&request, RDMA_NLDEV_ATTR_NDEV_NAME, netdev);
	error = softroce_nl_call(&request, NULL, NULL);
	/* The kernel says "invalid" for a type of link that it does not know. */
	if (error == -EINVAL && !module_loaded()) {
		return SOFTROCE_NO_MODULE;
	}
	if (error == -EEXIST || error == -ENFILE) {
		return SOFTROCE_NAME_TAKEN;
	}
	if (error == -EINVAL || error == -EOPNOTSUPP) {
		return SOFTROCE_BAD_NETDEV;
	}
	return answer_of(error);
}

static bool name_taken(const struct softroce_link *links, int count, const char *name)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(links[i].device, name) == 0) {
			return true;
		}
	}
	return false;
}

static void free_name(const struct softroce_link *links, int count, char name[SOFTROCE_NAME_MAX])
{
	for (int i = 0; i < NAME_TRIES; i++) {
		snprintf(name, SOFTROCE_NAME_MAX, "rxe%d", i);
		if (!name_taken(links, count, name)) {
			return;
		}
	}
}

/* The kernel puts a device on lo if it is asked to, but then no address leads to it. */
static enum softroce_answer netdev_check(const char *netdev)
{
	struct ifreq request = {.ifr_flags = 0};
	int fd;
	int error;

	if (strlen(netdev) >= IF_NAMESIZE || if_nametoindex(netdev) == 0) {
		return SOFTROCE_NO_NETDEV;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return SOFTROCE_FAILED;
	}
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", netdev);
	error = ioctl(fd, SIOCGIFFLAGS, &request);
	close(fd);
	if (error != 0) {
		return SOFTROCE_NO_NETDEV;
	}
	return (request.ifr_flags & IFF_LOOPBACK) ? SOFTROCE_BAD_NETDEV : SOFTROCE_OK;
}

enum softroce_answer softroce_ensure(const char *netdev, const char *wish,
				     char device[SOFTROCE_NAME_MAX], bool *created)
{
	struct softroce_link links[LINKS_MAX];
	char name[SOFTROCE_NAME_MAX];
	int count;
	enum softroce_answer answer = softroce_list(links, LINKS_MAX, &count);

	if (answer != SOFTROCE_OK) {
		return answer;
	}
	for (int i = 0; i < count; i++) {
		if (links[i].rxe && strcmp(links[i].netdev, netdev) == 0) {
			snprintf(device, SOFTROCE_NAME_MAX, "%s", links[i].device);
			*created = false;
			return SOFTROCE_OK;
		}
	}
	answer = netdev_check(netdev);
	if (answer != SOFTROCE_OK) {
		return answer;
	}
	if (wish && (strlen(wish) >= sizeof(name) || name_taken(links, count, wish))) {
		return SOFTROCE_NAME_TAKEN;
	}
	if (wish) {
		snprintf(name, sizeof(name), "%s", wish);
	} else {
		free_name(links, count, name);
	}
	answer = link_add(netdev, name);
	if (answer == SOFTROCE_OK) {
		snprintf(device, SOFTROCE_NAME_MAX, "%s", name);
		*created = true;
	}
	return answer;
}

enum softroce_answer softroce_undo(const char *device)
{
	struct softroce_link links[LINKS_MAX];
	struct nl_request request;
	int count;
	enum softroce_answer answer = softroce_list(links, LINKS_MAX, &count);

	if (answer != SOFTROCE_OK) {
		return answer;
	}
	for (int i = 0; i < count; i++) {
		if (links[i].rxe && strcmp(links[i].device, device) == 0) {
			softroce_nl_begin(&request, RDMA_NLDEV_CMD_DELLINK, NLM_F_ACK);
			softroce_nl_u32(&request, RDMA_NLDEV_ATTR_DEV_INDEX, links[i].index);
			return answer_of(softroce_nl_call(&request, NULL, NULL));
		}
	}
	return SOFTROCE_NO_DEVICE;
}
