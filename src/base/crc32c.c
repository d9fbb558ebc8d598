/* SPDX-License-Identifier: BSD-3-Clause */
/* CRC32C, byte by byte with a small table, or in hardware. */
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
/* The instruction takes three cycles but one can start in each: three lanes keep it busy. The
 * remainder is linear, so lane B behind lane A is shift(A) ^ B, where shift runs over as many zero
 * bytes as a lane has. */
#define LANE_BYTES 4096u
#define LANE_WORDS (LANE_BYTES / sizeof(uint64_t))

static uint32_t shifts[4][256]; /* by byte of the remainder */

__attribute__((target("sse4.2"))) static void make_shifts(void)
{
	for (uint32_t bit = 0; bit < 32; bit++) {
		uint64_t crc = 1u << bit;

		for (size_t i = 0; i < LANE_WORDS; i++) {
			crc = _mm_crc32_u64(crc, 0);
		}
		for (uint32_t byte = 0; byte < 256; byte++) {
			shifts[bit / 8][byte] ^= byte >> bit % 8 & 1 ? (uint32_t)crc : 0;
		}
	}
}

/* Before main, so that any thread finds it done. */
__attribute__((constructor)) static void prepare(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("sse4.2")) {
		make_shifts();
	}
}

static uint64_t shift(uint64_t crc)
{
	return shifts[0][crc & 255] ^ shifts[1][crc >> 8 & 255] ^ shifts[2][crc >> 16 & 255] ^
	       shifts[3][crc >> 24 & 255];
}

static uint64_t word_at(const uint8_t *bytes, size_t index)
{
	uint64_t word;

	memcpy(&word, bytes + index * sizeof(word), sizeof(word));
	return word;
}

__attribute__((target("sse4.2"))) static uint64_t three_lanes(uint64_t crc, const uint8_t *at)
{
	uint64_t second = 0;
	uint64_t third = 0;

	for (size_t i = 0; i < LANE_WORDS; i++) {
		crc = _mm_crc32_u64(crc, word_at(at, i));
		second = _mm_crc32_u64(second, word_at(at, i + LANE_WORDS));
		third = _mm_crc32_u64(third, word_at(at, i + 2 * LANE_WORDS));
	}
	return shift(shift(crc) ^ second) ^ third;
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint64_t crc = ~0u;

	for (; size >= 3 * LANE_BYTES; at += 3 * LANE_BYTES, size -= 3 * LANE_BYTES) {
		crc = three_lanes(crc, at);
	}
	for (; size >= sizeof(uint64_t); at += sizeof(uint64_t), size -= sizeof(uint64_t)) {
		crc = _mm_crc32_u64(crc, word_at(at, 0));
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
