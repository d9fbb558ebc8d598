/* SPDX-License-Identifier: BSD-3-Clause */
/* See cluster_key.h. */
#include "crypto/cluster_key.h"

#include <stdio.h>
#include <string.h>

#include "crypto/derive.h"
#include "crypto/secret.h"

static int derive(struct crypto_suite suite, struct crypto_bytes salt, struct crypto_bytes material,
		  const char *purpose, uint8_t *out, size_t size)
{
	char info[64];
	int length = snprintf(info, sizeof(info), "coronet 1 %s %s %s", purpose,
			      crypto_cipher_name(suite.cipher), crypto_hash_name(suite.hash));

	return crypto_hkdf(suite.hash, salt, material, (struct crypto_bytes){info, (size_t)length},
			   out, size);
}

int cluster_key_derive(struct crypto_suite suite, const char *cluster_name, const void *bytes,
		       size_t size, struct cluster_key *out)
{
	struct crypto_bytes salt = {cluster_name, strlen(cluster_name)};
	struct crypto_bytes material = {bytes, size};
	int err = derive(suite, salt, material, "key id", out->id, sizeof(out->id));

	return err ? err
		   : derive(suite, salt, material, "cluster key", out->secret, sizeof(out->secret));
}

bool cluster_key_none(const struct cluster_key *key)
{
	static const uint8_t none[CLUSTER_KEY_ID_SIZE];

	return memcmp(key->id, none, sizeof(none)) == 0;
}

bool cluster_key_same(const struct cluster_key *a, const struct cluster_key *b)
{
	return crypto_equal(a, b, sizeof(*a));
}

void cluster_key_wipe(struct cluster_key *key)
{
	secret_wipe(key, sizeof(*key));
}

void cluster_key_text(const uint8_t id[CLUSTER_KEY_ID_SIZE], char out[CLUSTER_KEY_TEXT_SIZE])
{
	for (size_t i = 0; i < CLUSTER_KEY_ID_SIZE; i++) {
		snprintf(out + 2 * i, 3, "%02x", id[i]);
	}
}
