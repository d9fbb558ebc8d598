/* SPDX-License-Identifier: BSD-3-Clause */
/* The key schedule is made once; each message sets its nonce only. */
#include "crypto/aead.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define NONCE_SIZE 12

struct aead {
	EVP_CIPHER_CTX *sealing;
	EVP_CIPHER_CTX *opening;
	bool readable; /* the bytes stay as they are and are only counted into the tag */
};

int aead_new(enum crypto_cipher cipher, const uint8_t *key, struct aead **out)
{
	struct aead *aead = calloc(1, sizeof(*aead));
	EVP_CIPHER *kind = EVP_CIPHER_fetch(NULL, crypto_aead_name(cipher), NULL);
	bool good = false;

	if (aead && kind) {
		aead->readable = cipher == CRYPTO_CIPHER_NONE;
		aead->sealing = EVP_CIPHER_CTX_new();
		aead->opening = EVP_CIPHER_CTX_new();
		good = aead->sealing && aead->opening &&
		       EVP_EncryptInit_ex2(aead->sealing, kind, key, NULL, NULL) == 1 &&
		       EVP_DecryptInit_ex2(aead->opening, kind, key, NULL, NULL) == 1;
	}
	EVP_CIPHER_free(kind);
	if (!good) {
		aead_free(&aead);
		return -EIO;
	}
	*out = aead;
	return 0;
}

void aead_free(struct aead **aead_ptr)
{
	struct aead *aead = *aead_ptr;

	if (aead) {
		EVP_CIPHER_CTX_free(aead->sealing);
		EVP_CIPHER_CTX_free(aead->opening);
		free(aead);
	}
	*aead_ptr = NULL;
}

static void write_nonce(struct aead_nonce nonce, uint8_t out[NONCE_SIZE])
{
	for (int i = 0; i < 8; i++) {
		out[i] = (uint8_t)(nonce.number >> (8 * i));
	}
	for (int i = 0; i < 4; i++) {
		out[8 + i] = (uint8_t)(nonce.domain >> (8 * i));
	}
}

static bool seal_piece(struct aead *aead, struct aead_piece piece, uint8_t *out)
{
	int done;

	if (piece.size == 0) {
		return true;
	}
	if (aead->readable) {
		memcpy(out, piece.bytes, piece.size);
	}
	return EVP_EncryptUpdate(aead->sealing, aead->readable ? NULL : out, &done,
				 aead->readable ? out : piece.bytes, (int)piece.size) == 1;
}

int aead_seal(struct aead *aead, struct aead_nonce nonce, struct aead_piece with,
	      const struct aead_piece *pieces, size_t count, uint8_t *out,
	      uint8_t tag[AEAD_TAG_SIZE])
{
	EVP_CIPHER_CTX *ctx = aead->sealing;
	uint8_t iv[NONCE_SIZE];
	int done;
	bool good;

	write_nonce(nonce, iv);
	good = EVP_EncryptInit_ex2(ctx, NULL, NULL, iv, NULL) == 1 &&
	       EVP_EncryptUpdate(ctx, NULL, &done, with.bytes, (int)with.size) == 1;
	for (size_t i = 0; good && i < count; i++) {
		good = seal_piece(aead, pieces[i], out);
		out += pieces[i].size;
	}
	good = good && EVP_EncryptFinal_ex(ctx, iv, &done) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE, tag) == 1;
	return good ? 0 : -EIO;
}

int aead_open(struct aead *aead, struct aead_nonce nonce, struct aead_piece with, uint8_t *bytes,
	      size_t size, const uint8_t tag[AEAD_TAG_SIZE])
{
	EVP_CIPHER_CTX *ctx = aead->opening;
	uint8_t iv[NONCE_SIZE];
	uint8_t wanted[AEAD_TAG_SIZE];
	int done;
	bool good;

	write_nonce(nonce, iv);
	memcpy(wanted, tag, sizeof(wanted));
	good = EVP_DecryptInit_ex2(ctx, NULL, NULL, iv, NULL) == 1 &&
	       EVP_DecryptUpdate(ctx, NULL, &done, with.bytes, (int)with.size) == 1 &&
	       (size == 0 || EVP_DecryptUpdate(ctx, aead->readable ? NULL : bytes, &done, bytes,
					       (int)size) == 1) &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_SIZE, wanted) == 1;
	return good && EVP_DecryptFinal_ex(ctx, iv, &done) == 1 ? 0 : -EBADMSG;
}
