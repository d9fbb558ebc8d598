/* SPDX-License-Identifier: BSD-3-Clause */
/* See handshake.h. */
#include "crypto/handshake.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/cursor.h"
#include "base/wire_version.h"
#include "crypto/derive.h"
#include "crypto/secret.h"

#define X25519_SIZE 32
#define NONCE_SIZE  32
#define KEYS_AT	    24
#define NONCE_AT    40
#define PUBLIC_AT   72
#define ANSWER_MAC  104
#define PROOF_MAC   24

static const size_t sizes[] = {
	[HANDSHAKE_HELLO] = HANDSHAKE_HELLO_SIZE,
	[HANDSHAKE_ANSWER] = HANDSHAKE_ANSWER_SIZE,
	[HANDSHAKE_PROOF] = HANDSHAKE_PROOF_SIZE,
};

/* --- X25519 --------------------------------------------------------------------------------------- */

static EVP_PKEY *private_key(const uint8_t secret[X25519_SIZE])
{
	return EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, secret, X25519_SIZE);
}

static int public_of(const uint8_t secret[X25519_SIZE], uint8_t out[X25519_SIZE])
{
	EVP_PKEY *key = private_key(secret);
	size_t size = X25519_SIZE;
	int err = key && EVP_PKEY_get_raw_public_key(key, out, &size) == 1 ? 0 : -EIO;

	EVP_PKEY_free(key);
	return err;
}

/* A public key of small order gives zero, which OpenSSL refuses: the peer's fault. */
static int agree(const uint8_t secret[X25519_SIZE], const uint8_t theirs[X25519_SIZE],
		 uint8_t out[X25519_SIZE])
{
	EVP_PKEY *key = private_key(secret);
	EVP_PKEY *peer = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, theirs, X25519_SIZE);
	EVP_PKEY_CTX *ctx = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
	size_t size = X25519_SIZE;
	bool good = ctx && peer && EVP_PKEY_derive_init(ctx) == 1 &&
		    EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
		    EVP_PKEY_derive(ctx, out, &size) == 1 && size == X25519_SIZE;

	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	EVP_PKEY_free(key);
	return good ? 0 : -EBADMSG;
}

/* --- Bytes ---------------------------------------------------------------------------------------- */

static struct writer begin(const struct handshake_self *self, const struct handshake *hs,
			   enum handshake_kind kind, enum handshake_refusal refusal,
			   uint8_t out[HANDSHAKE_SIZE_MAX])
{
	struct writer w;

	memset(out, 0, HANDSHAKE_SIZE_MAX);
	w = writer_of(out, HANDSHAKE_SIZE_MAX);
	writer_u32(&w, HANDSHAKE_MAGIC);
	writer_u8(&w, (uint8_t)kind);
	writer_u8(&w, (uint8_t)wire_version);
	writer_u8(&w, (uint8_t)self->suite.cipher);
	writer_u8(&w, (uint8_t)self->suite.hash);
	writer_u32(&w, self->node);
	writer_u32(&w, hs->peer);
	writer_u32(&w, hs->session);
	writer_u32(&w, (uint32_t)refusal);
	return w;
}

static const char *read_head(struct cursor *c, struct handshake_claim *out)
{
	uint8_t cipher;
	uint8_t hash;

	cursor_u8(c); /* the version: transports do not link those of others */
	cipher = cursor_u8(c);
	hash = cursor_u8(c);
	out->from = cursor_u32(c);
	out->to = cursor_u32(c);
	out->session = cursor_u32(c);
	out->refusal = (enum handshake_refusal)cursor_u32(c);
	if (cipher > CRYPTO_AES256 || hash > CRYPTO_SHA512) {
		return "unknown cipher or hash";
	}
	if (out->refusal > HANDSHAKE_OTHER_KEY ||
	    (out->refusal != HANDSHAKE_ACCEPTED && out->kind != HANDSHAKE_ANSWER)) {
		return "impossible refusal";
	}
	out->suite.cipher = (enum crypto_cipher)cipher;
	out->suite.hash = (enum crypto_hash)hash;
	return NULL;
}

const char *handshake_read(const uint8_t *bytes, size_t size, struct handshake_claim *out)
{
	struct cursor c = cursor_of(bytes, size);
	const char *reason;
	uint8_t kind;

	memset(out, 0, sizeof(*out));
	if (cursor_u32(&c) != HANDSHAKE_MAGIC) {
		return "not of a handshake";
	}
	kind = cursor_u8(&c);
	if (kind < HANDSHAKE_HELLO || kind > HANDSHAKE_PROOF || size != sizes[kind]) {
		return "unknown kind, or a wrong size";
	}
	out->kind = (enum handshake_kind)kind;
	reason = read_head(&c, out);
	if (!reason && kind != HANDSHAKE_PROOF) {
		memcpy(out->keys, bytes + KEYS_AT, sizeof(out->keys));
	}
	return reason;
}

