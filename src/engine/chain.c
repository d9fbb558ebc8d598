/* SPDX-License-Identifier: BSD-3-Clause */
/* Chains (docs/protocol.md, "Chains"). What a predecessor says is believed only while the ring is
 * operational: until then it cannot have let go what its successor lacks. */
#include "engine/chain.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

#include "base/check.h"
#include "engine/engine_int.h"

#define CHUNKS_WANTED	   64u /* a chain of n receivers then takes (1 + (n - 1) / 64) of one copy */
#define CHUNK_MIN	   (16u * 1024)
#define AUTO_RECEIVERS_MIN 4u
#define AUTO_SIZE_MIN	   (256u * 1024)
#define FLUSH_AGAIN_MS	   5

/* ---- plan ---- */

bool chain_plan(const struct nodeset *members, uint32_t sender, uint32_t me, struct chain_plan *out)
{
	int first = nodeset_index(members, sender);
	int mine = nodeset_index(members, me);
	uint32_t count = members->count;

	*out = (struct chain_plan){0};
	if (first < 0 || mine < 0 || first == mine) {
		return false;
	}
	out->position = ((uint32_t)mine + count - (uint32_t)first) % count;
	out->predecessor = members->id[((uint32_t)mine + count - 1) % count];
	out->successor = out->position + 1 < count ? members->id[((uint32_t)mine + 1) % count] : 0;
	return true;
}

uint32_t chain_chunk(enum engine_dissemination mode, uint64_t size, uint32_t receivers)
{
	uint64_t chunk = size / CHUNKS_WANTED;

	if (mode == ENGINE_DIRECT || receivers < 2 ||
	    (mode == ENGINE_AUTO && (receivers < AUTO_RECEIVERS_MIN || size < AUTO_SIZE_MIN))) {
		return 0;
	}
	chunk = (chunk + FRAME_CHUNK_UNIT - 1) / FRAME_CHUNK_UNIT * FRAME_CHUNK_UNIT;
	if (chunk < CHUNK_MIN) {
		return CHUNK_MIN;
	}
	return chunk < READ_SIZE_MAX ? (uint32_t)chunk : READ_SIZE_MAX;
}

/* Well below the time after which the ring gives up a member to which nothing comes. */
uint32_t chain_patience_ms(uint32_t token_ms, uint32_t position)
{
	uint64_t patience = token_ms / 8 + (uint64_t)position * token_ms / 64;

	return (uint32_t)(patience < token_ms / 2 ? patience : token_ms / 2);
}

/* ---- what is told to the successor ---- */

static void drop_notice(struct chain *chain, struct chain_notice *notice)
{
	if (notice->node != 0) {
		notice->node = 0;
		chain->out_count--;
	}
}

static struct chain_notice *notice_for(struct chain *chain, const struct frame_info *info)
{
	struct chain_notice *unused = NULL;

	for (uint32_t i = 0; i < CHAIN_NOTICES; i++) {
		struct chain_notice *notice = &chain->out[i];

		if (notice->node != 0 && notice->chain.seq == info->seq &&
		    ringid_equal(notice->chain.ring, info->ring)) {
			return notice;
		}
		if (notice->node == 0 && !unused) {
			unused = notice;
		}
	}
	return unused;
}

/* Kept until the end of the turn, so that chunks that come together are told together. When there
 * is no room for it, the successor goes to the sender after a while. */
static void put_notice(struct engine *engine, const struct pull *pull, uint64_t valid, bool gone)
{
	struct chain_notice *notice = notice_for(&engine->chain, &pull->info);

	if (pull->plan.successor == 0 || !notice) {
		return;
	}
	engine->chain.out_count += notice->node == 0 ? 1 : 0;
	notice->node = pull->plan.successor;
	notice->chain = (struct control_chain){.ring = pull->info.ring,
					       .seq = pull->info.seq,
					       .size = pull->announce.size,
					       .valid = valid,
					       .gone = gone};
	if (valid > 0) {
		notice->chain.key = engine_region_key(engine, pull->into->region);
		notice->chain.offset = pull->into->offset;
	}
}

void engine_chain_tell(struct engine *engine, struct pull *pull, uint64_t valid)
{
	if (pull->plan.successor != 0 && valid > pull->told) {
		pull->told = valid;
		pull->shown = true;
		put_notice(engine, pull, valid, false);
	}
}

void engine_chain_tell_gone(struct engine *engine, const struct pull *pull)
{
	put_notice(engine, pull, 0, true);
}

void engine_chain_flush(struct engine *engine)
{
	struct control control = {.kind = CONTROL_CHAIN, .sender = engine->config.totem.node};
	uint8_t bytes[CONTROL_SIZE_MAX];

	for (uint32_t i = 0; i < CHAIN_NOTICES && engine->chain.out_count > 0; i++) {
		struct chain_notice *notice = &engine->chain.out[i];

		if (notice->node == 0) {
			continue;
		}
		control.chain = notice->chain;
		if (engine_tell(engine, notice->node, bytes,
				wire_control_encode(&control, bytes)) != -ENOBUFS) {
			drop_notice(&engine->chain, notice);
		}
	}
}

