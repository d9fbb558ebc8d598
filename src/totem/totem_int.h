/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the ring. Included only in this directory (and by unit tests that build a starting
 * state). */
#ifndef CORONET_TOTEM_INT_H
#define CORONET_TOTEM_INT_H

#include "base/check.h"
#include "totem/ack.h"
#include "totem/recovery.h"
#include "totem/timers.h"
#include "totem/totem.h"
#include "totem/window.h"
#include "wire/control.h"

#define RING_SEQ_STEP \
	4 /* paper, Membership Protocol: a new ring's sequence is the highest known plus 4 */
/* Idle rotations after which everybody has delivered and released all: two for SAFE (aru of two
 * visits), one to see it. */
#define IDLE_VISITS_MIN 3

struct peer {
	uint32_t node;
	bool linked;
	bool gone;   /* its process ended, or it said that it leaves; until its next PEER_UP */
	bool reborn; /* ...which came since our ring was installed: it is a new process */
	uint32_t attempts;	 /* merge attempts in a row that ended without it */
	uint64_t quiet_until_ms; /* no merge attempt with it before */
};

/* One ring: the installed one, or the one being formed. */
struct ring {
	struct ringid id; /* seq 0: none */
	struct nodeset members;
	uint64_t all;	    /* mask of the members */
	uint32_t me;	    /* our index in members */
	uint64_t high_seq;  /* highest number announced by a token, or sent by us */
	uint64_t delivered; /* all up to here have been delivered */
	uint64_t safe;	    /* every member has these: said by ACKs, or the aru of two visits */
	struct acks acks;
	struct window window;
};

/* What a node remembers of the token of its ring. */
struct token_memory {
	uint64_t token_seq; /* highest hop count seen or sent */
	uint64_t visit_seq; /* token.seq when we forwarded it last */
	uint64_t visit_aru; /* token.aru then: one of the two visits */
	uint64_t safe;	    /* what two visits have said that all have */
	uint64_t visit_done;
	uint64_t visit_ms;
	bool visited;
	uint32_t sent;		 /* our part of fcc */
	uint32_t backlog;	 /* our part of backlog */
	uint32_t idle_visits;	 /* consecutive visits that found nothing to do */
	uint32_t still_visits;	 /* consecutive visits that found nothing changed */
	uint64_t stuck_visits;	 /* the same, without progress of those waited for... */
	uint64_t stuck_since_ms; /* ...since then */
	uint64_t stuck_mask;
	uint64_t stuck_aru;
	bool awaiting; /* forwarded, no sign yet that it arrived */
	bool holding;  /* `held` is the token, and it is here */
	bool staying;  /* ...because its visit goes on */
	uint64_t stay_since_ms;
	uint64_t stay_delivered; /* all up to here were, when it was last allowed to go on */
	bool resting;		 /* nothing will bring the token here soon */
	bool wake;		 /* another member has something to send */
	uint32_t woke;		 /* the member to which we have said so since our visit; 0: none */
	uint32_t seat;		 /* where it rests */
	uint32_t sender;	 /* of the highest frame that came since our visit; 0: none did */
	struct control_token held;
	uint32_t sent_to;
	size_t sent_size;
	uint8_t sent_bytes[CONTROL_SIZE_MAX]; /* what was forwarded: token or commit token */
};

struct gather {
	struct nodeset proc;
	struct nodeset fail;
	struct nodeset heard;	  /* who has spoken since we entered gather */
	struct nodeset silent;	  /* whom the lost token was for; heard tells who speaks */
	struct nodeset agreed;	  /* whose last join equals our own proposal */
	uint64_t ring_seq;	  /* highest sequence heard of */
	uint64_t settle_until_ms; /* no consensus before: more joins may be under way */
	uint64_t join_sent_ms;
	bool changed; /* the proposal differs from the one last sent */
};

struct backlog {
	uint32_t head;
	uint32_t count;
	struct {
		void *frame;
		enum frame_guarantee guarantee;
		bool hurry;
	} entry[TOTEM_BACKLOG_MAX];
};

struct outbox {
	struct totem_update update;
	uint8_t *bytes; /* encoded control messages of this step */
	size_t used;
	struct nodeset sets[2];
};

struct totem {
	struct totem_config config;
	enum totem_state state;
	enum totem_reason reason;
	bool started;
	bool left;
	uint64_t now_ms;
	uint64_t ring_seq;	/* highest persisted */
	uint32_t sendable;	/* what the driver can send now */
	uint64_t capacity;	/* slots that the driver promises beyond... */
	uint64_t capacity_from; /* ...this number of the installed ring */
	uint64_t deadlines[TIMERS];
	uint32_t peer_count;
	struct peer peers[NODES_MAX];
	struct ring rings[2];
	struct ring
		*ring; /* the installed one: in gather, commit and recovery it is the old ring */
	struct ring *next; /* commit, recovery: the one being formed */
	struct token_memory token;
	struct gather gather;
	struct control_commit commit; /* the commit token as last seen */
	struct recovery recovery;
	bool received;		 /* we once had all of the old ring that could be had... */
	uint64_t obligation;	 /* ...and promised to deliver these members' messages */
	uint32_t repeats;	 /* frames asked for again that have not come yet */
	uint64_t repeats_ms;	 /* when that changed last... */
	uint32_t repeats_visits; /* ...and token visits since */
	bool progress;		 /* something arrived since our last visit */
	struct backlog backlog;
	struct outbox outbox;
	struct totem_status counters;
	struct control incoming;
	struct control outgoing;
};

