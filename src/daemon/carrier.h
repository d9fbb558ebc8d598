/* SPDX-License-Identifier: BSD-3-Clause */
/* Which transport carries the ring: what the configuration says, or for `auto` the first that can: an adapter that owns the ring address,
 * a soft-RoCE device made for it, shared memory when all nodes are on this host. */
#ifndef CORONET_DAEMON_CARRIER_H
#define CORONET_DAEMON_CARRIER_H

#include "config/config.h"
#include "transport.h"

#define CARRIER_DEVICE_MAX 64
#define CARRIER_WHY_MAX	   256
/* Frames that may be lent to the transport per peer at a time. */
#define CARRIER_BULK_DEPTH 256

/* Stays where it is while the transport lives: its log goes through here. */
struct carrier {
	const struct transport_ops *ops;
	struct transport *transport;	   /* whoever takes it sets this to NULL */
	char softroce[CARRIER_DEVICE_MAX]; /* the device that was made for it, or "" */
	char why[CARRIER_WHY_MAX];	   /* why this one, as a sentence */
	bool trying;
	struct messages said; /* by a transport that is only tried */
};

/* 0, or the exit code with the reason in the log. */
int carrier_open(const struct config *config, uint64_t incarnation, struct carrier *carrier);
/* Closes the transport if it is still there, and removes the device that was made. */
void carrier_close(struct carrier *carrier);

#endif
