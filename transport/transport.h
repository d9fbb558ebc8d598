/* SPDX-License-Identifier: BSD-3-Clause */
/* The contract between the daemon's engine and whatever carries its bytes: RDMA verbs, shared
 * memory, or the simulator.
 *
 * A transport keeps one link to every configured peer. A link has two channels that share no queue
 * and no order:
 *   control  small messages, copied, at most CHANNEL_SIZE_MAX bytes: token, membership
 *   bulk     frames gathered from registered regions into the receiver's slots, and READs of a
 *            peer's region
 * Each channel delivers in order, exactly once, while it lives. When a channel breaks, the outcome
 * of what was under way is unknown: the bulk tail is sent again after redial (receivers recognise
 * repetitions by sequence number), control messages are not.
 *
 * A link is, for its owner, what polled events say: from the moment it breaks until `poll` has
 * returned the next PEER_UP, sends and READs answer -ENOTCONN, so that nothing said on one link
 * (where a payload can be read) is ever acted on over another.
 *
 * Pull style: `poll` returns a bounded batch of events; `fd` becomes readable when there may be
 * some; `next_deadline_ms` says when to call without that. No transport calls its owner. One thread
 * owns a transport; no call blocks.
 *
 * Words: owned - freed by who holds it; borrowed - valid until the call returns; lent - handed over
 * until a named event returns it. */
#ifndef CORONET_TRANSPORT_H
#define CORONET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/limits.h"

struct transport; /* one per daemon; private to the implementation */

/* Memory that payloads are gathered from, received into or read from. Ids are small numbers chosen
 * by the owner; region 0 is the slab with the receive slots. The memory and the descriptor stay the
 * owner's. */
#define TRANSPORT_REGIONS_MAX 4096
#define TRANSPORT_REGION_SLAB 0

struct transport_region {
	void *base;	   /* mapped, writable */
	size_t size_bytes; /* a multiple of the page size */
	int fd; /* memfd behind it; peers may be shown it: only for reading, no shrinking */
	bool remote_read; /* peers may READ it */
	bool local;	  /* nothing is sent from it: peers need not know of it */
	const char *use;  /* what it is for, in the log; NULL: send memory. Borrowed for the call */
};

/* A piece of registered memory. */
struct transport_seg {
	uint32_t region;
	uint32_t size_bytes;
	uint64_t offset;
};

/* A peer's region as this process sees it; the caller's, and independent of the link's life. */
struct transport_map {
	const uint8_t *base; /* read-only; unmapped with munmap(2) */
	size_t size_bytes;
	int fd; /* a descriptor of our own of the same memory, opened for reading only */
};

struct transport_peer {
	uint32_t node;
	struct sockaddr_storage addr; /* unused by shm */
};

struct transport_config {
	const char *cluster_name;
	uint32_t node;		      /* our node id; the lower id of a pair dials */
	uint64_t incarnation;	      /* differs for every start of a daemon */
	struct sockaddr_storage addr; /* our ring address; unused by shm */
	uint32_t slot_size_bytes;     /* slot i lies at i * slot_size_bytes of region 0 */
	uint32_t slot_count;
	uint32_t bulk_depth;	     /* frames that may be lent per peer at a time */
	uint32_t connect_timeout_ms; /* own timer of each dialling step: 300 */
	uint32_t ack_timeout_ms;     /* about when a silent path is reported: 1000 */
	const char *device; /* verbs: wanted device name or NULL for the one that owns addr */
	void *log_ctx;
	/* priority as in syslog(3); the text is borrowed */
	void (*log)(void *log_ctx, int priority, const char *text);
	/* Closes what strangers may have sent anything to; false: accept none for now. NULL: close(2) */
	bool (*discard)(void *log_ctx, int fd);
};

