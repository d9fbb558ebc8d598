/* SPDX-License-Identifier: BSD-3-Clause */
/* Borrowing: an announced payload is used where its sender has it, in memory of a peer on this host
 * that we map, and given back when neither the ring nor our clients need it any more. What cannot
 * be mapped is given back at once and READ, as anywhere else. lend.c is the other side. */
#include "engine/loan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"

#define IDLE_MS	      1000u /* a mapping without use goes after that */
#define TRY_AGAIN_MS  1u
#define RETURNS_START 64u

/* A peer during one life of its link, and what we have to give back to it. */
struct lender {
	struct list link;
	uint32_t node;
	uint64_t life;
	uint64_t last_loan; /* 0: none yet */
	uint32_t due_count, due_size;
	uint64_t *due;
};

/* A peer's region that we have mapped. It may outlive the link. */
struct foreign {
	struct list link; /* in engine.foreigns, used last first */
	uint32_t node;
	uint64_t life;
	uint64_t key;
	uint32_t region; /* the host's number of it */
	struct transport_map map;
	uint32_t bodies;
	uint64_t idle_since_ms;
};

struct borrowed {
	struct body body; /* first */
	struct engine *engine;
	struct foreign *foreign;
	uint64_t loan;
};

static struct lender *lender_find(struct engine *engine, uint32_t node)
{
	list_for_each(it, &engine->lenders) {
		struct lender *lender = list_entry(it, struct lender, link);

		if (lender->node == node) {
			return lender;
		}
	}
	return NULL;
}

void engine_borrow_link_up(struct engine *engine, uint32_t node, uint64_t life)
{
	struct lender *lender = calloc(1, sizeof(*lender));

	check(lender);
	lender->node = node;
	lender->life = life;
	list_append(&engine->lenders, &lender->link);
}

static void lender_free(struct lender *lender)
{
	list_remove(&lender->link);
	free(lender->due);
	free(lender);
}

void engine_borrow_link_ended(struct engine *engine, uint32_t node)
{
	struct lender *lender = lender_find(engine, node);

	if (lender) {
		lender_free(lender);
	}
}

/* --- Giving back --- */

static void give_back(struct lender *lender, uint64_t loan)
{
	if (lender->due_count == lender->due_size) {
		lender->due_size = lender->due_size ? 2 * lender->due_size : RETURNS_START;
		lender->due = reallocarray(lender->due, lender->due_size, sizeof(*lender->due));
		check(lender->due);
	}
	lender->due[lender->due_count++] = loan;
}

/* How many of them the peer was told, or -ENOTCONN and the like. */
static int tell_some(struct engine *engine, const struct lender *lender, uint32_t from)
{
	struct control control = {.kind = CONTROL_RETURN, .sender = engine->config.totem.node};
	uint8_t bytes[CONTROL_SIZE_MAX];
	uint32_t left = lender->due_count - from;
	int err;

	control.returned.count = left < CONTROL_RETURN_MAX ? left : CONTROL_RETURN_MAX;
	memcpy(control.returned.loan, lender->due + from,
	       control.returned.count * sizeof(control.returned.loan[0]));
	err = engine_tell(engine, lender->node, bytes, wire_control_encode(&control, bytes));
	return err ? err : (int)control.returned.count;
}

/* What its control channel has no room for stays for later. */
static void tell(struct engine *engine, struct lender *lender)
{
	uint32_t told = 0;
	int count = 1;

	while (told < lender->due_count && count > 0) {
		count = tell_some(engine, lender, told);
		told += count > 0 ? (uint32_t)count : 0;
	}
	lender->due_count -= told;
	memmove(lender->due, lender->due + told, lender->due_count * sizeof(*lender->due));
}

void engine_borrow_flush(struct engine *engine)
{
	list_for_each(it, &engine->lenders) {
		struct lender *lender = list_entry(it, struct lender, link);

		if (lender->due_count > 0) {
			tell(engine, lender);
		}
		if (lender->due_count > LOANS_MAX) {
			engine_link_cut(engine, lender->node,
					"it lends more than it may and takes nothing back");
			return; /* the lender is gone */
		}
	}
}

static void borrowed_free(struct body *body)
{
	struct borrowed *borrowed = (struct borrowed *)(void *)body;
	struct engine *engine = borrowed->engine;
	struct foreign *foreign = borrowed->foreign;
	struct lender *lender = lender_find(engine, foreign->node);

	if (lender && lender->life == foreign->life) {
		give_back(lender, borrowed->loan);
	}
	foreign->bodies--;
	foreign->idle_since_ms = engine->now_ms;
	free(borrowed);
}

/* --- Mapping --- */

static struct foreign *foreign_find(struct engine *engine, const struct lender *lender,
				    uint64_t key)
{
	list_for_each(it, &engine->foreigns) {
		struct foreign *foreign = list_entry(it, struct foreign, link);

		if (foreign->key == key && foreign->node == lender->node &&
		    foreign->life == lender->life) {
			return foreign;
		}
	}
	return NULL;
}

