/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring: the Totem single-ring ordering and membership protocol (Amir, Moser, Melliar-Smith,
 * Agarwal, Ciarfella, ACM TOCS 13(4), 1995), with the token sent ahead of the data it announces
 * (Babay and Amir, "Fast Total Ordering for Modern Data Centers", 2012/2016).
 *
 * A function without I/O: totem_step(state, event) changes the state and appends actions to an
 * update, which the driver carries out in order. It reads no clock, opens nothing, allocates
 * nothing after totem_new. Not thread-safe: one driver owns it.
 *
 * Frames are opaque to it: `void *frame` is the driver's reference. A frame given to the ring in an
 * event belongs to the ring until a RELEASE or RETURN action names it. */
#ifndef CORONET_TOTEM_H
#define CORONET_TOTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/nodeset.h"
#include "base/ringid.h"
#include "wire/frame.h"

struct totem;

/* Sequence numbers between the release point and the highest assigned one: the size of the window
 * of one ring. */
#define TOTEM_WINDOW_MAX 4096
/* Frames submitted and not yet sent. */
#define TOTEM_BACKLOG_MAX 4096

/* Times in milliseconds; the names are corosync.conf's (man corosync.conf(5)). */
struct totem_config {
	uint32_t node;
	uint32_t token_ms; /* token loss: 3000 (the driver adds token_coefficient) */
	uint32_t token_retransmit_ms;
	uint32_t hold_ms; /* how long an idle token rests */
	uint32_t join_ms;
	uint32_t consensus_ms;
	uint32_t merge_ms;
	/* rotations without progress of the aru before a member is failed... */
	uint32_t fail_recv_const;
	uint32_t seqno_unchanged_const; /* idle rotations before the token rests */
	/* new frames per rotation, all members together; <= TOTEM_WINDOW_MAX / 4 */
	uint32_t window_size;
	uint32_t max_messages; /* new frames per token visit of one node */
	/* of these, how many may follow the token instead of preceding it */
	uint32_t accelerated_window;
	uint32_t miss_count_const; /* visits that a gap must last before it is requested */
};

enum totem_state {
	TOTEM_OPERATIONAL,
	TOTEM_GATHER,
	TOTEM_COMMIT,
	TOTEM_RECOVERY
};
#define TOTEM_STATES 4

enum totem_event_kind {
	TOTEM_EV_START,	  /* once, first: enters gather */
	TOTEM_EV_CONTROL, /* from, bytes, size: a control message of a peer */
	TOTEM_EV_FRAME,	  /* from, info, frame: the whole message is here */
	/* from, info: announced, its payload is being pulled; FRAME or LOST will follow */
	TOTEM_EV_PENDING,
	TOTEM_EV_LOST,	   /* from, info: the pull failed; the ring asks for it again */
	TOTEM_EV_PROGRESS, /* a pull moved on: the node is slow, not stuck */
	/* frame, info.guarantee: a new message of ours; needs totem_backlog_free() > 0 */
	TOTEM_EV_SUBMIT,
	TOTEM_EV_PEER_UP,   /* from: its link works */
	TOTEM_EV_PEER_DOWN, /* from, gone */
	TOTEM_EV_TIMER,	    /* totem_next_deadline_ms has passed */
	TOTEM_EV_LEAVE,	    /* orderly stop: tell the others; no more events follow but TIMER */
};
#define TOTEM_EVENT_KINDS 11

struct totem_event {
	enum totem_event_kind kind;
	uint64_t now_ms; /* never goes back */
	uint32_t from;
	bool gone;
	bool hurry; /* SUBMIT: what it holds is wanted back soon, so the token shall not stay */
	/* with every event: receive slots this node can promise for frames beyond high_seq of
	 * totem_status. Those up to there that are not here yet have been taken off, and
	 * twice window_size more, where frames land that come twice: because the ring asked for
	 * them, or because a connection was redialled */
	uint32_t capacity;
	/* with every event: frames this node may send now. Of those that it has sent no peer may
	 * have left more than window_size unacknowledged: they come twice when a connection is
	 * redialled, and need slots then */
	uint32_t sendable;
	const uint8_t *bytes; /* borrowed */
	size_t size;
	struct frame_info info;
	void *frame;
};

