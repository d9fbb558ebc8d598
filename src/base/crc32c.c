/* SPDX-License-Identifier: BSD-3-Clause */
/* CRC32C, byte by byte with a small table, or eight bytes at a time in hardware. */
#include "base/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

/* The reflected polynomial over every half byte. */
static const uint32_t nibbles[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c_portable(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint32_t crc = ~0u;

	for (; size > 0; at++, size--) {
		crc ^= *at;
		crc = crc >> 4 ^ nibbles[crc & 15];
		crc = crc >> 4 ^ nibbles[crc & 15];
	}
	return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint64_t crc = ~0u;
	uint64_t word;

	for (; size >= sizeof(word); at += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		crc = _mm_crc32_u64(crc, word);
	}
	for (; size > 0; at++, size--) {
		crc = _mm_crc32_u8((uint32_t)crc, *at);
	}
	return ~(uint32_t)crc;
}
#endif

uint32_t crc32c(const void *bytes, size_t size)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2")) {
		return crc32c_sse42(bytes, size);
	}
#endif
	return crc32c_portable(bytes, size);
}
