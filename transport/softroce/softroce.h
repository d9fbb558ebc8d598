/* SPDX-License-Identifier: BSD-3-Clause */
/* Soft-RoCE devices (rdma_rxe): listing, making, removing, and saying why that is impossible here.
 * Speaks the kernel's RDMA netlink (rdma-link(8)) by itself: no process is started. Control path
 * only; every call opens its own socket. Thread-safe. */
#ifndef CORONET_SOFTROCE_H
#define CORONET_SOFTROCE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define SOFTROCE_NAME_MAX 64 /* IB_DEVICE_NAME_MAX of the kernel, with its zero */

enum softroce_answer {
	SOFTROCE_OK,
	SOFTROCE_NO_RDMA,	/* the kernel has no RDMA subsystem, or may not load it */
	SOFTROCE_NO_MODULE,	/* it has no rdma_rxe, or may not load it */
	SOFTROCE_NO_PERMISSION, /* CAP_NET_ADMIN is missing */
	SOFTROCE_NO_NETDEV,	/* no network interface of that name */
	SOFTROCE_BAD_NETDEV, /* the interface cannot carry it (lo, or already an RDMA adapter's) */
	SOFTROCE_NAME_TAKEN, /* another RDMA device has that name */
	SOFTROCE_NO_DEVICE,  /* no soft-RoCE device of that name */
	SOFTROCE_FAILED,     /* the kernel refused for another reason: see its log */
};
#define SOFTROCE_ANSWERS 9

/* One port of an RDMA device, of whatever kind. */
struct softroce_link {
	char device[SOFTROCE_NAME_MAX];
	char netdev[IF_NAMESIZE]; /* "" if the port has none */
	uint32_t index;		  /* the kernel's number of the device */
	uint32_t port;
	bool rxe;
};

/* Fills at most max links, *count says how many there are. */
enum softroce_answer softroce_list(struct softroce_link *links, int max, int *count);

/* Sees to it that the interface has a soft-RoCE device: takes the one that is there, or makes one
 * called `wish` (NULL: rxe0, rxe1... whatever is free). The kernel loads its module by itself if it
 * may. *created: softroce_undo is due later. */
enum softroce_answer softroce_ensure(const char *netdev, const char *wish,
				     char device[SOFTROCE_NAME_MAX], bool *created);

/* Removes a soft-RoCE device, never another. Blocks for as long as any process has it open. */
enum softroce_answer softroce_undo(const char *device);

/* Whether a device could be made here, without making one. */
enum softroce_answer softroce_possible(void);

/* What the answer means and what would help, as part of a sentence. */
const char *softroce_answer_text(enum softroce_answer answer);

/* Name of the interface that has the address; false if none has. */
bool softroce_netdev_of(const struct sockaddr *addr, char netdev[IF_NAMESIZE]);

/* For an address that no RDMA device owns: what to type so that one does. Always terminated. */
void softroce_advice(const struct sockaddr *addr, char *text, size_t size);

#endif
