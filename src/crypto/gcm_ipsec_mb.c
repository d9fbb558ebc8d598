/* SPDX-License-Identifier: BSD-3-Clause */
/* libipsec-mb's direct functions; which of them the processor can run is found out once.
 *
 * Its expanded key is larger in some versions than in others that have the same name for the linker (1.4: 1264
 * bytes, 1.3: 1008), so another version than that of the header is not used, and nothing stands behind the key. */
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
	struct functions functions;
	bool sealing, tag_only;
	struct gcm_context_data context;
	_Alignas(64) struct gcm_key_data key; /* expanded */
};

static IMB_MGR *mb; /* made once, for good: a table of functions */

static bool is_as_compiled(void)
{
	return imb_get_version() / 0x100 == IMB_VERSION_NUM / 0x100;
}

static bool find_functions(void)
{
	static bool looked;
	IMB_ARCH arch = IMB_ARCH_NONE;

	if (!looked && is_as_compiled()) {
		mb = alloc_mb_mgr(0);
		if (mb) {
			init_mb_mgr_auto(mb, &arch);
		}
		if (mb && (imb_get_errno(mb) != 0 || arch <= IMB_ARCH_NOAESNI)) {
			free_mb_mgr(mb);
			mb = NULL;
		}
	}
	looked = true;
	return mb != NULL;
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

static int gcm_open(enum crypto_cipher cipher, const uint8_t *key, struct gcm **out)
{
	struct gcm *gcm = secret_new(sizeof(*gcm));

	if (!gcm) {
		return -ENOMEM;
	}
	gcm->tag_only = cipher == CRYPTO_CIPHER_NONE;
	gcm->functions = functions_of(cipher);
	gcm->functions.expand(key, &gcm->key);
	*out = gcm;
	return 0;
}

static void gcm_close(struct gcm **gcm_ptr)
{
	secret_free(*gcm_ptr, sizeof(**gcm_ptr));
	*gcm_ptr = NULL;
}

static bool gcm_begin(struct gcm *gcm, bool sealing, const uint8_t nonce[GCM_NONCE_SIZE],
		      const uint8_t *with, size_t with_size)
{
	gcm->sealing = sealing;
	if (gcm->tag_only) {
		IMB_AES256_GMAC_INIT(mb, &gcm->key, &gcm->context, nonce, GCM_NONCE_SIZE);
		if (imb_get_errno(mb) != 0) {
			return false;
		}
		IMB_AES256_GMAC_UPDATE(mb, &gcm->key, &gcm->context, with, with_size);
	} else {
		gcm->functions.begin(&gcm->key, &gcm->context, nonce, with, with_size);
	}
	return imb_get_errno(mb) == 0;
}

static bool gcm_update(struct gcm *gcm, const uint8_t *in, uint8_t *out, size_t size)
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

static bool gcm_tag(struct gcm *gcm, uint8_t tag[GCM_TAG_SIZE])
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

static bool gcm_verify(struct gcm *gcm, const uint8_t tag[GCM_TAG_SIZE])
{
	uint8_t found[GCM_TAG_SIZE];

	return gcm_tag(gcm, found) && CRYPTO_memcmp(found, tag, sizeof(found)) == 0;
}

static const struct gcm_library library = {.name = "libipsec-mb",
					   .open = gcm_open,
					   .close = gcm_close,
					   .begin = gcm_begin,
					   .update = gcm_update,
					   .tag = gcm_tag,
					   .verify = gcm_verify};

const struct gcm_library *gcm_ipsec_mb(void)
{
	return find_functions() ? &library : NULL;
}
