/* SPDX-License-Identifier: BSD-3-Clause */
/* A stream of numbered frames of random sizes to one peer, and the judgement of the stream that
 * comes back from it. */
#ifndef CORONET_CONFORMANCE_TRAFFIC_H
#define CORONET_CONFORMANCE_TRAFFIC_H

#include "tests/conformance/end.h"

struct traffic {
	struct end *end;
	uint32_t peer;
	uint64_t to_send, next,
		returned;  /* frames to send in all, sent so far, of these no longer lent */
	uint64_t refused;  /* -ENOBUFS seen */
	uint64_t expected; /* number of the next frame that must arrive; all before have */
	uint64_t repeated, bytes_in;
	bool broken; /* a frame was missing, torn or out of order */
};

/* At most one per end: takes the end's hooks. */
void traffic_begin(struct traffic *traffic, struct end *end, uint32_t peer, uint64_t to_send);
/* Lends as many frames as the transport takes. */
void traffic_pump(struct traffic *traffic);
/* All sent frames are back and `count` frames have arrived. */
bool traffic_done(const struct traffic *traffic, uint64_t count);

#endif
