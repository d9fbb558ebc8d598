/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as a frame: header, entries, announcement. */
#include "wire/frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_header header;
	struct frame_announce announce;
	struct frame_entry entry;
	size_t at = FRAME_HEADER_SIZE;

	if (frame_header_decode(data, size, &header)) {
		return 0;
	}
	while (!frame_entry_next(data, size, &at, &entry)) {
		if (entry.payload_offset + (size_t)entry.payload_size > size) {
			abort();
		}
		frame_announce_decode(data + entry.payload_offset, entry.payload_size, &announce);
	}
	return 0;
}
