/* SPDX-License-Identifier: BSD-3-Clause */
/* The RDMA transport on the fake adapter, with everything that the other side may say. */
#ifndef CORONET_BENCH_H
#define CORONET_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/verbs/fake.h"
#include "verbs/control.h"
#include "verbs/handshake.h"
#include "verbs/verbs.h"

#define OPS	   (&transport_verbs)
#define SLOT_COUNT 16
#define DEPTH	   8
#define PEER	   5u
#define THEIRS	   0x555u

/* We are node 3: 5 is dialled, 1 dials us. */
struct bench {
	struct transport *t;
	void *slab;
	uint64_t now_ms;
	struct transport_event events[64];
	int count; /* of the last turn */
	uint32_t peer;
	uint32_t said, heard; /* control messages that the peer has sent, and has taken of ours */
	uint32_t attempt;     /* of the control channel */
	struct rdma_cm_id *control, *bulk;
};

/* Polls at a later time; what came is in b->events. */
void turn(struct bench *b, uint64_t later_ms);
/* The first event of that kind in the last turn, or NULL. */
const struct transport_event *event_of(const struct bench *b, enum transport_event_kind kind);

int bench_setup(void **state);
int bench_teardown(void **state);
/* Afresh, with the attributes that fake.attr has now. */
void bench_reopen(struct bench *b);
void add_peer(struct bench *b, uint32_t node);

/* A control message arrives on that connection: any bytes, or a right one. */
void say_raw(struct bench *b, struct rdma_cm_id *id, const uint8_t *bytes, uint32_t size);
/* So many that say no more than what was heard, all in one turn. */
void say_nothing_often(struct bench *b, int times);
void say(struct bench *b, enum control_kind kind, const void *bytes, size_t size);
void say_hello(struct bench *b, uint64_t incarnation);
void say_attempt(struct bench *b, enum control_kind kind, uint32_t attempt);

/* The last work of that kind has ended; or all that was posted, well. */
void done(struct bench *b, unsigned kind, enum ibv_wc_status status);
void done_all(struct bench *b);

/* What our last connection request said, and the id made last. */
struct handshake_request last_request(void);
struct rdma_cm_id *newest_id(void);
/* Lets the dial under way get to its connection request. */
struct rdma_cm_id *dial_to_connect(struct bench *b);
void link_up_as_dialler(struct bench *b, uint64_t incarnation);

/* A good request of that node to us; and its arrival. */
struct handshake_request request_of(uint32_t node, enum channel_class class, uint32_t attempt);
struct rdma_cm_id *request(struct bench *b, const struct handshake_request *r, const char *from);
void link_up_as_acceptor(struct bench *b, uint64_t incarnation, uint32_t attempt);

/* Frames with cookies from `first`; what the first refusal said, or 0. */
int send_frames(struct bench *b, uint32_t node, uint64_t first, int count);

#define bench_test(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

#endif
