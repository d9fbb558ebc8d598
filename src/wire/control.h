/* SPDX-License-Identifier: BSD-3-Clause */
/* Control messages of the ring: what travels on the control channel. Each fits CONTROL_SIZE_MAX
 * bytes with NODES_MAX members. Layout tables: docs/protocol.md, "On the wire". All numbers
 * little-endian.
 *
 *   0  magic u32        4  version u8     5  kind u8     6  zero u16     8  sender u32    12  size
 *      u32 (whole message)    16  body */
#ifndef CORONET_WIRE_CONTROL_H
#define CORONET_WIRE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/nodeset.h"
#include "base/ringid.h"

#define CONTROL_MAGIC	    0x43524e43u /* "CNRC" */
#define CONTROL_VERSION	    1
#define CONTROL_HEADER_SIZE 16

/* Ranges of missing numbers that one token or one request carries. */
#define CONTROL_RTR_MAX 128
#define CONTROL_ASK_MAX 128
/* Loans that one message gives back. */
#define CONTROL_RETURN_MAX 256
/* Bytes of the map in CONTROL_HAVE: one bit for each number of a ring's window. */
#define CONTROL_HAVE_BYTES 512
/* No ring sequence, number or count beyond this is believed: sums of two cannot wrap. */
#define CONTROL_SEQ_MAX (UINT64_MAX / 4)

enum control_kind {
	CONTROL_NONE,
	CONTROL_JOIN,
	CONTROL_COMMIT,
	CONTROL_TOKEN,
	CONTROL_MERGE,
	CONTROL_WAKE,
	CONTROL_LEAVE,
	CONTROL_HAVE,
	CONTROL_ASK,
	CONTROL_ACK,
	CONTROL_RETURN,
	CONTROL_CHAIN,
};
#define CONTROL_KINDS 12

/* Gather: the sender's proposal for the membership (paper: Membership Protocol). */
struct control_join {
	uint64_t ring_seq; /* highest ring sequence the sender knows */
	struct nodeset proc;
	struct nodeset fail;
};

/* What one member tells the others about its old ring (paper: memb_list of the commit token). */
struct control_commit_entry {
	bool filled;
	bool received;		 /* it once had all that could be had of its old ring */
	struct ringid old_ring;	 /* {0, 0}: it comes from nowhere */
	uint64_t aru;		 /* all received up to, on the old ring */
	uint64_t high;		 /* highest number received there */
	uint64_t high_delivered; /* highest number delivered there in the regular configuration */
	/* old ring's members (bit i: i-th) whose messages it promised to deliver */
	uint64_t obligation;
};

struct control_commit {
	struct ringid ring; /* the ring to be */
	uint32_t token_seq; /* counts hops */
	struct nodeset members;
	struct control_commit_entry entry[NODES_MAX]; /* by index in members */
};

/* Numbers first..last are missing at the members in mask. */
struct control_range {
	uint64_t first;
	uint64_t last;
	uint64_t mask;
};

struct control_token {
	struct ringid ring;
	uint64_t token_seq; /* counts hops */
	uint64_t seq;	    /* highest number assigned */
	uint64_t aru;	    /* lowest all-received-up-to */
	uint32_t aru_id;    /* who lowered it; 0: aru == seq */
	bool idle;	    /* its seat will rest it when it comes round unchanged */
	uint32_t fcc;	    /* frames sent in the last rotation, by all */
	uint32_t backlog;   /* frames waiting, at all */
	uint64_t limit; /* nobody assigns a number beyond: complete minimum of the last rotation */
	uint64_t limit_next; /* minimum of this rotation so far */
	uint64_t done;	     /* members that have all of their old ring */
	uint64_t progress;   /* members that received or pulled something since their last visit */
	uint32_t seat;	     /* index of the member that numbered last: there it rests */
	uint32_t rtr_count;
	struct control_range rtr[CONTROL_RTR_MAX];
};

/* What the sender held of its old ring when recovery began: all up to aru, and aru + 1 + i for each
 * bit i. */
struct control_have {
	struct ringid ring;
	struct ringid old_ring;
	uint64_t aru;
	bool reply; /* the sender lacks the receiver's */
	uint32_t map_bytes;
	uint8_t map[CONTROL_HAVE_BYTES];
};

/* The sender lacks these numbers of its old ring, and the receiver said it has them. Masks are not
 * carried (0). */
struct control_ask {
	struct ringid ring;
	struct ringid old_ring;
	uint32_t count;
	struct control_range range[CONTROL_ASK_MAX];
};

/* The sender has all numbers of the ring up to aru. */
struct control_ack {
	struct ringid ring;
	uint64_t aru; /* not 0: who has nothing acknowledges nothing */
};

/* The sender uses these payloads of the receiver's no more (struct frame_announce). Not the ring's:
 * engines say it to each other. */
struct control_return {
	uint32_t count;
	uint64_t loan[CONTROL_RETURN_MAX];
};

/* The sender has the first `valid` bytes of the message announced under this number, and the
 * receiver may READ them there. For the driver: the ring does not look at it. */
struct control_chain {
	struct ringid ring;
	uint64_t seq;
	uint64_t key;	 /* of the memory; 0 until something is valid */
	uint64_t offset; /* of the message's first byte in it; likewise */
	uint64_t size;	 /* of the whole message */
	uint64_t valid;
	bool gone; /* no more than that will come from here: read the rest where it was announced */
};

struct control {
	enum control_kind kind;
	uint32_t sender;
	union {
		struct control_join join;
		struct control_commit commit;
		struct control_token token;
		struct control_have have;
		struct control_ask ask;
		struct control_ack ack;
		struct control_return returned;
		struct control_chain chain;
		struct ringid ring; /* MERGE, WAKE, LEAVE: the ring the sender is in */
	};
};

/* Returns the size. The message must obey the limits above: it is ours. */
size_t wire_control_encode(const struct control *control, uint8_t out[CONTROL_SIZE_MAX]);
/* Total over all inputs. Returns NULL, or the reason for refusal as a constant string; *out is then
 * undefined. Checked here: sizes, counts, order and uniqueness of members, masks within members,
 * ranges that run forward, bounds on numbers. */
const char *wire_control_decode(const uint8_t *bytes, size_t size, struct control *out);
/* What the header claims; CONTROL_NONE if it is none of ours. Lets a driver recognise a token
 * before it feeds it. */
enum control_kind wire_control_kind(const uint8_t *bytes, size_t size);
const char *wire_control_name(enum control_kind kind);

#endif
