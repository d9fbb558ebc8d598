/* SPDX-License-Identifier: BSD-3-Clause */
/* The operations of the RDMA transport; see transport.h for what each promises. */
#include "verbs/verbs.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "verbs/bulk.h"
#include "verbs/channel.h"
#include "verbs/cm.h"
#include "verbs/completion.h"
#include "verbs/control.h"
#include "verbs/device.h"
#include "verbs/log.h"
#include "verbs/peer.h"
#include "verbs/region.h"
#include "verbs/timing.h"

/* Events that no lent thing stands for: a few per peer and turn. */
#define QUEUE_SPARE (NODES_MAX * 16)
/* With more than this waiting, the owner takes first and nothing new is looked at. */
#define QUEUE_ENOUGH (QUEUE_SPARE / 2)
/* soft-RoCE's longest message, in bytes. */
#define FRAME_SIZE_MAX (8u * 1024 * 1024)

static bool config_valid(const struct transport_config *config)
{
	int family = config->addr.ss_family;

	return config->cluster_name && (family == AF_INET || family == AF_INET6) &&
	       config->slot_size_bytes > 0 && config->slot_size_bytes <= FRAME_SIZE_MAX &&
	       config->slot_count > 0 && config->bulk_depth > 0 &&
	       config->bulk_depth <= UINT16_MAX && config->connect_timeout_ms > 0 &&
	       config->ack_timeout_ms > 0;
}

static int transport_init(struct transport *t, const struct transport_config *config)
{
	t->config = *config;
	t->config.cluster_name = NULL;
	t->cluster = verbs_handshake_cluster(config->cluster_name);
	t->random = config->incarnation ^ (uint64_t)config->node << 32 ^ t->cluster;
	t->control_ack_timeout = verbs_ack_timeout_control(config->ack_timeout_ms);
	t->bulk_ack_timeout = verbs_ack_timeout_bulk(config->ack_timeout_ms);
	if (verbs_addr_port(&t->config.addr) == 0) {
		verbs_addr_set_port(&t->config.addr, VERBS_PORT_DEFAULT);
	}
	t->slot_posted = calloc(config->slot_count, sizeof(*t->slot_posted));
	if (!t->slot_posted || verbs_queue_init(&t->queue, QUEUE_SPARE) < 0) {
		return -ENOMEM;
	}
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->epoll_fd < 0 || t->wake_fd < 0) {
		return -errno;
	}
	return epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->wake_fd,
			 &(struct epoll_event){.events = EPOLLIN, .data.fd = t->wake_fd}) < 0
		       ? -errno
		       : 0;
}

static void close_peers(struct transport *t)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (t->peers[i] && t->peers[i]->used) {
			verbs_peer_remove(t, t->peers[i]->node);
		}
	}
	/* Only now: late completions of one peer's name it until the last has been drained. */
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		free(t->peers[i]);
		t->peers[i] = NULL;
	}
}

static void verbs_close(struct transport **at)
{
	struct transport *t = *at;

	if (!t) {
		return;
	}
	/* First the listener: who redials as soon as we hang up shall learn that nobody is
	 * there. */
	verbs_device_deaf(t);
	close_peers(t);
	verbs_device_close(t);
	if (t->wake_fd >= 0) {
		close(t->wake_fd);
	}
	if (t->epoll_fd >= 0) {
		close(t->epoll_fd);
	}
	verbs_queue_fini(&t->queue);
	free(t->slot_posted);
	free(t);
	*at = NULL;
}

static int verbs_open(const struct transport_config *config, struct transport **out)
{
	struct transport *t;
	int error;

	if (!config_valid(config)) {
		return -EINVAL;
	}
	t = calloc(1, sizeof(*t));
	if (!t) {
		return -ENOMEM;
	}
	t->epoll_fd = -1;
	t->wake_fd = -1;
	error = transport_init(t, config);
	error = error < 0 ? error : verbs_device_open(t);
	if (error < 0) {
		verbs_close(&t);
		return error;
	}
	*out = t;
	return 0;
}

