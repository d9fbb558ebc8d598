/* SPDX-License-Identifier: BSD-3-Clause */
/* Two nodes and what is said between them: they agree, and nobody who lacks the key, repeats, bends or
 * shortens a message gets anywhere. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/handshake.h"

#define I_NODE 3u
#define R_NODE 9u

static struct cluster_key key_a, key_b;

/* Never the same twice. */
static int some_bytes(void *ctx, void *out, size_t size)
{
	static uint32_t state = 1;

	(void)ctx;
	for (size_t i = 0; i < size; i++) {
		state = state * 1664525u + 1013904223u;
		((uint8_t *)out)[i] = (uint8_t)(state >> 24);
	}
	return 0;
}

static int no_bytes(void *ctx, void *out, size_t size)
{
	(void)ctx;
	(void)out;
	(void)size;
	return -EIO;
}

static struct handshake_self self_of(uint32_t node, const struct cluster_key *first,
				     const struct cluster_key *second)
{
	return (struct handshake_self){.suite = {CRYPTO_AES256, CRYPTO_SHA256},
				       .cluster_name = "test",
				       .node = node,
				       .keys = {first, second},
				       .random = some_bytes};
}

/* One run of all steps, message by message. */
struct run {
	struct handshake_self i_self, r_self;
	struct handshake i, r;
	struct handshake_keys i_keys, r_keys;
	uint8_t hello[HANDSHAKE_SIZE_MAX], answer[HANDSHAKE_SIZE_MAX], proof[HANDSHAKE_SIZE_MAX];
};

static void start(struct run *run)
{
	memset(run, 0, sizeof(*run));
	run->i_self = self_of(I_NODE, &key_a, NULL);
	run->r_self = self_of(R_NODE, &key_a, NULL);
}

static int say_hello(struct run *run)
{
	return handshake_hello(&run->i, &run->i_self, R_NODE, 5, run->hello);
}

static int say_answer(struct run *run)
{
	return handshake_answer(&run->r, &run->r_self, I_NODE, run->hello, HANDSHAKE_HELLO_SIZE,
				run->answer);
}

static int say_proof(struct run *run)
{
	return handshake_prove(&run->i, &run->i_self, run->answer, HANDSHAKE_ANSWER_SIZE,
			       run->proof, &run->i_keys);
}

static int check_proof(struct run *run)
{
	return handshake_check(&run->r, &run->r_self, run->proof, HANDSHAKE_PROOF_SIZE,
			       &run->r_keys);
}

static void run_all(struct run *run)
{
	assert_int_equal(say_hello(run), HANDSHAKE_HELLO_SIZE);
	assert_int_equal(say_answer(run), HANDSHAKE_ANSWER_SIZE);
	assert_int_equal(say_proof(run), HANDSHAKE_PROOF_SIZE);
	assert_int_equal(check_proof(run), 0);
}

static void all__both_have_the_same_keys(void **state)
{
	struct run run;
	struct run other;

	(void)state;
	for (int hash = CRYPTO_SHA256; hash <= CRYPTO_SHA512; hash++) {
		start(&run);
		run.i_self.suite.hash = run.r_self.suite.hash = (enum crypto_hash)hash;
		run_all(&run);
		assert_memory_equal(run.i_keys.send, run.r_keys.receive, CRYPTO_KEY_SIZE_MAX);
		assert_memory_equal(run.r_keys.send, run.i_keys.receive, CRYPTO_KEY_SIZE_MAX);
		assert_memory_not_equal(run.i_keys.send, run.i_keys.receive, CRYPTO_KEY_SIZE_MAX);
		assert_int_equal(run.i.session, 5);
		assert_int_equal(run.r.session, 5);
	}
	start(&other);
	run_all(&other);
	assert_memory_not_equal(run.i_keys.send, other.i_keys.send, CRYPTO_KEY_SIZE_MAX);
}

static void all__the_dialling_side_prefers(void **state)
{
	struct run run;

	(void)state;
	start(&run);
	run.i_self = self_of(I_NODE, &key_b, &key_a);
	run.r_self = self_of(R_NODE, &key_a, &key_b);
	run_all(&run);
	assert_true(cluster_key_same(&run.r.key, &key_b));
	assert_true(cluster_key_same(&run.i.key, &key_b));
}

/* Who claims to have a key by its id and has another secret. */
static void prove__needs_the_key(void **state)
{
	struct cluster_key liar = key_b;
	struct run run;

	(void)state;
	memcpy(liar.id, key_a.id, sizeof(liar.id));
	start(&run);
	run.r_self.keys[0] = &liar;
	say_hello(&run);
	assert_int_equal(say_answer(&run), HANDSHAKE_ANSWER_SIZE);
	assert_int_equal(say_proof(&run), -EBADMSG);
	start(&run);
	run.i_self.keys[0] = &liar;
	say_hello(&run);
	say_answer(&run);
	assert_int_equal(say_proof(&run), -EBADMSG);
}

/* Key memory that was wiped is nobody's key, though everybody knows what is in it. */
static void answer__no_key_of_zeros(void **state)
{
	static const struct cluster_key zeros;
	struct run run;

	(void)state;
	start(&run);
	run.i_self.keys[0] = run.r_self.keys[0] = &zeros;
	say_hello(&run);
	assert_int_equal(say_answer(&run), -EACCES);
}

static void prove__needs_the_cluster(void **state)
{
	struct run run;

	(void)state;
	start(&run);
	run.r_self.cluster_name = "other";
	say_hello(&run);
	say_answer(&run);
	assert_int_equal(say_proof(&run), -EBADMSG);
}

