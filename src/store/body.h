/* SPDX-License-Identifier: BSD-3-Clause */
/* A body: bytes that live in one place, in a slot, an extent or a client's send memory, our own or a peer's, and the
 * named reasons why they still do. It is freed, exactly then, when its last hold is dropped. Not
 * thread-safe. */
#ifndef CORONET_STORE_BODY_H
#define CORONET_STORE_BODY_H

#include <stdbool.h>
#include <stdint.h>

enum body_home {
	BODY_SLOT,
	BODY_EXTENT,
	BODY_SEND,
	BODY_PEER, /* a client's of another node, on this host */
};

enum body_hold {
	HOLD_BUILD,  /* being filled: a frame under construction, a pull under way */
	HOLD_STORE,  /* the ring may have to deliver or retransmit it */
	HOLD_SEND,   /* lent to the transport, once per peer */
	HOLD_CLIENT, /* a local client has not consumed it, once per client */
	HOLD_LENT,   /* other nodes on this host use it where it is, once for each announcement */
	HOLD_PIN,    /* a local client may read it in place for as long as it likes, likewise */
};
#define HOLD_KINDS 6

struct body {
	enum body_home home;
	uint32_t region; /* 0: the slab; else the send region or the peer's region it lies in */
	uint64_t offset; /* in the region */
	uint64_t size;
	bool spare;	/* an extent that nobody may pin, extents.h */
	uint8_t *bytes; /* where this process sees it */
	uint32_t holds[HOLD_KINDS];
	/* Called when the last hold is dropped; frees the body and what it occupies. */
	void (*free)(struct body *body);
	void *owner;
	uint64_t cookie;
};

void body_hold(struct body *body, enum body_hold hold);
void body_drop(struct body *body, enum body_hold hold);
const char *body_hold_name(enum body_hold hold);

#endif