enum totem_action_kind {
	TOTEM_ACT_PERSIST, /* ring_seq must be durable before any later action is carried out */
	/* bytes, size (borrowed until the next step) to node `to`, or to every linked peer when
	 * to == 0 */
	TOTEM_ACT_CONTROL,
	/* frame under info, to the members whose bit is set in mask (bit i = members->id[i]);
	 * never to us */
	TOTEM_ACT_SEND,
	TOTEM_ACT_DELIVER, /* frame, info: its place in the total order has come */
	/* frame, info: UNORDERED and just arrived; DELIVER follows in its place all the same */
	TOTEM_ACT_DELIVER_EARLY,
	TOTEM_ACT_RELEASE, /* frame */
	/* members: those that come along from the old ring; ring = the old ring's id */
	TOTEM_ACT_TRANSITIONAL,
	TOTEM_ACT_REGULAR, /* members of the new ring; ring = its id */
	/* to: was a member, is not any more: cut its link before its memory is reused */
	TOTEM_ACT_FENCE,
	TOTEM_ACT_STATE, /* state, reason: for logs and status */
	/* frame: submitted, not sent before the ring ended; the driver's again, oldest first */
	TOTEM_ACT_RETURN,
};
#define TOTEM_ACTION_KINDS 11

/* Why a state was entered. One string each: totem_reason_name. */
enum totem_reason {
	TOTEM_REASON_START,
	TOTEM_REASON_TOKEN_LOST,
	TOTEM_REASON_JOIN_RECEIVED,
	TOTEM_REASON_FOREIGN_RING,
	TOTEM_REASON_CONSENSUS_TIMEOUT,
	TOTEM_REASON_PEER_GONE,
	TOTEM_REASON_PEER_LEFT,
	TOTEM_REASON_FAILED_TO_RECEIVE,
	TOTEM_REASON_CONSENSUS,
	TOTEM_REASON_COMMIT_TOKEN,
	TOTEM_REASON_COMMIT_ROTATED,
	TOTEM_REASON_RECOVERED,
	TOTEM_REASON_CONTRADICTION,
};
#define TOTEM_REASONS 13

struct totem_action {
	enum totem_action_kind kind;
	uint32_t to;
	uint64_t ring_seq;
	struct ringid ring;
	const struct nodeset *members; /* borrowed until the next step */
	uint64_t mask;
	const uint8_t *bytes;
	size_t size;
	void *frame;
	struct frame_info info;
	enum totem_state state;
	enum totem_reason reason;
};

/* Room for the actions of one step; sized so that no step can overflow it. */
struct totem_update {
	struct totem_action *actions;
	uint32_t count;
	uint32_t capacity;
};

struct totem_status {
	enum totem_state state;
	enum totem_reason reason;
	struct ringid ring;
	struct nodeset members;
	uint64_t high_seq; /* highest sequence number seen on the ring */
	uint64_t aru;	   /* all received up to */
	uint64_t delivered;
	uint64_t released; /* every member has it */
	uint32_t backlog;
	bool resting;		   /* the token rests */
	uint64_t token_rotations;  /* token visits on all rings */
	uint64_t rotation_us_last; /* 0 until known; from now_ms unless the driver refines it */
	uint64_t frames_sent;
	uint64_t frames_delivered;
	uint64_t retransmitted; /* frames sent again for others */
	uint64_t requested;	/* gaps asked for */
	uint64_t token_retransmits;
	uint64_t rejected;	     /* malformed or impossible messages dropped... */
	const char *rejected_reason; /* ...and why the last one was; NULL: none yet */
	uint64_t configurations;
};

/* ring_seq: the last persisted one, 0 on a first start. The update has room for every step of this
 * ring. -ENOMEM, -EINVAL. */
int totem_new(const struct totem_config *config, uint64_t ring_seq, struct totem **out);
void totem_free(struct totem **t);
/* Frees frames still owned by the ring: calls release for each reference. For shutdown. */
void totem_drain(struct totem *t, void (*release)(void *ctx, void *frame), void *ctx);

/* Empties the update, then fills it. The update and all it points to are valid until the next step.
 */
const struct totem_update *totem_step(struct totem *t, const struct totem_event *event);

/* Absolute time of the earliest logical timer; UINT64_MAX if none runs. */
uint64_t totem_next_deadline_ms(const struct totem *t);
uint32_t totem_backlog_free(const struct totem *t);
/* Numbers in use that have not all arrived here: high_seq - aru of totem_status. */
uint64_t totem_expected(const struct totem *t);
/* True while the token waits, here or elsewhere: the driver submits what it has packed at once, so
 * that the ring can use it or call it. */
bool totem_resting(const struct totem *t);
/* True when a frame under this number would be taken and is neither here nor pending: asked before
 * a pull is started. */
bool totem_wants(const struct totem *t, uint32_t from, const struct frame_info *info);
void totem_status(const struct totem *t, struct totem_status *out);
/* New timer and flow values from a reloaded configuration; node must be unchanged. -EINVAL names
 * nothing changed. */
int totem_reconfigure(struct totem *t, const struct totem_config *config);

const char *totem_state_name(enum totem_state state);
const char *totem_reason_name(enum totem_reason reason);

#endif
