/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that have an answer: one packet each way, one thread at a time. There is no time
 * limit, but a daemon that dies is noticed, because its end of the socket closes. */
#include "lib/instance.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "ipc/memory.h"

/* An answer that does not wait for the ring is there before that. */
#define TRY_MS 20

static cs_error_t take_data(struct instance *instance, struct answer *answer)
{
	void *base;

	if (!(answer->reply.flags & IPC_IN_MEMFD)) {
		answer->data = instance->reply + sizeof(answer->reply);
		return CS_OK;
	}
	if (answer->fds.count != 1) {
		return CS_ERR_LIBRARY;
	}
	if (ipc_memory_map(answer->fds.fd[0], answer->reply.data_size, PROT_READ, &base)) {
		return CS_ERR_NO_MEMORY;
	}
	answer->data = base;
	answer->mapped = true;
	return CS_OK;
}

static cs_error_t ask(struct instance *instance, const struct ipc_request *request,
		      struct answer *answer)
{
	cs_error_t error;
	int err;

	if (instance_flag(&instance->dead)) {
		return CS_ERR_LIBRARY;
	}
	err = ipc_call(instance->request_fd, request, instance->reply, &answer->fds);
	if (err && err != -EMFILE) {
		instance_set(&instance->dead);
		return CS_ERR_LIBRARY;
	}
	memcpy(&answer->reply, instance->reply, sizeof(answer->reply));
	error = err ? CS_ERR_NO_MEMORY : take_data(instance, answer);
	return error == CS_OK ? (cs_error_t)answer->reply.status : error;
}

cs_error_t answer_get(struct instance *instance, const struct ipc_request *request,
		      struct answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	pthread_mutex_lock(&instance->call_lock);
	return ask(instance, request, answer);
}

bool answer_try(struct instance *instance, const struct ipc_request *request, struct answer *answer,
		cs_error_t *error)
{
	struct timespec until;

	memset(answer, 0, sizeof(*answer));
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += TRY_MS * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	if (pthread_mutex_timedlock(&instance->call_lock, &until)) {
		return false;
	}
	*error = ask(instance, request, answer);
	return true;
}

void answer_end(struct instance *instance, struct answer *answer)
{
	if (answer->mapped) {
		munmap((void *)answer->data, answer->reply.data_size);
	}
	ipc_close_fds(&answer->fds);
	pthread_mutex_unlock(&instance->call_lock);
}

cs_error_t call_daemon(struct instance *instance, const struct ipc_request *request)
{
	struct answer answer;
	cs_error_t error = answer_get(instance, request, &answer);

	answer_end(instance, &answer);
	return error;
}

cs_error_t call_name(struct ipc_request *request, const struct cpg_name *name)
{
	if (!name) {
		return CS_ERR_INVALID_PARAM;
	}
	if (name->length > CPG_MAX_NAME_LENGTH) {
		return CS_ERR_NAME_TOO_LONG;
	}
	request->name.length = name->length;
	memcpy(request->name.value, name->value, name->length);
	return CS_OK;
}
