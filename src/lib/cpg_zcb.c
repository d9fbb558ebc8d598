/* SPDX-License-Identifier: BSD-3-Clause */
/* cpg_zcb_alloc(3), cpg_zcb_free(3), cpg_zcb_mcast_joined(3). */
#include "lib/zcb.h"

#include <stdlib.h>

#include "lib/address.h"
#include "lib/sending.h"

struct zcb {
	uintptr_t address; /* the key; the buffer */
	size_t size;
};

static void zcb_free(void *node)
{
	struct zcb *zcb = node;

	free((void *)zcb->address);
	free(zcb);
}

void zcbs_init(struct zcbs *zcbs)
{
	pthread_mutex_init(&zcbs->lock, NULL);
}

void zcbs_fini(struct zcbs *zcbs)
{
	tdestroy(zcbs->tree, zcb_free);
	pthread_mutex_destroy(&zcbs->lock);
}

static struct zcb *zcb_new(size_t size)
{
	struct zcb *zcb = malloc(sizeof(*zcb));
	void *buffer = calloc(1, size ? size : 1);

	if (!zcb || !buffer) {
		free(zcb);
		free(buffer);
		return NULL;
	}
	*zcb = (struct zcb){.address = (uintptr_t)buffer, .size = size};
	return zcb;
}

static cs_error_t zcb_add(struct zcbs *zcbs, size_t size, void **buffer)
{
	struct zcb *zcb = zcb_new(size);
	bool added;

	if (!zcb) {
		return CS_ERR_NO_MEMORY;
	}
	pthread_mutex_lock(&zcbs->lock);
	added = tsearch(zcb, &zcbs->tree, address_compare) != NULL;
	pthread_mutex_unlock(&zcbs->lock);
	if (!added) {
		zcb_free(zcb);
		return CS_ERR_NO_MEMORY;
	}
	*buffer = (void *)zcb->address;
	return CS_OK;
}

cs_error_t cpg_zcb_alloc(cpg_handle_t handle, size_t size, void **buffer)
{
	struct instance *instance = instance_get(handle);
	cs_error_t error;

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	if (!buffer) {
		error = CS_ERR_INVALID_PARAM;
	} else if (size > MESSAGE_SIZE_MAX) {
		error = CS_ERR_TOO_BIG;
	} else if (!instance_alive(instance)) {
		error = CS_ERR_LIBRARY;
	} else {
		error = zcb_add(&instance->zcbs, size, buffer);
	}
	instance_put(instance);
	return error;
}

cs_error_t cpg_zcb_free(cpg_handle_t handle, void *buffer)
{
	struct instance *instance = instance_get(handle);
	struct zcb *zcb;

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	pthread_mutex_lock(&instance->zcbs.lock);
	zcb = address_find(&instance->zcbs.tree, buffer);
	if (zcb) {
		tdelete(zcb, &instance->zcbs.tree, address_compare);
		zcb_free(zcb);
	}
	pthread_mutex_unlock(&instance->zcbs.lock);
	instance_put(instance);
	return zcb ? CS_OK : CS_ERR_INVALID_PARAM;
}

/* The lock is held while the buffer is read, so that no other thread can free it meanwhile. */
static cs_error_t zcb_mcast(struct instance *instance, cpg_guarantee_t guarantee, void *msg,
			    size_t msg_len)
{
	struct iovec piece = {.iov_base = msg, .iov_len = msg_len};
	cs_error_t error = CS_ERR_INVALID_PARAM;
	struct zcb *zcb;

	pthread_mutex_lock(&instance->zcbs.lock);
	zcb = address_find(&instance->zcbs.tree, msg);
	if (zcb && msg_len <= zcb->size) {
		error = sending_mcast(instance, guarantee, &piece, 1, msg_len);
	}
	pthread_mutex_unlock(&instance->zcbs.lock);
	return error;
}

cs_error_t cpg_zcb_mcast_joined(cpg_handle_t handle, cpg_guarantee_t guarantee, void *msg,
				size_t msg_len)
{
	struct instance *instance = instance_get(handle);
	cs_error_t error = CS_ERR_TOO_BIG;

	if (!instance) {
		return CS_ERR_BAD_HANDLE;
	}
	if (msg_len <= MESSAGE_SIZE_MAX) {
		error = zcb_mcast(instance, guarantee, msg, msg_len);
	}
	instance_put(instance);
	return error;
}
