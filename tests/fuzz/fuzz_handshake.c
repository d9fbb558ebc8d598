/* SPDX-License-Identifier: BSD-3-Clause */
/* Two nodes shake hands, and the input bends what they say: three messages' sizes and what is done to
 * their bytes. Bytes from nowhere are a message that is bent everywhere. Whoever ends with keys ends
 * with those of the other, and only when nothing that counts was bent. */
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "crypto/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int random_bytes(void *ctx, void *out, size_t size)
{
	uint32_t *state = ctx;

	for (size_t i = 0; i < size; i++) {
		*state = *state * 1664525u + 1013904223u;
		((uint8_t *)out)[i] = (uint8_t)(*state >> 24);
	}
	return 0;
}

/* A message as it arrives: so many bytes of it, some exchanged. Returns its size. */
static size_t bend(struct cursor *input, const uint8_t *sent, int sent_size, uint8_t *out)
{
	size_t size = sent_size > 0 ? (size_t)sent_size : HANDSHAKE_SIZE_MAX;
	uint8_t cut = cursor_u8(input);
	uint8_t count = cursor_u8(input);

	memcpy(out, sent, HANDSHAKE_SIZE_MAX);
	for (uint8_t i = 0; i < count && cursor_ok(input); i++) {
		uint8_t at = cursor_u8(input);

		out[at % HANDSHAKE_SIZE_MAX] ^= cursor_u8(input);
	}
	return cut < size ? size - cut : 0;
}

static const struct cluster_key *key_number(int i)
{
	static struct cluster_key keys[2];
	struct crypto_suite suite = {CRYPTO_AES128, CRYPTO_SHA256};
	uint8_t bytes[1] = {(uint8_t)i};

	if (cluster_key_none(&keys[i]) && cluster_key_derive(suite, "f", bytes, 1, &keys[i])) {
		abort();
	}
	return &keys[i];
}

static struct handshake_self self_of(uint32_t node, uint8_t has, uint32_t *random_state)
{
	return (struct handshake_self){.suite = {CRYPTO_AES128, CRYPTO_SHA256},
				       .cluster_name = "f",
				       .node = node,
				       .keys = {key_number(has & 1),
						has & 2 ? key_number(!(has & 1)) : NULL},
				       .random = random_bytes,
				       .random_ctx = random_state};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor input = cursor_of(data, size);
	uint32_t state = 7;
	struct handshake_self i_self = self_of(1, cursor_u8(&input), &state);
	struct handshake_self r_self = self_of(2, cursor_u8(&input), &state);
	uint8_t said[HANDSHAKE_SIZE_MAX] = {0};
	uint8_t came[HANDSHAKE_SIZE_MAX];
	struct handshake_keys i_keys;
	struct handshake_keys r_keys;
	struct handshake_claim claim;
	struct handshake i;
	struct handshake r;
	int length = handshake_hello(&i, &i_self, 2, 1, said);
	size_t arrived = bend(&input, said, length, came);

	handshake_read(data, size, &claim);
	length = handshake_answer(&r, &r_self, 1, came, arrived, said);
	arrived = bend(&input, said, length, came);
	length = handshake_prove(&i, &i_self, came, arrived, said, &i_keys);
	arrived = bend(&input, said, length, came);
	if (handshake_check(&r, &r_self, came, arrived, &r_keys) == 0 &&
	    (length < 0 || memcmp(i_keys.send, r_keys.receive, sizeof(i_keys.send)) != 0 ||
	     memcmp(i_keys.receive, r_keys.send, sizeof(i_keys.send)) != 0)) {
		abort();
	}
	return 0;
}
