/* SPDX-License-Identifier: BSD-3-Clause */
/* Sealing and opening with one key: AES-GCM (NIST SP 800-38D), or GMAC when the suite has no cipher.
 * The nonce is a number that the caller never uses twice with a key, and a domain, for numbers of
 * different kinds. Not thread-safe. */
#ifndef CORONET_CRYPTO_AEAD_H
#define CORONET_CRYPTO_AEAD_H

#include "crypto/suite.h"

#define AEAD_TAG_SIZE 16
/* What is sealed under one key before another one has to be there, in blocks of 16 bytes: with 2^36
 * an attacker's advantage stays below 2^-57 (RFC 8446, 5.5, has the same margin). */
#define AEAD_BLOCKS_MAX (UINT64_C(1) << 36)

struct aead;

struct aead_nonce {
	uint64_t number;
	uint32_t domain;
};

/* A piece of the plain text. */
struct aead_piece {
	const uint8_t *bytes;
	size_t size;
};

/* What does it, for logs: a constant. */
const char *aead_library(void);
/* crypto_key_size(cipher) bytes of key; copied. -ENOMEM, -EIO. */
int aead_new(enum crypto_cipher cipher, const uint8_t *key, struct aead **out);
/* NULL inside is accepted. */
void aead_free(struct aead **aead);

/* All pieces, one after the other, to `out`, which overlaps none of them, and a tag over them and `with`. 0 or -EIO. */
int aead_seal(struct aead *aead, struct aead_nonce nonce, struct aead_piece with,
	      const struct aead_piece *pieces, size_t count, uint8_t *out,
	      uint8_t tag[AEAD_TAG_SIZE]);
/* `out` is `sealed.bytes` or does not overlap it. Should somebody write to `sealed` meanwhile, 0 says nothing.
 * -EBADMSG: not what was sealed with this key, nonce and `with`; what is in `out` is then worthless. */
int aead_open(struct aead *aead, struct aead_nonce nonce, struct aead_piece with,
	      struct aead_piece sealed, uint8_t *out, const uint8_t tag[AEAD_TAG_SIZE]);

#endif
