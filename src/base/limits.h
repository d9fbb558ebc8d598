/* SPDX-License-Identifier: BSD-3-Clause */
/* The limits that more than one room must agree on. Each has one home: here. */
#ifndef CORONET_BASE_LIMITS_H
#define CORONET_BASE_LIMITS_H

/* Nodes a configuration may list: member sets travel as 64-bit masks in the token. */
#define NODES_MAX 64

/* What a transport's control channel carries at a time: one 4096-byte path MTU. A control message
 * (token, join, commit token...) leaves room in it for its seal. */
#define CHANNEL_SIZE_MAX 4096
#define SEAL_SIZE	 32
#define CONTROL_SIZE_MAX (CHANNEL_SIZE_MAX - SEAL_SIZE)

/* The largest group message, in bytes. */
#define MESSAGE_SIZE_MAX (64u * 1024 * 1024)

/* One RDMA READ is never longer than this, in bytes. */
#define READ_SIZE_MAX (1024u * 1024)

/* Pieces that one frame may be gathered from: each transport says how many it takes, between these.
 * Most adapters grant about 30, Intel's E810 grants 13; the least is a header, what was copied, one
 * piece of a client's memory and what was copied after it. */
#define FRAME_SEGS_MIN 4
#define FRAME_SEGS_MAX 16

/* Bytes in a group name (CPG_MAX_NAME_LENGTH). */
#define GROUP_NAME_MAX 128

#endif
