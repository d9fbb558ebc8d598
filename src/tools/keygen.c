/* SPDX-License-Identifier: BSD-3-Clause */
/* coronet-keygen: makes the key file of a cluster. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/keyfile.h"

#define PROGRAM	     "coronet-keygen"
#define SIZE_DEFAULT 256

static void help(void)
{
	printf("usage: " PROGRAM " [OPTIONS]\n"
	       "Makes a file with random bytes, the key of a cluster. Copy it to all nodes.\n"
	       "\n"
	       "  -k FILE   the file, default " CORONET_DEFAULT_KEYFILE "; it must not be there\n"
	       "  -s BYTES  its size, %d to %d, default %d\n"
	       "  -l        accepted, as corosync-keygen does; it changes nothing\n"
	       "  -h, --help  show this and exit\n",
	       KEYFILE_SIZE_MIN, KEYFILE_SIZE_MAX, SIZE_DEFAULT);
}

/* 0: not a size. */
static size_t size_of(const char *text)
{
	char *end;
	unsigned long size = strtoul(text, &end, 10);

	return *end == '\0' && size >= KEYFILE_SIZE_MIN && size <= KEYFILE_SIZE_MAX ? size : 0;
}

static int make(const char *path, size_t size)
{
	char why[KEYFILE_WHY_SIZE];

	if (keyfile_write(path, size, why)) {
		fprintf(stderr, PROGRAM ": %s\n", why);
		return EXIT_FAILURE;
	}
	printf("%s: a key of %zu bytes\n", path, size);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {{"help", no_argument, NULL, 'h'}, {0}};
	const char *path = CORONET_DEFAULT_KEYFILE;
	size_t size = SIZE_DEFAULT;
	int option;

	while ((option = getopt_long(argc, argv, "k:s:lh", long_options, NULL)) != -1) {
		switch (option) {
		case 'k':
			path = optarg;
			break;
		case 's':
			size = size_of(optarg);
			break;
		case 'l':
			break;
		case 'h':
			help();
			return EXIT_SUCCESS;
		default:
			return EXIT_FAILURE;
		}
	}
	if (size == 0 || optind < argc) {
		fprintf(stderr, PROGRAM ": %s\n",
			size == 0 ? "a key has 128 to 4096 bytes"
				  : "what does the last argument mean?");
		return EXIT_FAILURE;
	}
	return make(path, size);
}
