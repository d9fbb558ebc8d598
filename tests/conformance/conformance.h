/* SPDX-License-Identifier: BSD-3-Clause */
/* The conformance suite: what every transport must do, as transport.h says it, whatever carries
 * its bytes. A transport takes part by a small program: it fills a struct rig and calls
 * conformance_main. */
#ifndef CORONET_CONFORMANCE_H
#define CORONET_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport.h"

struct end;

/* How the suite drives one transport. */
struct rig {
	const struct transport_ops *ops;
	/* NULL when the transport can run here, else why not: the program then skips (77). */
	const char *(*unusable)(void);
	/* Ends that may be open at once, with node ids 1, 2, ...; at least 3. */
	uint32_t nodes_max;
	/* What must happen has happened within this time; a killed process is reported within
	 * gone_ms. */
	uint32_t patience_ms;
	uint32_t gone_ms;
	/* Frames for tests under load: enough to be interesting, few enough to be quick. */
	uint32_t load_frames;
	/* Ends may run in processes of their own: the program is executed again with the
	 * argument "puppet". */
	bool processes;
	/* Fill in what the transport needs beyond node id and cluster name (address, device);
	 * may be NULL. */
	void (*configure)(struct transport_config *config);
	void (*locate)(struct transport_peer *peer);
	/* Breaks the bulk channel to `node` as a fault would, so that both sides find it broken;
	 * the control channel stays. */
	void (*break_bulk)(struct transport *t, uint32_t node);
	/* A transport on virtual time sets both: the clock, and waiting until an end may have
	 * something or `until_ms` has come (all ends are then polled). NULL: the monotonic clock
	 * and poll(2) on the ends' descriptors. */
	uint64_t (*now_ms)(void);
	void (*wait)(struct end *const ends[], int count, uint64_t until_ms);
};

extern const struct rig *rig;

/* Runs all tests; the result is main's. */
int conformance_main(const struct rig *with, int argc, char **argv);

/* Each returns the number of failed tests. */
int conformance_links(void);
int conformance_control(void);
int conformance_frames(void);
int conformance_bulk(void);
int conformance_reads(void);
int conformance_fence(void);
int conformance_polling(void);
int conformance_processes(void);

#endif
