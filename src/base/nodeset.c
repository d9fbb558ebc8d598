/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of node ids as sorted arrays. */
#include "base/nodeset.h"

#include <string.h>

/* First position whose id is not below `id`. */
static uint32_t lower_bound(const struct nodeset *set, uint32_t id)
{
	uint32_t low = 0;
	uint32_t high = set->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (set->id[mid] < id) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low;
}

int nodeset_index(const struct nodeset *set, uint32_t id)
{
	uint32_t at = lower_bound(set, id);

	return at < set->count && set->id[at] == id ? (int)at : -1;
}

bool nodeset_has(const struct nodeset *set, uint32_t id)
{
	return nodeset_index(set, id) >= 0;
}

bool nodeset_add(struct nodeset *set, uint32_t id)
{
	uint32_t at = lower_bound(set, id);

	if (at < set->count && set->id[at] == id) {
		return true;
	}
	if (set->count == NODES_MAX) {
		return false;
	}
	memmove(&set->id[at + 1], &set->id[at], (set->count - at) * sizeof(set->id[0]));
	set->id[at] = id;
	set->count++;
	return true;
}

void nodeset_del(struct nodeset *set, uint32_t id)
{
	int at = nodeset_index(set, id);

	if (at < 0) {
		return;
	}
	set->count--;
	memmove(&set->id[at], &set->id[at + 1], (set->count - (uint32_t)at) * sizeof(set->id[0]));
}

bool nodeset_merge(struct nodeset *set, const struct nodeset *more)
{
	bool fits = true;

	for (uint32_t i = 0; i < more->count; i++) {
		fits = nodeset_add(set, more->id[i]) && fits;
	}
	return fits;
}

struct nodeset nodeset_subtract(const struct nodeset *from, const struct nodeset *what)
{
	struct nodeset left = {0};

	for (uint32_t i = 0; i < from->count; i++) {
		if (!nodeset_has(what, from->id[i])) {
			left.id[left.count++] = from->id[i];
		}
	}
	return left;
}

struct nodeset nodeset_intersect(const struct nodeset *a, const struct nodeset *b)
{
	struct nodeset both = {0};

	for (uint32_t i = 0; i < a->count; i++) {
		if (nodeset_has(b, a->id[i])) {
			both.id[both.count++] = a->id[i];
		}
	}
	return both;
}

bool nodeset_subset(const struct nodeset *part, const struct nodeset *whole)
{
	for (uint32_t i = 0; i < part->count; i++) {
		if (!nodeset_has(whole, part->id[i])) {
			return false;
		}
	}
	return true;
}

bool nodeset_equal(const struct nodeset *a, const struct nodeset *b)
{
	return a->count == b->count && memcmp(a->id, b->id, a->count * sizeof(a->id[0])) == 0;
}

uint32_t nodeset_next(const struct nodeset *set, uint32_t id)
{
	uint32_t at = lower_bound(set, id);

	if (at < set->count && set->id[at] == id) {
		at++;
	}
	return set->id[at < set->count ? at : 0];
}
