/* SPDX-License-Identifier: BSD-3-Clause */
/* The file that holds a cluster's key, the same bytes on all nodes: any 128 to 4096 bytes, as
 * corosync.conf(5) has it for `keyfile`. Whoever can read it is a member: it is refused when it
 * belongs to anybody but root or the user who runs this, or when others may read or write it. */
#ifndef CORONET_CRYPTO_KEYFILE_H
#define CORONET_CRYPTO_KEYFILE_H

#include <stddef.h>
#include <stdint.h>

#define KEYFILE_SIZE_MIN 128
#define KEYFILE_SIZE_MAX 4096
#define KEYFILE_WHY_SIZE 512

struct keyfile {
	size_t size;
	uint8_t bytes[KEYFILE_SIZE_MAX];
};

/* 0, or negative errno and in `why` a sentence that names the file and what to do. `out` is the
 * caller's, best from secret_new; it is wiped on error. */
int keyfile_read(const char *path, struct keyfile *out, char why[KEYFILE_WHY_SIZE]);
/* Makes a file of `size` random bytes, mode 0400, whole or not at all; -EEXIST when there is one. */
int keyfile_write(const char *path, size_t size, char why[KEYFILE_WHY_SIZE]);

#endif
