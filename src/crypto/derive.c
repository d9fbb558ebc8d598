/* SPDX-License-Identifier: BSD-3-Clause */
/* OpenSSL's HKDF and HMAC. */
#include "crypto/derive.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

static OSSL_PARAM octets(const char *name, struct crypto_bytes bytes)
{
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)bytes.at, bytes.size);
}

static OSSL_PARAM digest(enum crypto_hash hash)
{
	return OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
						(char *)(uintptr_t)crypto_digest_name(hash), 0);
}

int crypto_hkdf(enum crypto_hash hash, struct crypto_bytes salt, struct crypto_bytes material,
		struct crypto_bytes info, uint8_t *out, size_t size)
{
	OSSL_PARAM params[] = {digest(hash), octets(OSSL_KDF_PARAM_KEY, material),
			       octets(OSSL_KDF_PARAM_SALT, salt), octets(OSSL_KDF_PARAM_INFO, info),
			       OSSL_PARAM_construct_end()};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	int err = ctx && EVP_KDF_derive(ctx, out, size, params) == 1 ? 0 : -EIO;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return err;
}

static bool mac_all(EVP_MAC_CTX *ctx, const struct crypto_bytes *parts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (EVP_MAC_update(ctx, parts[i].at, parts[i].size) != 1) {
			return false;
		}
	}
	return true;
}

int crypto_hmac(enum crypto_hash hash, struct crypto_bytes key, const struct crypto_bytes *parts,
		size_t count, uint8_t *out)
{
	OSSL_PARAM params[] = {digest(hash), OSSL_PARAM_construct_end()};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	size_t size;
	bool good = ctx && EVP_MAC_init(ctx, key.at, key.size, params) == 1 &&
		    mac_all(ctx, parts, count) &&
		    EVP_MAC_final(ctx, out, &size, crypto_hash_size(hash)) == 1;

	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return good ? 0 : -EIO;
}

bool crypto_equal(const void *a, const void *b, size_t size)
{
	return CRYPTO_memcmp(a, b, size) == 0;
}
