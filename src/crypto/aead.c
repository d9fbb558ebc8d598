/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers and domains as nonces, pieces as one text. */
#include "crypto/aead.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/gcm.h"

/* Small enough for the fastest memory. */
#define STEP_BYTES 16384u

_Static_assert(AEAD_TAG_SIZE == GCM_TAG_SIZE, "the whole tag is used");

struct aead {
	const struct gcm_library *library;
	struct gcm *gcm;
	bool readable; /* the bytes stay as they are and are only counted into the tag */
};

const char *aead_library(void)
{
	return gcm_best()->name;
}

int aead_new(enum crypto_cipher cipher, const uint8_t *key, struct aead **out)
{
	struct aead *aead = calloc(1, sizeof(*aead));
	int err;

	if (!aead) {
		return -ENOMEM;
	}
	aead->library = gcm_best();
	aead->readable = cipher == CRYPTO_CIPHER_NONE;
	err = aead->library->open(cipher, key, &aead->gcm);
	if (err) {
		free(aead);
		return err;
	}
	*out = aead;
	return 0;
}

void aead_free(struct aead **aead_ptr)
{
	if (*aead_ptr) {
		(*aead_ptr)->library->close(&(*aead_ptr)->gcm);
		free(*aead_ptr);
	}
	*aead_ptr = NULL;
}

static bool begin(struct aead *aead, bool sealing, struct aead_nonce nonce, struct aead_piece with)
{
	uint8_t bytes[GCM_NONCE_SIZE];

	for (int i = 0; i < 8; i++) {
		bytes[i] = (uint8_t)(nonce.number >> (8 * i));
	}
	for (int i = 0; i < 4; i++) {
		bytes[8 + i] = (uint8_t)(nonce.domain >> (8 * i));
	}
	return aead->library->begin(aead->gcm, sealing, bytes, with.bytes, with.size);
}

/* A copy that is only counted; in steps, so that it is still near when it is. */
static bool copy_and_count(struct aead *aead, struct aead_piece piece, uint8_t *out)
{
	bool good = true;

	for (size_t at = 0; good && at < piece.size; at += STEP_BYTES) {
		size_t left = piece.size - at;
		size_t size = left < STEP_BYTES ? left : STEP_BYTES;

		if (piece.bytes != out) {
			memcpy(out + at, piece.bytes + at, size);
		}
		good = aead->library->update(aead->gcm, out + at, NULL, size);
	}
	return good;
}

static bool update(struct aead *aead, struct aead_piece piece, uint8_t *out)
{
	if (aead->readable) {
		return copy_and_count(aead, piece, out);
	}
	return piece.size == 0 || aead->library->update(aead->gcm, piece.bytes, out, piece.size);
}

int aead_seal(struct aead *aead, struct aead_nonce nonce, struct aead_piece with,
	      const struct aead_piece *pieces, size_t count, uint8_t *out,
	      uint8_t tag[AEAD_TAG_SIZE])
{
	bool good = begin(aead, true, nonce, with);

	for (size_t i = 0; good && i < count; i++) {
		good = update(aead, pieces[i], out);
		out += pieces[i].size;
	}
	return good && aead->library->tag(aead->gcm, tag) ? 0 : -EIO;
}

int aead_open(struct aead *aead, struct aead_nonce nonce, struct aead_piece with,
	      struct aead_piece sealed, uint8_t *out, const uint8_t tag[AEAD_TAG_SIZE])
{
	bool good = begin(aead, false, nonce, with) && update(aead, sealed, out) &&
		    aead->library->verify(aead->gcm, tag);

	return good ? 0 : -EBADMSG;
}
