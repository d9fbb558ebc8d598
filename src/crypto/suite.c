/* SPDX-License-Identifier: BSD-3-Clause */
/* One table for each of the two. */
#include "crypto/suite.h"

#include <errno.h>
#include <openssl/evp.h>

static const struct cipher {
	const char *name;
	const char *aead;
	size_t key_size;
} ciphers[] = {
	[CRYPTO_CIPHER_NONE] = {"none", "AES-256-GCM", 32},
	[CRYPTO_AES128] = {"aes128", "AES-128-GCM", 16},
	[CRYPTO_AES192] = {"aes192", "AES-192-GCM", 24},
	[CRYPTO_AES256] = {"aes256", "AES-256-GCM", 32},
};

static const struct hash {
	const char *name;
	const char *digest;
	size_t size;
} hashes[] = {
	[CRYPTO_HASH_NONE] = {"none", NULL, 0},
	[CRYPTO_SHA256] = {"sha256", "SHA256", 32},
	[CRYPTO_SHA384] = {"sha384", "SHA384", 48},
	[CRYPTO_SHA512] = {"sha512", "SHA512", 64},
};

const char *crypto_cipher_name(enum crypto_cipher cipher)
{
	return ciphers[cipher].name;
}

const char *crypto_hash_name(enum crypto_hash hash)
{
	return hashes[hash].name;
}

const char *crypto_aead_name(enum crypto_cipher cipher)
{
	return ciphers[cipher].aead;
}

const char *crypto_digest_name(enum crypto_hash hash)
{
	return hashes[hash].digest;
}

size_t crypto_key_size(enum crypto_cipher cipher)
{
	return ciphers[cipher].key_size;
}

size_t crypto_hash_size(enum crypto_hash hash)
{
	return hashes[hash].size;
}

int crypto_suite_check(struct crypto_suite suite)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, crypto_aead_name(suite.cipher), NULL);
	EVP_MD *digest = EVP_MD_fetch(NULL, crypto_digest_name(suite.hash), NULL);
	int err = cipher && digest ? 0 : -ENOTSUP;

	EVP_CIPHER_free(cipher);
	EVP_MD_free(digest);
	return err;
}
