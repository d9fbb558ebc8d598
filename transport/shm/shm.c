/* SPDX-License-Identifier: BSD-3-Clause */
/* The shared-memory transport's table of operations: daemons of one host, one user and one
 * cluster name. */
#include "shm/shm.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "shm/shm_bell.h"
#include "shm/shm_bulk.h"
#include "shm/shm_channel.h"
#include "shm/shm_control.h"
#include "shm/shm_dial.h"
#include "shm/shm_greet.h"
#include "shm/shm_int.h"
#include "shm/shm_io.h"
#include "shm/shm_link.h"
#include "shm/shm_log.h"
#include "shm/shm_poll.h"
#include "shm/shm_read.h"
#include "shm/shm_region.h"
#include "shm/shm_sock.h"

static int config_check(const struct transport_config *config)
{
	const char *why = NULL;

	if (!config->cluster_name || !*config->cluster_name ||
	    strlen(config->cluster_name) > SHM_CLUSTER_MAX) {
		why = "the cluster name must have 1 to 255 bytes";
	} else if (config->slot_size_bytes == 0 || config->slot_count == 0) {
		why = "no receive slots";
	} else if (config->bulk_depth == 0 || config->bulk_depth > SHM_BULK_ENTRIES_MAX) {
		why = "bulk depth out of range (1 to 65536)";
	}
	if (why) {
		shm_log(config, LOG_ERR, "shm: %s", why);
		return -EINVAL;
	}
	return 0;
}

static void transport_close(struct transport **transport)
{
	struct transport *t = *transport;

	if (!t) {
		return;
	}
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		shm_peer_free(&t->peers[i]);
		shm_peer_free(&t->leaving[i]);
	}
	shm_dropped_unmap(t);
	shm_io_close(t);
	shm_share_drop(&t->board);
	free(t->slots);
	free(t->slot_posted);
	free(t->arena);
	free(t);
	*transport = NULL;
}

#define TAKEN_WAIT_MS 200

static void name_taken(const struct transport *t)
{
	uid_t uid = 0;
	pid_t pid = shm_sock_holder(t->uid, t->cluster, t->config.node, &uid);
	struct shm_msg hello = shm_link_hello(t, SHM_HELLO, SHM_PROBE, t->config.node);
	struct pollfd answer = {.fd = -1, .events = POLLIN};

	shm_log(&t->config, LOG_ERR,
		"shm: process %d of user %u is node %u of cluster \"%s\" already", (int)pid,
		(unsigned)uid, t->config.node, t->cluster);
	/* It says so too, unless we hang up before it looks. */
	if (shm_sock_dial(t->uid, t->cluster, t->config.node, &answer.fd) == 0) {
		shm_sock_send(answer.fd, &hello, NULL, 0);
		poll(&answer, 1, TAKEN_WAIT_MS);
	}
	if (answer.fd >= 0) {
		close(answer.fd);
	}
}

static int descriptors_open(struct transport *t)
{
	int result;

	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	t->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->epoll_fd < 0 || t->bell_fd < 0) {
		return -errno;
	}
	result = shm_share_new("coronet-shm-board", sizeof(struct shm_board), &t->board,
			       &t->board_fd);
	if (result == 0) {
		result = shm_sock_listen(t->uid, t->cluster, t->config.node, &t->listen_fd);
	}
	if (result == -EADDRINUSE) {
		name_taken(t);
	}
	if (result == 0) {
		result = shm_io_watch(t, t->listen_fd, SHM_SOCKET_LISTEN, 0);
	}
	return result ? result : shm_io_watch(t, t->bell_fd, SHM_SOCKET_BELL, 0);
}

static int transport_init(struct transport *t)
{
	int result;

	t->slots = calloc(t->config.slot_count, sizeof(*t->slots));
	t->slot_posted = calloc(t->config.slot_count, sizeof(*t->slot_posted));
	t->arena = malloc(SHM_ARENA_BYTES);
	if (!t->slots || !t->slot_posted || !t->arena) {
		return -ENOMEM;
	}
	/* Not a secret: makes it unlikely that a link's name of a former life is taken for one
	 * of this. */
	if (getrandom(&t->next_link, sizeof(t->next_link), GRND_NONBLOCK) < 0) {
		t->next_link = t->config.incarnation;
	}
	snprintf(t->device, sizeof(t->device), "shared memory, cluster \"%s\", user %u", t->cluster,
		 (unsigned)t->uid);
	result = descriptors_open(t);
	if (result && result != -EADDRINUSE) {
		shm_log(&t->config, LOG_ERR, "shm: cannot start: %s", strerrordesc_np(-result));
	}
	return result;
}

