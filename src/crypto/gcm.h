/* SPDX-License-Identifier: BSD-3-Clause */
/* AES-GCM (NIST SP 800-38D) in steps, as the library that configure chose has it: libipsec-mb, which uses the
 * widest instructions that the processor has, or OpenSSL. One text at a time. Not thread-safe. */
#ifndef CORONET_CRYPTO_GCM_H
#define CORONET_CRYPTO_GCM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/suite.h"

#define GCM_NONCE_SIZE 12
#define GCM_TAG_SIZE   16

struct gcm;

/* What the library is called, for logs: a constant. */
const char *gcm_library(void);

/* CRYPTO_CIPHER_NONE: GMAC, texts are only counted into the tag. The key is copied. -ENOMEM, -EIO. */
int gcm_new(enum crypto_cipher cipher, const uint8_t *key, struct gcm **out);
/* NULL inside is accepted. Wipes. */
void gcm_free(struct gcm **gcm);

/* Begins a text, with what is counted into its tag before it. All return false when the library fails. */
bool gcm_begin(struct gcm *gcm, bool sealing, const uint8_t nonce[GCM_NONCE_SIZE],
	       const uint8_t *with, size_t with_size);
/* The next `size` > 0 bytes; `out` is `in` or does not overlap it, and is not touched with GMAC. */
bool gcm_update(struct gcm *gcm, const uint8_t *in, uint8_t *out, size_t size);
/* The tag of a sealed text. */
bool gcm_tag(struct gcm *gcm, uint8_t tag[GCM_TAG_SIZE]);
/* Whether that is the tag of the opened text, in constant time. */
bool gcm_verify(struct gcm *gcm, const uint8_t tag[GCM_TAG_SIZE]);

#endif