static int verbs_fd(const struct transport *t)
{
	return t->epoll_fd;
}

static uint64_t verbs_next_deadline_ms(const struct transport *t)
{
	uint64_t earliest_ms = UINT64_MAX;

	for (uint32_t i = 0; i < NODES_MAX && !t->dead; i++) {
		if (t->peers[i] && t->peers[i]->used) {
			uint64_t deadline_ms = verbs_peer_deadline_ms(t->peers[i]);

			earliest_ms = deadline_ms < earliest_ms ? deadline_ms : earliest_ms;
		}
	}
	return earliest_ms;
}

static void take_news(struct transport *t)
{
	struct epoll_event ready[8];
	bool cm = false;
	int count;

	if (t->stay_awake && t->news_ms == t->now_ms) {
		return;
	}
	t->news_ms = t->now_ms;
	count = epoll_wait(t->epoll_fd, ready, 8, 0);
	for (int i = 0; i < count; i++) {
		if (ready[i].data.fd == t->control_cq.channel->fd) {
			verbs_cq_event(&t->control_cq);
		} else if (ready[i].data.fd == t->bulk_cq.channel->fd) {
			verbs_cq_event(&t->bulk_cq);
		} else if (ready[i].data.fd == t->verbs->async_fd) {
			verbs_device_events(t);
		} else if (ready[i].data.fd == t->cm->fd) {
			cm = true;
		}
	}
	if (cm) {
		verbs_cm_turn(t);
	}
	verbs_reap(t);
}

static void tick(struct transport *t)
{
	for (uint32_t i = 0; i < NODES_MAX && !t->dead; i++) {
		if (t->peers[i] && t->peers[i]->used) {
			verbs_peer_tick(t->peers[i]);
		}
	}
	verbs_reap(t);
}

static size_t room(const struct transport *t, int max)
{
	return t->queue.count < (size_t)max ? (size_t)max - t->queue.count : 0;
}

/* Completions come before connection news: what a peer sent before it hung up is still its
 * message. Control comes first and leaves a quarter of the room to bulk. */
static void turn(struct transport *t, int max)
{
	int control_max = max - max / 4;

	t->leftover = false;
	verbs_cq_turn(t, &t->control_cq, room(t, control_max));
	verbs_reap(t);
	take_news(t);
	verbs_cq_turn(t, &t->control_cq, room(t, control_max));
	verbs_cq_turn(t, &t->bulk_cq, room(t, max));
	verbs_reap(t);
	tick(t);
}

static void wake_adjust(struct transport *t)
{
	eventfd_t ignored;

	if (t->stay_awake) {
		return;
	}
	if (t->queue.count > 0 || t->leftover || t->broken > 0 || verbs_control_impatient(t)) {
		verbs_wake(t);
	} else if (t->wake_set) {
		(void)eventfd_read(t->wake_fd, &ignored);
		t->wake_set = false;
	}
}

static void owner_knows(struct transport *t, uint32_t node)
{
	struct verbs_peer *peer = verbs_peer_find(t, node);

	if (peer && peer->ups_unpolled > 0) {
		peer->ups_unpolled--;
	}
}

static int verbs_poll(struct transport *t, uint64_t now_ms, struct transport_event *events, int max)
{
	int count;

	if (now_ms > t->now_ms) {
		t->now_ms = now_ms;
	}
	verbs_control_recycle(t);
	if (t->queue.count < QUEUE_ENOUGH) {
		turn(t, max);
	}
	count = verbs_queue_take(&t->queue, events, max);
	for (int i = 0; i < count; i++) {
		if (events[i].kind == TRANSPORT_CONTROL) {
			verbs_control_borrow(t, events[i].slot);
		} else if (events[i].kind == TRANSPORT_PEER_UP) {
			owner_knows(t, events[i].node);
		}
	}
	wake_adjust(t);
	return count;
}

