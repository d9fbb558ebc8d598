/* SPDX-License-Identifier: BSD-3-Clause */
/* Sealing: known answers, pieces, and that no changed bit gets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/aead.h"
#include "crypto/derive.h"

#include <errno.h>

static const uint8_t key[CRYPTO_KEY_SIZE_MAX] = {1, 2, 3};
static const struct aead_piece with = {(const uint8_t *)"head", 4};

static struct aead *new_aead(enum crypto_cipher cipher, const uint8_t *bytes)
{
	struct aead *aead = NULL;

	assert_int_equal(aead_new(cipher, bytes, &aead), 0);
	return aead;
}

/* The GCM specification (McGrew, Viega), test case 14: a zero key, a zero nonce, 16 zero bytes. */
static void seal__known_answer(void **state)
{
	static const uint8_t zeros[32];
	static const uint8_t text[] = {0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e,
				       0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18};
	static const uint8_t wanted[] = {0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0,
					 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19};
	struct aead *aead = new_aead(CRYPTO_AES256, zeros);
	struct aead_piece piece = {zeros, 16};
	uint8_t out[16];
	uint8_t tag[AEAD_TAG_SIZE];

	(void)state;
	assert_int_equal(aead_seal(aead, (struct aead_nonce){0}, (struct aead_piece){zeros, 0},
				   &piece, 1, out, tag),
			 0);
	assert_memory_equal(out, text, sizeof(text));
	assert_memory_equal(tag, wanted, sizeof(wanted));
	aead_free(&aead);
}

/* RFC 5869, test case 1. */
static void hkdf__known_answer(void **state)
{
	static const uint8_t salt[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	static const uint8_t info[] = {0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9};
	static const uint8_t wanted[] = {0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a};
	uint8_t material[22];
	uint8_t out[42];

	(void)state;
	memset(material, 0x0b, sizeof(material));
	assert_int_equal(crypto_hkdf(CRYPTO_SHA256, (struct crypto_bytes){salt, sizeof(salt)},
				     (struct crypto_bytes){material, sizeof(material)},
				     (struct crypto_bytes){info, sizeof(info)}, out, sizeof(out)),
			 0);
	assert_memory_equal(out, wanted, sizeof(wanted));
}

static void seal__pieces_are_one_text(enum crypto_cipher cipher)
{
	struct aead *aead = new_aead(cipher, key);
	struct aead_nonce nonce = {.number = 77, .domain = 1};
	uint8_t text[5000];
	uint8_t out[sizeof(text)];
	uint8_t tag[AEAD_TAG_SIZE];
	struct aead_piece pieces[] = {
		{text, 40}, {text + 40, 1}, {text + 41, 0}, {text + 41, 4000}, {text + 4041, 959}};

	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] = (uint8_t)(i * 7);
	}
	assert_int_equal(aead_seal(aead, nonce, with, pieces, 5, out, tag), 0);
	assert_int_equal(memcmp(out, text, sizeof(text)) == 0, cipher == CRYPTO_CIPHER_NONE);
	assert_int_equal(
		aead_open(aead, nonce, with, (struct aead_piece){out, sizeof(out)}, out, tag), 0);
	assert_memory_equal(out, text, sizeof(text));
	aead_free(&aead);
}

static void seal__pieces(void **state)
{
	(void)state;
	seal__pieces_are_one_text(CRYPTO_CIPHER_NONE);
	seal__pieces_are_one_text(CRYPTO_AES128);
	seal__pieces_are_one_text(CRYPTO_AES192);
	seal__pieces_are_one_text(CRYPTO_AES256);
}

static int open_changed(enum crypto_cipher cipher, int what, bool elsewhere)
{
	struct aead *aead = new_aead(cipher, key);
	struct aead_nonce nonce = {.number = 1, .domain = 1};
	struct aead_piece head = with;
	struct aead_piece piece = {(const uint8_t *)"some words of text", 18};
	uint8_t out[18];
	uint8_t opened[18];
	uint8_t tag[AEAD_TAG_SIZE];
	size_t size = sizeof(out);
	int err;

	assert_int_equal(aead_seal(aead, nonce, with, &piece, 1, out, tag), 0);
	nonce.number += what == 1;
	nonce.domain += what == 2;
	head.size -= what == 3;
	out[17] ^= what == 4 ? 0x80 : 0;
	tag[0] ^= what == 5;
	size -= what == 6;
	err = aead_open(aead, nonce, head, (struct aead_piece){out, size}, elsewhere ? opened : out,
			tag);
	if (!err) {
		assert_memory_equal(elsewhere ? opened : out, piece.bytes, piece.size);
	}
	aead_free(&aead);
	return err;
}

static void open__nothing_changed_gets_through(void **state)
{
	(void)state;
	for (int cipher = CRYPTO_CIPHER_NONE; cipher <= CRYPTO_AES256; cipher++) {
		for (int what = 0; what <= 6; what++) {
			int wanted = what ? -EBADMSG : 0;

			assert_int_equal(open_changed((enum crypto_cipher)cipher, what, false),
					 wanted);
			assert_int_equal(open_changed((enum crypto_cipher)cipher, what, true),
					 wanted);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seal__known_answer),
		cmocka_unit_test(hkdf__known_answer),
		cmocka_unit_test(seal__pieces),
		cmocka_unit_test(open__nothing_changed_gets_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
