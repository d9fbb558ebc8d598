/* SPDX-License-Identifier: BSD-3-Clause */
/* cpg_mcast_joined(3). */
#include <corosync/cpg.h>

#include "lib/sending.h"

/* CS_ERR_TOO_BIG also when the sum does not fit a number. */
static cs_error_t total(const struct iovec *pieces, unsigned int count, uint64_t *size)
{
	*size = 0;
	if (count > 0 && !pieces) {
		return CS_ERR_INVALID_PARAM;
	}
	for (unsigned int i = 0; i < count; i++) {
		if (pieces[i].iov_len > 0 && !pieces[i].iov_base) {
			return CS_ERR_INVALID_PARAM;
		}
		if (pieces[i].iov_len > MESSAGE_SIZE_MAX - *size) {
			return CS_ERR_TOO_BIG;
		}
		*size += pieces[i].iov_len;
	}
	return CS_OK;
}

cs_error_t cpg_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee,
			    const struct iovec *iovec, unsigned int iov_len)
{
	struct instance *instance = instance_get(handle);
	cs_error_t error;
	uint64_t size;

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	error = total(iovec, iov_len, &size);
	if (error == CS_OK) {
		error = sending_mcast(instance, guarantee, iovec, iov_len, size);
	}
	instance_put(instance);
	return error;
}