/* --- What is proven ------------------------------------------------------------------------------- */

static struct crypto_bytes bytes_of(const void *at, size_t size)
{
	return (struct crypto_bytes){at, size};
}

static int mac(const struct handshake *hs, const struct handshake_self *self,
	       enum handshake_kind kind, uint8_t out[CRYPTO_HASH_SIZE_MAX])
{
	uint8_t label = (uint8_t)kind;
	struct crypto_bytes parts[] = {
		bytes_of(&label, sizeof(label)),
		bytes_of(self->cluster_name, strlen(self->cluster_name) + 1),
		bytes_of(hs->hello, sizeof(hs->hello)),
		bytes_of(hs->answer, sizeof(hs->answer)),
	};

	memset(out, 0, CRYPTO_HASH_SIZE_MAX);
	return crypto_hmac(self->suite.hash, bytes_of(hs->key.secret, sizeof(hs->key.secret)),
			   parts, sizeof(parts) / sizeof(parts[0]), out);
}

static int check_mac(const struct handshake *hs, const struct handshake_self *self,
		     enum handshake_kind kind, const uint8_t *claimed)
{
	uint8_t wanted[CRYPTO_HASH_SIZE_MAX];
	int err = mac(hs, self, kind, wanted);

	if (err) {
		return err;
	}
	return crypto_equal(wanted, claimed, sizeof(wanted)) ? 0 : -EBADMSG;
}

/* --- Session keys --------------------------------------------------------------------------------- */

struct material {
	uint8_t cluster[CRYPTO_HASH_SIZE_MAX];
	uint8_t shared[X25519_SIZE];
};

/* Salted with both messages: with all that was said. */
static int expand(const struct handshake *hs, const struct handshake_self *self,
		  const struct material *material, uint8_t out[2 * CRYPTO_KEY_SIZE_MAX])
{
	static const char info[] = "coronet 1 session";
	uint8_t salt[2 * HANDSHAKE_HELLO_SIZE];

	memcpy(salt, hs->hello, sizeof(hs->hello));
	memcpy(salt + sizeof(hs->hello), hs->answer, sizeof(hs->answer));
	return crypto_hkdf(self->suite.hash, bytes_of(salt, sizeof(salt)),
			   bytes_of(material, sizeof(*material)), bytes_of(info, sizeof(info) - 1),
			   out, 2 * CRYPTO_KEY_SIZE_MAX);
}

static int session_keys(struct handshake *hs, const struct handshake_self *self, bool dialled,
			struct handshake_keys *keys)
{
	const uint8_t *theirs = (dialled ? hs->answer : hs->hello) + PUBLIC_AT;
	struct material material;
	uint8_t both[2 * CRYPTO_KEY_SIZE_MAX];
	int err = agree(hs->secret, theirs, material.shared);

	memcpy(material.cluster, hs->key.secret, sizeof(material.cluster));
	err = err ? err : expand(hs, self, &material, both);
	if (!err) {
		memcpy(dialled ? keys->send : keys->receive, both, CRYPTO_KEY_SIZE_MAX);
		memcpy(dialled ? keys->receive : keys->send, both + CRYPTO_KEY_SIZE_MAX,
		       CRYPTO_KEY_SIZE_MAX);
	}
	secret_wipe(&material, sizeof(material));
	secret_wipe(both, sizeof(both));
	secret_wipe(hs->secret, sizeof(hs->secret));
	return err;
}

/* --- The steps ------------------------------------------------------------------------------------ */

/* A nonce and a fresh key of our own, the last parts of HELLO and ANSWER. */
static int write_fresh(struct handshake *hs, const struct handshake_self *self, uint8_t *message)
{
	int err = self->random(self->random_ctx, message + NONCE_AT, NONCE_SIZE);

	err = err ? err : self->random(self->random_ctx, hs->secret, sizeof(hs->secret));
	return err ? -EIO : public_of(hs->secret, message + PUBLIC_AT);
}

int handshake_hello(struct handshake *hs, const struct handshake_self *self, uint32_t peer,
		    uint32_t session, uint8_t out[HANDSHAKE_SIZE_MAX])
{
	struct writer w;
	int err;

	*hs = (struct handshake){.peer = peer, .session = session};
	w = begin(self, hs, HANDSHAKE_HELLO, HANDSHAKE_ACCEPTED, out);
	for (int i = 0; i < HANDSHAKE_KEYS; i++) {
		if (self->keys[i]) {
			writer_bytes(&w, self->keys[i]->id, CLUSTER_KEY_ID_SIZE);
		}
	}
	err = write_fresh(hs, self, out);
	memcpy(hs->hello, out, sizeof(hs->hello));
	return err ? err : HANDSHAKE_HELLO_SIZE;
}

