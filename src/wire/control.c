/* SPDX-License-Identifier: BSD-3-Clause */
/* Control messages to bytes and back. One put_ and one get_ function per kind; decoding ends with
 * the check that nothing is left over. */
#include "wire/control.h"

#include <assert.h>

#include "base/check.h"
#include "base/cursor.h"

#define COMMIT_FILLED	  1u
#define COMMIT_RECEIVED	  2u
#define TOKEN_IDLE	  1u
#define HAVE_REPLY	  1u
#define CHAIN_GONE	  1u
#define COMMIT_ENTRY_SIZE 56
#define TOKEN_FIXED_SIZE  (CONTROL_HEADER_SIZE + 96)
#define RANGE_SIZE	  24

static_assert(CONTROL_HEADER_SIZE + 24 + NODES_MAX * COMMIT_ENTRY_SIZE <= CONTROL_SIZE_MAX,
	      "a commit token of all nodes fits one control message");
static_assert(TOKEN_FIXED_SIZE + CONTROL_RTR_MAX * RANGE_SIZE <= CONTROL_SIZE_MAX,
	      "a token full of requests fits one control message");

static const char *const names[CONTROL_KINDS] = {
	"none",	 "join", "commit token", "token", "merge detect", "wake",
	"leave", "have", "ask",		 "ack",	  "return",	  "chain",
};

const char *wire_control_name(enum control_kind kind)
{
	return (uint32_t)kind < CONTROL_KINDS ? names[kind] : "unknown";
}

static void put_ring(struct writer *w, struct ringid ring)
{
	writer_u32(w, ring.rep);
	writer_u32(w, 0);
	writer_u64(w, ring.seq);
}

static struct ringid get_ring(struct cursor *c)
{
	struct ringid ring;

	ring.rep = cursor_u32(c);
	c->failed = cursor_u32(c) != 0 || c->failed;
	ring.seq = cursor_u64(c);
	return ring;
}

static void put_ids(struct writer *w, const struct nodeset *set)
{
	for (uint32_t i = 0; i < set->count; i++) {
		writer_u32(w, set->id[i]);
	}
}

/* False unless `count` ids follow, ascending, none of them zero. */
static bool get_ids(struct cursor *c, uint32_t count, struct nodeset *out)
{
	uint32_t last = 0;

	out->count = 0;
	if (count > NODES_MAX) {
		return false;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t id = cursor_u32(c);

		if (id <= last) {
			return false;
		}
		out->id[out->count++] = id;
		last = id;
	}
	return cursor_ok(c);
}

static bool ring_named(struct ringid ring)
{
	return ring.rep != 0 && ring.seq != 0 && ring.seq <= CONTROL_SEQ_MAX;
}

/* An old ring is named, or {0, 0}. */
static bool ring_named_or_none(struct ringid ring)
{
	return ring_named(ring) || (ring.rep == 0 && ring.seq == 0);
}

static void put_join(struct writer *w, const struct control_join *join)
{
	writer_u64(w, join->ring_seq);
	writer_u32(w, join->proc.count);
	writer_u32(w, join->fail.count);
	put_ids(w, &join->proc);
	put_ids(w, &join->fail);
}

static const char *get_join(struct cursor *c, uint32_t sender, struct control_join *join)
{
	uint32_t proc_count;
	uint32_t fail_count;

	join->ring_seq = cursor_u64(c);
	proc_count = cursor_u32(c);
	fail_count = cursor_u32(c);
	if (!get_ids(c, proc_count, &join->proc) || !get_ids(c, fail_count, &join->fail)) {
		return "join: node ids are not ascending, or too many";
	}
	if (join->ring_seq > CONTROL_SEQ_MAX) {
		return "join: ring sequence out of range";
	}
	if (!nodeset_has(&join->proc, sender) || nodeset_has(&join->fail, sender)) {
		return "join: the sender does not count itself in";
	}
	return nodeset_subset(&join->fail, &join->proc) ? NULL : "join: failed but never seen";
}

static void put_commit(struct writer *w, const struct control_commit *commit)
{
	put_ring(w, commit->ring);
	writer_u32(w, commit->token_seq);
	writer_u32(w, commit->members.count);
	for (uint32_t i = 0; i < commit->members.count; i++) {
		const struct control_commit_entry *entry = &commit->entry[i];

		writer_u32(w, commit->members.id[i]);
		writer_u32(w, (entry->filled ? COMMIT_FILLED : 0) |
				      (entry->received ? COMMIT_RECEIVED : 0));
		put_ring(w, entry->old_ring);
		writer_u64(w, entry->aru);
		writer_u64(w, entry->high);
		writer_u64(w, entry->high_delivered);
		writer_u64(w, entry->obligation);
	}
}

