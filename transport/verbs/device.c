/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding and opening the adapter, and its asynchronous events; see device.h. */
#include "verbs/device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "softroce/softroce.h"
#include "verbs/channel.h"
#include "verbs/completion.h"
#include "verbs/control.h"
#include "verbs/log.h"
#include "verbs/numa.h"
#include "verbs/peer.h"
#include "verbs/region.h"
#include "verbs/verbs.h"

/* Every peer may dial both channels at once, and once more before we have looked. */
#define LISTEN_BACKLOG (4 * NODES_MAX)

/* Patience with an adapter that is to give receive places back, and the one that need not be waited
 * for. */
#define SETTLE_MS  10
#define VENDOR_RXE 0xffffff

static int explain_listen(const struct transport *t, int error)
{
	char addr[64];
	char help[384];

	verbs_addr_text(&t->config.addr, addr, sizeof(addr));
	if (error == EADDRINUSE) {
		verbs_log(t, LOG_ERR, "another program listens on %s already", addr);
		return -EADDRINUSE;
	}
	if (error == EACCES || error == EPERM) {
		verbs_log(t, LOG_ERR,
			  "no permission for RDMA connections on %s: see the modes of "
			  "/dev/infiniband/rdma_cm and uverbs*",
			  addr);
		return -EACCES;
	}
	softroce_advice((const struct sockaddr *)&t->config.addr, help, sizeof(help));
	verbs_log(t, LOG_ERR, "no RDMA device owns the ring address %s (%s): %s", addr,
		  strerror(error), help);
	return error == ENOMEM ? -ENOMEM : -ENODEV;
}

static int device_listen(struct transport *t)
{
	t->cm = rdma_create_event_channel();
	if (!t->cm) {
		return explain_listen(t, errno);
	}
	if (rdma_create_id(t->cm, &t->listener, NULL, RDMA_PS_TCP) != 0) {
		t->listener = NULL;
		return explain_listen(t, errno);
	}
	if (rdma_bind_addr(t->listener, (struct sockaddr *)&t->config.addr) != 0) {
		return explain_listen(t, errno);
	}
	t->verbs = t->listener->verbs;
	if (!t->verbs) {
		/* A wildcard address binds to no device. */
		return explain_listen(t, ENODEV);
	}
	return 0;
}

static int device_check(struct transport *t)
{
	const char *name = ibv_get_device_name(t->verbs->device);
	char addr[64];
	int error = ibv_query_device(t->verbs, &t->attr);

	verbs_addr_text(&t->config.addr, addr, sizeof(addr));
	snprintf(t->device_text, sizeof(t->device_text), "%s port %u, %s", name,
		 t->listener->port_num, addr);
	if (error != 0) {
		verbs_log(t, LOG_ERR, "cannot ask %s what it can: %s", name, strerror(error));
		return -ENODEV;
	}
	if (t->config.device && strcmp(t->config.device, name) != 0) {
		verbs_log(t, LOG_ERR,
			  "the ring address %s belongs to the RDMA device %s, not to %s", addr,
			  name, t->config.device);
		return -ENODEV;
	}
	if (t->verbs->device->transport_type != IBV_TRANSPORT_IB) {
		verbs_log(t, LOG_ERR,
			  "%s is not an InfiniBand or RoCE device; its reliable "
			  "connections lack what this transport needs",
			  name);
		return -ENODEV;
	}
	if (t->attr.max_qp_rd_atom < 1 || t->attr.max_qp_init_rd_atom < 1) {
		verbs_log(t, LOG_ERR, "%s has no RDMA READ", name);
		return -ENODEV;
	}
	if (t->attr.max_sge < FRAME_SEGS_MIN) {
		verbs_log(t, LOG_ERR, "%s gathers only %d pieces, %d are needed", name,
			  t->attr.max_sge, FRAME_SEGS_MIN);
		return -ENODEV;
	}
	t->segs_max = t->attr.max_sge < FRAME_SEGS_MAX ? t->attr.max_sge : FRAME_SEGS_MAX;
	return 0;
}

/* Every queue has room for a connection that is being replaced as well: its last completions may
 * still be there. */
static int device_sizes(struct transport *t)
{
	uint32_t slots = t->config.slot_count;
	uint32_t per_peer;

	t->bulk_sq_depth = t->config.bulk_depth + READ_DEPTH_MAX + 1;
	per_peer = 2 * t->bulk_sq_depth;
	if (t->bulk_sq_depth > (uint32_t)t->attr.max_qp_wr ||
	    slots > (uint32_t)t->attr.max_srq_wr || CONTROL_SLOTS_MAX > t->attr.max_srq_wr ||
	    slots + per_peer > (uint32_t)t->attr.max_cqe) {
		verbs_log(
			t, LOG_ERR,
			"%s cannot hold %u slots and %u frames per peer: its limits are %d receive "
			"places, %d requests per queue pair, %d completions",
			t->device_text, slots, t->config.bulk_depth, t->attr.max_srq_wr,
			t->attr.max_qp_wr, t->attr.max_cqe);
		return -EINVAL;
	}
	t->peers_max = ((uint32_t)t->attr.max_cqe - slots) / per_peer;
	t->peers_max = t->peers_max < NODES_MAX ? t->peers_max : NODES_MAX;
	return 0;
}

