/* SPDX-License-Identifier: BSD-3-Clause */
/* Marks on shared memory: whether anybody can still see what was shown to him, told by the kernel.
 *
 * Who shows memory to others opens it anew for each of them and marks that opening; the mark lasts
 * until every descriptor and every mapping of it is gone, whichever way its holders end (open file
 * description locks, fcntl(2)). The memory's owner asks for the mark through a descriptor of its
 * own. Marks are numbers; any number of openings may carry the same one. Thread-safe. */
#ifndef CORONET_STORE_MARK_H
#define CORONET_STORE_MARK_H

#include <stdbool.h>
#include <stdint.h>

/* Opens the memory behind fd anew, for reading only, and marks that. 0 or what open(2), fcntl(2)
 * said. *out is the caller's. */
int mark_open(int fd, uint64_t mark, int *out);
/* Takes the mark off an opening and closes the descriptor, although others may have that opening
 * still, and see the memory: they need it no more. */
void mark_take_off(int fd);
/* Whether an opening other than fd's own carries the mark. True also when it cannot be known. */
bool mark_there(int fd, uint64_t mark);

#endif