static bool get_commit_entry(struct cursor *c, struct control_commit_entry *entry)
{
	uint32_t flags = cursor_u32(c);

	entry->filled = flags & COMMIT_FILLED;
	entry->received = flags & COMMIT_RECEIVED;
	entry->old_ring = get_ring(c);
	entry->aru = cursor_u64(c);
	entry->high = cursor_u64(c);
	entry->high_delivered = cursor_u64(c);
	entry->obligation = cursor_u64(c);
	return cursor_ok(c) && (flags & ~(COMMIT_FILLED | COMMIT_RECEIVED)) == 0 &&
	       ring_named_or_none(entry->old_ring) && entry->aru <= entry->high &&
	       entry->high <= CONTROL_SEQ_MAX && entry->high_delivered <= entry->aru;
}

static const char *get_commit(struct cursor *c, struct control_commit *commit)
{
	uint32_t last = 0;
	uint32_t count;

	commit->ring = get_ring(c);
	commit->token_seq = cursor_u32(c);
	count = cursor_u32(c);
	commit->members.count = 0;
	if (count == 0 || count > NODES_MAX) {
		return "commit token: no members, or too many";
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t id = cursor_u32(c);

		if (id <= last) {
			return "commit token: node ids are not ascending";
		}
		if (!get_commit_entry(c, &commit->entry[i])) {
			return "commit token: malformed entry";
		}
		commit->members.id[commit->members.count++] = id;
		last = id;
	}
	if (!ring_named(commit->ring) || commit->ring.rep != commit->members.id[0]) {
		return "commit token: the ring is not named after its lowest member";
	}
	return commit->token_seq <= 4 * NODES_MAX ? NULL : "commit token: too many hops";
}

static void put_ranges(struct writer *w, const struct control_range *range, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		writer_u64(w, range[i].first);
		writer_u64(w, range[i].last);
		writer_u64(w, range[i].mask);
	}
}

static bool get_ranges(struct cursor *c, struct control_range *range, uint32_t count, uint32_t max)
{
	if (count > max) {
		return false;
	}
	for (uint32_t i = 0; i < count; i++) {
		range[i].first = cursor_u64(c);
		range[i].last = cursor_u64(c);
		range[i].mask = cursor_u64(c);
		if (range[i].first == 0 || range[i].first > range[i].last ||
		    range[i].last > CONTROL_SEQ_MAX) {
			return false;
		}
	}
	return cursor_ok(c);
}

static void put_token(struct writer *w, const struct control_token *token)
{
	put_ring(w, token->ring);
	writer_u64(w, token->token_seq);
	writer_u64(w, token->seq);
	writer_u64(w, token->aru);
	writer_u32(w, token->aru_id);
	writer_u32(w, token->idle ? TOKEN_IDLE : 0);
	writer_u32(w, token->fcc);
	writer_u32(w, token->backlog);
	writer_u64(w, token->limit);
	writer_u64(w, token->limit_next);
	writer_u64(w, token->done);
	writer_u64(w, token->progress);
	writer_u32(w, token->rtr_count);
	writer_u32(w, token->seat);
	put_ranges(w, token->rtr, token->rtr_count);
}

static const char *check_token(const struct control_token *token, uint32_t flags)
{
	if (!ring_named(token->ring) || token->token_seq == 0 ||
	    token->token_seq > CONTROL_SEQ_MAX) {
		return "token: no ring or no hop count";
	}
	if ((flags & ~TOKEN_IDLE) != 0 || token->seat >= NODES_MAX) {
		return "token: unknown flags, or a seat that no ring has";
	}
	if (token->aru > token->seq || token->seq > CONTROL_SEQ_MAX ||
	    token->limit > CONTROL_SEQ_MAX || token->limit_next > CONTROL_SEQ_MAX) {
		return "token: numbers out of range";
	}
	return (token->aru_id == 0) == (token->aru == token->seq)
		       ? NULL
		       : "token: aru and aru_id contradict each other";
}

static const char *get_token(struct cursor *c, struct control_token *token)
{
	uint32_t flags;

	token->ring = get_ring(c);
	token->token_seq = cursor_u64(c);
	token->seq = cursor_u64(c);
	token->aru = cursor_u64(c);
	token->aru_id = cursor_u32(c);
	flags = cursor_u32(c);
	token->idle = flags & TOKEN_IDLE;
	token->fcc = cursor_u32(c);
	token->backlog = cursor_u32(c);
	token->limit = cursor_u64(c);
	token->limit_next = cursor_u64(c);
	token->done = cursor_u64(c);
	token->progress = cursor_u64(c);
	token->rtr_count = cursor_u32(c);
	token->seat = cursor_u32(c);
	if (!get_ranges(c, token->rtr, token->rtr_count, CONTROL_RTR_MAX)) {
		return "token: malformed requests";
	}
	return check_token(token, flags);
}

