/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the engine room. One struct per thing that has a life of its own:
 *   frame    one place in the order: a slot (own or received), or an announcement with its payload
 *            elsewhere
 *   sending  one frame under way to some peers, with the header it was sent under
 *   pull     one announced payload being read from a peer
 *   region   one client's send memory */
#ifndef CORONET_ENGINE_INT_H
#define CORONET_ENGINE_INT_H

#include "base/list.h"
#include "base/seldom.h"
#include "engine/chain.h"
#include "engine/engine.h"
#include "engine/frame.h"
#include "engine/pull.h"

#define HEADER_CELL_BYTES 256u /* frame header + entry header + meta + announcement */
#define HEADER_CELLS	  8192u
#define REGION_HEADERS	  (TRANSPORT_REGIONS_MAX - 1)
#define SEALED_REGIONS	  (ENGINE_REGIONS_MAX + EXTENTS_SEGMENTS_MAX)
#define MISMATCHES_KEPT	  8
#define MISMATCHES_MAX	  3 /* then reading the payload is no progress any more */
#define EVENTS_PER_TURN	  64
#define READY_MAX	  1024u /* own frames waiting for the ring before senders are told to wait */
#define CONTROL_SLOTS	  32u	/* own slots kept for joins and leaves */

struct sending {
	struct frame *frame;
	struct transport_seg sealed; /* size 0: it was not */
	uint32_t pending;	     /* peers that have not answered */
	uint32_t next_free;
};

struct region {
	bool used;
	bool removing;
	struct transport_region memory;
	uint64_t key;
	uint64_t bodies;
	uint64_t late_bytes; /* lent for long (lend.c) */
	void (*on_free)(void *ctx, uint32_t region);
	void *on_free_ctx;
};

/* A message of ours that no frame has room for yet, or that is being sealed. */
struct queued {
	struct list link;
	struct frame *begun;	  /* of its own; NULL: none yet */
	struct pg_action message; /* its meta is the one below */
	uint8_t meta[];
};

/* A payload that came and was not what had been announced. */
struct mismatch {
	struct ringid ring;
	uint64_t seq;
	uint32_t count;
};

enum engine_stopping {
	RUNNING,
	STOPPING,
	LEFT
};

struct engine {
	struct engine_config config;
	struct engine_host host;
	const struct transport_ops *ops;
	struct transport *transport;
	struct slab *slab;
	struct extents *extents;
	bool extents_complained;
	uint32_t pieces_max; /* what the transport gathers; at most PIECES_MAX */
	struct totem *totem;
	struct pg *pg;
	uint64_t now_ms;

	uint32_t posted;    /* slots in the transport's receive pool */
	uint32_t own_slots; /* slots of frames that we built */
	uint32_t own_slots_max;
	uint64_t
		announced_bytes; /* payloads of frames that we announce, until all members have them */
	uint32_t members;	 /* of the ring */

	uint8_t *cells;
	int cells_fd; /* behind them, while they are there */
	struct sending *sendings;
	uint32_t free_sending;
	uint32_t sending; /* how many are under way */

	struct list free_frames;
	struct frame *open; /* being packed */
	struct list ready;  /* closed, not yet given to the ring */
	uint32_t ready_count;
	struct list queued;
	struct list held_frames; /* of the ring before: sent when the groups are active again... */
	struct list held_queued; /* ...and then these */

	struct list pulls; /* in the order of their places */
	uint32_t reading;
	struct read reads[READS_MAX];
	struct chain chain;
	struct mismatch mismatches[MISMATCHES_KEPT];
	uint32_t next_mismatch;

	struct lending *lending; /* NULL: we lend nothing */
	struct list lenders;
	struct list foreigns;
	struct list servings; /* payloads of peers' that are being copied, to be READ from us */

	struct nodeset protected_peers; /* while we are not: seen and told */
	struct trust *trust;		/* NULL: nothing is protected */
	struct sealing *sealing;

	struct region regions[TRANSPORT_REGIONS_MAX];
	struct nodeset linked; /* peers whose link is up */
	struct seldom bulk_lines;

	bool client_open[PG_CLIENTS_MAX];

