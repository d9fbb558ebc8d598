/* SPDX-License-Identifier: BSD-3-Clause */
/* The secret that all nodes of a cluster share, as it is used: derived from the bytes of the key file,
 * the name of the cluster and the suite, so that keys of clusters that share a file differ. To be kept
 * in memory for secrets (secret.h). */
#ifndef CORONET_CRYPTO_CLUSTER_KEY_H
#define CORONET_CRYPTO_CLUSTER_KEY_H

#include "crypto/suite.h"

#define CLUSTER_KEY_ID_SIZE 8

struct cluster_key {
	/* Says which key it is and nothing about it; all zero: there is none. */
	uint8_t id[CLUSTER_KEY_ID_SIZE];
	uint8_t secret[CRYPTO_HASH_SIZE_MAX];
};

/* 0 or -EIO. */
int cluster_key_derive(struct crypto_suite suite, const char *cluster_name, const void *bytes,
		       size_t size, struct cluster_key *out);
bool cluster_key_none(const struct cluster_key *key);
bool cluster_key_same(const struct cluster_key *a, const struct cluster_key *b);
void cluster_key_wipe(struct cluster_key *key);

/* For people: "1f2e3d4c5b6a7988". */
#define CLUSTER_KEY_TEXT_SIZE (2 * CLUSTER_KEY_ID_SIZE + 1)
void cluster_key_text(const uint8_t id[CLUSTER_KEY_ID_SIZE], char out[CLUSTER_KEY_TEXT_SIZE]);

#endif
