/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a process has these bytes anywhere in its memory, for tests/lab/cases/remote-access.
 *
 *   memory_has PID HEX
 *
 * Prints where. Exit status: 0 it has, 1 it has not, 2 that cannot be found out. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE	   (1u << 20)
#define NEEDLE_MAX 64

static uint8_t needle[NEEDLE_MAX];
static size_t needle_size;
static uint8_t piece[PIECE + NEEDLE_MAX];

static int hex(const char *text)
{
	unsigned byte;

	for (; *text && needle_size < NEEDLE_MAX; text += 2) {
		if (sscanf(text, "%2x", &byte) != 1) {
			return 2;
		}
		needle[needle_size++] = (uint8_t)byte;
	}
	return needle_size > 0 ? 0 : 2;
}

/* Memory that cannot be read is a device's, or has no pages. Returns the bytes read. */
static unsigned long long look(int memory, unsigned long long from, unsigned long long to,
			       int *found)
{
	unsigned long long total = 0;

	for (unsigned long long at = from; at < to; at += PIECE) {
		size_t wanted = to - at < sizeof(piece) ? (size_t)(to - at) : sizeof(piece);
		ssize_t got = pread(memory, piece, wanted, (off_t)at);
		const uint8_t *hit =
			got > 0 ? memmem(piece, (size_t)got, needle, needle_size) : NULL;

		total += got > 0 ? (unsigned long long)got : 0;
		if (hit) {
			printf("at %llx\n", at + (unsigned long long)(hit - piece));
			*found = 1;
		}
	}
	return total;
}

int main(int argc, char **argv)
{
	unsigned long long from, to, total = 0;
	char path[64], line[512];
	int memory, found = 0;
	FILE *maps;

	if (argc != 3 || hex(argv[2])) {
		fprintf(stderr, "usage: memory_has PID HEX\n");
		return 2;
	}
	snprintf(path, sizeof(path), "/proc/%d/maps", atoi(argv[1]));
	maps = fopen(path, "re");
	snprintf(path, sizeof(path), "/proc/%d/mem", atoi(argv[1]));
	memory = open(path, O_RDONLY | O_CLOEXEC);
	if (!maps || memory < 0) {
		perror(path);
		return 2;
	}
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx r", &from, &to) == 2) {
			total += look(memory, from, to, &found);
		}
	}
	printf("%llu MiB looked at\n", total >> 20);
	return total == 0 ? 2 : !found;
}
