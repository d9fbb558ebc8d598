/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of node ids: sorted, without repetition, at most NODES_MAX. Pure values: copy them with '='.
 */
#ifndef CORONET_BASE_NODESET_H
#define CORONET_BASE_NODESET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

struct nodeset {
	uint32_t count;
	uint32_t id[NODES_MAX]; /* ascending */
};

bool nodeset_has(const struct nodeset *set, uint32_t id);
/* Index of id in ascending order, or -1. */
int nodeset_index(const struct nodeset *set, uint32_t id);
/* False when the set is full and id is not in it; the set is then unchanged. */
bool nodeset_add(struct nodeset *set, uint32_t id);
void nodeset_del(struct nodeset *set, uint32_t id);
/* False when the union does not fit; what fits has been added, lowest ids first. */
bool nodeset_merge(struct nodeset *set, const struct nodeset *more);
struct nodeset nodeset_subtract(const struct nodeset *from, const struct nodeset *what);
struct nodeset nodeset_intersect(const struct nodeset *a, const struct nodeset *b);
bool nodeset_subset(const struct nodeset *part, const struct nodeset *whole);
bool nodeset_equal(const struct nodeset *a, const struct nodeset *b);
/* Next id after `id` in ring order (ascending, wrapping); the set must hold at least one id. */
uint32_t nodeset_next(const struct nodeset *set, uint32_t id);

#endif
