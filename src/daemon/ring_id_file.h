/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring's sequence on disk: a ring id must never come again, over restarts too (Totem, section 3). One file of 8 bytes per node id,
 * little-endian, replaced as a whole. */
#ifndef CORONET_DAEMON_RING_ID_FILE_H
#define CORONET_DAEMON_RING_ID_FILE_H

#include <stdint.h>

#include "config/messages.h"

struct ring_id_file;

/* Makes the directory if it is missing, reads the last number, and sees that it can be stored again. 0, or the exit code with the reason among
 * the messages. Without a file the number starts at the clock, for there
 * may have been rings before. */
int ring_id_file_new(const char *directory, uint32_t node, struct messages *messages,
		     struct ring_id_file **out);
void ring_id_file_free(struct ring_id_file **file);

uint64_t ring_id_file_last(const struct ring_id_file *file);
const char *ring_id_file_path(const struct ring_id_file *file);

/* The number is on the disk when this returns 0. Negative errno: it is not, and may or may not be later. */
int ring_id_file_store(struct ring_id_file *file, uint64_t ring_seq);

#endif
