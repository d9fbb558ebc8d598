/* SPDX-License-Identifier: BSD-3-Clause */
/* Which library it is. */
#include "crypto/gcm.h"

const struct gcm_library *gcm_best(void)
{
	const struct gcm_library *fast = gcm_ipsec_mb();

	return fast ? fast : &gcm_openssl;
}