static struct ibv_srq *srq_new(struct transport *t, uint32_t places)
{
	struct ibv_srq_init_attr attr = {.attr = {.max_wr = places, .max_sge = 1}};

	return ibv_create_srq(t->pd, &attr);
}

static int device_alive_page(struct transport *t)
{
	void *page = mmap(NULL, ALIVE_PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (page == MAP_FAILED) {
		return -ENOMEM;
	}
	t->alive_page = page;
	t->alive_mr = verbs_region_register(t, page, ALIVE_PAGE_SIZE, 0, IBV_ACCESS_REMOTE_READ,
					    "keepalive page");
	return t->alive_mr ? 0 : -errno;
}

static int device_queues(struct transport *t)
{
	int error;

	t->pd = ibv_alloc_pd(t->verbs);
	if (!t->pd) {
		return errno > 0 ? -errno : -ENOMEM;
	}
	error = device_alive_page(t);
	if (error < 0) {
		return error;
	}
	error = verbs_cq_init(t, &t->control_cq,
			      NODES_MAX * 2 * (CONTROL_QUOTA + 1) + CONTROL_SLOTS_MAX);
	if (error < 0) {
		return error;
	}
	error = verbs_cq_init(t, &t->bulk_cq,
			      t->peers_max * 2 * t->bulk_sq_depth + t->config.slot_count);
	if (error < 0) {
		return error;
	}
	t->control_srq = srq_new(t, CONTROL_SLOTS_MAX);
	t->bulk_srq = t->control_srq ? srq_new(t, t->config.slot_count) : NULL;
	if (!t->bulk_srq) {
		return errno > 0 ? -errno : -ENOMEM;
	}
	return 0;
}

static int watch(struct transport *t, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		return -errno;
	}
	return 0;
}

static int device_watch(struct transport *t)
{
	int error = watch(t, t->cm->fd);

	error = error < 0 ? error : watch(t, t->control_cq.channel->fd);
	error = error < 0 ? error : watch(t, t->bulk_cq.channel->fd);
	return error < 0 ? error : watch(t, t->verbs->async_fd);
}

int verbs_device_open(struct transport *t)
{
	int error = device_listen(t);

	if (error < 0) {
		return error;
	}
	error = device_check(t);
	error = error < 0 ? error : device_sizes(t);
	if (error < 0) {
		return error;
	}
	error = device_queues(t);
	error = error < 0 ? error : device_watch(t);
	if (error < 0) {
		verbs_log(t, LOG_ERR, "cannot make the queues on %s: %s", t->device_text,
			  strerror(-error));
		return error;
	}
	if (rdma_listen(t->listener, LISTEN_BACKLOG) != 0) {
		return explain_listen(t, errno);
	}
	return 0;
}

void verbs_device_deaf(struct transport *t)
{
	if (t->listener) {
		rdma_destroy_id(t->listener);
		t->listener = NULL;
	}
}

void verbs_device_close(struct transport *t)
{
	if (t->bulk_srq) {
		ibv_destroy_srq(t->bulk_srq);
	}
	if (t->control_srq) {
		ibv_destroy_srq(t->control_srq);
	}
	verbs_cq_fini(&t->bulk_cq);
	verbs_cq_fini(&t->control_cq);
	verbs_control_free(t);
	for (uint32_t i = 0; i < TRANSPORT_REGIONS_MAX; i++) {
		verbs_region_remove(t, i);
	}
	if (t->alive_mr) {
		verbs_region_release(t, t->alive_mr, ALIVE_PAGE_SIZE);
	}
	if (t->alive_page) {
		munmap(t->alive_page, ALIVE_PAGE_SIZE);
	}
	if (t->pd) {
		ibv_dealloc_pd(t->pd);
	}
	verbs_device_deaf(t);
	if (t->cm) {
		rdma_destroy_event_channel(t->cm);
	}
}

void verbs_device_lost(struct transport *t, const char *why)
{
	struct transport_event event = {.kind = TRANSPORT_LOST};

	if (t->dead) {
		return;
	}
	t->dead = true;
	verbs_log(t, LOG_CRIT, "%s is lost: %s", t->device_text, why);
	verbs_queue_append(&t->queue, &event);
	verbs_device_deaf(t);
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (t->peers[i] && t->peers[i]->used) {
			verbs_channel_break(&t->peers[i]->control, BREAK_DEVICE);
		}
	}
}

