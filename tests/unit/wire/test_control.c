/* SPDX-License-Identifier: BSD-3-Clause */
/* Control messages: each kind at its fullest goes through unchanged and fits; whatever is wrong is
 * refused by name. */
#include "wire/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ME 3u

static uint8_t bytes[CONTROL_SIZE_MAX];
static struct control in;
static struct control out;

static struct nodeset everybody(void)
{
	struct nodeset set = {.count = NODES_MAX};

	for (uint32_t i = 0; i < NODES_MAX; i++) {
		set.id[i] = 3 * (i + 1);
	}
	return set;
}

static void start(enum control_kind kind)
{
	memset(&in, 0, sizeof(in));
	memset(&out, 0xa5, sizeof(out));
	in.kind = kind;
	in.sender = ME;
}

/* Returns the size; `out` is the message decoded. */
static size_t round_trip(void)
{
	size_t size = wire_control_encode(&in, bytes);

	assert_true(size <= CONTROL_SIZE_MAX);
	assert_int_equal(wire_control_kind(bytes, size), in.kind);
	assert_null(wire_control_decode(bytes, size, &out));
	assert_int_equal(out.kind, in.kind);
	assert_int_equal(out.sender, in.sender);
	return size;
}

static void refuse(const char *reason)
{
	size_t size = wire_control_encode(&in, bytes);

	assert_string_equal(wire_control_decode(bytes, size, &out), reason);
}

static void fill_join(void)
{
	start(CONTROL_JOIN);
	in.join.ring_seq = CONTROL_SEQ_MAX;
	in.join.proc = everybody();
	in.join.fail = everybody();
	nodeset_del(&in.join.fail, ME);
}

static void wire_control__join_round_trip(void **state)
{
	(void)state;
	fill_join();
	round_trip();
	assert_true(out.join.ring_seq == CONTROL_SEQ_MAX);
	assert_true(nodeset_equal(&out.join.proc, &in.join.proc));
	assert_true(nodeset_equal(&out.join.fail, &in.join.fail));
}

static void wire_control__join_refusals(void **state)
{
	(void)state;
	fill_join();
	nodeset_del(&in.join.proc, 9);
	refuse("join: failed but never seen");
	fill_join();
	nodeset_del(&in.join.proc, ME);
	refuse("join: the sender does not count itself in");
	fill_join();
	in.join.fail = everybody();
	refuse("join: the sender does not count itself in");
	fill_join();
	in.join.ring_seq++;
	refuse("join: ring sequence out of range");
	fill_join();
	in.join.proc.id[5] = in.join.proc.id[4];
	refuse("join: node ids are not ascending, or too many");
	fill_join();
	in.join.proc.id[0] = 0;
	refuse("join: node ids are not ascending, or too many");
}

/* Two counts whose sum wraps must not pass for small ones. */
static void wire_control__join_counts_do_not_wrap(void **state)
{
	size_t size;

	(void)state;
	fill_join();
	size = wire_control_encode(&in, bytes);
	memset(bytes + CONTROL_HEADER_SIZE + 8, 0xff, 4);
	assert_string_equal(wire_control_decode(bytes, size, &out),
			    "join: node ids are not ascending, or too many");
	memset(bytes + CONTROL_HEADER_SIZE + 12, 0x80, 4);
	assert_non_null(wire_control_decode(bytes, size, &out));
}

static void fill_commit(void)
{
	start(CONTROL_COMMIT);
	in.commit.ring = (struct ringid){3, 4000};
	in.commit.token_seq = 7;
	in.commit.members = everybody();
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		in.commit.entry[i] = (struct control_commit_entry){
			.filled = i % 2,
			.received = i % 3,
			.old_ring = {i % 4 ? 9 : 0, i % 4 ? 100 + i : 0},
			.aru = 50 + i,
			.high = 90 + i,
			.high_delivered = 40 + i,
			.obligation = ~(uint64_t)i,
		};
	}
}

