/* SPDX-License-Identifier: BSD-3-Clause */
/* How two nodes prove to each other that they have the cluster's key, and get keys that nobody else
 * has: three messages, from the node that dials (I) to the other (R) and back.
 *
 *   HELLO   I -> R   the keys that I has, by their ids; a nonce; a fresh X25519 key (RFC 7748)
 *   ANSWER  R -> I   the key that R chose; a nonce; a fresh X25519 key; a MAC over all of both
 *   PROOF   I -> R   a MAC over the same, for the other direction
 *
 * MACs are made with the cluster's key, session keys with that and what X25519 gives: who learns the
 * cluster's key later can not open what was sent before. Nothing of the ring is in these messages but
 * the two node ids. A handshake has no clock and sends nothing: bytes in, bytes out.
 *
 * Layout, little-endian: 0 magic u32, 4 kind u8, 5 version u8, 6 cipher u8, 7 hash u8, 8 from u32,
 * 12 to u32, 16 session u32, 20 refusal u32 (ANSWER; else 0), then
 *   HELLO, ANSWER  24 two key ids of 8 bytes (the second may be zero)  40 nonce[32]  72 X25519[32]
 *   ANSWER         104 MAC[64]      PROOF  24 MAC[64]; unused bytes of a MAC are zero */
#ifndef CORONET_CRYPTO_HANDSHAKE_H
#define CORONET_CRYPTO_HANDSHAKE_H

#include "crypto/cluster_key.h"

#define HANDSHAKE_MAGIC	      0x41524e43u /* "CNRA" */
#define HANDSHAKE_SIZE_MAX    168
#define HANDSHAKE_HELLO_SIZE  104
#define HANDSHAKE_ANSWER_SIZE 168
#define HANDSHAKE_PROOF_SIZE  88
#define HANDSHAKE_KEYS	      2

enum handshake_kind {
	HANDSHAKE_HELLO = 1,
	HANDSHAKE_ANSWER = 2,
	HANDSHAKE_PROOF = 3,
};

enum handshake_refusal {
	HANDSHAKE_ACCEPTED,
	HANDSHAKE_OTHER_SUITE,
	HANDSHAKE_OTHER_KEY,
};

/* What both sides of all handshakes of a node know. */
struct handshake_self {
	struct crypto_suite suite;
	const char *cluster_name;
	uint32_t node;
	/* At least one; in the order of preference: R takes the first of I's that it has too. */
	const struct cluster_key *keys[HANDSHAKE_KEYS];
	/* Fills `out` with what nobody can foretell; 0 or negative errno. */
	int (*random)(void *ctx, void *out, size_t size);
	void *random_ctx;
};

struct handshake {
	uint32_t peer;
	uint32_t session;
	struct cluster_key key; /* which proves it; none: not chosen yet */
	uint8_t secret[32];	/* our X25519 key */
	uint8_t hello[HANDSHAKE_HELLO_SIZE];
	uint8_t answer[HANDSHAKE_HELLO_SIZE]; /* without its MAC */
};

/* One key for each direction, crypto_key_size(cipher) bytes of each. */
struct handshake_keys {
	uint8_t send[CRYPTO_KEY_SIZE_MAX];
	uint8_t receive[CRYPTO_KEY_SIZE_MAX];
};

/* What a message claims, and nothing of it is proven. */
struct handshake_claim {
	enum handshake_kind kind;
	struct crypto_suite suite;
	uint32_t from, to, session;
	enum handshake_refusal refusal;
	uint8_t keys[HANDSHAKE_KEYS][CLUSTER_KEY_ID_SIZE];
};

/* Total: NULL, or why these bytes are no message of a handshake. */
const char *handshake_read(const uint8_t *bytes, size_t size, struct handshake_claim *out);

/* The steps. They return the size of the message in `out`, or negative errno: -EIO (no random bytes,
 * or OpenSSL), -EBADMSG (from somebody else, for somebody else, of another session, malformed, or
 * not proven), -EACCES (no key or suite in common: `out` then has the answer that says so, of
 * HANDSHAKE_ANSWER_SIZE bytes, for R; for I, R has said so). The peer and session of `hs` are set
 * by handshake_hello and handshake_answer. */
int handshake_hello(struct handshake *hs, const struct handshake_self *self, uint32_t peer,
		    uint32_t session, uint8_t out[HANDSHAKE_SIZE_MAX]);
int handshake_answer(struct handshake *hs, const struct handshake_self *self, uint32_t peer,
		     const uint8_t *hello, size_t size, uint8_t out[HANDSHAKE_SIZE_MAX]);
int handshake_prove(struct handshake *hs, const struct handshake_self *self, const uint8_t *answer,
		    size_t size, uint8_t out[HANDSHAKE_SIZE_MAX], struct handshake_keys *keys);
/* R's last: 0 or negative errno. */
int handshake_check(struct handshake *hs, const struct handshake_self *self, const uint8_t *proof,
		    size_t size, struct handshake_keys *keys);

#endif