enum transport_event_kind {
	/* both channels work; incarnation is the peer's; cookie names this life of the link, at
	 * both ends, where regions can be mapped */
	TRANSPORT_PEER_UP,
	/* control channel lost; gone = the peer's process certainly ended (dial refused) */
	TRANSPORT_PEER_DOWN,
	TRANSPORT_BULK_DOWN, /* bulk channel lost, redial under way; for statistics only */
	TRANSPORT_BULK_UP,   /* bulk channel is back, tail being resent; for statistics only */
	TRANSPORT_CONTROL,   /* data, size: borrowed until the next poll */
	TRANSPORT_FRAME,     /* size bytes arrived in slot; the slot is the owner's again */
	TRANSPORT_SENT,	     /* cookie: the frame is no longer lent, the peer's adapter has it */
	TRANSPORT_FAILED,    /* cookie: the frame is no longer lent, the peer may lack it */
	/* cookie, status: 0 or negative errno; the destination is no longer lent. After look: data, size */
	TRANSPORT_READ_DONE,
	/* the adapter is gone, once: all links end, and there will be none until another transport is
	 * opened; node is 0 */
	TRANSPORT_LOST,
};
#define TRANSPORT_EVENT_KINDS 10

struct transport_event {
	enum transport_event_kind kind;
	uint32_t node;
	uint32_t slot;
	uint32_t size_bytes;
	const uint8_t *data;
	uint64_t cookie;
	uint64_t incarnation;
	int status;
	bool gone;
};

struct transport_peer_stats {
	bool up;
	uint64_t control_sent, control_received;
	uint64_t frames_sent, frames_received;
	uint64_t bytes_sent, bytes_received;
	uint64_t reads, read_bytes;
	uint64_t redials, receiver_not_ready;
};

/* What the transport takes for itself, and of whose memory it should be. */
struct transport_memory {
	int numa_node;		   /* the adapter's; -1: it has none, or does not say */
	uint64_t registered_bytes; /* locked for the adapter, all regions and buffers */
	uint64_t queues_bytes;	   /* buffers and queues of the transport, all peers together */
};

/* Every member is set in every implementation. Unless said otherwise a call returns 0 or a negative
 * errno and, on error, took nothing. */
struct transport_ops {
	const char *name; /* "rdma", "shm", "simulated" */

	/* Listens and starts nothing else. Errors are logged with what would help: -ENODEV no
	 * device owns addr, -EADDRINUSE, -ENOMEM (RLIMIT_MEMLOCK: the needed number is in the log),
	 * -EACCES. *out is written only on success. */
	int (*open)(const struct transport_config *config, struct transport **out);
	/* Ends all links at once, returns when nothing touches registered memory any more; frees
	 * *t; NULL is accepted. Lent things are simply forgotten. */
	void (*close)(struct transport **t);

	/* Level-triggered: readable while poll may have events. Constant for the transport's life.
	 */
	int (*fd)(const struct transport *t);
	/* Absolute time of the earliest redial or other timer on the clock passed to poll;
	 * UINT64_MAX if none. */
	uint64_t (*next_deadline_ms)(const struct transport *t);
	/* Fills at most `max` events, control before bulk; returns how many. PEER_UP comes before
	 * anything of that link; what was lent may come back before or after the PEER_DOWN that is
	 * the reason. */
	int (*poll)(struct transport *t, uint64_t now_ms, struct transport_event *events, int max);

	/* Wakes peers that sleep and were sent something since the last flush or poll. To be called
	 * after the last send before the owner waits for the descriptor. */
	void (*flush)(struct transport *t);

	/* While it is on, the owner polls without pause: polls ask nobody to wake it, leave the
	 * descriptor as it is, and look at what only the system tells (connections) once a
	 * millisecond. After it is turned off, the owner polls at least once more before it trusts
	 * the descriptor again. Off at first. */
	void (*stay_awake)(struct transport *t, bool on);

	/* Registers memory; *key is what peers name it by in `read`. -ENOMEM, -EEXIST, -EINVAL. */
	int (*region_add)(struct transport *t, uint32_t id, const struct transport_region *region,
			  uint64_t *key);
	/* The caller knows that no frame or READ of its own uses it; READs by peers fail from now
	 * on. */
	void (*region_remove)(struct transport *t, uint32_t id);
	/* Lends slot to the receive pool until a TRANSPORT_FRAME names it. */
	int (*slot_post)(struct transport *t, uint32_t slot);

