/* SPDX-License-Identifier: BSD-3-Clause */
/* Regions: registering, announcing, and mapping those of peers. A key is serial << 12 | id, so
 * that a key of a removed region never names its successor. */
#include "shm/shm_region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/shm_bell.h"
#include "shm/shm_channel.h"
#include "shm/shm_link.h"
#include "store/mark.h"

#define SHM_ANNOUNCE_RETRY_MS 20

static uint32_t key_id(uint64_t key)
{
	return (uint32_t)(key % TRANSPORT_REGIONS_MAX);
}

static void stale_mark(struct shm_peer *peer, uint32_t id)
{
	uint64_t bit = UINT64_C(1) << (id % 64);

	if (!(peer->stale[id / 64] & bit)) {
		peer->stale[id / 64] |= bit;
		peer->stale_count++;
	}
}

static void announce_to_all(struct transport *t, uint32_t id)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		struct shm_peer *peer = t->peers[i];

		if (peer && peer->state >= SHM_JOINING) {
			stale_mark(peer, id);
			shm_announce(peer);
		}
	}
}

/* A descriptor goes to every peer. */
static bool is_for_reading(int fd, int seals)
{
	return (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) ||
	       (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
}

static bool memory_usable(const struct transport_region *region)
{
	struct stat status;
	int seals = fcntl(region->fd, F_GET_SEALS);

	return region->base && region->size_bytes > 0 && seals >= 0 && (seals & F_SEAL_SHRINK) &&
	       is_for_reading(region->fd, seals) && fstat(region->fd, &status) == 0 &&
	       status.st_size >= 0 && (uint64_t)status.st_size >= region->size_bytes &&
	       region->size_bytes % (size_t)sysconf(_SC_PAGESIZE) == 0;
}

int shm_region_add(struct transport *t, uint32_t id, const struct transport_region *region,
		   uint64_t *key)
{
	struct shm_region *own;

	if (id >= TRANSPORT_REGIONS_MAX || !memory_usable(region)) {
		return -EINVAL;
	}
	own = &t->regions[id];
	if (own->key) {
		return -EEXIST;
	}
	own->memory = *region;
	own->key = t->next_serial++ * TRANSPORT_REGIONS_MAX + id;
	atomic_store_explicit(&shm_board_of(&t->board)->keys[id],
			      region->remote_read ? own->key : 0, memory_order_release);
	announce_to_all(t, id);
	*key = own->key;
	return 0;
}

void shm_region_remove(struct transport *t, uint32_t id)
{
	if (id >= TRANSPORT_REGIONS_MAX || !t->regions[id].key) {
		return;
	}
	/* Before the owner writes something else there: a READ that copied meanwhile sees it and
	 * fails. */
	atomic_store_explicit(&shm_board_of(&t->board)->keys[id], 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	t->regions[id] = (struct shm_region){.key = 0};
	announce_to_all(t, id);
}

const struct shm_region *shm_region_of(const struct transport *t, const struct transport_seg *seg)
{
	const struct shm_region *region;

	if (seg->region >= TRANSPORT_REGIONS_MAX) {
		return NULL;
	}
	region = &t->regions[seg->region];
	if (!region->key || seg->offset > region->memory.size_bytes ||
	    seg->size_bytes > region->memory.size_bytes - seg->offset) {
		return NULL;
	}
	return region;
}

void shm_announce_all(struct shm_peer *peer)
{
	memset(peer->announced, 0, TRANSPORT_REGIONS_MAX * sizeof(*peer->announced));
	memset(peer->stale, 0, sizeof(peer->stale));
	peer->stale_count = 0;
	for (uint32_t id = 0; id < TRANSPORT_REGIONS_MAX; id++) {
		if (peer->transport->regions[id].key) {
			stale_mark(peer, id);
		}
	}
	shm_announce(peer);
}

/* Brings one region up to date at the peer; 0 or why not all of it could be said. */
static int announce_one(struct shm_peer *peer, uint32_t id)
{
	const struct shm_region *region = &peer->transport->regions[id];
	struct shm_msg msg = {.kind = SHM_REGION_REMOVE, .key = peer->announced[id]};
	int result;

	if (peer->announced[id] && peer->announced[id] != region->key) {
		result = shm_sock_send(peer->control.fd, &msg, NULL, 0);
		if (result) {
			return result;
		}
		peer->announced[id] = 0;
	}
	if (!region->key || region->memory.local || peer->announced[id] == region->key) {
		return 0;
	}
	msg = (struct shm_msg){.kind = SHM_REGION_ADD,
			       .key = region->key,
			       .size_bytes = region->memory.size_bytes,
			       .readable = region->memory.remote_read};
	result = shm_sock_send(peer->control.fd, &msg, &region->memory.fd, 1);
	if (result == 0) {
		peer->announced[id] = region->key;
	}
	return result;
}

void shm_announce(struct shm_peer *peer)
{
	for (uint32_t word = 0; word < TRANSPORT_REGIONS_MAX / 64 && peer->stale_count; word++) {
		while (peer->stale[word]) {
			uint32_t bit = (uint32_t)__builtin_ctzll(peer->stale[word]);

			if (announce_one(peer, word * 64 + bit)) {
				peer->announce_retry_ms =
					peer->transport->now_ms + SHM_ANNOUNCE_RETRY_MS;
				return;
			}
			peer->stale[word] &= peer->stale[word] - 1;
			peer->stale_count--;
		}
	}
	peer->announce_retry_ms = SHM_NEVER;
}

int shm_remote_usable(struct shm_peer *peer, uint64_t key, const struct shm_remote **out)
{
	const struct shm_remote *remote = shm_remote_find(peer, key);

	if (!remote) {
		shm_link_listen(peer);
		remote = shm_remote_find(peer, key);
	}
	if (!remote) {
		return shm_remote_live(peer, key) ? -EAGAIN : -EACCES;
	}
	*out = remote;
	return remote->readable ? 0 : -EACCES;
}

/* The mark first, then the look at the channel: the peer closes that before it looks for marks. */
static int open_marked(const struct shm_peer *peer, const struct shm_remote *remote, uint64_t mark,
		       int *fd)
{
	int result = mark_open(remote->fd, mark, fd);

	atomic_thread_fence(memory_order_seq_cst);
	if (result == 0 && shm_channel_closed(&peer->bulk)) {
		close(*fd);
		return -ENOTCONN;
	}
	return result;
}

int shm_remote_map(struct shm_peer *peer, uint64_t key, uint64_t mark, struct transport_map *out)
{
	const struct shm_remote *remote;
	struct shm_map made;
	int fd;
	int result =
		shm_channel_works(&peer->bulk) ? shm_remote_usable(peer, key, &remote) : -ENOTCONN;

	result = result ? result : open_marked(peer, remote, mark, &fd);
	if (result) {
		return result;
	}
	result = shm_share_attach(fd, remote->size_bytes, &made);
	if (result) {
		close(fd);
		return result;
	}
	*out = (struct transport_map){.base = made.base, .size_bytes = made.size_bytes, .fd = fd};
	return 0;
}

const struct shm_remote *shm_remote_find(const struct shm_peer *peer, uint64_t key)
{
	const struct shm_remote *remote = &peer->remotes[key_id(key)];

	return key && remote->key == key ? remote : NULL;
}

bool shm_remote_live(const struct shm_peer *peer, uint64_t key)
{
	const struct shm_board *board = shm_board_of(&peer->board);

	/* Keeps a copy made before the call before the look at the key. */
	atomic_thread_fence(memory_order_acquire);
	return key && atomic_load_explicit(&board->keys[key_id(key)], memory_order_relaxed) == key;
}

/* More than the memory of any node: address space is what it costs us. */
#define REMOTE_BYTES_MAX (UINT64_C(1) << 40)

struct shm_dropped {
	struct list link;
	struct shm_map map;
};

static void remote_drop(struct shm_peer *peer, struct shm_remote *remote)
{
	struct shm_dropped *dropped = remote->dropped;

	peer->remote_bytes -= remote->map.size_bytes;
	dropped->map = remote->map;
	list_append(&peer->transport->dropped, &dropped->link);
	close(remote->fd);
	*remote = (struct shm_remote){.key = 0};
}

void shm_dropped_unmap(struct transport *t)
{
	list_for_each_safe(it, after, &t->dropped)
	{
		struct shm_dropped *dropped = list_entry(it, struct shm_dropped, link);

		shm_share_drop(&dropped->map);
		free(dropped);
	}
	list_init(&t->dropped);
}

static bool remote_map(struct shm_peer *peer, const struct shm_packet *packet,
		       struct shm_remote *remote)
{
	struct shm_map map;

	if (shm_share_attach(packet->fds[0], packet->msg.size_bytes, &map)) {
		return false;
	}
	remote->dropped = malloc(sizeof(*remote->dropped));
	if (!remote->dropped || map.size_bytes > REMOTE_BYTES_MAX - peer->remote_bytes) {
		free(remote->dropped);
		shm_share_drop(&map);
		return false;
	}
	remote->map = map;
	peer->remote_bytes += map.size_bytes;
	return true;
}

static const char *remote_add(struct shm_peer *peer, struct shm_packet *packet)
{
	const struct shm_msg *msg = &packet->msg;
	struct shm_remote *remote = &peer->remotes[key_id(msg->key)];

	if (!msg->key || remote->key || packet->fd_count != 1 || msg->size_bytes == 0) {
		return "announced a region twice or without memory";
	}
	if (!remote_map(peer, packet, remote)) {
		return "announced a region that is not sealed, is too small, is too large, or cannot be mapped";
	}
	remote->key = msg->key;
	remote->fd = packet->fds[0];
	packet->fds[0] = -1;
	remote->size_bytes = msg->size_bytes;
	remote->readable = msg->readable;
	return NULL;
}

void shm_remote_change(struct shm_peer *peer, struct shm_packet *packet)
{
	const char *why = NULL;

	peer->read_retry_ms = SHM_NEVER;
	if (packet->msg.kind == SHM_REGION_ADD) {
		why = remote_add(peer, packet);
	} else if (shm_remote_find(peer, packet->msg.key)) {
		remote_drop(peer, &peer->remotes[key_id(packet->msg.key)]);
	} else {
		why = "withdrew a region that it had not announced";
	}
	if (why) {
		peer->broken = why;
	}
}

void shm_remotes_drop(struct shm_peer *peer)
{
	for (uint32_t id = 0; id < TRANSPORT_REGIONS_MAX; id++) {
		if (peer->remotes[id].key) {
			remote_drop(peer, &peer->remotes[id]);
		}
	}
}