static int transport_open(const struct transport_config *config, struct transport **out)
{
	struct transport *t;
	int result = config_check(config);

	if (result) {
		return result;
	}
	t = calloc(1, sizeof(*t));
	if (!t) {
		return -ENOMEM;
	}
	t->config = *config;
	memcpy(t->cluster, config->cluster_name, strlen(config->cluster_name));
	t->config.cluster_name = t->cluster;
	t->config.device = NULL;
	list_init(&t->dropped);
	t->listen_fd = t->epoll_fd = t->bell_fd = t->board_fd = -1;
	t->uid = geteuid();
	t->io_ms = SHM_NEVER;
	t->next_serial = 1;
	for (uint32_t i = 0; i < SHM_GUESTS_MAX; i++) {
		t->guests[i].fd = -1;
	}
	result = transport_init(t);
	if (result) {
		transport_close(&t);
		return result;
	}
	*out = t;
	return 0;
}

static int transport_fd(const struct transport *t)
{
	return t->epoll_fd;
}

static int slot_post(struct transport *t, uint32_t slot)
{
	const struct transport_region *slab = &t->regions[TRANSPORT_REGION_SLAB].memory;

	if (slot >= t->config.slot_count || !t->regions[TRANSPORT_REGION_SLAB].key ||
	    (slot + UINT64_C(1)) * t->config.slot_size_bytes > slab->size_bytes) {
		return -EINVAL;
	}
	if (t->slot_posted[slot]) {
		return -EEXIST;
	}
	t->slot_posted[slot] = true;
	t->slots[t->slot_count++] = slot;
	if (t->slot_count == 1) {
		/* Frames may be waiting for it. */
		shm_bell_ring(t);
	}
	return 0;
}

static void peer_init(struct shm_peer *peer, struct transport *t, uint32_t node, uint32_t index)
{
	peer->transport = t;
	peer->node = node;
	peer->index = index;
	peer->dialler = t->config.node < node;
	peer->control.fd = peer->bulk.fd = peer->probe_fd = -1;
	peer->announce_retry_ms = peer->read_retry_ms = SHM_NEVER;
	/* At once: the dialler dials, the other says that it is there. */
	peer->deadline_ms = t->now_ms;
}

static int peer_add(struct transport *t, const struct transport_peer *config)
{
	struct shm_peer *peer;
	uint32_t index = 0;

	if (config->node == t->config.node || shm_peer_find(t, config->node)) {
		return -EEXIST;
	}
	while (index < NODES_MAX && t->peers[index]) {
		index++;
	}
	if (index == NODES_MAX) {
		return -ENOSPC;
	}
	peer = calloc(1, sizeof(*peer));
	if (!peer) {
		return -ENOMEM;
	}
	peer_init(peer, t, config->node, index);
	peer->frames = calloc(t->config.bulk_depth, sizeof(*peer->frames));
	peer->remotes = calloc(TRANSPORT_REGIONS_MAX, sizeof(*peer->remotes));
	peer->announced = calloc(TRANSPORT_REGIONS_MAX, sizeof(*peer->announced));
	if (!peer->frames || !peer->remotes || !peer->announced) {
		shm_peer_free(&peer);
		return -ENOMEM;
	}
	t->peers[index] = peer;
	shm_bell_ring(t);
	return 0;
}

static void peer_remove(struct transport *t, uint32_t node)
{
	struct shm_peer *peer = shm_peer_find(t, node);

	if (!peer) {
		return;
	}
	t->peers[peer->index] = NULL;
	shm_dial_probe_close(peer);
	shm_link_cut(peer);
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (!t->leaving[i]) {
			t->leaving[i] = peer;
			return;
		}
	}
	shm_peer_free(&peer);
}

static void peer_fence(struct transport *t, uint32_t node)
{
	struct shm_peer *peer = shm_peer_find(t, node);

	if (!peer) {
		return;
	}
	shm_dial_probe_close(peer);
	shm_link_cut(peer);
	peer->lost = false;
	peer->report_down = false;
	peer->report_up = false;
	peer->deadline_ms = peer->dialler ? t->now_ms : SHM_NEVER;
}

