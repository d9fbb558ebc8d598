/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the shared-memory transport. Nobody but transport/shm and its tests includes this.
 *
 * Every piece of shared memory has one writer, its maker, and is mapped read-only by the other
 * side. So no peer can write into our memory; what a peer publishes in its own is hostile: each
 * value is read once, into a local, and checked. */
#ifndef CORONET_SHM_INT_H
#define CORONET_SHM_INT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/limits.h"
#include "base/list.h"
#include "shm/shm_msg.h"
#include "shm/shm_pace.h"
#include "shm/shm_share.h"
#include "transport.h"

#define SHM_LINE	     64
#define SHM_CONTROL_ENTRIES  64
#define SHM_BULK_ENTRIES_MAX 65536
#define SHM_READS_MAX	     64
#define SHM_GUESTS_MAX	     (2 * NODES_MAX)
#define SHM_ARENA_BYTES	     ((size_t)SHM_CONTROL_ENTRIES * CHANNEL_SIZE_MAX)
#define SHM_NEVER	     UINT64_MAX

/* What one poll copies at most: about 100 microseconds each, which is how long a token can wait
 * behind bulk. */
#define SHM_FRAME_BUDGET_BYTES (512u * 1024)
#define SHM_READ_BUDGET_BYTES  (2048u * 1024)

/* One per daemon, read by all its peers. */
struct shm_board {
	/* Odd while its owner sleeps; grows with each change, so that a peer rings once per
	 * sleep. */
	_Alignas(SHM_LINE) _Atomic uint64_t sleep;
	/* Keys that READs may use now. Cleared before the memory behind a key is used for
	 * something else. */
	_Alignas(SHM_LINE) _Atomic uint64_t keys[TRANSPORT_REGIONS_MAX];
};

/* One per channel and direction: what its maker has put into its own ring, and taken from the
 * other's. The counts never wrap. */
struct shm_mail {
	_Alignas(SHM_LINE) _Atomic uint64_t produced;
	/* The maker sleeps and wants to be woken when so many of its entries are taken. */
	_Atomic uint64_t wake_at;
	_Alignas(SHM_LINE) _Atomic uint64_t consumed;
	/* Set before anything lent through this channel is given back: who copied meanwhile must
	 * throw the copy away. */
	_Alignas(SHM_LINE) _Atomic uint32_t closed;
	_Alignas(SHM_LINE) uint8_t entries[];
};

struct shm_control_entry {
	_Alignas(SHM_LINE) _Atomic uint32_t size_bytes;
	uint8_t bytes[CHANNEL_SIZE_MAX];
};

struct shm_piece {
	uint64_t key;
	uint64_t offset;
	uint64_t size_bytes;
};

/* A frame: where the receiver fetches it. Up to two pieces fit the first cache line. */
struct shm_bulk_entry {
	_Alignas(SHM_LINE) _Atomic uint64_t count;
	struct shm_piece pieces[FRAME_SEGS_MAX];
};

/* One end of a channel. It works (shm_channel_works) once both mails are there. */
struct shm_channel {
	int fd;
	bool hung; /* the other side hung up; what its ring still holds is taken first */
	struct shm_map own, theirs;
	uint32_t own_entries, their_entries; /* powers of two, private */
	uint64_t produced;		     /* what own->produced says */
	uint64_t acked;			     /* what theirs->consumed said last */
	uint64_t taken;			     /* of theirs */
};

struct shm_frame {
	uint64_t cookie;
	uint32_t count;
	uint32_t size_bytes;
	struct shm_piece pieces[FRAME_SEGS_MAX];
};

struct shm_read {
	uint64_t cookie;
	uint64_t key;
	uint64_t offset;
	uint8_t *into; /* NULL: it is looked at where it is */
	uint32_t size_bytes;
	uint32_t done_bytes;
};

/* A peer's region as we see it. */
struct shm_remote {
	uint64_t key; /* 0: none */
	uint64_t size_bytes;
	bool readable;
	int fd; /* the memory behind it */
	struct shm_map map;
	struct shm_dropped *dropped; /* kept for when it goes */
};

enum shm_state {
	SHM_DOWN,     /* dialler: dials at deadline_ms; else waits to be dialled */
	SHM_GREETING, /* dialler only: control hello sent */
	SHM_JOINING,  /* control works, bulk does not yet */
	SHM_UP,	      /* bulk may be down for a while */
};

