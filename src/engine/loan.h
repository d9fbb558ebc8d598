/* SPDX-License-Identifier: BSD-3-Clause */
/* Loans: payloads that nodes of one host use where their sender has them. docs/architecture.md,
 * "Lent payloads". */
#ifndef CORONET_ENGINE_LOAN_H
#define CORONET_ENGINE_LOAN_H

#include "engine/engine_int.h"
#include "wire/control.h"

/* Of one node, not given back yet. */
#define LOANS_MAX 8192u

/* lend.c: our clients' payloads, used by peers where they are */
int engine_lend_init(struct engine *engine);
void engine_lend_fini(struct engine *engine);
void engine_lend_link_up(struct engine *engine, uint32_t node, uint64_t link);
void engine_lend_link_ended(struct engine *engine, uint32_t node);
/* A loan of the frame's payload for one announcement, or 0: it has to be READ. Then engine_lend_to
 * for each peer that is told of it, and engine_lend_told. */
uint64_t engine_lend(struct engine *engine, struct frame *frame);
void engine_lend_to(struct engine *engine, uint64_t loan, uint32_t node);
void engine_lend_told(struct engine *engine, uint64_t loan);
void engine_lend_returned(struct engine *engine, uint32_t node,
			  const struct control_return *returned);
/* Ends the loans of links that ended, where nobody can see the memory any more. */
void engine_lend_look(struct engine *engine);
uint64_t engine_lend_deadline_ms(const struct engine *engine);
/* What carries this mark was got over that link by that node. */
uint64_t engine_link_mark(uint32_t node, uint64_t link);

/* borrow.c: peers' payloads, used where they are */
void engine_borrow_link_up(struct engine *engine, uint32_t node, uint64_t life);
void engine_borrow_link_ended(struct engine *engine, uint32_t node);
/* The payload in its sender's memory, held for the store; or NULL: it has to be READ. To be called
 * for every announcement that comes, once. */
struct body *engine_borrow(struct engine *engine, uint32_t node,
			   const struct frame_announce *announce, bool wanted);
/* Gives back what is not needed any more. */
void engine_borrow_flush(struct engine *engine);
void engine_borrow_look(struct engine *engine);
uint64_t engine_borrow_deadline_ms(const struct engine *engine);
void engine_borrow_fini(struct engine *engine);

#endif
