/* SPDX-License-Identifier: BSD-3-Clause */
/* Lending: where peers can map our clients' send memory they use an announced payload in its place,
 * and nobody copies it. Each announcement carries a loan; the payload stays, beyond its release by
 * the ring, until every peer that was told of the loan has given it back.
 *
 * Programs of other nodes may read on for as long as they like, so half of each region stays out of
 * their reach: while that much of it is late, the rest is READ and copied as between hosts.
 *
 * A peer whose link ends gives nothing back any more, but it and its clients may read on, even
 * after its daemon was killed. So their loans end when the kernel says that nobody has that memory
 * open any more who got it over that link (store/mark.h). */
#include "engine/loan.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "store/mark.h"

#define BORROWERS_MAX 128u
#define LOOK_MS	      100u
#define LATE_MS	      500u
#define LATE_SHARE    2
#define NONE	      BORROWERS_MAX

/* A peer during one life of its link. */
struct borrower {
	uint32_t node; /* 0: nobody */
	uint64_t link;
	bool ended;
	uint32_t loans;
};

struct loan {
	uint64_t id; /* 0: none */
	bool late;
	uint64_t since_ms;
	struct body *body;
	uint64_t borrowers[BORROWERS_MAX / 64];
};

struct lending {
	struct loan loans[LOANS_MAX]; /* by id, modulo */
	struct borrower borrowers[BORROWERS_MAX];
	uint64_t last_id;
	uint32_t unlisted;   /* links for which there was no borrower left */
	uint64_t look_at_ms; /* UINT64_MAX: there are no loans */
};

uint64_t engine_link_mark(uint32_t node, uint64_t link)
{
	return link * 0x9e3779b97f4a7c15u + node;
}

int engine_lend_init(struct engine *engine)
{
	if (engine->trust || engine->config.digest || !engine->ops->maps(engine->transport)) {
		return 0;
	}
	engine->lending = calloc(1, sizeof(*engine->lending));
	if (!engine->lending) {
		return -ENOMEM;
	}
	engine->lending->look_at_ms = UINT64_MAX;
	/* So numbers of a former life, given back late, name nothing now. */
	engine->lending->last_id = (uint32_t)engine->config.incarnation;
	return 0;
}

static bool has(const struct loan *loan, uint32_t borrower)
{
	return loan->borrowers[borrower / 64] & (UINT64_C(1) << (borrower % 64));
}

static bool lent(const struct loan *loan)
{
	return loan->borrowers[0] || loan->borrowers[1];
}

static void end_if_returned(struct engine *engine, struct loan *loan)
{
	struct body *body = loan->body;

	if (!lent(loan)) {
		engine->regions[body->region].late_bytes -= loan->late ? body->size : 0;
		*loan = (struct loan){.id = 0};
		engine->stats.lent--;
		body_drop(body, HOLD_LENT);
	}
}

static void give_back(struct engine *engine, struct loan *loan, uint32_t borrower)
{
	loan->borrowers[borrower / 64] &= ~(UINT64_C(1) << (borrower % 64));
	engine->lending->borrowers[borrower].loans--;
	end_if_returned(engine, loan);
}

void engine_lend_fini(struct engine *engine)
{
	struct lending *lending = engine->lending;

	for (uint32_t i = 0; lending && i < LOANS_MAX; i++) {
		if (lending->loans[i].id) {
			body_drop(lending->loans[i].body, HOLD_LENT);
		}
	}
	free(lending);
	engine->lending = NULL;
}

static uint32_t borrower_find(const struct lending *lending, uint32_t node)
{
	for (uint32_t i = 0; i < BORROWERS_MAX; i++) {
		if (lending->borrowers[i].node == node && !lending->borrowers[i].ended) {
			return i;
		}
	}
	return NONE;
}

void engine_lend_link_up(struct engine *engine, uint32_t node, uint64_t link)
{
	uint32_t i = engine->lending ? borrower_find(engine->lending, 0) : NONE;

	if (i != NONE) {
		engine->lending->borrowers[i] = (struct borrower){.node = node, .link = link};
	} else if (engine->lending) {
		engine->lending->unlisted++;
	}
}

void engine_lend_link_ended(struct engine *engine, uint32_t node)
{
	struct lending *lending = engine->lending;
	uint32_t i = lending ? borrower_find(lending, node) : NONE;

	if (i == NONE) {
		if (lending) {
			lending->unlisted--;
		}
		return;
	}
	if (lending->borrowers[i].loans == 0) {
		lending->borrowers[i] = (struct borrower){.node = 0};
		return;
	}
	lending->borrowers[i].ended = true;
}

