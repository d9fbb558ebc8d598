/* SPDX-License-Identifier: BSD-3-Clause */
/* Data messages: made and looked at. */
#include "bench/message.h"

#include <string.h>

enum {
	STAMP_EVERY = 1024
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ (hash >> 29);
}

static uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, size_t size)
{
	uint64_t word;

	for (; size >= sizeof(word); bytes += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		hash = mix(hash, word);
	}
	word = 0;
	memcpy(&word, bytes, size);
	return mix(hash, word + size);
}

static uint32_t digest(const uint8_t *message, size_t size)
{
	struct data_header header;
	uint64_t hash;

	memcpy(&header, message, sizeof(header));
	header.digest = 0;
	hash = hash_bytes(size, (const uint8_t *)&header, sizeof(header));
	hash = hash_bytes(hash, message + sizeof(header), size - sizeof(header));
	return (uint32_t)(hash ^ (hash >> 32));
}

void message_fill(uint8_t *message, size_t size)
{
	uint64_t state = size;

	for (size_t i = 0; i < size; i++) {
		state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
		message[i] = (uint8_t)(state >> 56);
	}
}

void message_stamp(uint8_t *message, size_t size, const struct data_header *header, bool verify)
{
	struct data_header whole = *header;

	whole.digest = 0;
	memcpy(message, &whole, size < sizeof(whole) ? size : sizeof(whole));
	if (!verify || size < sizeof(whole)) {
		return;
	}
	/* A piece that is left from the message before would show. */
	for (size_t at = sizeof(whole); size - at >= sizeof(header->number); at += STAMP_EVERY) {
		memcpy(message + at, &header->number, sizeof(header->number));
		if (size - at < STAMP_EVERY) {
			break;
		}
	}
	whole.digest = digest(message, size);
	memcpy(message, &whole, sizeof(whole));
}

void message_header(const uint8_t *message, size_t size, struct data_header *header)
{
	memset(header, 0, sizeof(*header));
	memcpy(header, message, size < sizeof(*header) ? size : sizeof(*header));
}

bool message_intact(const uint8_t *message, size_t size, const struct data_header *expected)
{
	struct data_header found;
	struct data_header wanted;

	message_header(message, size, &found);
	if (size >= sizeof(found)) {
		return found.kind == expected->kind && found.step == expected->step &&
		       found.number == expected->number && found.digest == digest(message, size);
	}
	wanted = (struct data_header){
		.kind = expected->kind, .step = expected->step, .number = expected->number};
	return memcmp(message, &wanted, size) == 0;
}

uint64_t message_order(uint64_t order, uint32_t member, uint64_t number, bool any_order)
{
	uint64_t delivery = mix(member + 1, number);

	return any_order ? order + mix(delivery, 1) : mix(order, delivery);
}
