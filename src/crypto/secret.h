/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory for keys: locked if the limit allows it, left out of core dumps and of forked processes, wiped
 * when it is freed. Not thread-safe. */
#ifndef CORONET_CRYPTO_SECRET_H
#define CORONET_CRYPTO_SECRET_H

#include <stddef.h>

/* Has OpenSSL keep its own copies of keys (expanded ones) in such memory too. To be called before
 * anything else of OpenSSL; 0, -EBUSY when that was too late, -ENOMEM. */
int secret_guard_openssl(void);

/* Zeroed; whole pages are taken. NULL: no memory. */
void *secret_new(size_t size_bytes);
/* Wipes; NULL is accepted. */
void secret_free(void *secret, size_t size_bytes);
/* Fills `out` with what nobody can foretell, from the kernel; may wait for it just after a boot. 0 or
 * negative errno. */
int secret_random(void *out, size_t size_bytes);
/* Wipes what a caller has on its stack or elsewhere. */
void secret_wipe(void *bytes, size_t size_bytes);

#endif
