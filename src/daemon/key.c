/* SPDX-License-Identifier: BSD-3-Clause */
/* See key.h. */
#include "daemon/key.h"

#include <string.h>
#include <syslog.h>

#include "config/exit_code.h"
#include "crypto/keyfile.h"
#include "crypto/secret.h"

bool key_wanted(const struct config *config)
{
	return config->crypto_hash != CRYPTO_HASH_NONE;
}

struct crypto_suite key_suite(const struct config *config)
{
	return (struct crypto_suite){.cipher = (enum crypto_cipher)config->crypto_cipher,
				     .hash = (enum crypto_hash)config->crypto_hash};
}

/* A policy (FIPS, a provider that is not there) may forbid what the configuration wants. */
static int check_openssl(const struct config *config, struct messages *messages)
{
	struct crypto_suite suite = key_suite(config);

	if (secret_guard_openssl()) {
		messages_add(
			messages, LOG_WARNING,
			"keys that OpenSSL has made of the cluster's key may be in a core dump");
	}
	if (crypto_suite_check(suite) == 0) {
		return EXIT_OK;
	}
	messages_add(
		messages, LOG_ERR,
		"this OpenSSL does not offer %s with %s, which crypto_cipher: %s and crypto_hash: "
		"%s need; see openssl.cnf(5) for what may forbid it",
		crypto_aead_name(suite.cipher), crypto_digest_name(suite.hash),
		crypto_cipher_name(suite.cipher), crypto_hash_name(suite.hash));
	return EXIT_CONFIG;
}

static int derive(const struct config *config, struct messages *messages, struct keyfile *file,
		  struct cluster_key *out)
{
	char why[KEYFILE_WHY_SIZE];

	if (keyfile_read(config->keyfile, file, why)) {
		messages_add(messages, LOG_ERR, "%s", why);
		return EXIT_CONFIG;
	}
	if (cluster_key_derive(key_suite(config), config->cluster_name, file->bytes, file->size,
			       out)) {
		messages_add(messages, LOG_ERR, "key file %s: OpenSSL can make no key of it",
			     config->keyfile);
		return EXIT_CONFIG;
	}
	return EXIT_OK;
}

int key_load(const struct config *config, struct messages *messages, struct cluster_key **out)
{
	struct cluster_key *key;
	struct keyfile *file;
	int code;

	*out = NULL;
	code = key_wanted(config) ? check_openssl(config, messages) : EXIT_OK;
	if (code || !key_wanted(config)) {
		return code;
	}
	key = secret_new(sizeof(*key));
	file = secret_new(sizeof(*file));
	if (key && file) {
		code = derive(config, messages, file, key);
	} else {
		messages_add(messages, LOG_ERR, "no memory for the cluster's key");
		code = EXIT_FATAL;
	}
	secret_free(file, sizeof(*file));
	if (code) {
		secret_free(key, sizeof(*key));
		return code;
	}
	*out = key;
	return EXIT_OK;
}

void key_free(struct cluster_key **key)
{
	secret_free(*key, sizeof(**key));
	*key = NULL;
}
