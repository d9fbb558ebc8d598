/* SPDX-License-Identifier: BSD-3-Clause */
/* The cluster's key, from its file into the engine. */
#ifndef CORONET_DAEMON_KEY_H
#define CORONET_DAEMON_KEY_H

#include "config/config.h"
#include "config/messages.h"
#include "crypto/cluster_key.h"

/* Whether the configuration asks for one. */
bool key_wanted(const struct config *config);
struct crypto_suite key_suite(const struct config *config);

/* Reads the key file. 0, or the exit code with the reason among the messages. With no key asked for *out
 * becomes NULL; else it is the caller's, in memory for secrets: key_free. */
int key_load(const struct config *config, struct messages *messages, struct cluster_key **out);
void key_free(struct cluster_key **key);

#endif
