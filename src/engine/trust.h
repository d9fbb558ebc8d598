/* SPDX-License-Identifier: BSD-3-Clause */
/* Protection between nodes. With a key, a link of the transport is only a way to somebody: the ring hears
 * of it when both sides have proven that they know the cluster's key (crypto/handshake.h) and have told
 * each other what they seal their frames with. docs/security.md, "Between nodes".
 *
 *   session    two keys for the control channel of one link, one for each direction
 *   frame key  what a node seals frames and payloads with, once for all peers; it has a generation
 *
 * Without a key engine.trust is NULL, and nothing of this is called. */
#ifndef CORONET_ENGINE_TRUST_H
#define CORONET_ENGINE_TRUST_H

#include "base/list.h"
#include "base/seldom.h"
#include "crypto/aead.h"
#include "crypto/handshake.h"
#include "crypto/replay.h"
#include "engine/engine_int.h"

/* A sealed frame ends with its tag, number and generation, in SEAL_SIZE bytes. */
#define CLUSTER_NAME_SIZE 256
#define FRAME_GENERATIONS 2 /* of a peer, that can be opened */

struct session {
	uint32_t number; /* 0: none */
	struct aead *sends;
	struct aead *receives;
	uint64_t sent;
	uint64_t received;
};

struct frame_key {
	uint32_t generation; /* 0: none */
	uint8_t bytes[CRYPTO_KEY_SIZE_MAX];
	struct aead *aead;
	uint64_t number;      /* ours: the last that was used */
	uint64_t blocks;      /* ours: sealed with it */
	struct replay replay; /* a peer's */
};

/* A peer; forgotten when it leaves the configuration, so that what it sent is not taken again over its
 * next link. */
struct acquaintance {
	uint32_t node; /* 0: unused */
	bool linked;   /* there is a link of the transport... */
	bool trusted;  /* ...and the ring knows it */
	uint64_t cookie;
	struct handshake handshake;
	uint32_t last_session;
	uint64_t hello_at_ms; /* when to say HELLO (again); UINT64_MAX: not at all */
	uint32_t pause_ms;
	uint64_t answers_from_ms; /* no HELLO is answered before */
	struct session session;
	struct session former; /* received from until the first of `session` comes */
	uint8_t proven[CLUSTER_KEY_ID_SIZE];
	uint8_t has[HANDSHAKE_KEYS][CLUSTER_KEY_ID_SIZE];
	struct frame_key frames[FRAME_GENERATIONS]; /* newest first */
	uint32_t got;				    /* generation of ours that it has */
	uint64_t complained_at_ms;
	uint32_t complained_about; /* digest of the text */
	struct seldom complaints;
};

struct trust {
	struct handshake_self self;
	char cluster_name[CLUSTER_NAME_SIZE];
	struct cluster_key key;
	struct cluster_key next_key; /* none: no change is under way */
	bool changing;		     /* everybody has next_key: links are being moved to it */
	struct frame_key out;
	struct frame_key out_next; /* being told */
	uint64_t told_ms;	   /* when all were told of keys */
	struct acquaintance peers[NODES_MAX];
	uint8_t opened[CHANNEL_SIZE_MAX];
	struct engine_trust_stats stats;
};

/* trust.c */
int engine_trust_init(struct engine *engine);
void engine_trust_fini(struct engine *engine);
void engine_trust_link_up(struct engine *engine, uint32_t node, uint64_t cookie);
void engine_trust_link_ended(struct engine *engine, uint32_t node);
void engine_trust_forget(struct engine *engine, uint32_t node);
void engine_trust_turn(struct engine *engine);
uint64_t engine_trust_deadline_ms(const struct engine *engine);
/* What came on a control channel. False: it was of trust's own, or not to be believed; else what a
 * trusted peer said, borrowed until the next call. */
bool engine_trust_received(struct engine *engine, const struct transport_event *event,
			   struct transport_event *said);
/* As send_control of the transport, sealed. */
int engine_trust_tell(struct engine *engine, uint32_t node, const void *bytes, size_t size);
/* Whether a node with a key has said this. */
bool trust_would_protect(const uint8_t *bytes, size_t size);
/* NULL: no such peer. */
struct acquaintance *trust_peer(struct trust *trust, uint32_t node);
/* The same of the same peer at most once in a while. */
__attribute__((format(printf, 4, 5))) void trust_complain(struct engine *engine,
							  struct acquaintance *peer, int priority,
							  const char *format, ...);

/* trust_keys.c: frame keys, and the cluster's key when it changes */
int trust_frame_key_new(struct trust *trust, uint32_t generation, struct frame_key *out);
void trust_frame_key_end(struct frame_key *key);
/* Tells a peer what we seal with and which keys of the cluster we have. */
void trust_tell_keys(struct engine *engine, struct acquaintance *peer);
/* The same again to those of whom something is awaited: a message on a control channel may get lost. */
void trust_keys_repeat(struct engine *engine);
/* When that is due; UINT64_MAX: nothing is awaited. */
uint64_t trust_keys_deadline_ms(const struct trust *trust);
/* What a peer said over a session. False: it is for the engine. */
bool trust_keys_received(struct engine *engine, struct acquaintance *peer, const uint8_t *bytes,
			 size_t size);
/* Goes on with what waits for all peers: another frame key, another key of the cluster. */
void trust_keys_look(struct engine *engine);

/* seal.c: frames and payloads */
int engine_seal_init(struct engine *engine);
void engine_seal_fini(struct engine *engine);
/* The pieces as one sealed frame, in memory that is sent from; -ENOSPC: there is none now. */
int engine_seal_frame(struct engine *engine, const struct aead_piece *pieces, size_t count,
		      struct transport_seg *out);
void engine_seal_frame_free(struct engine *engine, const struct transport_seg *seg);
/* Seals the next piece of an announced payload, at a place where peers READ it; true: all of it is sealed.
 * One piece at a time, so that the ring is never held up for it. False may also mean that there is no place now.
 * `spare`: what the ring may need to go on. */
bool engine_seal_payload(struct engine *engine, struct frame *frame, bool spare);
/* It has a place and pieces left. */
bool engine_seal_goes_on(const struct engine *engine, const struct frame *frame);
/* All of it is sealed with the present key. */
bool engine_seal_is_whole(const struct engine *engine, const struct frame *frame);
void engine_seal_payload_free(struct engine *engine, struct frame *frame);
/* Nobody waits for such a place any more. */
void engine_seal_forget(struct engine *engine);
/* Bytes of memory that sealed things lie in. */
uint64_t engine_seal_memory(const struct engine *engine);
void engine_seal_turn(struct engine *engine);
uint64_t engine_seal_deadline_ms(const struct engine *engine);
/* In place. The size of what was sealed; -EBADMSG: it was changed; -EAGAIN: it cannot be opened now, or
 * was taken before, and is to be forgotten. */
int engine_open_frame(struct engine *engine, uint32_t node, uint8_t *bytes, uint32_t size);
/* The piece that begins at `offset`, to its place in the body, from `sealed`, which is that place or does not
 * overlap it. */
bool engine_open_piece(struct engine *engine, uint32_t node, const struct frame_seal *seal,
		       uint64_t offset, const uint8_t *sealed, const struct body *body);

#endif
