/* SPDX-License-Identifier: BSD-3-Clause */
/* Control messages: any bytes are refused, or mean something that encodes to the very same bytes. */
#include <stdlib.h>
#include <string.h>

#include "wire/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct control control;
	uint8_t again[CONTROL_SIZE_MAX];
	enum control_kind kind = wire_control_kind(data, size);

	if (wire_control_decode(data, size, &control)) {
		return 0;
	}
	if (kind != control.kind || wire_control_encode(&control, again) != size ||
	    memcmp(again, data, size) != 0) {
		abort();
	}
	return 0;
}