/* What is posted is on its way: the adapter wakes the peer. */
static void verbs_flush(struct transport *t)
{
	(void)t;
}

static void verbs_stay_awake(struct transport *t, bool on)
{
	t->stay_awake = on;
}

static int verbs_send_control(struct transport *t, uint32_t node, const void *bytes,
			      size_t size_bytes)
{
	struct verbs_peer *peer = verbs_peer_find(t, node);

	return peer ? verbs_control_send(peer, bytes, size_bytes) : -ENOTCONN;
}

static int verbs_send_frame(struct transport *t, uint32_t node, const struct transport_seg *segs,
			    int count, uint64_t cookie)
{
	struct verbs_peer *peer = verbs_peer_find(t, node);

	return peer ? verbs_bulk_send(peer, segs, count, cookie) : -ENOTCONN;
}

static int verbs_read(struct transport *t, uint32_t node, uint64_t key, uint64_t remote_offset,
		      const struct transport_seg *into, uint64_t cookie)
{
	struct verbs_peer *peer = verbs_peer_find(t, node);

	return peer ? verbs_bulk_read(peer, key, remote_offset, into, cookie) : -ENOTCONN;
}

static int verbs_segs_max(const struct transport *t)
{
	return t->segs_max;
}

static const char *verbs_device(const struct transport *t)
{
	return t->device_text;
}

static void verbs_memory(const struct transport *t, struct transport_memory *out)
{
	*out = (struct transport_memory){.numa_node = -1};
	verbs_device_memory(t, out);
}

static int verbs_peer_stats(const struct transport *t, uint32_t node,
			    struct transport_peer_stats *out)
{
	const struct verbs_peer *peer = verbs_peer_find(t, node);

	if (!peer) {
		return -ENOENT;
	}
	*out = peer->stats;
	out->up = peer->up;
	return 0;
}

void verbs_break_bulk(struct transport *t, uint32_t node)
{
	struct verbs_peer *peer = verbs_peer_find(t, node);

	if (peer) {
		verbs_channel_silence(&peer->bulk);
	}
}

static int verbs_look(struct transport *t, uint32_t node, uint64_t key, uint64_t remote_offset,
		      uint32_t size_bytes, uint64_t cookie)
{
	(void)t;
	(void)node;
	(void)key;
	(void)remote_offset;
	(void)size_bytes;
	(void)cookie;
	return -EOPNOTSUPP;
}

static bool verbs_still_there(const struct transport *t, uint32_t node, uint64_t key)
{
	(void)t;
	(void)node;
	(void)key;
	return false;
}

static bool verbs_maps(const struct transport *t)
{
	(void)t;
	return false;
}

static int verbs_map(struct transport *t, uint32_t node, uint64_t key, uint64_t mark,
		     struct transport_map *out)
{
	(void)t;
	(void)node;
	(void)key;
	(void)mark;
	(void)out;
	return -EOPNOTSUPP;
}

const struct transport_ops transport_verbs = {
	.name = "rdma",
	.open = verbs_open,
	.close = verbs_close,
	.fd = verbs_fd,
	.next_deadline_ms = verbs_next_deadline_ms,
	.poll = verbs_poll,
	.flush = verbs_flush,
	.stay_awake = verbs_stay_awake,
	.region_add = verbs_region_add,
	.region_remove = verbs_region_remove,
	.slot_post = verbs_bulk_slot_post,
	.peer_add = verbs_peer_add,
	.peer_remove = verbs_peer_remove,
	.peer_fence = verbs_peer_fence,
	.send_control = verbs_send_control,
	.segs_max = verbs_segs_max,
	.reads_exact = verbs_device_reads_exact,
	.send_frame = verbs_send_frame,
	.read = verbs_read,
	.look = verbs_look,
	.still_there = verbs_still_there,
	.maps = verbs_maps,
	.map = verbs_map,
	.device = verbs_device,
	.memory = verbs_memory,
	.peer_stats = verbs_peer_stats,
};
