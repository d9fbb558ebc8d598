/* SPDX-License-Identifier: BSD-3-Clause */
/* One connection to the daemon, from hello to the last close(2). */
#include "lib/instance.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/memory.h"
#include "lib/events.h"
#include "lib/sending.h"
#include "lib/zcb.h"

struct handles instances = HANDLES_INIT(instance_free);

/* A missing socket is a missing daemon; the rest has a meaning of its own. */
static cs_error_t connect_error(int err)
{
	return err == -ENOENT || err == -ENOTDIR ? CS_ERR_LIBRARY : qb_to_cs_error(err);
}

static struct instance *blank_instance(const coronet_cpg_model_data_t *model, void *context)
{
	struct instance *instance = calloc(1, sizeof(*instance));

	if (!instance) {
		return NULL;
	}
	instance->model = *model;
	instance->context = context;
	instance->request_fd = instance->event_fd = instance->side_fd = -1;
	pthread_mutex_init(&instance->call_lock, NULL);
	list_init(&instance->iterations);
	events_init(&instance->events);
	sending_init(&instance->sending);
	zcbs_init(&instance->zcbs);
	return instance;
}

static cs_error_t map_shared(struct instance *instance, int shared_fd, int slab_fd,
			     const struct ipc_welcome *welcome)
{
	void *slab;
	int err = ipc_memory_map(shared_fd, IPC_SHARED_SIZE, PROT_READ | PROT_WRITE,
				 &instance->shared);

	if (!err) {
		err = ipc_memory_map(slab_fd, welcome->slab_size, PROT_READ, &slab);
	}
	if (err) {
		return qb_to_cs_error(err);
	}
	instance->events.slab = slab;
	instance->events.slab_size = welcome->slab_size;
	instance->events.reader.shared = instance->shared;
	return CS_OK;
}

static cs_error_t take_welcome(struct instance *instance, struct answer *answer)
{
	struct ipc_fds *fds = &answer->fds;
	cs_error_t error;

	if (answer->reply.data_size < sizeof(struct ipc_welcome) || fds->count != 4) {
		return CS_ERR_LIBRARY;
	}
	instance->event_fd = fds->fd[0];
	instance->side_fd = fds->fd[1];
	error = map_shared(instance, fds->fd[2], fds->fd[3], answer->data);
	close(fds->fd[2]);
	close(fds->fd[3]);
	fds->count = 0;
	return error;
}

static cs_error_t hello(struct instance *instance)
{
	unsigned int flags = instance->model.flags;
	uint32_t initial = flags & CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF
				   ? IPC_HELLO_CLIENT_INITIAL
				   : IPC_HELLO_CLIENT;
	uint32_t in_place = flags & CORONET_CPG_DELIVER_IN_PLACE ? IPC_HELLO_IN_PLACE : 0;
	struct ipc_request request = {.kind = IPC_HELLO,
				      .arg = initial | in_place,
				      .value = (uint64_t)IPC_MAGIC << 32 | IPC_VERSION};
	struct answer answer;
	cs_error_t error = answer_get(instance, &request, &answer);

	if (error == CS_OK) {
		error = take_welcome(instance, &answer);
	}
	answer_end(instance, &answer);
	return error;
}

cs_error_t instance_new(const coronet_cpg_model_data_t *model, void *context, struct instance **out)
{
	struct instance *instance = blank_instance(model, context);
	cs_error_t error;

	if (!instance) {
		return CS_ERR_NO_MEMORY;
	}
	instance->request_fd = ipc_connect(ipc_run_dir());
	if (instance->request_fd < 0) {
		error = connect_error(instance->request_fd);
		instance->request_fd = -1;
	} else {
		error = hello(instance);
	}
	if (error != CS_OK) {
		instance_free(instance);
		return error;
	}
	*out = instance;
	return CS_OK;
}

void instance_free(void *object)
{
	struct instance *instance = object;

	events_fini(&instance->events);
	sending_fini(&instance->sending);
	zcbs_fini(&instance->zcbs);
	if (instance->shared) {
		munmap(instance->shared, IPC_SHARED_SIZE);
	}
	ipc_close(&instance->request_fd);
	ipc_close(&instance->event_fd);
	ipc_close(&instance->side_fd);
	pthread_mutex_destroy(&instance->call_lock);
	free(instance);
}

struct instance *instance_get(cpg_handle_t handle)
{
	return handles_get(&instances, handle);
}

void instance_put(struct instance *instance)
{
	handles_put(&instances, instance->handle);
}

bool instance_alive(struct instance *instance)
{
	struct pollfd request = {.fd = instance->request_fd};

	if (poll(&request, 1, 0) > 0 && (request.revents & (POLLHUP | POLLERR))) {
		instance_set(&instance->dead);
	}
	return !instance_flag(&instance->dead);
}

/* When the socket is full the daemon has bells enough to hear. */
void instance_bell(struct instance *instance)
{
	ssize_t sent = send(instance->side_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) {
		instance_set(&instance->dead);
	}
}