static void unmap(struct transport_map *map)
{
	munmap((void *)(uintptr_t)map->base, map->size_bytes);
	close(map->fd);
}

static struct foreign *foreign_new(struct engine *engine, const struct lender *lender, uint64_t key)
{
	struct engine_foreign shown = {
		.mark = engine_link_mark(engine->config.totem.node, lender->life)};
	struct foreign *foreign = calloc(1, sizeof(*foreign));
	int err = foreign ? engine->ops->map(engine->transport, lender->node, key, shown.mark,
					     &shown.map)
			  : -ENOMEM;

	if (!err) {
		err = engine->host.foreign(engine->host.ctx, &shown, &foreign->region);
		if (err) {
			unmap(&shown.map);
		}
	}
	if (err) {
		free(foreign);
		return NULL;
	}
	foreign->node = lender->node;
	foreign->life = lender->life;
	foreign->key = key;
	foreign->map = shown.map;
	list_append(engine->foreigns.next, &foreign->link);
	return foreign;
}

static void foreign_free(struct engine *engine, struct foreign *foreign)
{
	if (engine->host.region_gone) {
		engine->host.region_gone(engine->host.ctx, foreign->region);
	}
	list_remove(&foreign->link);
	unmap(&foreign->map);
	free(foreign);
}

static struct body *body_at(struct engine *engine, struct foreign *foreign,
			    const struct frame_announce *announce)
{
	struct borrowed *borrowed = calloc(1, sizeof(*borrowed));

	check(borrowed);
	borrowed->engine = engine;
	borrowed->foreign = foreign;
	borrowed->loan = announce->loan;
	borrowed->body =
		(struct body){.home = BODY_PEER,
			      .region = foreign->region,
			      .offset = announce->offset,
			      .size = announce->size,
			      .bytes = (uint8_t *)(uintptr_t)foreign->map.base + announce->offset,
			      .free = borrowed_free};
	foreign->bodies++;
	body_hold(&borrowed->body, HOLD_STORE);
	return &borrowed->body;
}

/* An announcement that is repeated when a bulk channel is redialled: its loan may be given back
 * already. */
static bool is_new(struct lender *lender, uint64_t loan)
{
	if (loan <= lender->last_loan) {
		return false;
	}
	lender->last_loan = loan;
	return true;
}

struct body *engine_borrow(struct engine *engine, uint32_t node,
			   const struct frame_announce *announce, bool wanted)
{
	struct lender *lender = announce->loan ? lender_find(engine, node) : NULL;
	struct foreign *foreign = NULL;

	if (!lender || !is_new(lender, announce->loan)) {
		return NULL;
	}
	if (wanted && engine->host.foreign) {
		foreign = foreign_find(engine, lender, announce->key);
		foreign = foreign ? foreign : foreign_new(engine, lender, announce->key);
	}
	if (!foreign || announce->offset > foreign->map.size_bytes ||
	    announce->size > foreign->map.size_bytes - announce->offset) {
		give_back(lender, announce->loan);
		return NULL;
	}
	engine->stats.borrows++;
	engine->stats.borrow_bytes += announce->size;
	return body_at(engine, foreign, announce);
}

/* --- The rest of its life --- */

static bool is_over(const struct engine *engine, const struct foreign *foreign)
{
	return foreign->bodies == 0 && engine->now_ms >= foreign->idle_since_ms + IDLE_MS;
}

void engine_borrow_look(struct engine *engine)
{
	list_for_each_safe(it, after, &engine->foreigns)
	{
		struct foreign *foreign = list_entry(it, struct foreign, link);

		if (is_over(engine, foreign)) {
			foreign_free(engine, foreign);
		}
	}
}

uint64_t engine_borrow_deadline_ms(const struct engine *engine)
{
	uint64_t next_ms = UINT64_MAX;

	list_for_each(it, &engine->lenders) {
		if (list_entry(it, struct lender, link)->due_count > 0) {
			return engine->now_ms + TRY_AGAIN_MS;
		}
	}
	list_for_each(it, &engine->foreigns) {
		const struct foreign *foreign = list_entry(it, struct foreign, link);

		if (foreign->bodies == 0 && foreign->idle_since_ms + IDLE_MS < next_ms) {
			next_ms = foreign->idle_since_ms + IDLE_MS;
		}
	}
	return next_ms;
}

void engine_borrow_fini(struct engine *engine)
{
	list_for_each_safe(it, after, &engine->foreigns)
	{
		foreign_free(engine, list_entry(it, struct foreign, link));
	}
	list_for_each_safe(lender, next, &engine->lenders)
	{
		lender_free(list_entry(lender, struct lender, link));
	}
}