static void put_have(struct writer *w, const struct control_have *have)
{
	put_ring(w, have->ring);
	put_ring(w, have->old_ring);
	writer_u64(w, have->aru);
	writer_u32(w, have->reply ? HAVE_REPLY : 0);
	writer_u32(w, have->map_bytes);
	writer_bytes(w, have->map, have->map_bytes);
}

static const char *get_have(struct cursor *c, struct control_have *have)
{
	const uint8_t *map;
	uint32_t flags;

	have->ring = get_ring(c);
	have->old_ring = get_ring(c);
	have->aru = cursor_u64(c);
	flags = cursor_u32(c);
	have->reply = flags & HAVE_REPLY;
	have->map_bytes = cursor_u32(c);
	if (have->map_bytes > CONTROL_HAVE_BYTES || (flags & ~HAVE_REPLY) != 0) {
		return "have: map too long, or unknown flags";
	}
	map = cursor_bytes(c, have->map_bytes);
	if (!ring_named(have->ring) || !ring_named(have->old_ring) || have->aru > CONTROL_SEQ_MAX) {
		return "have: no ring, or numbers out of range";
	}
	memset(have->map, 0, sizeof(have->map));
	if (map) {
		memcpy(have->map, map, have->map_bytes);
	}
	return NULL;
}

static void put_ask(struct writer *w, const struct control_ask *ask)
{
	put_ring(w, ask->ring);
	put_ring(w, ask->old_ring);
	writer_u32(w, ask->count);
	writer_u32(w, 0);
	put_ranges(w, ask->range, ask->count);
}

static const char *get_ask(struct cursor *c, struct control_ask *ask)
{
	uint32_t zero;

	ask->ring = get_ring(c);
	ask->old_ring = get_ring(c);
	ask->count = cursor_u32(c);
	zero = cursor_u32(c);
	if (zero != 0 || !get_ranges(c, ask->range, ask->count, CONTROL_ASK_MAX)) {
		return "ask: malformed ranges";
	}
	return ring_named(ask->ring) && ring_named(ask->old_ring) ? NULL : "ask: no ring";
}

static void put_ack(struct writer *w, const struct control_ack *ack)
{
	put_ring(w, ack->ring);
	writer_u64(w, ack->aru);
}

static const char *get_ack(struct cursor *c, struct control_ack *ack)
{
	ack->ring = get_ring(c);
	ack->aru = cursor_u64(c);
	return ring_named(ack->ring) && ack->aru > 0 && ack->aru <= CONTROL_SEQ_MAX
		       ? NULL
		       : "ack: no ring, or a number out of range";
}

static void put_return(struct writer *w, const struct control_return *returned)
{
	writer_u32(w, returned->count);
	for (uint32_t i = 0; i < returned->count; i++) {
		writer_u64(w, returned->loan[i]);
	}
}

static const char *get_return(struct cursor *c, struct control_return *returned)
{
	returned->count = cursor_u32(c);
	if (returned->count == 0 || returned->count > CONTROL_RETURN_MAX) {
		return "return: impossible count";
	}
	for (uint32_t i = 0; i < returned->count; i++) {
		returned->loan[i] = cursor_u64(c);
		if (returned->loan[i] == 0) {
			return "return: a loan that cannot be";
		}
	}
	return NULL;
}

static void put_chain(struct writer *w, const struct control_chain *chain)
{
	put_ring(w, chain->ring);
	writer_u64(w, chain->seq);
	writer_u64(w, chain->key);
	writer_u64(w, chain->offset);
	writer_u64(w, chain->size);
	writer_u64(w, chain->valid);
	writer_u32(w, chain->gone ? CHAIN_GONE : 0);
	writer_u32(w, 0);
}

static const char *get_chain(struct cursor *c, struct control_chain *chain)
{
	uint32_t flags;
	uint32_t zero;

	chain->ring = get_ring(c);
	chain->seq = cursor_u64(c);
	chain->key = cursor_u64(c);
	chain->offset = cursor_u64(c);
	chain->size = cursor_u64(c);
	chain->valid = cursor_u64(c);
	flags = cursor_u32(c);
	zero = cursor_u32(c);
	chain->gone = flags & CHAIN_GONE;
	if (!ring_named(chain->ring) || chain->seq == 0 || chain->seq > CONTROL_SEQ_MAX) {
		return "chain: no ring, or a number out of range";
	}
	if ((flags & ~CHAIN_GONE) != 0 || zero != 0) {
		return "chain: unknown flags";
	}
	if (chain->size == 0 || chain->size > MESSAGE_SIZE_MAX || chain->valid > chain->size ||
	    chain->offset > UINT64_MAX - chain->size) {
		return "chain: bytes out of range";
	}
	return NULL;
}

