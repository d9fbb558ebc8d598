/* SPDX-License-Identifier: BSD-3-Clause */
/* A transport without peers: tests put events into it and look at what the engine asked for. One at
 * a time. */
#ifndef CORONET_TEST_FAKE_TRANSPORT_H
#define CORONET_TEST_FAKE_TRANSPORT_H

#include "transport.h"

#define FAKE_EVENTS 16

struct fake_transport {
	struct transport_config config;
	struct transport_region slab;
	uint32_t *posted; /* a stack of slots */
	uint32_t posted_count;
	struct transport_event events[FAKE_EVENTS];
	int event_count;
	uint32_t fenced; /* last node fenced */
	uint32_t fences;
	uint32_t frames; /* that were to be sent, but there is nobody */
	bool controls_full;
	uint32_t controls;
	uint8_t control[CHANNEL_SIZE_MAX]; /* the last */
	size_t control_size;
	uint32_t regions;
	uint32_t readable; /* regions ever added that peers may READ */
};

extern struct fake_transport fake;
extern int fake_segs_max;     /* outlives open */
extern bool fake_maps_memory; /* peers'; likewise */
extern const struct transport_ops transport_fake;

void fake_event(const struct transport_event *event);
/* The bytes arrive from `node` in a posted slot. */
void fake_frame(uint32_t node, const void *bytes, uint32_t size);

#endif
