/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as a frame: header, entries, announcement. */
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted as an announcement encodes to the same bytes. */
static void announcement(const uint8_t *bytes, size_t size)
{
	uint8_t again[FRAME_ANNOUNCE_SIZE_MAX];
	struct frame_announce announce;

	if (frame_announce_decode(bytes, size, &announce)) {
		return;
	}
	if (frame_announce_encode(&announce, again) != size || memcmp(again, bytes, size) != 0) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_header header;
	struct frame_entry entry;
	size_t at = FRAME_HEADER_SIZE;

	if (frame_header_decode(data, size, &header)) {
		return 0;
	}
	while (!frame_entry_next(data, size, &at, &entry)) {
		if (entry.payload_offset + (size_t)entry.payload_size > size) {
			abort();
		}
		announcement(data + entry.payload_offset, entry.payload_size);
	}
	return 0;
}