static int send_control(struct transport *t, uint32_t node, const void *bytes, size_t size_bytes)
{
	struct shm_peer *peer = shm_peer_find(t, node);

	return peer ? shm_control_send(peer, bytes, size_bytes) : -ENOTCONN;
}

static int send_frame(struct transport *t, uint32_t node, const struct transport_seg *segs,
		      int count, uint64_t cookie)
{
	struct shm_peer *peer = shm_peer_find(t, node);

	return peer ? shm_frame_send(peer, segs, count, cookie) : -ENOTCONN;
}

static int read_start(struct transport *t, uint32_t node, uint64_t key, uint64_t remote_offset,
		      const struct transport_seg *into, uint64_t cookie)
{
	struct shm_peer *peer = shm_peer_find(t, node);
	int result = peer ? shm_read_start(peer, key, remote_offset, into, cookie) : -ENOTCONN;

	if (result == 0) {
		shm_bell_ring(t);
	}
	return result;
}

static int look(struct transport *t, uint32_t node, uint64_t key, uint64_t remote_offset,
		uint32_t size_bytes, uint64_t cookie)
{
	struct shm_peer *peer = shm_peer_find(t, node);
	struct shm_read read = {
		.cookie = cookie, .key = key, .offset = remote_offset, .size_bytes = size_bytes};
	int result = peer ? shm_read_queue(peer, &read) : -ENOTCONN;

	if (result == 0) {
		shm_bell_ring(t);
	}
	return result;
}

static bool still_there(const struct transport *t, uint32_t node, uint64_t key)
{
	const struct shm_peer *peer = shm_peer_find(t, node);

	return peer && shm_channel_works(&peer->bulk) && !shm_channel_closed(&peer->bulk) &&
	       shm_remote_live(peer, key);
}

static int segs_max(const struct transport *t)
{
	(void)t;
	return FRAME_SEGS_MAX;
}

static bool reads_exact(const struct transport *t)
{
	(void)t;
	return true;
}

static bool maps(const struct transport *t)
{
	(void)t;
	return true;
}

static int map(struct transport *t, uint32_t node, uint64_t key, uint64_t mark,
	       struct transport_map *out)
{
	struct shm_peer *peer = shm_peer_find(t, node);

	return peer && shm_link_usable(peer) ? shm_remote_map(peer, key, mark, out) : -ENOTCONN;
}

static const char *device(const struct transport *t)
{
	return t->device;
}

static uint64_t channel_bytes(const struct shm_channel *channel)
{
	return channel->own.size_bytes + channel->theirs.size_bytes;
}

static void memory(const struct transport *t, struct transport_memory *out)
{
	*out = (struct transport_memory){.numa_node = -1,
					 .queues_bytes = sizeof(*t) + t->board.size_bytes +
							 SHM_ARENA_BYTES};
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		const struct shm_peer *peer = t->peers[i];

		if (peer) {
			out->queues_bytes +=
				sizeof(*peer) + peer->board.size_bytes +
				t->config.bulk_depth * sizeof(*peer->frames) +
				TRANSPORT_REGIONS_MAX *
					(sizeof(*peer->remotes) + sizeof(*peer->announced)) +
				channel_bytes(&peer->control) + channel_bytes(&peer->bulk);
		}
	}
}

static int peer_stats(const struct transport *t, uint32_t node, struct transport_peer_stats *out)
{
	const struct shm_peer *peer = shm_peer_find(t, node);

	if (!peer) {
		return -ENOENT;
	}
	*out = peer->stats;
	return 0;
}

const struct transport_ops transport_shm = {
	.name = "shm",
	.open = transport_open,
	.close = transport_close,
	.fd = transport_fd,
	.next_deadline_ms = shm_next_deadline_ms,
	.poll = shm_poll,
	.flush = shm_bell_flush,
	.stay_awake = shm_stay_awake,
	.region_add = shm_region_add,
	.region_remove = shm_region_remove,
	.slot_post = slot_post,
	.peer_add = peer_add,
	.peer_remove = peer_remove,
	.peer_fence = peer_fence,
	.send_control = send_control,
	.segs_max = segs_max,
	.reads_exact = reads_exact,
	.send_frame = send_frame,
	.read = read_start,
	.look = look,
	.still_there = still_there,
	.maps = maps,
	.map = map,
	.device = device,
	.memory = memory,
	.peer_stats = peer_stats,
};
