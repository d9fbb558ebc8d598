/* SPDX-License-Identifier: BSD-3-Clause */
/* See seldom.h. */
#include "base/seldom.h"

#define SELDOM_MS 60000u

bool seldom_due(struct seldom *seldom, uint32_t most, uint64_t now_ms, uint32_t *unlogged)
{
	if (seldom->since_ms == 0 || now_ms >= seldom->since_ms + SELDOM_MS) {
		seldom->since_ms = now_ms;
		seldom->lines = 0;
	}
	if (seldom->lines >= most) {
		seldom->unlogged++;
		return false;
	}
	seldom->lines++;
	*unlogged = seldom->unlogged;
	seldom->unlogged = 0;
	return true;
}