static const char *get_ring_only(struct cursor *c, struct ringid *ring)
{
	*ring = get_ring(c);
	return ring_named_or_none(*ring) ? NULL : "malformed ring id";
}

static void put_body(struct writer *w, const struct control *control)
{
	switch (control->kind) {
	case CONTROL_NONE:
		return;
	case CONTROL_JOIN:
		put_join(w, &control->join);
		return;
	case CONTROL_COMMIT:
		put_commit(w, &control->commit);
		return;
	case CONTROL_TOKEN:
		put_token(w, &control->token);
		return;
	case CONTROL_MERGE:
	case CONTROL_WAKE:
	case CONTROL_LEAVE:
		put_ring(w, control->ring);
		return;
	case CONTROL_HAVE:
		put_have(w, &control->have);
		return;
	case CONTROL_ASK:
		put_ask(w, &control->ask);
		return;
	case CONTROL_ACK:
		put_ack(w, &control->ack);
		return;
	case CONTROL_RETURN:
		put_return(w, &control->returned);
		return;
	case CONTROL_CHAIN:
		put_chain(w, &control->chain);
		return;
	}
}

static void put_header(struct writer *w, const struct control *control, size_t size)
{
	writer_u32(w, CONTROL_MAGIC);
	writer_u8(w, CONTROL_VERSION);
	writer_u8(w, (uint8_t)control->kind);
	writer_u16(w, 0);
	writer_u32(w, control->sender);
	writer_u32(w, (uint32_t)size);
}

size_t wire_control_encode(const struct control *control, uint8_t out[CONTROL_SIZE_MAX])
{
	struct writer body =
		writer_of(out + CONTROL_HEADER_SIZE, CONTROL_SIZE_MAX - CONTROL_HEADER_SIZE);
	struct writer header = writer_of(out, CONTROL_HEADER_SIZE);
	size_t size;

	put_body(&body, control);
	check(writer_ok(&body));
	size = CONTROL_HEADER_SIZE + body.used;
	put_header(&header, control, size);
	check(writer_ok(&header) && header.left == 0);
	return size;
}

static const char *get_body(struct cursor *c, struct control *out)
{
	switch (out->kind) {
	case CONTROL_NONE:
		break;
	case CONTROL_JOIN:
		return get_join(c, out->sender, &out->join);
	case CONTROL_COMMIT:
		return get_commit(c, &out->commit);
	case CONTROL_TOKEN:
		return get_token(c, &out->token);
	case CONTROL_MERGE:
	case CONTROL_WAKE:
	case CONTROL_LEAVE:
		return get_ring_only(c, &out->ring);
	case CONTROL_HAVE:
		return get_have(c, &out->have);
	case CONTROL_ASK:
		return get_ask(c, &out->ask);
	case CONTROL_ACK:
		return get_ack(c, &out->ack);
	case CONTROL_RETURN:
		return get_return(c, &out->returned);
	case CONTROL_CHAIN:
		return get_chain(c, &out->chain);
	}
	return "unknown kind of control message";
}

static const char *get_header(struct cursor *c, size_t size, struct control *out)
{
	uint32_t magic = cursor_u32(c);
	uint8_t version = cursor_u8(c);
	uint8_t kind = cursor_u8(c);
	uint16_t zero = cursor_u16(c);
	uint32_t said;

	out->sender = cursor_u32(c);
	said = cursor_u32(c);
	if (!cursor_ok(c) || magic != CONTROL_MAGIC) {
		return "not a control message";
	}
	if (version != CONTROL_VERSION) {
		return "unknown version of the control protocol";
	}
	if (said != size || size > CONTROL_SIZE_MAX || zero != 0 || out->sender == 0) {
		return "control header contradicts the message";
	}
	if (kind == CONTROL_NONE || kind >= CONTROL_KINDS) {
		return "unknown kind of control message";
	}
	out->kind = (enum control_kind)kind;
	return NULL;
}

const char *wire_control_decode(const uint8_t *bytes, size_t size, struct control *out)
{
	struct cursor c = cursor_of(bytes, size);
	const char *reason = get_header(&c, size, out);

	if (!reason) {
		reason = get_body(&c, out);
	}
	if (reason) {
		return reason;
	}
	return cursor_ok(&c) && c.left == 0 ? NULL : "control message of the wrong length";
}

enum control_kind wire_control_kind(const uint8_t *bytes, size_t size)
{
	struct cursor c = cursor_of(bytes, size);
	struct control header;

	return get_header(&c, size, &header) ? CONTROL_NONE : header.kind;
}
