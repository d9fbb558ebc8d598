/* SPDX-License-Identifier: BSD-3-Clause */
/* The adapter: found by the ring address, asked what it can, its queues, its bad news. */
#ifndef CORONET_VERBS_DEVICE_H
#define CORONET_VERBS_DEVICE_H

#include "verbs/verbs_int.h"

/* Listens on config.addr; makes protection domain, queues and receive pools on the device that owns
 * it. Errors are logged with what would help. On failure verbs_device_close undoes what was
 * done. */
int verbs_device_open(struct transport *t);
/* No new connections. */
void verbs_device_deaf(struct transport *t);
/* All peers are gone before. */
void verbs_device_close(struct transport *t);

/* Waits, a few milliseconds at most, until the adapter has completed every receive place that it
 * had taken for these queue pairs, which are in error: destroyed before, they would take such
 * places with them. Drains the completion queues. */
void verbs_device_settle(struct transport *t, struct verbs_channel *a, struct verbs_channel *b);

/* The device's asynchronous events are readable. */
void verbs_device_events(struct transport *t);
/* The adapter is of no use any more: every link goes down for good, and the log says why. The
 * owner's calls fail from now on. */
void verbs_device_lost(struct transport *t, const char *why);

/* As in transport.h. */
void verbs_device_memory(const struct transport *t, struct transport_memory *out);
bool verbs_device_reads_exact(const struct transport *t);

#endif
