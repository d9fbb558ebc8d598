/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys out of keys: HKDF (RFC 5869) and HMAC (RFC 2104), with the suite's hash. Errors: -EIO when
 * OpenSSL refuses, which it does for lack of memory only, once the suite was checked. */
#ifndef CORONET_CRYPTO_DERIVE_H
#define CORONET_CRYPTO_DERIVE_H

#include "crypto/suite.h"

struct crypto_bytes {
	const void *at;
	size_t size;
};

/* Extract and expand in one: `size` bytes of `out` from the key material and the salt, for the
 * purpose that `info` names. */
int crypto_hkdf(enum crypto_hash hash, struct crypto_bytes salt, struct crypto_bytes material,
		struct crypto_bytes info, uint8_t *out, size_t size);
/* crypto_hash_size(hash) bytes over all parts. */
int crypto_hmac(enum crypto_hash hash, struct crypto_bytes key, const struct crypto_bytes *parts,
		size_t count, uint8_t *out);
/* In constant time. */
bool crypto_equal(const void *a, const void *b, size_t size);

#endif
