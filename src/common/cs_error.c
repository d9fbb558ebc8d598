/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libcorosync_common: names of error codes, and translation of negative errno values into them.
 *
 * The tables are part of the binary interface: programs compare the texts and the codes.
 */
#include <corosync/corotypes.h>

#include <errno.h>

#define NAME_OF(code) \
	case code:    \
		return #code

const char *cs_strerror(cs_error_t err)
{
	switch (err) {
	case CS_OK:
		return "success";
		NAME_OF(CS_ERR_LIBRARY);
		NAME_OF(CS_ERR_VERSION);
		NAME_OF(CS_ERR_INIT);
		NAME_OF(CS_ERR_TIMEOUT);
		NAME_OF(CS_ERR_TRY_AGAIN);
		NAME_OF(CS_ERR_INVALID_PARAM);
		NAME_OF(CS_ERR_NO_MEMORY);
		NAME_OF(CS_ERR_BAD_HANDLE);
		NAME_OF(CS_ERR_BUSY);
		NAME_OF(CS_ERR_ACCESS);
		NAME_OF(CS_ERR_NOT_EXIST);
		NAME_OF(CS_ERR_NAME_TOO_LONG);
		NAME_OF(CS_ERR_EXIST);
		NAME_OF(CS_ERR_NO_SPACE);
		NAME_OF(CS_ERR_INTERRUPT);
		NAME_OF(CS_ERR_NAME_NOT_FOUND);
		NAME_OF(CS_ERR_NO_RESOURCES);
		NAME_OF(CS_ERR_NOT_SUPPORTED);
		NAME_OF(CS_ERR_BAD_OPERATION);
		NAME_OF(CS_ERR_FAILED_OPERATION);
		NAME_OF(CS_ERR_MESSAGE_ERROR);
		NAME_OF(CS_ERR_QUEUE_FULL);
		NAME_OF(CS_ERR_QUEUE_NOT_AVAILABLE);
		NAME_OF(CS_ERR_BAD_FLAGS);
		NAME_OF(CS_ERR_TOO_BIG);
		NAME_OF(CS_ERR_NO_SECTIONS);
		NAME_OF(CS_ERR_CONTEXT_NOT_FOUND);
		NAME_OF(CS_ERR_TOO_MANY_GROUPS);
		NAME_OF(CS_ERR_SECURITY);
	}
	return "unknown error";
}

cs_error_t qb_to_cs_error(int result)
{
	if (result >= 0) {
		return CS_OK;
	}
	switch (result) {
	case -EBADF:
		return CS_ERR_BAD_HANDLE;
	case -ENOMEM:
		return CS_ERR_NO_MEMORY;
	case -ENOMSG:
	case -ENOBUFS:
	case -ETIMEDOUT:
	case -EAGAIN:
		return CS_ERR_TRY_AGAIN;
	case -EBADE:
		return CS_ERR_FAILED_OPERATION;
	case -ETIME:
		return CS_ERR_TIMEOUT;
	case -EINVAL:
		return CS_ERR_INVALID_PARAM;
	case -EBUSY:
		return CS_ERR_BUSY;
	case -EACCES:
		return CS_ERR_ACCESS;
	case -EOVERFLOW:
		return CS_ERR_NAME_TOO_LONG;
	case -EEXIST:
		return CS_ERR_EXIST;
	case -ENOSPC:
		return CS_ERR_NO_SPACE;
	case -EINTR:
		return CS_ERR_INTERRUPT;
	case -ENOENT:
	case -ENODEV:
		return CS_ERR_NOT_EXIST;
	case -ENOSYS:
	case -ENOTSUP:
		return CS_ERR_NOT_SUPPORTED;
	case -EBADMSG:
		return CS_ERR_MESSAGE_ERROR;
	case -EMSGSIZE:
	case -E2BIG:
		return CS_ERR_TOO_BIG;
	default:
		return CS_ERR_LIBRARY;
	}
}

cs_error_t hdb_error_to_cs(int res)
{
	switch (res) {
	case 0:
		return CS_OK;
	case -EBADF:
		return CS_ERR_BAD_HANDLE;
	case -ENOMEM:
		return CS_ERR_NO_MEMORY;
	case -EMFILE:
		return CS_ERR_NO_RESOURCES;
	case -EACCES:
		return CS_ERR_ACCESS;
	default:
		return CS_ERR_LIBRARY;
	}
}