/* The first that I names: it knows whether the cluster is changing its key. */
static bool choose_key(struct handshake *hs, const struct handshake_self *self,
		       const struct handshake_claim *claim)
{
	for (int wanted = 0; wanted < HANDSHAKE_KEYS; wanted++) {
		for (int i = 0; i < HANDSHAKE_KEYS; i++) {
			const struct cluster_key *key = self->keys[i];

			if (key && !cluster_key_none(key) &&
			    memcmp(claim->keys[wanted], key->id, sizeof(key->id)) == 0) {
				hs->key = *key;
				return true;
			}
		}
	}
	return false;
}

static bool same_suite(struct crypto_suite a, struct crypto_suite b)
{
	return a.cipher == b.cipher && a.hash == b.hash;
}

/* Which key the refusing side has is told, for its peer's log. */
static int refuse(struct handshake *hs, const struct handshake_self *self,
		  enum handshake_refusal refusal, uint8_t out[HANDSHAKE_SIZE_MAX])
{
	struct writer w = begin(self, hs, HANDSHAKE_ANSWER, refusal, out);

	writer_bytes(&w, self->keys[0]->id, CLUSTER_KEY_ID_SIZE);
	return -EACCES;
}

/* The claim of a message that should be the peer's to us. */
static int claim_of(const struct handshake *hs, const struct handshake_self *self,
		    enum handshake_kind kind, const uint8_t *bytes, size_t size,
		    struct handshake_claim *claim)
{
	if (handshake_read(bytes, size, claim) || claim->kind != kind || claim->from != hs->peer ||
	    claim->to != self->node) {
		return -EBADMSG;
	}
	return 0;
}

int handshake_answer(struct handshake *hs, const struct handshake_self *self, uint32_t peer,
		     const uint8_t *hello, size_t size, uint8_t out[HANDSHAKE_SIZE_MAX])
{
	struct handshake_claim claim;
	struct writer w;
	int err;

	*hs = (struct handshake){.peer = peer};
	err = claim_of(hs, self, HANDSHAKE_HELLO, hello, size, &claim);
	if (err) {
		return err;
	}
	hs->session = claim.session;
	memcpy(hs->hello, hello, sizeof(hs->hello));
	if (!same_suite(claim.suite, self->suite)) {
		return refuse(hs, self, HANDSHAKE_OTHER_SUITE, out);
	}
	if (!choose_key(hs, self, &claim)) {
		return refuse(hs, self, HANDSHAKE_OTHER_KEY, out);
	}
	w = begin(self, hs, HANDSHAKE_ANSWER, HANDSHAKE_ACCEPTED, out);
	writer_bytes(&w, hs->key.id, CLUSTER_KEY_ID_SIZE);
	err = write_fresh(hs, self, out);
	memcpy(hs->answer, out, sizeof(hs->answer));
	err = err ? err : mac(hs, self, HANDSHAKE_ANSWER, out + ANSWER_MAC);
	return err ? err : HANDSHAKE_ANSWER_SIZE;
}

int handshake_prove(struct handshake *hs, const struct handshake_self *self, const uint8_t *answer,
		    size_t size, uint8_t out[HANDSHAKE_SIZE_MAX], struct handshake_keys *keys)
{
	struct handshake_claim claim;
	int err = claim_of(hs, self, HANDSHAKE_ANSWER, answer, size, &claim);

	if (err || claim.session != hs->session) {
		return -EBADMSG;
	}
	if (claim.refusal != HANDSHAKE_ACCEPTED || !same_suite(claim.suite, self->suite)) {
		return -EACCES;
	}
	memset(claim.keys[1], 0, sizeof(claim.keys[1]));
	if (!choose_key(hs, self, &claim)) {
		return -EBADMSG;
	}
	memcpy(hs->answer, answer, sizeof(hs->answer));
	err = check_mac(hs, self, HANDSHAKE_ANSWER, answer + ANSWER_MAC);
	err = err ? err : session_keys(hs, self, true, keys);
	if (err) {
		return err;
	}
	begin(self, hs, HANDSHAKE_PROOF, HANDSHAKE_ACCEPTED, out);
	err = mac(hs, self, HANDSHAKE_PROOF, out + PROOF_MAC);
	return err ? err : HANDSHAKE_PROOF_SIZE;
}

int handshake_check(struct handshake *hs, const struct handshake_self *self, const uint8_t *proof,
		    size_t size, struct handshake_keys *keys)
{
	struct handshake_claim claim;
	int err = claim_of(hs, self, HANDSHAKE_PROOF, proof, size, &claim);

	if (err || cluster_key_none(&hs->key) || claim.session != hs->session) {
		return -EBADMSG;
	}
	err = check_mac(hs, self, HANDSHAKE_PROOF, proof + PROOF_MAC);
	return err ? err : session_keys(hs, self, false, keys);
}
