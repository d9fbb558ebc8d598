/* SPDX-License-Identifier: BSD-3-Clause */
/* See linger.h. A window begins with work and pays when more work comes before it ends, after a look that found none: then a sleep was saved.
 * What follows at once would have been found without it, and does not count. */
#include "daemon/linger.h"

void linger_init(struct lingering *linger, enum config_poll mode, uint32_t processors)
{
	*linger = (struct lingering){.mode = mode, .processors = processors};
}

static void pause_looking(struct lingering *linger, uint64_t now_ns)
{
	uint64_t went_well_ns = now_ns - linger->pause_until_ns;

	if (linger->pause_ns == 0 || went_well_ns >= LINGER_WELL * linger->pause_ns) {
		linger->pause_ns = LINGER_PAUSE_NS;
	} else if (linger->pause_ns < LINGER_PAUSE_MAX_NS) {
		linger->pause_ns *= 2;
	}
	linger->pause_until_ns = now_ns + linger->pause_ns;
	linger->until_ns = 0;
	linger->windows = 0;
	linger->paid = 0;
	linger->pauses_ever++;
}

static void end_window(struct lingering *linger, uint64_t now_ns, bool paid)
{
	linger->until_ns = 0;
	linger->windows++;
	linger->windows_ever++;
	linger->paid += paid;
	linger->paid_ever += paid;
	if (linger->windows < LINGER_TRIAL) {
		return;
	}
	if (linger->paid < LINGER_TRIAL / 2) {
		pause_looking(linger, now_ns);
	}
	linger->windows = 0;
	linger->paid = 0;
}

bool linger_would_look(const struct lingering *linger, uint64_t now_ns)
{
	switch (linger->mode) {
	case CONFIG_POLL_EVENT:
		return false;
	case CONFIG_POLL_ADAPTIVE:
		return linger->processors > 1 && now_ns >= linger->pause_until_ns;
	case CONFIG_POLL_BUSY:
		return true;
	}
	return false;
}

static bool after_work(struct lingering *linger, uint64_t now_ns)
{
	if (linger->until_ns > 0 && linger->empty) {
		end_window(linger, now_ns, now_ns < linger->until_ns);
	}
	if (!linger_would_look(linger, now_ns)) {
		return false;
	}
	linger->until_ns = now_ns + LINGER_WINDOW_NS;
	linger->empty = false;
	return true;
}

bool linger_next(struct lingering *linger, uint64_t now_ns, bool found)
{
	if (linger->mode != CONFIG_POLL_ADAPTIVE) {
		return linger->mode == CONFIG_POLL_BUSY;
	}
	if (found) {
		return after_work(linger, now_ns);
	}
	if (linger->until_ns > 0 && now_ns >= linger->until_ns) {
		end_window(linger, now_ns, false);
	}
	linger->empty = true;
	return linger->until_ns > 0;
}

static bool wanted_by_others(const struct lingering *linger, uint64_t now_ns,
			     const struct linger_report *report)
{
	uint64_t since_ns = now_ns - linger->heard_ns;

	/* What happened before the last pause ended is no sign: sleeping and waking up takes time. */
	if (linger->heard_ns == 0 || linger->heard_ns < linger->pause_until_ns) {
		return false;
	}
	return report->involuntary > linger->last.involuntary ||
	       report->waited_ns - linger->last.waited_ns > since_ns / LINGER_WAITED_PART;
}

void linger_heard(struct lingering *linger, uint64_t now_ns, const struct linger_report *report)
{
	bool wanted =
		report->runnable > report->processors || wanted_by_others(linger, now_ns, report);

	linger->last = *report;
	linger->heard_ns = now_ns;
	if (wanted && linger->mode == CONFIG_POLL_ADAPTIVE && linger_would_look(linger, now_ns)) {
		pause_looking(linger, now_ns);
	}
}
