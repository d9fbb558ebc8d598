/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this room share: the transport, its peers and their channels.
 *
 * A peer has two channels, each one reliable connection. The lower node id dials control, both say
 * hello, then it dials bulk and proves it with a small READ; then it says "ready" on control. So
 * the dialler's peer is up first, and whoever accepts hears the other speak on each channel before
 * it sends there.
 *
 * A channel that fails is only marked (channel_break); verbs_reap takes it down when no loop over
 * completions is under way. Taking down: queue pair to error, both completion queues drained, queue
 * pair and id destroyed. */
#ifndef CORONET_VERBS_INT_H
#define CORONET_VERBS_INT_H

#include <rdma/rdma_cma.h>

#include "base/limits.h"
#include "base/seldom.h"
#include "transport.h"
#include "verbs/handshake.h"
#include "verbs/queue.h"
#include "verbs/wrid.h"

/* Control messages that one peer may have under way to us, and places in our pool for them. The
 * last CONTROL_RESERVE are for the messages of the transport itself: data can never keep credit
 * from being returned. */
#define CONTROL_QUOTA	    16
#define CONTROL_RESERVE	    4
#define CONTROL_HEADER	    8
#define CONTROL_BUFFER_SIZE 4160 /* CONTROL_HEADER + CHANNEL_SIZE_MAX, rounded up to a cache line */
#define ALIVE_PAGE_SIZE	    4096
#define CONTROL_SLOTS_MAX   (NODES_MAX * CONTROL_QUOTA)

/* READs under way on one queue pair at most (devices may grant less), and waiting behind them. */
#define READ_DEPTH_MAX 16
#define READ_QUEUE_MAX 64

/* Nothing on any memory region ever permits a remote write. */
#define REGION_ACCESS (IBV_ACCESS_LOCAL_WRITE)
#define QP_ACCESS     (IBV_ACCESS_REMOTE_READ)

enum channel_state {
	CHANNEL_IDLE,
	CHANNEL_RESOLVING, /* address, then route */
	CHANNEL_ROUTING,
	CHANNEL_CONNECTING,
	CHANNEL_ACCEPTED, /* we accepted; the other side has not confirmed */
	CHANNEL_GREETING, /* connected; hello or ready is missing */
	CHANNEL_READY,
};
#define CHANNEL_STATES 7

enum break_reason {
	BREAK_NONE,
	BREAK_TIMEOUT,	    /* a step of dialling took too long */
	BREAK_REFUSED,	    /* nobody listens there */
	BREAK_STALE,	    /* the other kernel still knows our predecessor */
	BREAK_REJECTED,	    /* the other side does not want us, and said why */
	BREAK_UNREACHABLE,  /* no route, no answer */
	BREAK_DISCONNECTED, /* the other side has hung up, or died */
	BREAK_SILENT,	    /* nothing was acknowledged for the ack timeout, tries included */
	BREAK_COMPLETION,   /* a work request failed otherwise */
	BREAK_PROTOCOL,	    /* the other side broke a rule */
	BREAK_RESOURCES,    /* a verb failed here */
	BREAK_DEVICE,	    /* the adapter reported an error, or left */
	BREAK_PEER_RESET,   /* the other side asked for a new bulk channel */
	BREAK_REPLACED,	    /* the other side dials anew */
	BREAK_SESSION,	    /* bulk only: its control channel is gone */
	BREAK_USELESS,	    /* control only: bulk broke again and again without carrying anything */
	BREAK_OWNER,	    /* fenced, removed or closed */
};
#define BREAK_REASONS 17

struct sq_entry {
	enum wr_kind kind;
	uint32_t slot;
};

struct verbs_peer;

struct verbs_channel {
	struct transport *t;
	struct verbs_peer *peer;
	enum channel_class class;
	enum channel_state state;
	enum break_reason broken;
	bool probing; /* the id is a probe's, not a channel's */
	bool initiator;
	bool settled; /* the adapter holds no receive place for this queue pair any more */
	struct rdma_cm_id *id;
	uint16_t generation; /* changes with every queue pair */
	uint32_t attempt;
	uint32_t read_depth;
	uint64_t deadline_ms; /* of the present step */
	uint64_t redial_ms;
	uint64_t ready_ms;
	uint64_t progress_ms; /* something last arrived or was acknowledged */
	uint32_t failures;    /* dials failed in a row */
	uint32_t timeouts;    /* steps timed out in a row */
	uint32_t stales;      /* rejections as stale in a row */
	uint32_t breaks;      /* bulk: breaks in a row without a frame or READ done */
	bool carried; /* something of the owner's has been acknowledged on this connection */

	/* Our own account of the send queue. Every request is signalled (soft-RoCE frees places of
	 * other work by itself, adapters do not), so completions come in exactly this order. */
	struct sq_entry *sq;
	uint32_t sq_head, sq_count, sq_depth;
};