/* soft-RoCE completes or returns places at once, and never reports the last one (Linux 6.1). */
static bool device_settles(const struct transport *t, const struct verbs_channel *channel)
{
	return t->attr.vendor_id != VENDOR_RXE && channel && channel->id && channel->id->qp &&
	       channel->state >= CHANNEL_ACCEPTED && !channel->settled;
}

void verbs_device_settle(struct transport *t, struct verbs_channel *a, struct verbs_channel *b)
{
	struct pollfd news = {.fd = t->verbs->async_fd, .events = POLLIN};

	verbs_drain(t);
	for (int ms = 0; ms < SETTLE_MS && !t->dead; ms++) {
		if (!device_settles(t, a) && !device_settles(t, b)) {
			return;
		}
		(void)poll(&news, 1, 1);
		verbs_device_events(t);
		verbs_drain(t);
	}
}

static void qp_settled(struct transport *t, const struct ibv_async_event *event)
{
	struct verbs_channel *channel = verbs_channel_by_qp(t, event->element.qp->qp_num);

	if (channel && channel->id->qp == event->element.qp) {
		channel->settled = true;
	}
}

static void qp_event(struct transport *t, const struct ibv_async_event *event)
{
	struct verbs_channel *channel = verbs_channel_by_qp(t, event->element.qp->qp_num);

	if (!channel || channel->id->qp != event->element.qp) {
		return;
	}
	verbs_log(t, LOG_INFO, "%s: %s channel: %s", channel->peer->text,
		  verbs_class_name(channel->class), ibv_event_type_str(event->event_type));
	verbs_channel_break(channel, BREAK_DEVICE);
}

static void async_handle(struct transport *t, const struct ibv_async_event *event)
{
	switch (event->event_type) {
	case IBV_EVENT_QP_FATAL:
	case IBV_EVENT_QP_REQ_ERR:
	case IBV_EVENT_QP_ACCESS_ERR:
		qp_event(t, event);
		break;
	case IBV_EVENT_CQ_ERR:
	case IBV_EVENT_SRQ_ERR:
	case IBV_EVENT_DEVICE_FATAL:
		verbs_device_lost(t, ibv_event_type_str(event->event_type));
		break;
	case IBV_EVENT_PORT_ACTIVE:
	case IBV_EVENT_PORT_ERR:
	case IBV_EVENT_LID_CHANGE:
	case IBV_EVENT_PKEY_CHANGE:
	case IBV_EVENT_SM_CHANGE:
	case IBV_EVENT_CLIENT_REREGISTER:
	case IBV_EVENT_GID_CHANGE:
		verbs_log(t, LOG_NOTICE, "%s: %s (port %d)", t->device_text,
			  ibv_event_type_str(event->event_type), event->element.port_num);
		break;
	case IBV_EVENT_QP_LAST_WQE_REACHED:
		qp_settled(t, event);
		break;
	case IBV_EVENT_COMM_EST:
	case IBV_EVENT_SQ_DRAINED:
	case IBV_EVENT_PATH_MIG:
	case IBV_EVENT_PATH_MIG_ERR:
	case IBV_EVENT_SRQ_LIMIT_REACHED:
	case IBV_EVENT_WQ_FATAL:
		break;
	}
}

void verbs_device_events(struct transport *t)
{
	struct ibv_async_event event;

	while (ibv_get_async_event(t->verbs, &event) == 0) {
		async_handle(t, &event);
		ibv_ack_async_event(&event);
	}
}

/* Entries of queues have a cache line; what the adapter itself takes is not known. */
#define QUEUE_ENTRY_BYTES 64u

void verbs_device_memory(const struct transport *t, struct transport_memory *out)
{
	uint64_t entries = (uint64_t)t->control_cq.cq->cqe + (uint64_t)t->bulk_cq.cq->cqe +
			   CONTROL_SLOTS_MAX + t->config.slot_count;

	for (uint32_t i = 0; i < NODES_MAX; i++) {
		const struct verbs_peer *peer = t->peers[i];

		if (peer && peer->used) {
			entries += CONTROL_QUOTA + 1 + t->bulk_sq_depth;
			out->queues_bytes += sizeof(*peer) +
					     peer->frame_fifo.depth * sizeof(*peer->frames) +
					     peer->read_fifo.depth * sizeof(*peer->reads);
		}
	}
	out->queues_bytes += entries * QUEUE_ENTRY_BYTES + verbs_control_bytes(t);
	out->registered_bytes = t->pinned_bytes;
	out->numa_node = verbs_numa_node(t->verbs->device->ibdev_path);
}

/* Linux 6.1's soft-RoCE completes a READ as successful when it gives its connection up in the
 * middle of it. */
bool verbs_device_reads_exact(const struct transport *t)
{
	return t->attr.vendor_id != VENDOR_RXE;
}