static void wire_control__commit_round_trip(void **state)
{
	(void)state;
	fill_commit();
	round_trip();
	assert_true(ringid_equal(out.commit.ring, in.commit.ring));
	assert_int_equal(out.commit.token_seq, 7);
	assert_true(nodeset_equal(&out.commit.members, &in.commit.members));
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		const struct control_commit_entry *a = &in.commit.entry[i];
		const struct control_commit_entry *b = &out.commit.entry[i];

		assert_int_equal(a->filled, b->filled);
		assert_int_equal(a->received, b->received);
		assert_true(ringid_equal(a->old_ring, b->old_ring));
		assert_int_equal(a->aru, b->aru);
		assert_int_equal(a->high, b->high);
		assert_int_equal(a->high_delivered, b->high_delivered);
		assert_true(a->obligation == b->obligation);
	}
}

static void wire_control__commit_refusals(void **state)
{
	(void)state;
	fill_commit();
	in.commit.members.count = 0;
	refuse("commit token: no members, or too many");
	fill_commit();
	in.commit.members.id[9] = in.commit.members.id[8];
	refuse("commit token: node ids are not ascending");
	fill_commit();
	in.commit.entry[5].aru = in.commit.entry[5].high + 1;
	refuse("commit token: malformed entry");
	fill_commit();
	in.commit.entry[5].high_delivered = in.commit.entry[5].aru + 1;
	refuse("commit token: malformed entry");
	fill_commit();
	in.commit.entry[5].old_ring.rep = 0;
	refuse("commit token: malformed entry");
	fill_commit();
	in.commit.ring.rep = 6;
	refuse("commit token: the ring is not named after its lowest member");
	fill_commit();
	in.commit.token_seq = 4 * NODES_MAX + 1;
	refuse("commit token: too many hops");
}

static void fill_token(void)
{
	start(CONTROL_TOKEN);
	in.token.ring = (struct ringid){3, 4000};
	in.token.token_seq = 123456789012;
	in.token.seq = CONTROL_SEQ_MAX;
	in.token.aru = 4;
	in.token.aru_id = 9;
	in.token.idle = true;
	in.token.fcc = 50;
	in.token.backlog = 70;
	in.token.limit = 1000;
	in.token.limit_next = CONTROL_SEQ_MAX;
	in.token.done = 0x8000000000000001;
	in.token.progress = 0x7fffffffffffffff;
	in.token.rtr_count = CONTROL_RTR_MAX;
	for (uint32_t i = 0; i < CONTROL_RTR_MAX; i++) {
		in.token.rtr[i] = (struct control_range){5 + i, 6 + 2 * i, UINT64_MAX - i};
	}
}

static void wire_control__token_round_trip(void **state)
{
	(void)state;
	fill_token();
	round_trip();
	assert_true(ringid_equal(out.token.ring, in.token.ring));
	assert_true(out.token.token_seq == in.token.token_seq);
	assert_true(out.token.seq == in.token.seq && out.token.aru == in.token.aru);
	assert_int_equal(out.token.aru_id, 9);
	assert_true(out.token.idle);
	assert_int_equal(out.token.fcc, 50);
	assert_int_equal(out.token.backlog, 70);
	assert_true(out.token.limit == 1000 && out.token.limit_next == CONTROL_SEQ_MAX);
	assert_true(out.token.done == in.token.done && out.token.progress == in.token.progress);
	assert_int_equal(out.token.rtr_count, CONTROL_RTR_MAX);
	assert_memory_equal(out.token.rtr, in.token.rtr, sizeof(in.token.rtr));
}

