/* SPDX-License-Identifier: BSD-3-Clause */
/* A few real rings (src/totem) in one process, and all that is under way between them. The whole is
 * one value: it can be saved, put back and compared, so that a search can try every next step. */
#ifndef CORONET_TESTS_EXPLORE_WORLD_H
#define CORONET_TESTS_EXPLORE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "totem/totem_int.h"

#define WORLD_NODES   3
#define LETTERS_MAX   192
#define LETTER_BYTES  640
#define HISTORY_MAX   96
#define MESSAGES_EACH 3 /* submitted by each node in its life */
/* Numbers of a ring stay below this here, so only so much of a window is saved. */
#define PLACES_USED 128

enum letter_kind {
	LETTER_CONTROL,
	LETTER_FRAME,
	LETTER_UP,
	LETTER_DOWN, /* the link ended */
	LETTER_GONE  /* and the other process with it */
};

/* Something on its way from one node to another. Those of one kind of channel between two nodes stay
 * in order. */
struct letter {
	uint8_t kind, from, to;
	uint16_t size;
	uint32_t message; /* FRAME */
	struct frame_info info;
	uint8_t bytes[LETTER_BYTES];
};

enum entry_kind {
	ENTRY_DELIVERED,
	ENTRY_TRANSITIONAL, /* ring: the old one; members: those that come along */
	ENTRY_REGULAR,
	ENTRY_STARTED /* this process; what stands before it was told to another one */
};

/* What a node has told its driver, in order. */
struct entry {
	uint8_t kind, guarantee, members; /* bits */
	uint32_t message;
	struct ringid ring;
	uint64_t seq;
};

struct world_node {
	bool alive;
	uint8_t submitted; /* messages of this process */
	uint32_t incarnation;
	uint64_t ring_seq; /* durable */
	uint32_t returned_count;
	uint32_t returned[8];
	uint32_t history_count;
	struct entry history[HISTORY_MAX];
};

/* All but the rings' own state. */
struct world_face {
	uint64_t now_ms;
	/* A ring that nothing has happened to since but that messages were lost or came twice: it
	 * stays. Number 0: there is none. */
	struct ringid lasting;
	uint8_t up[WORLD_NODES];  /* bits: links that work */
	uint8_t cut[WORLD_NODES]; /* bits: links that must not come up */
	struct world_node node[WORLD_NODES];
	uint32_t letter_count;
	struct letter letter[LETTERS_MAX];
};

struct world {
	struct world_face face;
	struct totem *totem[WORLD_NODES]; /* kept between processes of a node: see world.c */
	const char *broken;		  /* the property that does not hold any more */
};

struct world *world_new(void);
void world_free(struct world *world);

/* A copy of all of it. */
struct saved;
struct saved *saved_new(void);
void world_save(const struct world *world, struct saved *saved);
void world_restore(struct world *world, const struct saved *saved);
/* Equal states have equal digests, also when they were reached at different times. */
uint64_t world_digest(const struct world *world);

/* --- Steps. Each ends with world->broken set if something is wrong. --- */

/* Letters that may come next: the first of each channel. Returns how many; the oldest is the first of them. */
uint32_t world_next(const struct world *world, uint32_t at[LETTERS_MAX]);
void world_deliver(struct world *world, uint32_t at);
/* Time passes until the next timer of any node, which fires. */
void world_tick(struct world *world);
/* A frame or a control message for which there was no room. */
void world_lose(struct world *world, uint32_t at);
/* It comes twice, because a connection was dialled again. */
void world_repeat(struct world *world, uint32_t at);
void world_crash(struct world *world, uint32_t node);
void world_restart(struct world *world, uint32_t node);
void world_cut(struct world *world, uint32_t a, uint32_t b);
void world_heal(struct world *world);
bool world_is_cut(const struct world *world);

/* All are in one ring, which is to last. */
void world_formed(struct world *world);
/* Something happened that rings need not survive. */
void world_disturbed(struct world *world);

/* Nothing is under way, and all that can be one ring is one, at rest. */
bool world_calm(const struct world *world);

/* In a calm world: somebody has something to send all the same. */
bool world_has_more(const struct world *world);
void world_speak(struct world *world);

/* rules.c: after an entry was added to this node's history; sets broken. */
void rules_entry(struct world *world, uint32_t node);
/* In a calm world. */
void rules_calm(struct world *world);

/* Message numbers say who sent them: node, incarnation, how many before. */
uint32_t message_number(uint32_t node, uint32_t incarnation, uint32_t nth);
uint32_t message_node(uint32_t message);
uint32_t message_incarnation(uint32_t message);

void world_print(const struct world *world);

#endif
