/* SPDX-License-Identifier: BSD-3-Clause */
/* Whichever library seals, the other one opens it: nodes of one ring need not be built alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/gcm.h"

#define TEXT_MAX 70000u

struct sealed {
	uint8_t text[TEXT_MAX];
	uint8_t tag[GCM_TAG_SIZE];
};

static uint8_t text[TEXT_MAX];
static const uint8_t key[CRYPTO_KEY_SIZE_MAX] = {9, 8, 7};

/* In two steps, cut anywhere; GMAC leaves the text alone. */
static void run(const struct gcm_library *library, struct gcm *gcm, bool sealing, size_t size,
		size_t cut, const uint8_t *in, uint8_t *out)
{
	const uint8_t nonce[GCM_NONCE_SIZE] = {(uint8_t)size, (uint8_t)(size >> 8)};

	assert_true(library->begin(gcm, sealing, nonce, (const uint8_t *)"a head", size % 7));
	if (cut > 0) {
		assert_true(library->update(gcm, in, out, cut));
	}
	if (size > cut) {
		assert_true(library->update(gcm, in + cut, out + cut, size - cut));
	}
}

static void seal_with_one_open_with_the_other(const struct gcm_library *one,
					      const struct gcm_library *other,
					      enum crypto_cipher cipher, size_t size, size_t cut)
{
	static struct sealed sealed;
	struct gcm *sealer, *opener;

	assert_int_equal(one->open(cipher, key, &sealer), 0);
	assert_int_equal(other->open(cipher, key, &opener), 0);
	memcpy(sealed.text, text, size);
	run(one, sealer, true, size, cut, text, sealed.text);
	assert_true(one->tag(sealer, sealed.tag));
	for (int changed = 0; changed < 2; changed++) {
		struct sealed copy = sealed;

		copy.tag[size % GCM_TAG_SIZE] ^= (uint8_t)changed;
		run(other, opener, false, size, size - cut, copy.text, copy.text);
		assert_int_equal(other->verify(opener, copy.tag), !changed);
		assert_memory_equal(copy.text, text, size);
	}
	one->close(&sealer);
	other->close(&opener);
	assert_null(sealer);
}

static void try_size(size_t size, size_t cut)
{
	for (int i = CRYPTO_CIPHER_NONE; i <= CRYPTO_AES256; i++) {
		enum crypto_cipher cipher = (enum crypto_cipher)i;

		seal_with_one_open_with_the_other(gcm_best(), &gcm_openssl, cipher, size, cut);
		seal_with_one_open_with_the_other(&gcm_openssl, gcm_best(), cipher, size, cut);
	}
}

static void sizes__all_small_ones(void **state)
{
	(void)state;
	for (size_t size = 0; size < 600; size += size < 100 ? 1 : 13) {
		try_size(size, 0);
		try_size(size, size / 3);
	}
}

static void sizes__large(void **state)
{
	static const size_t sizes[] = {4096, 4097, 65535, 65536, TEXT_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		try_size(sizes[i], 0);
		try_size(sizes[i], 1000);
		try_size(sizes[i], sizes[i] - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes__all_small_ones),
		cmocka_unit_test(sizes__large),
	};

	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] = (uint8_t)(i * 31 + i / 256);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
