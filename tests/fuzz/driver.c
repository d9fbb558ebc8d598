/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drives a fuzz target where there is no libFuzzer: replays the files named on the command line, then
 * mutates them (or an empty input) from a fixed seed, so that a decoder meets some nonsense in every
 * "make check". Inputs are handed over in buffers of their exact size: AddressSanitizer then sees a
 * read of one byte too much.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_BYTES_MAX	    (256u * 1024)
#define MUTATIONS_PER_INPUT 2000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state = 0x9e3779b97f4a7c15u;
static uint64_t runs;

static uint32_t next_u32(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32);
}

static void run_one(const uint8_t *bytes, size_t size_bytes)
{
	uint8_t *copy = malloc(size_bytes ? size_bytes : 1);

	if (copy == NULL) {
		abort();
	}
	if (size_bytes > 0) {
		memcpy(copy, bytes, size_bytes);
	}
	LLVMFuzzerTestOneInput(copy, size_bytes);
	free(copy);
	runs++;
}

static size_t mutate(uint8_t *bytes, size_t size_bytes, size_t room_bytes)
{
	static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};
	unsigned int times = 1 + next_u32() % 4;

	while (times-- > 0) {
		size_t at = size_bytes ? next_u32() % size_bytes : 0;

		switch (next_u32() % 5) {
		case 0:
			size_bytes = at;
			break;
		case 1:
			while (size_bytes < room_bytes && next_u32() % 8 != 0) {
				bytes[size_bytes++] = (uint8_t)next_u32();
			}
			break;
		case 2:
			if (size_bytes > 0) {
				bytes[at] = edges[next_u32() % sizeof(edges)];
			}
			break;
		case 3:
			if (size_bytes > 0) {
				bytes[at] ^= (uint8_t)(1u << next_u32() % 8);
			}
			break;
		default:
			for (size_t i = at; i < size_bytes && i < at + 4; i++) {
				bytes[i] = (uint8_t)next_u32();
			}
			break;
		}
	}
	return size_bytes;
}

static void run_with_mutations(const uint8_t *bytes, size_t size_bytes)
{
	static uint8_t scratch[INPUT_BYTES_MAX];

	run_one(bytes, size_bytes);
	for (unsigned int i = 0; i < MUTATIONS_PER_INPUT; i++) {
		memcpy(scratch, bytes, size_bytes);
		run_one(scratch, mutate(scratch, size_bytes, sizeof(scratch)));
	}
}

static int run_file(const char *path)
{
	static uint8_t input[INPUT_BYTES_MAX];
	FILE *file = fopen(path, "rb");
	size_t size_bytes;

	if (file == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	size_bytes = fread(input, 1, sizeof(input), file);
	fclose(file);
	run_with_mutations(input, size_bytes);
	return 0;
}

int main(int argc, char **argv)
{
	static const uint8_t nothing[1];

	run_with_mutations(nothing, 0);
	for (int i = 1; i < argc; i++) {
		if (run_file(argv[i]) != 0) {
			return 1;
		}
	}
	printf("%llu inputs\n", (unsigned long long)runs);
	return 0;
}