static bool mostly_late(const struct region *region)
{
	return region->late_bytes > region->memory.size_bytes / LATE_SHARE;
}

/* Payloads in the slab are ours to move and to free: those are READ. */
static bool may_lend(const struct engine *engine, const struct frame *frame)
{
	const struct lending *lending = engine->lending;

	return lending && lending->unlisted == 0 && frame->payload->home == BODY_SEND &&
	       !lending->loans[(lending->last_id + 1) % LOANS_MAX].id &&
	       !mostly_late(&engine->regions[frame->payload->region]);
}

uint64_t engine_lend(struct engine *engine, struct frame *frame)
{
	struct lending *lending = engine->lending;
	struct loan *loan;

	if (!may_lend(engine, frame)) {
		return 0;
	}
	loan = &lending->loans[++lending->last_id % LOANS_MAX];
	*loan = (struct loan){
		.id = lending->last_id, .since_ms = engine->now_ms, .body = frame->payload};
	body_hold(loan->body, HOLD_LENT);
	engine->stats.lent++;
	if (lending->look_at_ms == UINT64_MAX) {
		lending->look_at_ms = engine->now_ms + LOOK_MS;
	}
	return loan->id;
}

void engine_lend_to(struct engine *engine, uint64_t id, uint32_t node)
{
	struct lending *lending = engine->lending;
	uint32_t i = id ? borrower_find(lending, node) : NONE;

	if (i != NONE) {
		lending->loans[id % LOANS_MAX].borrowers[i / 64] |= UINT64_C(1) << (i % 64);
		lending->borrowers[i].loans++;
	}
}

void engine_lend_told(struct engine *engine, uint64_t id)
{
	if (id) {
		end_if_returned(engine, &engine->lending->loans[id % LOANS_MAX]);
	}
}

/* What it does not have it cannot give back; that is no harm. */
void engine_lend_returned(struct engine *engine, uint32_t node,
			  const struct control_return *returned)
{
	struct lending *lending = engine->lending;
	uint32_t borrower = lending ? borrower_find(lending, node) : NONE;

	for (uint32_t i = 0; i < returned->count && borrower != NONE; i++) {
		struct loan *loan = &lending->loans[returned->loan[i] % LOANS_MAX];

		if (loan->id == returned->loan[i] && has(loan, borrower)) {
			give_back(engine, loan, borrower);
		}
	}
}

static void note_late(struct engine *engine, struct loan *loan)
{
	if (!loan->late && engine->now_ms >= loan->since_ms + LATE_MS) {
		loan->late = true;
		engine->regions[loan->body->region].late_bytes += loan->body->size;
	}
}

/* Whoever got it over an ended link may be gone. */
static void look_for_readers(struct engine *engine, struct loan *loan)
{
	const struct lending *lending = engine->lending;

	for (uint32_t i = 0; i < BORROWERS_MAX && loan->id; i++) {
		const struct borrower *borrower = &lending->borrowers[i];

		if (borrower->ended && has(loan, i) &&
		    !mark_there(engine->regions[loan->body->region].memory.fd,
				engine_link_mark(borrower->node, borrower->link))) {
			give_back(engine, loan, i);
		}
	}
}

static void forget_ended(struct lending *lending)
{
	for (uint32_t i = 0; i < BORROWERS_MAX; i++) {
		if (lending->borrowers[i].ended && lending->borrowers[i].loans == 0) {
			lending->borrowers[i] = (struct borrower){.node = 0};
		}
	}
}

void engine_lend_look(struct engine *engine)
{
	struct lending *lending = engine->lending;

	if (!lending || engine->now_ms < lending->look_at_ms) {
		return;
	}
	for (uint32_t i = 0; i < LOANS_MAX && engine->stats.lent > 0; i++) {
		if (lending->loans[i].id) {
			note_late(engine, &lending->loans[i]);
			look_for_readers(engine, &lending->loans[i]);
		}
	}
	forget_ended(lending);
	lending->look_at_ms = engine->stats.lent > 0 ? engine->now_ms + LOOK_MS : UINT64_MAX;
}

uint64_t engine_lend_deadline_ms(const struct engine *engine)
{
	return engine->lending ? engine->lending->look_at_ms : UINT64_MAX;
}
