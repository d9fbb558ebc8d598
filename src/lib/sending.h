/* SPDX-License-Identifier: BSD-3-Clause */
/* The sending half of a connection: send memory, and the ring of descriptors that the daemon
 * takes from. Thread-safe. */
#ifndef CORONET_LIB_SENDING_H
#define CORONET_LIB_SENDING_H

#include <sys/uio.h>

#include "lib/instance.h"

void sending_init(struct sending *sending);
void sending_fini(struct sending *sending);

/* Asks the daemon for the common region unless it is there. CS_ERR_NO_MEMORY, CS_ERR_TRY_AGAIN,
 * CS_ERR_LIBRARY. */
cs_error_t sending_prepare(struct instance *instance);
/* From now on messages are accepted, or not. Returns what was before. */
bool sending_allow(struct instance *instance, bool joined);
/* Whether a small message would be refused for lack of room. */
bool sending_full(struct instance *instance);

/* Copies the pieces, which are `size` bytes together, and gives them to the daemon. Errors as
 * cpg_mcast_joined. */
cs_error_t sending_mcast(struct instance *instance, cpg_guarantee_t guarantee,
			 const struct iovec *pieces, unsigned int count, uint64_t size);

/* For memory that the program writes itself. Both with the lock held; sending_wake afterwards,
 * without it. */
/* Memory of `size` bytes until it is given back. CS_ERR_TRY_AGAIN, CS_ERR_NO_MEMORY,
 * CS_ERR_LIBRARY. */
cs_error_t sending_lend(struct instance *instance, uint64_t size, bool handover, uint32_t *token);
/* Gives the first `size` bytes of it to the daemon. Errors as cpg_mcast_joined. */
cs_error_t sending_publish(struct instance *instance, cpg_guarantee_t guarantee, uint32_t token,
			   uint64_t size);
/* The daemon looks at what was published, or learns what is missing. */
void sending_wake(struct instance *instance);

#endif
