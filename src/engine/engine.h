/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine: where the ring, the groups, the message store and a transport meet. It carries out
 * what they ask for and has no rule of its own. The daemon and the simulator run the same engine;
 * clock, durable storage and clients come in through the host seam. Single-threaded: one thread
 * owns it. Calls from inside host callbacks are not allowed, except where said. */
#ifndef CORONET_ENGINE_H
#define CORONET_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <corosync/cpg.h>

#include "engine/protection.h"
#include "pg/pg.h"
#include "store/body.h"
#include "store/extents.h"
#include "store/slab.h"
#include "totem/totem.h"
#include "transport.h"

struct engine;

/* Regions of the transport: 0 is the slab; up to here those of the host; then segments, those for
 * sealed payloads, and one for headers, or for sealed frames. */
#define ENGINE_REGIONS_MAX (TRANSPORT_REGIONS_MAX - 1 - 2 * EXTENTS_SEGMENTS_MAX)

/* One message for one local client. The group's name is borrowed; the body is borrowed too: a host
 * that needs it beyond the call takes body_hold(body, HOLD_CLIENT) and drops it when the client has
 * consumed the message (from anywhere, any order). */
struct engine_delivery {
	uint32_t client;
	const struct cpg_name *group;
	uint32_t node;
	uint32_t pid;
	struct body *body; /* NULL when size is 0 */
	uint32_t region;   /* 0: the slab, else a client's send region, or a segment */
	uint64_t offset;   /* in the region */
	uint64_t size;
};

struct engine_confchg {
	uint32_t client;
	const struct cpg_name *group;
	const struct cpg_address *members, *left, *joined;
	uint32_t members_count, left_count, joined_count;
};

/* Memory of a client of another node, on this host, that payloads are used in. */
struct engine_foreign {
	struct transport_map map; /* borrowed */
	/* Whoever is shown it gets an opening of his own with this mark (store/mark.h). */
	uint64_t mark;
};

/* What the engine needs from its surroundings. Callbacks run inside engine calls. */
struct engine_host {
	void *ctx;
	/* Fills `out` with what nobody can foretell; 0 or negative errno. Needed with a key only. */
	int (*random)(void *ctx, void *out, size_t size);
	/* Makes the ring sequence durable before returning. Non-zero: the engine stops
	 * (engine_failed). */
	int (*persist)(void *ctx, uint64_t ring_seq);
	void (*deliver)(void *ctx, const struct engine_delivery *delivery);
	void (*confchg)(void *ctx, const struct engine_confchg *confchg);
	void (*totem)(void *ctx, uint32_t client, struct ringid ring,
		      const struct nodeset *members);
	/* The send memory of an accepted engine_mcast is the client's again. `client` may have been
	 * closed meanwhile. */
	void (*sent)(void *ctx, uint32_t client, uint64_t cookie);
	/* Bodies of home BODY_PEER will lie in it: *region is the host's number for it, among those of
	 * engine_region_add. 0 or negative errno: not now. May be NULL: peers' payloads are then
	 * always read. */
	int (*foreign)(void *ctx, const struct engine_foreign *foreign, uint32_t *region);
	/* Nothing lies in this segment (engine_segment), or foreign memory, any more; it goes when this
	 * returns. May be NULL. */
	void (*region_gone)(void *ctx, uint32_t region);
	/* The adapter is gone: this node stays alone until its host ends. May be NULL. */
	void (*transport_lost)(void *ctx);
	/* priority as in syslog(3) */
	void (*log)(void *ctx, int priority, const char *text);
	/* Every state change of the ring, for status and logs; may be NULL. */
	void (*state)(void *ctx, const struct totem_action *action);
	/* Every frame in its place, before the groups see it; may be NULL. */
	void (*ordered)(void *ctx, const struct frame_info *info);
	/* Every configuration the ring installs, before the groups see it; may be NULL. */
	void (*configuration)(void *ctx, const struct totem_action *action);
};

/* How large messages spread: docs/protocol.md, "Chains". The sender's setting counts. */
enum engine_dissemination {
	ENGINE_DIRECT, /* everybody reads from the sender */
	ENGINE_CHAIN,  /* everybody reads from the member before it */
	ENGINE_AUTO    /* a chain where it gains */
};

struct engine_config {
	struct totem_config totem;
	struct pg_limits pg;
	struct slab_config slab;
	/* payloads up to this travel inside frames; larger ones are announced and pulled */
	uint32_t eager_size_bytes;
	/* payloads up to this are copied into the frame (packing); above, gathered from send
	 * memory */
	uint32_t copy_size_bytes;
	/* what others pull is announced with a digest, and checked by it */
	bool digest;
	uint32_t read_size_bytes; /* one READ of a pull; 0: READ_SIZE_MAX */
	enum engine_dissemination dissemination;
	struct engine_protection protection;
	uint64_t ring_seq; /* last persisted */
	uint64_t incarnation;
};

struct engine_stats {
	uint64_t frames_in, frames_rejected;
	/* could not be given to the transport; asked for again on the token */
	uint64_t frames_unsent;
	uint64_t messages_sent, messages_delivered;
	uint64_t bytes_sent, bytes_delivered;
	uint64_t sealed_bytes;	    /* of announced payloads */
	uint64_t bytes_copied_send; /* payload bytes a CPU of the daemon copied on the way out */
	uint64_t pulls, pull_bytes, pull_retries;
	uint64_t borrows, borrow_bytes; /* payloads used in a peer's memory */
	uint32_t lent;			/* of our clients' payloads, now */
	uint64_t pull_mismatches;	/* payloads that were not what had been announced */
	/* pulls begun at a predecessor, those of them that went on at the sender, and bytes that
	 * predecessors gave */
	uint64_t chain_pulls, chain_fallbacks, chain_bytes;
	uint32_t slots_free;
	uint64_t extents_free_bytes; /* of the most there may be */
	struct extents_stats extents;
	uint64_t header_bytes;	      /* what frames' headers are sent from */
	uint64_t sealed_memory_bytes; /* what sealed frames and payloads are sent from */
};

