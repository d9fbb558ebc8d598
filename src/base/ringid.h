/* SPDX-License-Identifier: BSD-3-Clause */
/* The name of a ring: its representative (lowest node id) and a sequence that never repeats (Totem,
 * section 3). */
#ifndef CORONET_BASE_RINGID_H
#define CORONET_BASE_RINGID_H

#include <stdbool.h>
#include <stdint.h>

struct ringid {
	uint32_t rep;
	uint64_t seq;
};

static inline bool ringid_equal(struct ringid a, struct ringid b)
{
	return a.rep == b.rep && a.seq == b.seq;
}

#endif