static void wire_control__token_refusals(void **state)
{
	(void)state;
	fill_token();
	in.token.rtr[7].first = in.token.rtr[7].last + 1;
	refuse("token: malformed requests");
	fill_token();
	in.token.rtr[7].first = 0;
	refuse("token: malformed requests");
	fill_token();
	in.token.aru = in.token.seq + 1;
	refuse("token: numbers out of range");
	fill_token();
	in.token.seq = CONTROL_SEQ_MAX + 1;
	refuse("token: numbers out of range");
	fill_token();
	in.token.limit = UINT64_MAX;
	refuse("token: numbers out of range");
	fill_token();
	in.token.aru_id = 0;
	refuse("token: aru and aru_id contradict each other");
	fill_token();
	in.token.aru = in.token.seq;
	refuse("token: aru and aru_id contradict each other");
	fill_token();
	in.token.token_seq = 0;
	refuse("token: no ring or no hop count");
	fill_token();
	in.token.ring.seq = 0;
	refuse("token: no ring or no hop count");
}

static void wire_control__token_request_count_is_bounded(void **state)
{
	size_t size;

	(void)state;
	fill_token();
	in.token.rtr_count = 1;
	size = wire_control_encode(&in, bytes);
	/* The count stands before the only range. */
	memset(bytes + size - 24 - 8, 0xff, 4);
	assert_string_equal(wire_control_decode(bytes, size, &out), "token: malformed requests");
}

static void wire_control__ring_only_kinds_round_trip(void **state)
{
	const enum control_kind kinds[] = {CONTROL_MERGE, CONTROL_WAKE, CONTROL_LEAVE};

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		start(kinds[i]);
		in.ring = (struct ringid){3, 8};
		round_trip();
		assert_true(ringid_equal(out.ring, in.ring));
		in.ring = (struct ringid){0, 0};
		round_trip();
		in.ring = (struct ringid){3, 0};
		refuse("malformed ring id");
	}
}

static void wire_control__have_round_trip(void **state)
{
	(void)state;
	start(CONTROL_HAVE);
	in.have.ring = (struct ringid){3, 12};
	in.have.old_ring = (struct ringid){3, 8};
	in.have.aru = 77;
	in.have.reply = true;
	in.have.map_bytes = CONTROL_HAVE_BYTES;
	memset(in.have.map, 0x5a, sizeof(in.have.map));
	round_trip();
	assert_true(ringid_equal(out.have.ring, in.have.ring));
	assert_true(ringid_equal(out.have.old_ring, in.have.old_ring));
	assert_int_equal(out.have.aru, 77);
	assert_true(out.have.reply);
	assert_memory_equal(out.have.map, in.have.map, sizeof(in.have.map));
	in.have.map_bytes = 3;
	round_trip();
	assert_int_equal(out.have.map[2], 0x5a);
	assert_int_equal(out.have.map[3], 0);
	in.have.old_ring = (struct ringid){0, 0};
	refuse("have: no ring, or numbers out of range");
}

static void wire_control__ask_round_trip(void **state)
{
	(void)state;
	start(CONTROL_ASK);
	in.ask.ring = (struct ringid){3, 12};
	in.ask.old_ring = (struct ringid){3, 8};
	in.ask.count = CONTROL_ASK_MAX;
	for (uint32_t i = 0; i < CONTROL_ASK_MAX; i++) {
		in.ask.range[i] = (struct control_range){1 + i, 1 + i, 0};
	}
	round_trip();
	assert_memory_equal(out.ask.range, in.ask.range, sizeof(in.ask.range));
	in.ask.range[100].last = 5;
	refuse("ask: malformed ranges");
}

static void wire_control__ack_round_trip(void **state)
{
	(void)state;
	start(CONTROL_ACK);
	in.ack.ring = (struct ringid){3, 12};
	in.ack.aru = CONTROL_SEQ_MAX;
	round_trip();
	assert_true(ringid_equal(out.ack.ring, in.ack.ring));
	assert_int_equal(out.ack.aru, CONTROL_SEQ_MAX);
	in.ack.aru++;
	refuse("ack: no ring, or a number out of range");
	in.ack.aru = 0;
	refuse("ack: no ring, or a number out of range");
	in.ack.aru = 1;
	in.ack.ring = (struct ringid){0, 0};
	refuse("ack: no ring, or a number out of range");
}