/* Of the slots, those that hold frames which we build; the others receive. */
#define ENGINE_OWN_SLOTS(slots) ((slots)*3 / 8)

/* Takes ownership of the transport (closed by engine_free), also when it fails. -EINVAL: sizes that
 * do not fit together, e.g. fewer receive slots (five eighths of all) than four rotations' frames
 * (totem.window_size). */
int engine_new(const struct engine_config *config, const struct engine_host *host,
	       const struct transport_ops *ops, struct transport *transport, struct slab *slab,
	       struct engine **out);
void engine_free(struct engine **engine);

/* Poll this descriptor, and call engine_turn when it is readable or the deadline has passed; a turn
 * is bounded. Returns true when there may be more to do at once. */
int engine_fd(const struct engine *engine);
uint64_t engine_next_deadline_ms(const struct engine *engine);
bool engine_turn(struct engine *engine, uint64_t now_ms);
/* After the last turn or request before the descriptor is waited for: nodes that sleep are woken for what was
 * sent to them since. Programs of this node should be woken before it. */
void engine_wake_peers(struct engine *engine);
/* While it is on, call engine_turn without pause and do not sleep: nobody is asked to wake us. After it is
 * turned off, one more turn comes before the descriptor says the truth. Off at first. */
void engine_stay_awake(struct engine *engine, bool on);

/* Starts forming a ring. Peers are added before or after. */
void engine_start(struct engine *engine, uint64_t now_ms);
/* Orderly stop: closes all clients (their groups see PROCDOWN), then tells the ring. engine_stopped
 * says when all is out; the host also sets a limit of its own. */
void engine_stop(struct engine *engine, uint64_t now_ms);
bool engine_stopped(const struct engine *engine);
/* True after a fault that cannot be survived (ring sequence not durable): the daemon exits. */
bool engine_failed(const struct engine *engine);

int engine_peer_add(struct engine *engine, const struct transport_peer *peer);
void engine_peer_remove(struct engine *engine, uint32_t node);

/* True once the first view has been activated: clients may be let in. */
bool engine_ready(const struct engine *engine);

/* Send memory: registered with the adapter. Ids 1..ENGINE_REGIONS_MAX-1 are the host's to choose.
 * -EEXIST, -ENOMEM, -EINVAL. */
int engine_region_add(struct engine *engine, uint32_t region,
		      const struct transport_region *memory);
/* The region vanishes when the last message in it is released; on_free (may be NULL) is called
 * then, maybe at once. */
void engine_region_remove(struct engine *engine, uint32_t region,
			  void (*on_free)(void *ctx, uint32_t region), void *ctx);

/* The memory behind the region of a delivery whose body is an extent; the descriptor can be mapped
 * for reading and no other way. It stays until host.region_gone. False: it is none. */
bool engine_segment(const struct engine *engine, uint32_t region, struct transport_region *out);
/* Whether these bytes of a segment belong to a message: what else is READ there may be anything. */
bool engine_segment_taken(const struct engine *engine, uint32_t region, uint64_t offset,
			  uint64_t size_bytes);

/* Client requests; client < pg.clients_max. */
int engine_client_open(struct engine *engine, uint32_t client, bool initial_totem_event);
void engine_client_close(struct engine *engine, uint32_t client, uint64_t now_ms);
cs_error_t engine_join(struct engine *engine, uint32_t client, uint32_t pid,
		       const struct cpg_name *group, uint64_t now_ms);
cs_error_t engine_leave(struct engine *engine, uint32_t client, uint64_t now_ms);
/* Takes offset..offset+size of the region until host.sent(client, cookie), unless an error is
 * returned: CS_ERR_TRY_AGAIN no room or groups in sync (engine_may_send turns true later);
 * CS_ERR_NOT_EXIST not joined; CS_ERR_TOO_BIG; CS_ERR_INVALID_PARAM the piece is not inside the
 * region. Empty messages: region 0, size 0. */
cs_error_t engine_mcast(struct engine *engine, uint32_t client, enum frame_guarantee guarantee,
			uint32_t region, uint64_t offset, uint64_t size, uint64_t cookie,
			uint64_t now_ms);
/* Lets the ring have what engine_mcast has packed, if the token is here or can be called. To be called
 * when a batch of messages has been taken; without it they wait for the next turn or token. */
void engine_flush(struct engine *engine, uint64_t now_ms);
/* True while frames wait for slots, ours or those that others would send us. */
bool engine_slots_short(const struct engine *engine);
/* True while a large message waits for a place. */
bool engine_extents_short(const struct engine *engine);
/* False while engine_mcast would answer TRY_AGAIN whatever the client. */
bool engine_may_send(const struct engine *engine);

uint32_t engine_members(const struct engine *engine, const struct cpg_name *group,
			struct cpg_address *out, uint32_t max);
uint32_t engine_iterate(const struct engine *engine, struct cpg_iteration_description_t *out,
			uint32_t max);

void engine_status(const struct engine *engine, struct totem_status *ring,
		   struct engine_stats *stats);
const struct transport_ops *engine_transport_ops(const struct engine *engine);
const struct transport *engine_transport(const struct engine *engine);
int engine_reconfigure(struct engine *engine, const struct totem_config *totem);
/* For messages sent from now on. */
void engine_set_dissemination(struct engine *engine, enum engine_dissemination dissemination);

#endif
