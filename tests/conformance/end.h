/* SPDX-License-Identifier: BSD-3-Clause */
/* One end: a transport with memory, and a record of all that it reported. Every event is checked
 * against what an owner may rely on, in every test: links go up before they go down, slots come
 * back once, what is lent comes back once, control comes before bulk. */
#ifndef CORONET_CONFORMANCE_END_H
#define CORONET_CONFORMANCE_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/conformance/conformance.h"

#define END_SLOT_BYTES 8192u
#define END_SLOTS      64u
#define END_DEPTH      32u
#define END_BATCH      64
/* The slab's part behind the slots: sources of frames, sources and destinations of READs. */
#define END_AREA_OFFSET ((uint64_t)END_SLOTS * END_SLOT_BYTES)
#define END_AREA_BYTES	(8u * 1024 * 1024)

struct end_memory {
	uint8_t *base;
	size_t size_bytes;
	int fd;
	uint64_t key;
};

struct end_link {
	bool is_up, bulk_is_down;
	/* Set by end_fence: the next PEER_UP needs no PEER_DOWN before it. */
	uint32_t ups, downs, gones, bulk_downs, bulk_ups;
	uint64_t incarnation;
};

struct end_message {
	uint32_t node;
	uint32_t size_bytes;
	uint8_t *bytes;
};

struct end_list {
	struct end_message *items;
	uint32_t count, room;
};

enum end_lent_kind {
	END_FRAME,
	END_READ
};

struct end_lent {
	enum end_lent_kind kind;
	uint32_t node;
	uint64_t cookie;
};

struct end_read {
	uint64_t cookie;
	int status;
	uint32_t looked; /* at so many bytes */
	uint32_t crc;	 /* of what was there */
};

struct end {
	uint32_t node;
	uint64_t incarnation;
	struct transport *t;
	struct end_memory slab;
	bool slot_posted[END_SLOTS];
	bool keep_slots;		      /* received frames' slots are not posted again */
	bool no_slots;			      /* set before end_open: none is posted */
	int batch;			      /* events per poll; 0: END_BATCH */
	struct end_link links[NODES_MAX + 1]; /* by node id */
	struct end_list controls, frames;
	/* When set, frames and control messages go there instead of into the lists. */
	void (*on_frame)(struct end *end, uint32_t node, const uint8_t *bytes, uint32_t size_bytes);
	void (*on_control)(struct end *end, uint32_t node, const uint8_t *bytes,
			   uint32_t size_bytes);
	void (*on_sent)(struct end *end, uint32_t node, uint64_t cookie);
	void *ctx;
	struct end_lent *lent;
	uint32_t lent_count, lent_room;
	uint32_t sent, failed;
	struct end_read reads[256]; /* the first so many */
	uint32_t read_count;
};

/* What is done about a broken promise: fails the test, or ends the puppet. */
extern void (*end_fail)(const char *text);
#define end_check(condition) \
	((condition) ? (void)0 : end_fail(__FILE__ ": promise broken: " #condition))

const char *end_cluster(void);
void end_cluster_set(const char *name);
uint64_t end_now_ms(void);

/* Memory as an owner makes it for a region. */
struct end_memory end_memory_new(size_t size_bytes);
void end_memory_free(struct end_memory *memory);
/* Registers it; the key lands in memory->key. Returns what region_add says. */
int end_region_add(struct end *end, uint32_t id, struct end_memory *memory, bool remote_read);

/* `end` is zeroed but for node, incarnation and settings. Registers the slab as region 0 and
 * posts all slots. */
void end_open(struct end *end);
/* Returns what `open` says. */
int end_try_open(struct end *end, const char *cluster);
void end_close(struct end *end);
void end_forget(struct end *end); /* its lists, when the next part of a test begins */

int end_peer_add(struct end *end, uint32_t node);
void end_fence(struct end *end, uint32_t node);
int end_control(struct end *end, uint32_t node, const void *bytes, size_t size_bytes);
int end_frame(struct end *end, uint32_t node, const struct transport_seg *segs, int count,
	      uint64_t cookie);
int end_read(struct end *end, uint32_t node, uint64_t key, uint64_t offset,
	     struct transport_seg into, uint64_t cookie);
int end_look(struct end *end, uint32_t node, uint64_t key, uint64_t offset, uint32_t size_bytes,
	     uint64_t cookie);
void end_post_slots(struct end *end);
/* Polls once; returns the number of events. */
int end_turn(struct end *end);

/* A place in the area behind the slots, as the owner sees it and as a piece. */
uint8_t *end_area(struct end *end, uint64_t offset);
struct transport_seg end_seg(uint64_t area_offset, uint32_t size_bytes);

/* Polls those ends, and only those, whose descriptor says so or whose deadline has come; waits
 * for that if need be. False when until_ms has come. So a test in which something happens is
 * also a test that the descriptor said so. */
bool ends_step(struct end *const ends[], int count, uint64_t until_ms);

#define RUN_ENDS(...)  ((struct end *[]){__VA_ARGS__})
#define RUN_COUNT(...) ((int)(sizeof(RUN_ENDS(__VA_ARGS__)) / sizeof(struct end *)))

#define run_until(condition, ...)                                                               \
	do {                                                                                    \
		uint64_t run_until_ms = end_now_ms() + rig->patience_ms;                        \
		while (!(condition)) {                                                          \
			if (!ends_step(RUN_ENDS(__VA_ARGS__), RUN_COUNT(__VA_ARGS__),           \
				       run_until_ms)) {                                         \
				end_fail(__FILE__ ": has not come about in time: " #condition); \
				break;                                                          \
			}                                                                       \
		}                                                                               \
	} while (0)

#define run_for(time_ms, ...)                                                                    \
	do {                                                                                     \
		uint64_t run_until_ms = end_now_ms() + (time_ms);                                \
		while (ends_step(RUN_ENDS(__VA_ARGS__), RUN_COUNT(__VA_ARGS__), run_until_ms)) { \
		}                                                                                \
	} while (0)

/* Opens a as node 1 and b as node 2 and links them. */
void ends_pair(struct end *a, struct end *b);
void ends_link(struct end *a, struct end *b);

/* Bytes that depend on the seed and the place. */
void pattern_fill(uint8_t *bytes, size_t size_bytes, uint64_t seed);
bool pattern_holds(const uint8_t *bytes, size_t size_bytes, uint64_t seed);
uint64_t pattern_next(uint64_t *state);

#endif