static void wire_control__return_round_trip(void **state)
{
	(void)state;
	start(CONTROL_RETURN);
	in.returned.count = CONTROL_RETURN_MAX;
	for (uint32_t i = 0; i < CONTROL_RETURN_MAX; i++) {
		in.returned.loan[i] = UINT64_MAX - i;
	}
	round_trip();
	assert_int_equal(out.returned.count, CONTROL_RETURN_MAX);
	assert_memory_equal(out.returned.loan, in.returned.loan, sizeof(in.returned.loan));
	in.returned.loan[200] = 0;
	refuse("return: a loan that cannot be");
	in.returned.count = 0;
	refuse("return: impossible count");
}

static void fill_return(void)
{
	start(CONTROL_RETURN);
	in.returned = (struct control_return){.count = 2, .loan = {3, 12}};
}

static void fill_ack(void)
{
	start(CONTROL_ACK);
	in.ack = (struct control_ack){{3, 12}, 7};
}

static void fill_chain(void)
{
	start(CONTROL_CHAIN);
	in.chain = (struct control_chain){.ring = {3, 12},
					  .seq = CONTROL_SEQ_MAX,
					  .key = UINT64_MAX,
					  .offset = UINT64_MAX - MESSAGE_SIZE_MAX,
					  .size = MESSAGE_SIZE_MAX,
					  .valid = MESSAGE_SIZE_MAX};
}

static void wire_control__chain_round_trip(void **state)
{
	(void)state;
	fill_chain();
	round_trip();
	assert_true(ringid_equal(out.chain.ring, in.chain.ring));
	assert_int_equal(out.chain.seq, in.chain.seq);
	assert_int_equal(out.chain.key, in.chain.key);
	assert_int_equal(out.chain.offset, in.chain.offset);
	assert_int_equal(out.chain.size, in.chain.size);
	assert_int_equal(out.chain.valid, in.chain.valid);
	assert_false(out.chain.gone);
	in.chain.valid = 0;
	in.chain.gone = true;
	round_trip();
	assert_int_equal(out.chain.valid, 0);
	assert_true(out.chain.gone);
}

static void refuse_chain(uint64_t seq, uint64_t offset, uint64_t size, uint64_t valid,
			 const char *reason)
{
	fill_chain();
	in.chain.seq = seq;
	in.chain.offset = offset;
	in.chain.size = size;
	in.chain.valid = valid;
	refuse(reason);
}

static void wire_control__chain_refusals(void **state)
{
	(void)state;
	refuse_chain(0, 0, 9, 9, "chain: no ring, or a number out of range");
	refuse_chain(CONTROL_SEQ_MAX + 1, 0, 9, 9, "chain: no ring, or a number out of range");
	refuse_chain(1, 0, 0, 0, "chain: bytes out of range");
	refuse_chain(1, 0, MESSAGE_SIZE_MAX + 1ull, 0, "chain: bytes out of range");
	refuse_chain(1, 0, 9, 10, "chain: bytes out of range");
	refuse_chain(1, UINT64_MAX - 8, 9, 9, "chain: bytes out of range");
	fill_chain();
	in.chain.ring.seq = 0;
	refuse("chain: no ring, or a number out of range");
	fill_chain();
	wire_control_encode(&in, bytes);
	bytes[CONTROL_HEADER_SIZE + 56] = 2;
	assert_string_equal(wire_control_decode(bytes, CONTROL_HEADER_SIZE + 64, &out),
			    "chain: unknown flags");
	bytes[CONTROL_HEADER_SIZE + 56] = 0;
	bytes[CONTROL_HEADER_SIZE + 60] = 1;
	assert_string_equal(wire_control_decode(bytes, CONTROL_HEADER_SIZE + 64, &out),
			    "chain: unknown flags");
}

