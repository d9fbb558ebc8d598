/* SPDX-License-Identifier: BSD-3-Clause */
/* Stretches: an area cut into pieces of whole pages, taken and given back in any order. The first
 * that fits is taken, counted from the start of the area, so that what is in use stays together:
 * few pages are touched, and they are warm. Not thread-safe. */
#ifndef CORONET_STORE_STRETCHES_H
#define CORONET_STORE_STRETCHES_H

#include <stdbool.h>
#include <stdint.h>

struct stretches;

/* size_bytes: a multiple of 4096. -EINVAL, -ENOMEM. */
int stretches_new(uint64_t size_bytes, struct stretches **out);
void stretches_free(struct stretches **area);

/* Rounds up to whole pages. -ENOSPC: no free piece is long enough now; -EINVAL: nothing. */
int stretches_take(struct stretches *area, uint64_t size_bytes, uint64_t *offset);
/* Returns how many bytes that were. */
uint64_t stretches_put(struct stretches *area, uint64_t offset);
/* Whether all of these bytes are in one piece that is taken. */
bool stretches_taken(const struct stretches *area, uint64_t offset, uint64_t size_bytes);
uint64_t stretches_used(const struct stretches *area);

#endif