/* outbox.c */
struct totem_action *act(struct totem *t, enum totem_action_kind kind);
void act_control(struct totem *t, uint32_t to, const struct control *control);
void act_bytes(struct totem *t, uint32_t to, const uint8_t *bytes, size_t size);
void act_send(struct totem *t, const struct ring *ring, uint64_t seq, uint64_t mask);
void act_repeat(struct totem *t, const struct ring *ring, uint64_t seq, const struct nodeset *to,
		uint64_t mask);
void act_deliver(struct totem *t, const struct ring *ring, uint64_t seq,
		 enum totem_action_kind kind);
void act_release(struct totem *t, void *frame);
void act_persist(struct totem *t, uint64_t ring_seq);
struct control *message_new(struct totem *t, enum control_kind kind);
void reject(struct totem *t, const char *reason);
int outbox_init(struct outbox *outbox);
void outbox_fini(struct outbox *outbox);
void outbox_clear(struct outbox *outbox);

/* state.c */
void state_enter(struct totem *t, enum totem_state state, enum totem_reason reason);
void ring_open(struct totem *t, struct ring *ring, struct ringid id, const struct nodeset *members);
void ring_drop(struct totem *t, struct ring *ring);
bool ring_exists(const struct ring *ring);
/* The ring that tokens turn on. */
struct ring *ring_turning(const struct totem *t);
/* The member that passes the token to us, and the one we pass it to. */
uint32_t ring_before(const struct ring *ring);
uint32_t ring_after(const struct ring *ring);

/* peers.c */
struct peer *peer_find(struct totem *t, uint32_t node);
bool peer_linked(struct totem *t, uint32_t node);
uint64_t link_down_wait_ms(const struct totem *t);
void peer_up(struct totem *t, uint32_t node);
void peer_down(struct totem *t, uint32_t node, bool gone);
void peer_leaves(struct totem *t, uint32_t node);

/* gather.c */
void gather_enter(struct totem *t, enum totem_reason reason);
void gather_fail(struct totem *t, uint32_t node);
void gather_add(struct totem *t, uint32_t node);
void gather_changed(struct totem *t);
void gather_settle(struct totem *t);
void gather_timer_join(struct totem *t);
void gather_timer_consensus(struct totem *t);
void gather_timer_silence(struct totem *t);
void join_received(struct totem *t, uint32_t from, const struct control_join *join);

/* commit.c */
void commit_create(struct totem *t, const struct nodeset *members);
void commit_received(struct totem *t, uint32_t from, const struct control_commit *commit);

/* operational.c */
void ring_install(struct totem *t);

/* token.c */
void token_start(struct totem *t);
void token_forget(struct totem *t);
void token_sent(struct totem *t, uint32_t to, const struct control *message);
void token_arrived_evidence(struct totem *t);
void token_received(struct totem *t, uint32_t from, const struct control_token *token);
void token_timer_retransmit(struct totem *t);
void token_release(struct totem *t);
void visit_send(struct totem *t, uint64_t first, uint64_t last);
bool token_contradicted(struct totem *t, const struct ring *ring,
			const struct control_token *token);
void wake_received(struct totem *t, uint32_t from, struct ringid ring);

/* stay.c */
bool stay_wanted(const struct totem *t, const struct control_token *token, uint32_t count);
void stay_begin(struct totem *t, const struct control_token *token);
void stay_go_on(struct totem *t);
void stay_disturb(struct totem *t);

/* repeats.c */
uint32_t repeats_room(struct totem *t);
void repeats_asked(struct totem *t, uint64_t count);
void repeats_settled(struct totem *t, uint64_t count);

/* rtr.c */
void rtr_serve(struct totem *t, struct control_token *token);
void rtr_request(struct totem *t, struct control_token *token);

/* flow.c */
void backlog_push(struct totem *t, const struct totem_event *submit);
void backlog_return(struct totem *t);
void flow_open(struct totem *t, struct control_token *token);
void flow_close(struct totem *t, struct control_token *token);
uint32_t flow_allowed(const struct totem *t, const struct control_token *token);
void flow_promise(struct totem *t, struct control_token *token);
void flow_number(struct totem *t, struct control_token *token, uint32_t count);

/* deliver.c */
void frame_received(struct totem *t, const struct totem_event *event);
void frame_pending(struct totem *t, const struct totem_event *event);
void frame_lost(struct totem *t, const struct totem_event *event);
void deliver_early(struct totem *t, uint64_t first, uint64_t last);
void deliver_ready(struct totem *t);
uint64_t deliver_old_regular(struct totem *t);
void deliver_old_transitional(struct totem *t, uint64_t from);
bool frame_wanted(const struct totem *t, uint32_t from, const struct frame_info *info);

/* merge.c */
void merge_timer(struct totem *t);
void merge_soon(struct totem *t);
void merge_received(struct totem *t, uint32_t from, struct ringid ring);
bool merge_allowed(struct totem *t, uint32_t node);
void merge_judge(struct totem *t);

#endif