static void answer__says_what_is_not_in_common(void **state)
{
	struct handshake_claim claim;
	struct run run;

	(void)state;
	start(&run);
	run.r_self.keys[0] = &key_b;
	say_hello(&run);
	assert_int_equal(say_answer(&run), -EACCES);
	assert_null(handshake_read(run.answer, HANDSHAKE_ANSWER_SIZE, &claim));
	assert_int_equal(claim.refusal, HANDSHAKE_OTHER_KEY);
	assert_memory_equal(claim.keys[0], key_b.id, CLUSTER_KEY_ID_SIZE);
	assert_int_equal(say_proof(&run), -EACCES);
	start(&run);
	run.r_self.suite.cipher = CRYPTO_AES128;
	say_hello(&run);
	assert_int_equal(say_answer(&run), -EACCES);
	assert_null(handshake_read(run.answer, HANDSHAKE_ANSWER_SIZE, &claim));
	assert_int_equal(claim.refusal, HANDSHAKE_OTHER_SUITE);
	assert_int_equal(claim.suite.cipher, CRYPTO_AES128);
}

/* Any bit of any message: no side ends with keys that the other does not have. */
static void all__no_bent_bit(void **state)
{
	struct run whole;

	(void)state;
	start(&whole);
	run_all(&whole);
	for (unsigned int bit = 0; bit < 8 * HANDSHAKE_ANSWER_SIZE; bit += 3) {
		struct run run = whole;

		run.answer[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (bit / 8 != 5) { /* the version is the transports' */
			assert_true(say_proof(&run) < 0);
		}
	}
	for (unsigned int bit = 0; bit < 8 * HANDSHAKE_PROOF_SIZE; bit += 3) {
		struct run run = whole;

		run.proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (bit / 8 != 5 && bit / 8 != 6 &&
		    bit / 8 != 7) { /* a suite is not asked for again */
			assert_true(check_proof(&run) < 0);
		}
	}
	for (unsigned int bit = 0; bit < 8 * HANDSHAKE_HELLO_SIZE; bit += 3) {
		struct run run = whole;

		run.hello[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (say_answer(&run) > 0) {
			assert_true(say_proof(&run) < 0);
		}
	}
}

static void all__no_other_size(void **state)
{
	struct handshake_claim claim;
	struct run run;

	(void)state;
	start(&run);
	run_all(&run);
	for (size_t size = 0; size <= HANDSHAKE_SIZE_MAX; size++) {
		assert_int_equal(!handshake_read(run.hello, size, &claim),
				 size == HANDSHAKE_HELLO_SIZE);
		assert_int_equal(!handshake_read(run.answer, size, &claim),
				 size == HANDSHAKE_ANSWER_SIZE);
		assert_int_equal(!handshake_read(run.proof, size, &claim),
				 size == HANDSHAKE_PROOF_SIZE);
	}
}

/* What was said once is worth nothing in another handshake, nor to another node, nor back to who said it. */
static void all__no_repetition(void **state)
{
	struct run old;
	struct run run;

	(void)state;
	start(&old);
	run_all(&old);
	start(&run);
	say_hello(&run);
	memcpy(run.answer, old.answer, sizeof(run.answer));
	assert_int_equal(say_proof(&run), -EBADMSG);

	start(&run);
	memcpy(run.hello, old.hello, sizeof(run.hello));
	say_answer(&run);
	memcpy(run.proof, old.proof, sizeof(run.proof));
	assert_int_equal(check_proof(&run), -EBADMSG);

	start(&run);
	run.r_self.node = 11;
	say_hello(&run);
	assert_int_equal(say_answer(&run), -EBADMSG);
	start(&run);
	say_hello(&run);
	assert_int_equal(handshake_answer(&run.i, &run.i_self, R_NODE, run.hello,
					  HANDSHAKE_HELLO_SIZE, run.answer),
			 -EBADMSG);
}

static void check__nothing_was_said_before(void **state)
{
	struct run run;

	(void)state;
	start(&run);
	run_all(&run);
	run.r = (struct handshake){.peer = I_NODE};
	assert_int_equal(check_proof(&run), -EBADMSG);
}

static void hello__without_random_bytes(void **state)
{
	struct run run;

	(void)state;
	start(&run);
	run.i_self.random = no_bytes;
	assert_int_equal(say_hello(&run), -EIO);
}

static int make_keys(void **state)
{
	struct crypto_suite suite = {CRYPTO_AES256, CRYPTO_SHA256};
	struct cluster_key other;
	uint8_t bytes[128] = {1};

	(void)state;
	if (cluster_key_derive(suite, "test", bytes, sizeof(bytes), &key_a) ||
	    cluster_key_derive(suite, "other", bytes, sizeof(bytes), &other)) {
		return -1;
	}
	bytes[127] = 1;
	return cluster_key_derive(suite, "test", bytes, sizeof(bytes), &key_b) ||
	       cluster_key_same(&key_a, &key_b) || cluster_key_same(&key_a, &other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all__both_have_the_same_keys),
		cmocka_unit_test(all__the_dialling_side_prefers),
		cmocka_unit_test(prove__needs_the_key),
		cmocka_unit_test(answer__no_key_of_zeros),
		cmocka_unit_test(prove__needs_the_cluster),
		cmocka_unit_test(answer__says_what_is_not_in_common),
		cmocka_unit_test(all__no_bent_bit),
		cmocka_unit_test(all__no_other_size),
		cmocka_unit_test(all__no_repetition),
		cmocka_unit_test(check__nothing_was_said_before),
		cmocka_unit_test(hello__without_random_bytes),
	};

	return cmocka_run_group_tests(tests, make_keys, NULL);
}
