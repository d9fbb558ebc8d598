/* SPDX-License-Identifier: BSD-3-Clause */
/* How the ring is protected: what a host asks for, and what it may see of it. docs/security.md. */
#ifndef CORONET_ENGINE_PROTECTION_H
#define CORONET_ENGINE_PROTECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/nodeset.h"
#include "crypto/cluster_key.h"

struct engine;

/* Frames, payloads and control messages are sealed, and links need proof; both sides of a link have to
 * be set up alike. */
struct engine_protection {
	struct crypto_suite suite;     /* no hash: nothing is protected */
	const struct cluster_key *key; /* copied */
	const char *cluster_name;      /* at most 255 bytes; copied */
};

struct engine_trust_stats {
	uint64_t handshakes; /* that ended well */
	uint64_t refused;    /* another key or suite, or no proof */
	uint64_t forged;     /* not what its sender had sealed */
	uint64_t replayed;   /* frames that were taken before */
	uint64_t early;	     /* frames that could not be opened yet, or any more */
	uint64_t clear;	     /* control messages that were not sealed */
};

struct engine_trust_status {
	bool on;
	bool changing; /* links are being moved to next_key */
	struct crypto_suite suite;
	uint8_t key[CLUSTER_KEY_ID_SIZE];
	uint8_t next_key[CLUSTER_KEY_ID_SIZE]; /* zero: no change is under way */
	struct nodeset waiting_for;	       /* the change has to */
	uint32_t generation;		       /* of this node's frame key */
	struct engine_trust_stats stats;
};

void engine_trust_status(const struct engine *engine, struct engine_trust_status *out);
/* With protection: the cluster is to have this key. It is used as soon as all nodes of the ring have been
 * told the same, and nothing is lost meanwhile. The key in use again: a change that waits is called off. */
void engine_change_key(struct engine *engine, const struct cluster_key *key);

#endif
