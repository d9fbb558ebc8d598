/* SPDX-License-Identifier: BSD-3-Clause */
/* What travels in the private data of connection requests and rejections. Little-endian; the
 * connection manager pads with zeros, so every record starts with its own length. A request has at
 * most 56 bytes, a rejection 148. */
#ifndef CORONET_VERBS_HANDSHAKE_H
#define CORONET_VERBS_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wire_version.h"

#define HANDSHAKE_VERSION     wire_version
#define HANDSHAKE_REQUEST_MAX 56
#define HANDSHAKE_REJECT_MAX  148

enum channel_class {
	CHANNEL_CONTROL = 1,
	CHANNEL_BULK,
	CHANNEL_PROBE, /* asks only whether the process lives; always rejected */
};
#define CHANNEL_CLASSES 3

struct handshake_request {
	enum channel_class class;
	uint64_t cluster;     /* verbs_handshake_cluster() of the name */
	uint32_t node;	      /* who dials */
	uint32_t to;	      /* whom it means to reach */
	uint64_t incarnation; /* of who dials */
	uint32_t attempt;     /* grows with every dial of one incarnation */
	uint32_t session;     /* bulk: the attempt that made the control channel it belongs to */
	uint32_t slot_size_bytes;
};

enum reject_reason {
	REJECT_NONE,
	REJECT_GARBLED,	     /* not a request of this protocol */
	REJECT_VERSION,	     /* another version of it */
	REJECT_CLUSTER,	     /* another cluster's name */
	REJECT_WRONG_NODE,   /* `to` is somebody else: an address is wrong in a configuration */
	REJECT_UNKNOWN_NODE, /* not in our configuration */
	REJECT_ADDRESS,	     /* does not come from that node's ring address */
	REJECT_DIRECTION,    /* the higher node id does not dial */
	REJECT_SLOT_SIZE,
	REJECT_OLD,	   /* a later attempt has been seen */
	REJECT_NO_SESSION, /* bulk without its control channel */
	REJECT_ALIVE,	   /* answer to a probe */
	REJECT_RESOURCES,
};
#define REJECT_REASONS 13

struct handshake_reject {
	enum reject_reason reason;
	uint32_t node;	      /* who rejects */
	uint64_t incarnation; /* of who rejects */
};

/* Bytes written; the buffer has HANDSHAKE_REQUEST_MAX, or HANDSHAKE_REJECT_MAX. */
size_t verbs_handshake_put_request(const struct handshake_request *request, uint8_t *bytes);
size_t verbs_handshake_put_reject(const struct handshake_reject *reject, uint8_t *bytes);

/* REJECT_NONE when *out has been filled; else why not. Trailing bytes are ignored. */
enum reject_reason verbs_handshake_get_request(const uint8_t *bytes, size_t size,
					       struct handshake_request *out);
/* False when the bytes are no rejection of ours (a foreign program listens there). */
bool verbs_handshake_get_reject(const uint8_t *bytes, size_t size, struct handshake_reject *out);

uint64_t verbs_handshake_cluster(const char *name);
const char *verbs_reject_text(enum reject_reason reason);
const char *verbs_class_name(enum channel_class class);

#endif