/* ---- what the predecessor tells ---- */

static void fall_back(struct engine *engine, struct pull *pull, const char *reason)
{
	if (!pull_chained(pull)) {
		return;
	}
	engine->stats.chain_fallbacks++;
	engine_log(engine, LOG_DEBUG,
		   "a message of %llu bytes is read on from node %u, not from node %u: %s",
		   (unsigned long long)pull->announce.size, pull->node, pull->source.node, reason);
	pull_go_direct(pull);
}

void engine_chain_leave(struct engine *engine, struct pull *pull)
{
	fall_back(engine, pull, "it could not be read");
}

void engine_chain_news(struct engine *engine, const struct pull *pull)
{
	struct totem_event progress = {.kind = TOTEM_EV_PROGRESS};

	/* They are served oldest first. */
	for (const struct list *it = &pull->link; it != &engine->pulls; it = it->next) {
		list_entry(it, struct pull, link)->news_ms = engine->now_ms;
	}
	if (engine_pull_makes_progress(engine, pull)) {
		engine_ring_event(engine, &progress);
	}
}

static void take_notice(struct engine *engine, struct pull *pull, const struct control_chain *said)
{
	struct source *source = &pull->source;

	if (said->gone || said->size != pull->announce.size) {
		fall_back(engine, pull, "it has lost the message");
		return;
	}
	if (said->valid > source->valid) {
		source->key = said->key;
		source->offset = said->offset;
		source->valid = said->valid;
		engine_chain_news(engine, pull);
	}
}

static void remember(struct engine *engine, uint32_t from, const struct control_chain *said)
{
	struct chain *chain = &engine->chain;
	uint32_t at = chain->next_early % CHAIN_NOTICES;

	for (uint32_t i = 0; i < CHAIN_NOTICES; i++) {
		if (chain->early[i].node == from && chain->early[i].chain.seq == said->seq &&
		    ringid_equal(chain->early[i].chain.ring, said->ring)) {
			at = i;
		}
	}
	if (at == chain->next_early % CHAIN_NOTICES) {
		chain->next_early++;
	}
	chain->early[at] = (struct chain_notice){.node = from, .chain = *said};
}

bool engine_chain_received(struct engine *engine, uint32_t from, const uint8_t *bytes, size_t size)
{
	struct control control;
	struct pull *pull;

	if (wire_control_kind(bytes, size) != CONTROL_CHAIN ||
	    wire_control_decode(bytes, size, &control) || control.sender != from ||
	    !nodeset_has(&engine->linked, from)) {
		return false;
	}
	pull = engine_pull_find(engine, control.chain.ring, control.chain.seq);
	if (!pull) {
		remember(engine, from, &control.chain);
	} else if (pull_chained(pull) && pull->source.node == from) {
		take_notice(engine, pull, &control.chain);
	}
	return true;
}

/* ---- a pull's way ---- */

static bool plan(struct engine *engine, struct pull *pull)
{
	const struct frame_info *info = &pull->info;
	struct totem_status status;

	if (pull->announce.chunk == 0 || info->repeated || pull->node != info->origin) {
		return false;
	}
	totem_status(engine->totem, &status);
	return status.state == TOTEM_OPERATIONAL && ringid_equal(status.ring, info->ring) &&
	       chain_plan(&status.members, info->origin, engine->config.totem.node, &pull->plan);
}

static void heed_early(struct engine *engine, struct pull *pull)
{
	for (uint32_t i = 0; i < CHAIN_NOTICES; i++) {
		struct chain_notice *notice = &engine->chain.early[i];

		if (notice->node == pull->source.node && pull_chained(pull) &&
		    notice->chain.seq == pull->info.seq &&
		    ringid_equal(notice->chain.ring, pull->info.ring)) {
			notice->node = 0;
			take_notice(engine, pull, &notice->chain);
		}
	}
}

void engine_chain_begin(struct engine *engine, struct pull *pull)
{
	if (!plan(engine, pull)) {
		return;
	}
	put_notice(engine, pull, 0, false);
	if (pull->plan.predecessor == pull->node ||
	    !nodeset_has(&engine->linked, pull->plan.predecessor) ||
	    engine->now_ms < engine->chain.shunned_until_ms) {
		return;
	}
	pull->source = (struct source){.node = pull->plan.predecessor};
	pull->news_ms = engine->now_ms;
	engine->stats.chain_pulls++;
	heed_early(engine, pull);
}

void engine_chain_join(struct engine *engine)
{
	list_for_each(it, &engine->pulls) {
		struct pull *pull = list_entry(it, struct pull, link);

		if (pull->plan.position == 0 && plan(engine, pull)) {
			put_notice(engine, pull, 0, false);
			engine_chain_tell(engine, pull, engine_pull_arrived(engine, pull));
		}
	}
}

