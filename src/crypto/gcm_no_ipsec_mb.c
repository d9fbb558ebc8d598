/* SPDX-License-Identifier: BSD-3-Clause */
/* A build without libipsec-mb. */
#include "crypto/gcm.h"

const struct gcm_library *gcm_ipsec_mb(void)
{
	return NULL;
}