	enum engine_stopping stopping;
	uint64_t left_at_ms;
	bool failed;
	bool ready_once;
	struct engine_stats stats;
};

__attribute__((format(printf, 3, 4))) void engine_log(struct engine *engine, int priority,
						      const char *format, ...);

/* One READ; also what is copied or sealed at a time. */
static inline uint32_t engine_read_size(const struct engine *engine)
{
	uint32_t wanted = engine->config.read_size_bytes;

	return wanted == 0 || wanted > READ_SIZE_MAX ? READ_SIZE_MAX : wanted;
}

/* engine.c: a peer's link has ended, or was cut by us. Harmless when it was not up. */
void engine_link_ended(struct engine *engine, uint32_t node);
/* A link is there and whoever is at its other end is who it should be: the ring is told. */
void engine_link_up(struct engine *engine, uint32_t node, uint64_t cookie);
/* The peer does what no correct one would. */
void engine_link_cut(struct engine *engine, uint32_t node, const char *reason);
/* To a peer whose link is up; what the transport's send_control says. */
int engine_tell(struct engine *engine, uint32_t node, const void *bytes, size_t size);

/* ring.c: events to the ring, its actions to the world */
void engine_ring_event(struct engine *engine, struct totem_event *event);
/* groups.c: what the groups asked for in their last update */
void engine_perform_groups(struct engine *engine);
void engine_deliver(struct engine *engine, struct frame *frame, const struct frame_info *info,
		    bool early);

/* pack.c: messages into frames */
void engine_submit(struct engine *engine, const struct pg_action *action);
void engine_pack_close(struct engine *engine);
void engine_pack_flush(struct engine *engine);
/* Places what waited for a slot or its seal, and hands the ring what it should have now. */
void engine_pack_pump(struct engine *engine);
/* Now, while a payload is being sealed, a piece each turn. */
uint64_t engine_pack_deadline_ms(const struct engine *engine);
/* A new ring: what was packed for the old one waits until the groups are active; what they submit
 * now goes first. */
void engine_pack_hold(struct engine *engine);
void engine_pack_returned(struct engine *engine, struct frame *frame);
void engine_pack_resume(struct engine *engine);
void engine_pack_fini(struct engine *engine);
bool engine_pack_idle(const struct engine *engine);

/* send.c */
int engine_send_init(struct engine *engine);
void engine_send_fini(struct engine *engine);
void engine_send(struct engine *engine, const struct totem_action *action);
void engine_send_done(struct engine *engine, uint64_t cookie);

/* serve.c: false while nobody can READ the frame's payload from here. It is sent as asked when that has been made
 * possible; when there is no place for it, it has to be asked for again. */
bool engine_can_serve(struct engine *engine, const struct totem_action *action);
/* A piece of the work that takes. True when there is more. */
bool engine_serve(struct engine *engine);
/* The ring's state has changed: what was asked for before is not sent any more. */
void engine_serve_forget_askers(struct engine *engine);
void engine_serve_fini(struct engine *engine);

/* receive.c */
void engine_receive_frame(struct engine *engine, const struct transport_event *event);
void engine_post_slot(struct engine *engine, uint32_t slot);

/* extents.c */
int engine_extents_init(struct engine *engine);
/* A segment as a region of this number; `how` is what its neighbours see of it. */
int engine_segment_add(struct engine *engine, uint32_t region, const struct sealed *memory,
		       const struct transport_region *how);
void engine_segment_remove(struct engine *engine, uint32_t region);
/* NULL: there is no place now. Only for the oldest pull without one, and what has to be served. */
struct body *engine_extent_new(struct engine *engine, uint64_t size);

/* What peers READ memory of this region by. Never of the slab. */
uint64_t engine_region_key(const struct engine *engine, uint32_t region);
/* regions.c: a body for a piece of send memory, or NULL (not inside the region, no memory) */
struct body *region_body_new(struct engine *engine, uint32_t client, uint32_t region,
			     uint64_t offset, uint64_t size, uint64_t cookie);
/* Frees it without telling the client that it was sent. */
void region_body_cancel(struct body *body);

#endif