/* UINT64_MAX: it does not wait for its predecessor. */
static uint64_t patience_ends_ms(const struct engine *engine, const struct pull *pull)
{
	if (!pull_chained(pull) || !pull->into || pull->reading > 0 ||
	    pull->asked < pull->source.valid) {
		return UINT64_MAX;
	}
	return pull->news_ms +
	       chain_patience_ms(engine->config.totem.token_ms, pull->plan.position);
}

void engine_chain_timeouts(struct engine *engine)
{
	list_for_each(it, &engine->pulls) {
		struct pull *pull = list_entry(it, struct pull, link);

		if (patience_ends_ms(engine, pull) <= engine->now_ms) {
			engine->chain.shunned_until_ms =
				engine->now_ms + engine->config.totem.token_ms;
			fall_back(engine, pull, "nothing comes from there");
		}
	}
}

uint64_t engine_chain_deadline_ms(const struct engine *engine)
{
	uint64_t next = UINT64_MAX;

	list_for_each(it, &engine->pulls) {
		uint64_t end = patience_ends_ms(engine, list_entry(it, struct pull, link));

		next = end < next ? end : next;
	}
	if (engine->chain.out_count > 0 && engine->now_ms + FLUSH_AGAIN_MS < next) {
		next = engine->now_ms + FLUSH_AGAIN_MS;
	}
	return next;
}

/* ---- ends ---- */

void engine_chain_link_lost(struct engine *engine, uint32_t node)
{
	for (uint32_t i = 0; i < CHAIN_NOTICES; i++) {
		if (engine->chain.early[i].node == node) {
			engine->chain.early[i].node = 0;
		}
	}
	list_for_each(it, &engine->pulls) {
		struct pull *pull = list_entry(it, struct pull, link);

		if (pull->source.node == node) {
			fall_back(engine, pull, "its link has gone");
		}
	}
}

void engine_chain_stop(struct engine *engine)
{
	for (uint32_t i = 0; i < READS_MAX; i++) {
		struct read *read = &engine->reads[i];

		if (read->pull && read->node != read->pull->node) {
			read->stale = true;
		}
	}
	list_for_each(it, &engine->pulls) {
		fall_back(engine, list_entry(it, struct pull, link), "the ring has ended");
	}
}

struct kept {
	struct list link;
	struct ringid ring;
	uint64_t seq;
	struct body *body;
};

void engine_chain_keep(struct engine *engine, struct pull *pull)
{
	struct kept *kept;

	if (!pull->shown) {
		return;
	}
	kept = calloc(1, sizeof(*kept));
	check(kept);
	kept->ring = pull->info.ring;
	kept->seq = pull->info.seq;
	kept->body = pull->into;
	list_append(&engine->chain.kept, &kept->link);
	pull->into = NULL;
}

static void kept_free(struct kept *kept)
{
	list_remove(&kept->link);
	if (kept->body) {
		body_drop(kept->body, HOLD_BUILD);
	}
	free(kept);
}

void engine_chain_take(struct engine *engine, struct pull *pull)
{
	list_for_each_safe(it, after, &engine->chain.kept)
	{
		struct kept *kept = list_entry(it, struct kept, link);

		if (ringid_equal(kept->ring, pull->info.ring) && kept->seq == pull->info.seq &&
		    kept->body->size == pull->announce.size && !pull->into) {
			pull->into = kept->body;
			pull->shown = true;
			kept->body = NULL;
			kept_free(kept);
		}
	}
}

void engine_chain_forget_others(struct engine *engine, struct ringid ring)
{
	for (uint32_t i = 0; i < CHAIN_NOTICES; i++) {
		if (!ringid_equal(engine->chain.out[i].chain.ring, ring)) {
			drop_notice(&engine->chain, &engine->chain.out[i]);
		}
	}
	list_for_each_safe(it, after, &engine->chain.kept)
	{
		struct kept *kept = list_entry(it, struct kept, link);

		if (!ringid_equal(kept->ring, ring)) {
			kept_free(kept);
		}
	}
}

/* The message came without another pull: it was used where its sender has it. When all members have it
 * nobody reads the rest any more. */
void engine_chain_released(struct engine *engine)
{
	struct totem_status status;

	if (list_empty(&engine->chain.kept)) {
		return;
	}
	totem_status(engine->totem, &status);
	list_for_each_safe(it, after, &engine->chain.kept)
	{
		struct kept *kept = list_entry(it, struct kept, link);

		if (ringid_equal(kept->ring, status.ring) && kept->seq <= status.released) {
			kept_free(kept);
		}
	}
}

void engine_chain_fini(struct engine *engine)
{
	list_for_each_safe(it, after, &engine->chain.kept)
	{
		kept_free(list_entry(it, struct kept, link));
	}
}
