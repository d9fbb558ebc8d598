/* SPDX-License-Identifier: BSD-3-Clause */
/* OpenSSL has a heap for secrets, locked and without dumps, which it uses for private keys only. Cipher
 * contexts hold keys too, so here all that it allocates comes from there, as long as there is room. */
#include "crypto/secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define HEAP_BYTES ((size_t)4 << 20)
#define HEAP_LEAST 64

/* Set once the heap is there: what asks it earlier would be asked by it again. */
static bool heap_ready;

static void *take(size_t size, const char *file, int line)
{
	void *memory = heap_ready ? CRYPTO_secure_malloc(size, file, line) : NULL;

	return memory || size == 0 ? memory : malloc(size);
}

static bool in_heap(const void *memory)
{
	return heap_ready && CRYPTO_secure_allocated(memory);
}

static void give_back(void *memory, const char *file, int line)
{
	if (!memory) {
		return;
	}
	if (in_heap(memory)) {
		CRYPTO_secure_free(memory, file, line);
	} else {
		free(memory);
	}
}

static void *take_again(void *memory, size_t size, const char *file, int line)
{
	size_t had;
	void *more;

	if (!in_heap(memory)) {
		return memory ? realloc(memory, size) : take(size, file, line);
	}
	had = CRYPTO_secure_actual_size(memory);
	if (size <= had && size > 0) {
		return memory;
	}
	more = take(size, file, line);
	if (more) {
		memcpy(more, memory, had < size ? had : size);
		CRYPTO_secure_free(memory, file, line);
	}
	return more;
}

int secret_guard_openssl(void)
{
	if (heap_ready) {
		return 0;
	}
	if (!CRYPTO_set_mem_functions(take, take_again, give_back)) {
		return -EBUSY;
	}
	/* 2: there, but not locked, because the limit does not allow it. */
	if (CRYPTO_secure_malloc_init(HEAP_BYTES, HEAP_LEAST) == 0) {
		return -ENOMEM;
	}
	heap_ready = true;
	return 0;
}

static size_t whole_pages(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

void *secret_new(size_t size_bytes)
{
	size_t size = whole_pages(size_bytes);
	void *secret = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (secret == MAP_FAILED) {
		return NULL;
	}
	if (madvise(secret, size, MADV_DONTDUMP) < 0 ||
	    madvise(secret, size, MADV_WIPEONFORK) < 0) {
		munmap(secret, size);
		return NULL;
	}
	mlock(secret, size); /* a daemon without the right to lock runs all the same */
	return secret;
}

void secret_free(void *secret, size_t size_bytes)
{
	if (secret) {
		OPENSSL_cleanse(secret, size_bytes);
		munmap(secret, whole_pages(size_bytes));
	}
}

int secret_random(void *out, size_t size_bytes)
{
	for (size_t done = 0; done < size_bytes;) {
		ssize_t got = getrandom((unsigned char *)out + done, size_bytes - done, 0);

		if (got < 0 && errno != EINTR) {
			return -errno;
		}
		done += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

void secret_wipe(void *bytes, size_t size_bytes)
{
	OPENSSL_cleanse(bytes, size_bytes);
}
