/* SPDX-License-Identifier: BSD-3-Clause */
/* libipsec-mb's direct functions; which of them the processor can run is found out once. */
#include "crypto/gcm.h"

#include <errno.h>
#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

#include "crypto/secret.h"

/* What one size of a key takes. */
struct functions {
	aes_gcm_pre_t expand;
	aes_gcm_init_t begin;
	aes_gcm_enc_dec_update_t seal, open;
	aes_gcm_enc_dec_finalize_t sealed, opened;
};

struct gcm {
	struct gcm_key_data key; /* expanded; first, for its alignment */
	struct gcm_context_data context;
	struct functions functions;
	bool sealing, tag_only;
};

static IMB_MGR *mb; /* made once, for good: a table of functions */

const char *gcm_library(void)
{
	return "libipsec-mb";
}

static bool find_functions(void)
{
	IMB_ARCH arch;

	if (!mb) {
		mb = alloc_mb_mgr(0);
		if (mb) {
			init_mb_mgr_auto(mb, &arch);
		}
	}
	return mb && imb_get_errno(mb) == 0;
}

static struct functions functions_of(enum crypto_cipher cipher)
{
	switch (cipher) {
	case CRYPTO_AES128:
		return (struct functions){mb->gcm128_pre,	   mb->gcm128_init,
					  mb->gcm128_enc_update,   mb->gcm128_dec_update,
					  mb->gcm128_enc_finalize, mb->gcm128_dec_finalize};
	case CRYPTO_AES192:
		return (struct functions){mb->gcm192_pre,	   mb->gcm192_init,
					  mb->gcm192_enc_update,   mb->gcm192_dec_update,
					  mb->gcm192_enc_finalize, mb->gcm192_dec_finalize};
	case CRYPTO_CIPHER_NONE:
	case CRYPTO_AES256:
		break;
	}
	return (struct functions){mb->gcm256_pre,	   mb->gcm256_init,
				  mb->gcm256_enc_update,   mb->gcm256_dec_update,
				  mb->gcm256_enc_finalize, mb->gcm256_dec_finalize};
}

int gcm_new(enum crypto_cipher cipher, const uint8_t *key, struct gcm **out)
{
	struct gcm *gcm;

	if (!find_functions()) {
		return -EIO;
	}
	gcm = secret_new(sizeof(*gcm));
	if (!gcm) {
		return -ENOMEM;
	}
	gcm->tag_only = cipher == CRYPTO_CIPHER_NONE;
	gcm->functions = functions_of(cipher);
	gcm->functions.expand(key, &gcm->key);
	*out = gcm;
	return 0;
}

void gcm_free(struct gcm **gcm_ptr)
{
	secret_free(*gcm_ptr, sizeof(**gcm_ptr));
	*gcm_ptr = NULL;
}

bool gcm_begin(struct gcm *gcm, bool sealing, const uint8_t nonce[GCM_NONCE_SIZE],
	       const uint8_t *with, size_t with_size)
{
	gcm->sealing = sealing;
	if (gcm->tag_only) {
		IMB_AES256_GMAC_INIT(mb, &gcm->key, &gcm->context, nonce, GCM_NONCE_SIZE);
		IMB_AES256_GMAC_UPDATE(mb, &gcm->key, &gcm->context, with, with_size);
	} else {
		gcm->functions.begin(&gcm->key, &gcm->context, nonce, with, with_size);
	}
	return imb_get_errno(mb) == 0;
}

bool gcm_update(struct gcm *gcm, const uint8_t *in, uint8_t *out, size_t size)
{
	if (gcm->tag_only) {
		IMB_AES256_GMAC_UPDATE(mb, &gcm->key, &gcm->context, in, size);
	} else if (gcm->sealing) {
		gcm->functions.seal(&gcm->key, &gcm->context, out, in, size);
	} else {
		gcm->functions.open(&gcm->key, &gcm->context, out, in, size);
	}
	return imb_get_errno(mb) == 0;
}

bool gcm_tag(struct gcm *gcm, uint8_t tag[GCM_TAG_SIZE])
{
	if (gcm->tag_only) {
		IMB_AES256_GMAC_FINALIZE(mb, &gcm->key, &gcm->context, tag, GCM_TAG_SIZE);
	} else if (gcm->sealing) {
		gcm->functions.sealed(&gcm->key, &gcm->context, tag, GCM_TAG_SIZE);
	} else {
		gcm->functions.opened(&gcm->key, &gcm->context, tag, GCM_TAG_SIZE);
	}
	return imb_get_errno(mb) == 0;
}

bool gcm_verify(struct gcm *gcm, const uint8_t tag[GCM_TAG_SIZE])
{
	uint8_t found[GCM_TAG_SIZE];

	return gcm_tag(gcm, found) && CRYPTO_memcmp(found, tag, sizeof(found)) == 0;
}