	/* Starts keeping a link to the peer (dials, or waits to be dialled), for ever, until
	 * peer_remove. -EEXIST, -ENOSPC. */
	int (*peer_add)(struct transport *t, const struct transport_peer *peer);
	/* Ends the link for good; what is lent comes back as after peer_fence. No PEER_DOWN is
	 * reported. */
	void (*peer_remove)(struct transport *t, uint32_t node);
	/* Cuts the link so that the peer can touch nothing of ours when this returns; every frame
	 * lent for it and every READ from it comes back as FAILED / READ_DONE; then keeps
	 * redialling, and a new PEER_UP may follow. No PEER_DOWN is reported. */
	void (*peer_fence)(struct transport *t, uint32_t node);

	/* Copies size_bytes (1..CHANNEL_SIZE_MAX, else -EMSGSIZE). -ENOTCONN: link down or no such
	 * peer; -ENOBUFS: the peer does not keep up (the message is dropped, callers have timers).
	 */
	int (*send_control)(struct transport *t, uint32_t node, const void *bytes,
			    size_t size_bytes);
	/* Pieces that send_frame takes: FRAME_SEGS_MIN..FRAME_SEGS_MAX. Constant for the
	 * transport's life. */
	int (*segs_max)(const struct transport *t);
	/* Whether what a READ reports as done has always arrived as it was. */
	bool (*reads_exact)(const struct transport *t);
	/* Lends the pieces (1..segs_max, together 1..slot_size_bytes) until SENT or FAILED
	 * with this cookie and node.
	 * -ENOTCONN, -ENOBUFS (more than bulk_depth lent), -EMSGSIZE, -EINVAL (a piece outside its
	 *  region).
	 * While only the bulk channel is down, frames are kept for its return. */
	int (*send_frame)(struct transport *t, uint32_t node, const struct transport_seg *segs,
			  int count, uint64_t cookie);
	/* Reads size_bytes (1..READ_SIZE_MAX) at remote_offset of the peer's region `key` into a
	 * region of ours, until READ_DONE.
	 * -ENOTCONN, -ENOBUFS (try again after a READ_DONE), -EINVAL (size, destination). A READ
	 *  that the peer's memory does not allow ends
	 * with an error and may break the bulk channel for a moment, never the control channel. */
	int (*read)(struct transport *t, uint32_t node, uint64_t key, uint64_t remote_offset,
		    const struct transport_seg *into, uint64_t cookie);

	/* As read, any size, but nothing is copied: READ_DONE tells where the peer has it (data, size_bytes,
	 * borrowed until the next poll). Whoever has read it asks still_there before he believes it.
	 * -EOPNOTSUPP where peers' regions cannot be mapped. */
	int (*look)(struct transport *t, uint32_t node, uint64_t key, uint64_t remote_offset,
		    uint32_t size_bytes, uint64_t cookie);
	/* False when the peer may have begun to use that memory for something else, because the link has ended
	 * or the region has gone. */
	bool (*still_there)(const struct transport *t, uint32_t node, uint64_t key);

	/* Whether peers' regions can be mapped: all of them are on this host. Constant. */
	bool (*maps)(const struct transport *t);
	/* Maps the peer's region `key`, which it allowed to be READ, through an opening that carries the mark
	 * (store/mark.h): a peer that ended the link and then found no mark of it may write there
	 * again, so a link that ends before the mark is there maps nothing. -ENOTCONN, -EACCES (no such region
	 * now), -EAGAIN (its announcement is still to come), -EOPNOTSUPP, or what open(2), mmap(2) said.
	 */
	int (*map)(struct transport *t, uint32_t node, uint64_t key, uint64_t mark,
		   struct transport_map *out);

	/* Human-readable device and address, e.g. "rxe0 port 1, 10.50.0.1". Borrowed for the
	 * transport's life. */
	const char *(*device)(const struct transport *t);
	void (*memory)(const struct transport *t, struct transport_memory *out);
	/* -ENOENT for an unknown peer. */
	int (*peer_stats)(const struct transport *t, uint32_t node,
			  struct transport_peer_stats *out);
};

/* Implementations that were built, in order of preference for `auto`; NULL when the name is not
 * built in. */
const struct transport_ops *transport_find(const char *name);

const char *transport_event_name(enum transport_event_kind kind);

#endif
