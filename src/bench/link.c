/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls of libcpg, and what their errors mean for somebody who measures. */
#include "bench/link.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "bench/meter.h"

enum {
	RETRY_NS = 20000000
};

enum link_sent link_judge(struct link *link, cs_error_t error)
{
	if (error == CS_OK) {
		return LINK_SENT;
	}
	link->error = error;
	switch ((int)error) {
	case CS_ERR_TRY_AGAIN:
	case CS_ERR_QUEUE_FULL:
	/* A message in pieces, and the membership changed between two of them: all of it again. */
	case CS_ERR_INTERRUPT:
		return LINK_AGAIN;
	case CS_ERR_TOO_BIG:
	case CS_ERR_INVALID_PARAM:
	case CS_ERR_NO_MEMORY:
	case CS_ERR_NO_RESOURCES:
	case CS_ERR_NO_SPACE:
	case CS_ERR_NOT_SUPPORTED:
		return LINK_REFUSED;
	}
	return LINK_BROKEN;
}

static void pause_before_retry(void)
{
	const struct timespec retry = {.tv_nsec = RETRY_NS};

	nanosleep(&retry, NULL);
}

static cs_error_t connect_in_time(struct link *link, cpg_model_t model, void *data,
				  uint64_t until_ns)
{
	cs_error_t error;

	while ((error = cpg_model_initialize(&link->handle, model, (cpg_model_data_t *)data,
					     NULL)) == CS_ERR_TRY_AGAIN &&
	       meter_now_ns() < until_ns) {
		pause_before_retry();
	}
	return error;
}

static cs_error_t join_in_time(struct link *link, uint64_t until_ns)
{
	cs_error_t error;

	while ((error = cpg_join(link->handle, &link->group)) == CS_ERR_TRY_AGAIN &&
	       meter_now_ns() < until_ns) {
		pause_before_retry();
	}
	return error;
}

static void name_group(struct link *link, const char *group)
{
	size_t length = strnlen(group, CPG_MAX_NAME_LENGTH);

	*link = (struct link){.group.length = (uint32_t)length};
	memcpy(link->group.value, group, length);
}

static int join(struct link *link, cpg_model_t model, void *data, void *context,
		uint64_t patience_ns)
{
	uint64_t until_ns = meter_now_ns() + patience_ns;

	link->error = connect_in_time(link, model, data, until_ns);
	if (link->error != CS_OK) {
		return -EIO;
	}
	link->open = true;
	link->error = cpg_context_set(link->handle, context);
	if (link->error == CS_OK) {
		link->error = cpg_fd_get(link->handle, &link->fd);
	}
	if (link->error == CS_OK) {
		link->error = join_in_time(link, until_ns);
	}
	return link->error == CS_OK ? 0 : -EIO;
}

int link_open(struct link *link, const char *group, cpg_callbacks_t *callbacks, void *context,
	      uint64_t patience_ns)
{
	cpg_model_v1_data_t model = {.model = CPG_MODEL_V1,
				     .cpg_deliver_fn = callbacks->cpg_deliver_fn,
				     .cpg_confchg_fn = callbacks->cpg_confchg_fn};

	name_group(link, group);
	return join(link, CPG_MODEL_V1, &model, context, patience_ns);
}

static bool find_own(struct link_own *own)
{
	own->alloc = (__typeof__(own->alloc))dlsym(RTLD_DEFAULT, "coronet_cpg_zcb_alloc");
	own->free = (__typeof__(own->free))dlsym(RTLD_DEFAULT, "coronet_cpg_zcb_free");
	own->mcast = (__typeof__(own->mcast))dlsym(RTLD_DEFAULT, "coronet_cpg_zcb_mcast_joined");
	return own->alloc && own->free && own->mcast;
}

int link_open_in_place(struct link *link, const char *group, coronet_cpg_model_data_t *model,
		       void *context, uint64_t patience_ns)
{
	name_group(link, group);
	if (!find_own(&link->own)) {
		link->error = CS_ERR_NOT_SUPPORTED;
		return -EIO;
	}
	return join(link, CORONET_CPG_MODEL, model, context, patience_ns);
}

enum link_sent link_send(struct link *link, cpg_guarantee_t guarantee, void *message, size_t size)
{
	struct iovec piece = {.iov_base = message, .iov_len = size};

	return link_judge(link, cpg_mcast_joined(link->handle, guarantee, &piece, 1));
}

enum link_sent link_send_zcb(struct link *link, cpg_guarantee_t guarantee, void *message,
			     size_t size)
{
	return link_judge(link, cpg_zcb_mcast_joined(link->handle, guarantee, message, size));
}

bool link_wait(const struct link *link, uint64_t wait_ns)
{
	struct pollfd poll = {.fd = link->fd, .events = POLLIN};
	struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000),
				.tv_nsec = (long)(wait_ns % 1000000000)};

	return ppoll(&poll, 1, &wait, NULL) != 0;
}

int link_dispatch(struct link *link)
{
	cs_error_t error = cpg_dispatch(link->handle, CS_DISPATCH_ALL);

	/* Corosync's may say so while its ring changes. */
	if (error != CS_OK && error != CS_ERR_TRY_AGAIN) {
		link->error = error;
		return -EIO;
	}
	return 0;
}

void link_close(struct link *link)
{
	if (link->open) {
		cpg_leave(link->handle, &link->group);
		cpg_finalize(link->handle);
		link->open = false;
	}
}

const char *link_library(void)
{
	Dl_info info;
	void *function = dlsym(RTLD_DEFAULT, "cpg_mcast_joined");

	return function && dladdr(function, &info) && info.dli_fname ? info.dli_fname : "unknown";
}
