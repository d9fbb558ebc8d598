/* SPDX-License-Identifier: BSD-3-Clause */
/* The key schedule is made once for each direction; each text sets its nonce only. */
#include "crypto/gcm.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct gcm {
	EVP_CIPHER_CTX *sealing;
	EVP_CIPHER_CTX *opening;
	EVP_CIPHER_CTX *now; /* one of them */
	bool tag_only;
};

static void gcm_close(struct gcm **gcm_ptr)
{
	struct gcm *gcm = *gcm_ptr;

	if (gcm) {
		EVP_CIPHER_CTX_free(gcm->sealing);
		EVP_CIPHER_CTX_free(gcm->opening);
		free(gcm);
	}
	*gcm_ptr = NULL;
}

static int gcm_open(enum crypto_cipher cipher, const uint8_t *key, struct gcm **out)
{
	struct gcm *gcm = calloc(1, sizeof(*gcm));
	EVP_CIPHER *kind;
	bool good = false;

	if (!gcm) {
		return -ENOMEM;
	}
	kind = EVP_CIPHER_fetch(NULL, crypto_aead_name(cipher), NULL);
	if (kind) {
		gcm->tag_only = cipher == CRYPTO_CIPHER_NONE;
		gcm->sealing = EVP_CIPHER_CTX_new();
		gcm->opening = EVP_CIPHER_CTX_new();
		good = gcm->sealing && gcm->opening &&
		       EVP_EncryptInit_ex2(gcm->sealing, kind, key, NULL, NULL) == 1 &&
		       EVP_DecryptInit_ex2(gcm->opening, kind, key, NULL, NULL) == 1;
	}
	EVP_CIPHER_free(kind);
	if (!good) {
		gcm_close(&gcm);
		return -EIO;
	}
	*out = gcm;
	return 0;
}

static bool gcm_begin(struct gcm *gcm, bool sealing, const uint8_t nonce[GCM_NONCE_SIZE],
		      const uint8_t *with, size_t with_size)
{
	int done;

	gcm->now = sealing ? gcm->sealing : gcm->opening;
	return EVP_CipherInit_ex2(gcm->now, NULL, NULL, nonce, sealing, NULL) == 1 &&
	       EVP_CipherUpdate(gcm->now, NULL, &done, with, (int)with_size) == 1;
}

static bool gcm_update(struct gcm *gcm, const uint8_t *in, uint8_t *out, size_t size)
{
	int done;

	return EVP_CipherUpdate(gcm->now, gcm->tag_only ? NULL : out, &done, in, (int)size) == 1;
}

static bool gcm_tag(struct gcm *gcm, uint8_t tag[GCM_TAG_SIZE])
{
	uint8_t nothing[GCM_TAG_SIZE];
	int done;

	return EVP_CipherFinal_ex(gcm->now, nothing, &done) == 1 &&
	       EVP_CIPHER_CTX_ctrl(gcm->now, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_SIZE, tag) == 1;
}

static bool gcm_verify(struct gcm *gcm, const uint8_t tag[GCM_TAG_SIZE])
{
	uint8_t wanted[GCM_TAG_SIZE];
	int done;

	memcpy(wanted, tag, sizeof(wanted));
	return EVP_CIPHER_CTX_ctrl(gcm->now, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_SIZE, wanted) == 1 &&
	       EVP_CipherFinal_ex(gcm->now, wanted, &done) == 1;
}

const struct gcm_library gcm_openssl = {.name = "OpenSSL",
					.open = gcm_open,
					.close = gcm_close,
					.begin = gcm_begin,
					.update = gcm_update,
					.tag = gcm_tag,
					.verify = gcm_verify};
