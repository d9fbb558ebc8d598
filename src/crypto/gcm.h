/* SPDX-License-Identifier: BSD-3-Clause */
/* AES-GCM (NIST SP 800-38D) in steps, one text at a time. Two libraries can do it, with the same result:
 * libipsec-mb, which uses the widest instructions that the processor has, and OpenSSL. Not thread-safe. */
#ifndef CORONET_CRYPTO_GCM_H
#define CORONET_CRYPTO_GCM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/suite.h"

#define GCM_NONCE_SIZE 12
#define GCM_TAG_SIZE   16

struct gcm;

/* What one library offers. Steps return false when it fails. */
struct gcm_library {
	const char *name;
	/* CRYPTO_CIPHER_NONE: GMAC, texts are only counted into the tag. The key is copied. -ENOMEM, -EIO. */
	int (*open)(enum crypto_cipher cipher, const uint8_t *key, struct gcm **out);
	/* Wipes. NULL inside is accepted. */
	void (*close)(struct gcm **gcm);
	/* Begins a text, with what is counted into its tag before it. */
	bool (*begin)(struct gcm *gcm, bool sealing, const uint8_t nonce[GCM_NONCE_SIZE],
		      const uint8_t *with, size_t with_size);
	/* The next 1 to 2^30 bytes; `out` is `in` or does not overlap it, and is not touched with GMAC.
	 * What was counted into the tag need not be what came out if `in` changes meanwhile. */
	bool (*update)(struct gcm *gcm, const uint8_t *in, uint8_t *out, size_t size);
	/* The tag of all that. */
	bool (*tag)(struct gcm *gcm, uint8_t tag[GCM_TAG_SIZE]);
	/* Whether that is the tag of the opened text, in constant time. */
	bool (*verify)(struct gcm *gcm, const uint8_t tag[GCM_TAG_SIZE]);
};

extern const struct gcm_library gcm_openssl;
/* NULL: not in this build, or of no use with this processor or this version of it. A constant. */
const struct gcm_library *gcm_ipsec_mb(void);
/* The better one. A constant. */
const struct gcm_library *gcm_best(void);

#endif
