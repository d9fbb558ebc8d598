/* SPDX-License-Identifier: BSD-3-Clause */
/* When to look again for work and when to sleep: the policy behind system.poll. A function without I/O; docs/polling.md tells what it does
 * to latency and to processors. */
#ifndef CORONET_DAEMON_LINGER_H
#define CORONET_DAEMON_LINGER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

/* How long it looks after work, at most. Measured: 20 us catch less than half of what comes next, 50 us nine in ten, 100 us little more. */
#define LINGER_WINDOW_NS UINT64_C(50000)
/* Windows after which accounts are made: half of them have to pay. */
#define LINGER_TRIAL 16u
/* How long it does not look when that did not pay, or when others want the processors; doubled each time, up to about a second. */
#define LINGER_PAUSE_NS	    UINT64_C(1000000)
#define LINGER_PAUSE_MAX_NS (LINGER_PAUSE_NS << 10)
/* A pause is short again when it went well for so many times its length. */
#define LINGER_WELL 8u
/* Of the time between two reports: whoever waits longer for a processor has none to spare. */
#define LINGER_WAITED_PART 4u

/* What the system says. */
struct linger_report {
	uint64_t involuntary; /* times this thread lost its processor to somebody else, ever */
	uint64_t waited_ns;   /* it could run and had no processor, ever */
	uint32_t runnable;    /* tasks that run or could, now; 0: not known */
	uint32_t processors;  /* for them */
};

/* Begins with linger_init. All times are on one clock that only grows. */
struct lingering {
	enum config_poll mode;
	uint32_t processors;	 /* that the daemon may use */
	uint64_t until_ns;	 /* end of the window under way; 0: none */
	bool empty;		 /* this window had a look that found nothing */
	uint32_t windows, paid;	 /* of the trial under way */
	uint64_t pause_until_ns; /* not before */
	uint64_t pause_ns;	 /* the last one's length; 0: there was none */
	struct linger_report last;
	uint64_t heard_ns;
	/* ever, for the status */
	uint64_t windows_ever, paid_ever, pauses_ever;
};

void linger_init(struct lingering *linger, enum config_poll mode, uint32_t processors);

/* Once after each look for work: `found` says whether there was some. True: look again at once. False: sleep. */
bool linger_next(struct lingering *linger, uint64_t now_ns, bool found);

/* Every now and then while it looks. When others want the processors there is a pause. */
void linger_heard(struct lingering *linger, uint64_t now_ns, const struct linger_report *report);

/* Whether work that comes now would be followed by a window. */
bool linger_would_look(const struct lingering *linger, uint64_t now_ns);

#endif