static void set_header(size_t at, uint8_t value, const char *reason)
{
	size_t size;

	start(CONTROL_WAKE);
	in.ring = (struct ringid){3, 8};
	size = wire_control_encode(&in, bytes);
	bytes[at] = value;
	assert_string_equal(wire_control_decode(bytes, size, &out), reason);
	assert_int_equal(wire_control_kind(bytes, size), CONTROL_NONE);
}

static void wire_control__header_refusals(void **state)
{
	(void)state;
	set_header(0, 0, "not a control message");
	set_header(4, 2, "unknown version of the control protocol");
	set_header(5, CONTROL_NONE, "unknown kind of control message");
	set_header(5, CONTROL_KINDS, "unknown kind of control message");
	set_header(6, 1, "control header contradicts the message");
	set_header(8, 0, "control header contradicts the message");
	set_header(12, 1, "control header contradicts the message");
	assert_int_equal(wire_control_kind(bytes, 3), CONTROL_NONE);
	assert_int_equal(wire_control_kind(NULL, 0), CONTROL_NONE);
}

/* Cut anywhere, with the size in the header made to fit: refused, never read beyond. */
static void wire_control__cut_short_is_refused(void **state)
{
	void (*const fill[])(void) = {fill_join, fill_commit, fill_token,
				      fill_ack,	 fill_return, fill_chain};

	(void)state;
	for (uint32_t i = 0; i < 6; i++) {
		size_t size;

		fill[i]();
		size = wire_control_encode(&in, bytes);
		for (size_t cut = CONTROL_HEADER_SIZE; cut < size; cut++) {
			uint8_t *copy = malloc(cut);

			assert_non_null(copy);
			memcpy(copy, bytes, cut);
			copy[12] = (uint8_t)cut;
			copy[13] = (uint8_t)(cut >> 8);
			assert_non_null(wire_control_decode(copy, cut, &out));
			free(copy);
		}
	}
}

static void wire_control__bytes_left_over_are_refused(void **state)
{
	size_t size;

	(void)state;
	start(CONTROL_LEAVE);
	size = wire_control_encode(&in, bytes);
	bytes[size] = 0;
	bytes[12]++;
	assert_string_equal(wire_control_decode(bytes, size + 1, &out),
			    "control message of the wrong length");
}

static void wire_control_name__every_kind_has_one(void **state)
{
	(void)state;
	for (int i = 0; i < CONTROL_KINDS; i++) {
		assert_string_not_equal(wire_control_name((enum control_kind)i), "unknown");
	}
	assert_string_equal(wire_control_name((enum control_kind)CONTROL_KINDS), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire_control__join_round_trip),
		cmocka_unit_test(wire_control__join_refusals),
		cmocka_unit_test(wire_control__join_counts_do_not_wrap),
		cmocka_unit_test(wire_control__commit_round_trip),
		cmocka_unit_test(wire_control__commit_refusals),
		cmocka_unit_test(wire_control__token_round_trip),
		cmocka_unit_test(wire_control__token_refusals),
		cmocka_unit_test(wire_control__token_request_count_is_bounded),
		cmocka_unit_test(wire_control__ring_only_kinds_round_trip),
		cmocka_unit_test(wire_control__have_round_trip),
		cmocka_unit_test(wire_control__ask_round_trip),
		cmocka_unit_test(wire_control__ack_round_trip),
		cmocka_unit_test(wire_control__return_round_trip),
		cmocka_unit_test(wire_control__chain_round_trip),
		cmocka_unit_test(wire_control__chain_refusals),
		cmocka_unit_test(wire_control__header_refusals),
		cmocka_unit_test(wire_control__cut_short_is_refused),
		cmocka_unit_test(wire_control__bytes_left_over_are_refused),
		cmocka_unit_test(wire_control_name__every_kind_has_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