/* Counters of one control connection; all wrap. */
struct control_flow {
	uint32_t sent, credited; /* our messages; those the peer has given their place back for */
	uint32_t arrived;	 /* the peer's messages */
	uint32_t consumed, told; /* whose place is free again; what it was told of that */
	uint32_t quota;		 /* the peer's, from its hello */
	uint32_t buffers_used, buffer_next;
	uint32_t inline_max;
	bool owe_hello, owe_ready, owe_reset;
	uint64_t reset_ms; /* when to ask for a new bulk channel again */
};

struct frame {
	uint64_t cookie;
	uint32_t size_bytes;
	int count;
	struct ibv_sge sge[FRAME_SEGS_MAX];
};

struct read_op {
	uint64_t cookie;
	uint64_t remote_offset;
	uint32_t rkey;
	uint32_t tries;
	int doom; /* what it ends with, without being tried again */
	struct ibv_sge sge;
};

/* First in, first out; the first `posted` are in the adapter's hands, the rest waits. */
struct fifo {
	uint32_t head, count, posted, depth;
};

struct verbs_peer {
	bool used;
	bool dialler;	       /* we dial it */
	bool up;	       /* PEER_UP reported, or about to be in the queue */
	uint32_t ups_unpolled; /* until the owner has heard of this link, it cannot mean it */
	bool bulk_reported_down;
	bool down_held; /* PEER_DOWN is held back until we know whether the process lives */
	bool probe_due; /* we do not dial this peer, but ask once whether it lives */
	bool was_up;	/* connections from now on count as redials */
	uint8_t index;
	uint32_t node;
	uint64_t incarnation;
	uint32_t last_attempt;	    /* of its incarnation */
	uint64_t overtake_until_ms; /* one before that may still come */
	uint32_t alive_rkey;	    /* its page for keepalives */
	uint64_t down_deadline_ms;
	struct sockaddr_storage addr; /* with its port */
	char text[80];		      /* "node 3 (10.50.0.3:5405)" */
	enum break_reason logged_break;
	enum reject_reason logged_reject;
	struct verbs_channel control, bulk;
	struct control_flow flow;
	struct fifo frame_fifo, read_fifo;
	struct frame *frames;
	struct read_op *reads;
	struct transport_peer_stats stats;
};

struct verbs_cq {
	struct ibv_cq *cq;
	struct ibv_comp_channel *channel;
	bool armed;
	unsigned unacked;
};

/* Where a control message is received, and from whom the message in it came. */
struct control_slot {
	bool posted;
	uint8_t peer; /* NODES_MAX: nobody's */
	uint16_t generation;
};

struct control_chunk {
	uint8_t *memory; /* CONTROL_QUOTA receive places, then as many send buffers */
	struct ibv_mr *mr;
	uint32_t posted; /* receive places that have been posted at least once */
};

struct verbs_region {
	struct ibv_mr *mr;
	size_t size_bytes;
};

struct qp_entry {
	uint32_t qp_num; /* 0: free */
	struct verbs_channel *channel;
};
#define QP_TABLE_SIZE 512

struct transport {
	struct transport_config config;
	uint64_t cluster;
	uint64_t now_ms;
	uint64_t news_ms; /* when the epoll set was looked at last */
	uint64_t random;
	uint32_t attempts;
	int epoll_fd, wake_fd;
	bool wake_set, leftover, dead, stay_awake;
	struct rdma_event_channel *cm;
	struct rdma_cm_id *listener;
	struct ibv_context *verbs;
	struct ibv_pd *pd;
	struct ibv_device_attr attr;
	int segs_max; /* of a frame */
	struct verbs_cq control_cq, bulk_cq;
	struct ibv_srq *control_srq, *bulk_srq;
	uint32_t bulk_sq_depth;
	uint32_t peers_max; /* as many as the device has completion queue entries for */
	uint8_t control_ack_timeout, bulk_ack_timeout;
	char device_text[160];
	size_t pinned_bytes; /* what RLIMIT_MEMLOCK counts for us */

	/* The last complaint about a connection request, so that it is not repeated for ever. */
	enum reject_reason complaint;
	uint32_t complaint_node;
	uint64_t complaint_ms;
	struct seldom complaints;

	/* One page: its first bytes may be READ by peers, its second half receives what we READ of
	 * theirs. Keepalives mean no bytes, but READs of none are fatal to soft-RoCE (Linux 6.1)
	 * when they have to be repeated. */
	uint8_t *alive_page;
	struct ibv_mr *alive_mr;

	struct event_queue queue;
	uint32_t broken; /* channels marked */
	struct qp_entry qps[QP_TABLE_SIZE];
	struct verbs_peer *peers[NODES_MAX]; /* kept until close: ids of events point there */
	struct control_chunk chunks[NODES_MAX];
	struct control_slot control_slots[CONTROL_SLOTS_MAX];
	uint32_t borrowed[CONTROL_SLOTS_MAX]; /* places that the last poll showed to the owner */
	uint32_t borrowed_count;
	struct verbs_region regions[TRANSPORT_REGIONS_MAX];
	bool *slot_posted;
	uint32_t slots_posted;
};

#endif
