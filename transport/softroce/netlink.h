/* SPDX-License-Identifier: BSD-3-Clause */
/* RDMA netlink messages: built, sent, and their answers taken apart. */
#ifndef CORONET_SOFTROCE_NETLINK_H
#define CORONET_SOFTROCE_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A request under construction. */
struct nl_request {
	uint8_t bytes[512];
	size_t size;
	bool failed; /* an attribute did not fit */
};

/* One answer. Strings point into the received bytes and are terminated; NULL or 0 when absent. */
struct nl_answer {
	uint32_t device_index;
	uint32_t port_index;
	const char *device;
	const char *netdev;
};

/* command: RDMA_NLDEV_CMD_*; flags: NLM_F_ACK or NLM_F_DUMP, NLM_F_REQUEST is added. */
void softroce_nl_begin(struct nl_request *request, uint16_t command, uint16_t flags);
void softroce_nl_u32(struct nl_request *request, uint16_t attribute, uint32_t value);
void softroce_nl_text(struct nl_request *request, uint16_t attribute, const char *value);

/* Takes the messages of one datagram apart and calls `each` for the answers. Returns 1 when more
 * datagrams follow, 0 at the end, or the negative errno that the kernel sent; -EBADMSG when the
 * bytes make no sense. */
int softroce_nl_parse(const void *bytes, size_t size,
		      void (*each)(void *ctx, const struct nl_answer *answer), void *ctx);

/* Sends and hears the answers out. Negative errno; -EPROTONOSUPPORT: this kernel has no RDMA
 * netlink. `each` may be NULL. */
int softroce_nl_call(const struct nl_request *request,
		     void (*each)(void *ctx, const struct nl_answer *answer), void *ctx);

#endif
