/* SPDX-License-Identifier: BSD-3-Clause */
/* What a configuration asks for, and what becomes of it: with a cipher, AES-GCM with keys of its
 * size; without one, GMAC (AES-256-GCM over data that stay readable). The hash is that of HKDF and
 * HMAC while two nodes prove to each other that they have the cluster's key. Both are in the names of
 * corosync.conf(5), `crypto_cipher` and `crypto_hash`. */
#ifndef CORONET_CRYPTO_SUITE_H
#define CORONET_CRYPTO_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum crypto_cipher {
	CRYPTO_CIPHER_NONE,
	CRYPTO_AES128,
	CRYPTO_AES192,
	CRYPTO_AES256
};

enum crypto_hash {
	CRYPTO_HASH_NONE, /* nothing is protected */
	CRYPTO_SHA256,
	CRYPTO_SHA384,
	CRYPTO_SHA512
};

struct crypto_suite {
	enum crypto_cipher cipher;
	enum crypto_hash hash;
};

#define CRYPTO_HASH_SIZE_MAX 64
#define CRYPTO_KEY_SIZE_MAX  32

/* "aes256", "none", ... */
const char *crypto_cipher_name(enum crypto_cipher cipher);
const char *crypto_hash_name(enum crypto_hash hash);
/* What OpenSSL calls them; "AES-256-GCM" when there is no cipher. */
const char *crypto_aead_name(enum crypto_cipher cipher);
const char *crypto_digest_name(enum crypto_hash hash);
/* Bytes. */
size_t crypto_key_size(enum crypto_cipher cipher);
size_t crypto_hash_size(enum crypto_hash hash);

/* 0, or -ENOTSUP when this OpenSSL does not offer the suite (a policy may forbid it). */
int crypto_suite_check(struct crypto_suite suite);

#endif
