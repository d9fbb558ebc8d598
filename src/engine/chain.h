/* SPDX-License-Identifier: BSD-3-Clause */
/* Chains: a large message is read by each receiver from the one before it, chunk by chunk, so that
 * every node sends about one copy of it. Rules: docs/protocol.md, "Chains". The plan is a function;
 * the rest keeps what neighbours have told each other. */
#ifndef CORONET_ENGINE_CHAIN_H
#define CORONET_ENGINE_CHAIN_H

#include "base/list.h"
#include "engine/engine.h"
#include "wire/control.h"

#define CHAIN_NOTICES 64u

struct pull;

/* One receiver's place in the chain of one sender. */
struct chain_plan {
	uint32_t predecessor; /* whom to read from: for the first, the sender */
	uint32_t successor;   /* whom to tell; 0: the last */
	uint32_t position;    /* 1 = the first; 0: no chain */
};

/* The members in ring order, beginning behind the sender. False, and position 0, when both are not
 * members, or are the same. */
bool chain_plan(const struct nodeset *members, uint32_t sender, uint32_t me,
		struct chain_plan *out);
/* Bytes of a chunk; 0: everybody reads from the sender. */
uint32_t chain_chunk(enum engine_dissemination mode, uint64_t size, uint32_t receivers);
/* How long the receiver in this place waits for news before it reads from the sender. Who stands
 * further behind waits longer: the one that can do something is to move first. */
uint32_t chain_patience_ms(uint32_t token_ms, uint32_t position);

/* `node` is to be told, or has told; 0: not in use. */
struct chain_notice {
	uint32_t node;
	struct control_chain chain;
};

struct chain {
	struct chain_notice out[CHAIN_NOTICES];
	uint32_t out_count;
	struct chain_notice early[CHAIN_NOTICES]; /* of messages that are not known here yet */
	uint32_t next_early;
	uint64_t shunned_until_ms; /* the predecessor kept us waiting in vain */
	struct list kept;	   /* extents of lost pulls that the successor knows of */
};

/* Sets where a new pull reads from, and tells the successor that it is under way. */
void engine_chain_begin(struct engine *engine, struct pull *pull);
/* The ring is operational: what was announced on it before that gets its place too, but is not read
 * from a predecessor any more. */
void engine_chain_join(struct engine *engine);
/* Tells the successor: so many bytes are here, from the first on; or that no more will be. */
void engine_chain_tell(struct engine *engine, struct pull *pull, uint64_t valid);
void engine_chain_tell_gone(struct engine *engine, const struct pull *pull);
/* Something came from the predecessor for this pull, so the later ones need not be here yet. */
void engine_chain_news(struct engine *engine, const struct pull *pull);
/* True when the message was meant for this file. */
bool engine_chain_received(struct engine *engine, uint32_t from, const uint8_t *bytes, size_t size);
/* A READ from the predecessor went wrong: the rest comes from the sender. */
void engine_chain_leave(struct engine *engine, struct pull *pull);
/* Leaves predecessors that let their successor wait. */
void engine_chain_timeouts(struct engine *engine);
void engine_chain_flush(struct engine *engine);
uint64_t engine_chain_deadline_ms(const struct engine *engine);
void engine_chain_link_lost(struct engine *engine, uint32_t node);
/* Not operational any more: what a predecessor holds may be freed when the ring has ended. */
void engine_chain_stop(struct engine *engine);
/* The extent outlives its pull: the successor may be reading it. */
void engine_chain_keep(struct engine *engine, struct pull *pull);
/* Gives such an extent to the next pull of the same message, if there is one. */
void engine_chain_take(struct engine *engine, struct pull *pull);
/* Frees those of messages that all members have. */
void engine_chain_released(struct engine *engine);
void engine_chain_forget_others(struct engine *engine, struct ringid ring);
void engine_chain_fini(struct engine *engine);

#endif