struct shm_peer {
	struct transport *transport;
	uint32_t node;
	uint32_t index;
	bool dialler; /* we dial */
	enum shm_state state;
	uint64_t deadline_ms; /* when the state's next step or time-out is due */
	uint32_t attempts;    /* dials without success */
	uint64_t incarnation;
	uint64_t link; /* names this life of the link; chosen by the dialled side */
	struct shm_channel control, bulk;
	bool bulk_greeting;	/* dialler: bulk hello sent */
	const char *broken;	/* the rule the peer broke; the next poll cuts the link */
	const char *last_error; /* logged last: repetitions are not */
	struct shm_pace log_pace, link_pace;
	struct shm_map board; /* theirs */
	uint64_t rang_at;     /* their board's sleep when we rang */
	bool bell_owed;
	int probe_fd; /* asks whether the peer's process is still there, and says that we are */

	/* A link was lost, PEER_DOWN waits until it is known whether the process ended. */
	bool lost;
	uint64_t lost_incarnation;
	/* Also: when a hung-up link is cut whatever its rings still hold. */
	uint64_t lost_deadline_ms;

	bool report_down, report_gone, report_up, report_bulk_down, report_bulk_up;

	uint64_t sent_look_ms; /* when to look at the latest which frames the peer has taken */
	/* Frames lent: [done, queued), of which [done, fail_until) failed and [.., posted) are
	 * in the ring. Index modulo bulk_depth. */
	struct shm_frame *frames;
	uint64_t done, posted, queued, fail_until;
	bool starved; /* its next frame waits for a slot, and has been counted */

	struct shm_read reads[SHM_READS_MAX];
	uint64_t reads_done, reads_queued, reads_fail_until;
	uint64_t read_retry_ms; /* the oldest READ waits for its region to be announced */

	struct shm_remote *remotes; /* by region id */
	uint64_t remote_bytes;	    /* mapped of them */
	uint64_t *announced;	    /* by region id: the key that the peer knows */
	uint64_t stale[TRANSPORT_REGIONS_MAX / 64];
	uint32_t stale_count; /* regions whose announcement is due */
	uint64_t announce_retry_ms;

	struct transport_peer_stats stats;
};

struct shm_region {
	uint64_t key; /* 0: free */
	struct transport_region memory;
};

/* An accepted connection that has not said hello. */
struct shm_guest {
	int fd;
	uint64_t deadline_ms;
};

struct transport {
	struct transport_config config;
	char cluster[SHM_CLUSTER_MAX + 1];
	char device[SHM_CLUSTER_MAX + 64];
	uid_t uid; /* as when it was opened: part of every daemon's socket name */
	int listen_fd, epoll_fd, bell_fd, board_fd;
	/* Descriptors ran out: guests are let in again from then on. 0: they are. */
	uint64_t accept_ms;
	bool rung;   /* our own bell has been rung and not been silenced */
	bool asleep; /* what our board says */
	bool stay_awake;
	bool bells_owed; /* to some peer */
	struct shm_map board;
	uint64_t now_ms, io_ms;
	uint64_t next_link, next_serial;
	struct shm_pace guest_log_pace;
	uint32_t turn; /* the peer that is served first */

	struct shm_region regions[TRANSPORT_REGIONS_MAX];
	/* Lent to the receive pool; the last one is used first, its lines are warm. */
	uint32_t *slots;
	uint32_t slot_count;
	bool *slot_posted;

	struct shm_guest guests[SHM_GUESTS_MAX];
	struct shm_peer *peers[NODES_MAX];
	/* Removed peers whose lent things are not all reported yet. */
	struct shm_peer *leaving[NODES_MAX];
	uint8_t *arena;	     /* private copies of control messages, valid until the next poll */
	struct list dropped; /* peers' memory that what the last poll told may point into */
};

/* What a poll fills. */
struct shm_batch {
	struct transport_event *events;
	int max, count;
	size_t frame_budget_bytes, read_budget_bytes, arena_used_bytes;
};

/* What a socket in the epoll set belongs to. */
enum shm_socket {
	SHM_SOCKET_LISTEN,
	SHM_SOCKET_BELL,
	SHM_SOCKET_GUEST,
	SHM_SOCKET_CONTROL,
	SHM_SOCKET_BULK,
	SHM_SOCKET_PROBE
};

static inline struct shm_board *shm_board_of(const struct shm_map *map)
{
	return (struct shm_board *)map->base;
}

static inline struct shm_mail *shm_mail_of(const struct shm_map *map)
{
	return (struct shm_mail *)map->base;
}

static inline bool shm_channel_works(const struct shm_channel *channel)
{
	return channel->own.base && channel->theirs.base;
}

#endif
