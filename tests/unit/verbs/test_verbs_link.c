/* SPDX-License-Identifier: BSD-3-Clause */
/* A link's life on a fake adapter: the steps up, who is let in, every way down and who is told
 * what. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/verbs/bench.h"
#include "verbs/timing.h"
#include "verbs/wrid.h"

/* --- the way up --- */

static void dial__goes_up_step_by_step(void **state)
{
	struct bench *b = *state;
	struct transport_peer_stats stats;

	add_peer(b, PEER);
	assert_int_equal(fake.resolves, 1);
	link_up_as_dialler(b, THEIRS);
	assert_int_equal(OPS->peer_stats(b->t, PEER, &stats), 0);
	assert_true(stats.up);
	assert_int_equal(stats.redials, 0);
	/* What the connection manager is told, and what it has no words for. */
	assert_true(fake.connect_param.retry_count < 7);
	assert_int_equal(fake.connect_param.rnr_retry_count, 7);
	assert_int_equal(fake.connect_param.initiator_depth, 16);
	assert_int_equal(fake.ack_timeout, verbs_ack_timeout_bulk(1000));
	assert_int_equal(fake.rnr_timer, VERBS_MIN_RNR_TIMER);
	assert_int_equal(fake.qp_access, IBV_ACCESS_REMOTE_READ);
	assert_int_equal(last_request().class, CHANNEL_BULK);
	assert_int_equal(last_request().session, b->attempt);
	assert_int_equal(fake_last_post(WR_KEEPALIVE)->rkey, 0x77);
}

static void accept__goes_up_step_by_step(void **state)
{
	struct bench *b = *state;

	add_peer(b, 1);
	assert_int_equal(fake.resolves, 0);
	link_up_as_acceptor(b, THEIRS, 40);
	assert_true(event_of(b, TRANSPORT_PEER_UP)->incarnation == THEIRS);
	assert_int_equal(fake.qp_access, IBV_ACCESS_REMOTE_READ);
	assert_int_equal(fake.rnr_timer, VERBS_MIN_RNR_TIMER);
}

/* The connection manager's queue pairs permit remote writes. */
static void queue_pair__that_permits_too_much_is_not_used(void **state)
{
	struct bench *b = *state;
	struct handshake_request r = request_of(1, CHANNEL_CONTROL, 5);

	fake.modify_errno = EINVAL;
	add_peer(b, 1);
	request(b, &r, "10.0.0.1");
	turn(b, 1);
	assert_int_equal(fake.live[FAKE_QP], 0);
	add_peer(b, PEER);
	fake_cm_event(RDMA_CM_EVENT_ESTABLISHED, dial_to_connect(b), 0, NULL, 0);
	turn(b, 1);
	assert_int_equal(fake.live[FAKE_QP], 0);
	assert_null(fake_last_post(WR_CONTROL_SEND));
	assert_non_null(strstr(fake.log, "cannot set RNR timer and access"));
}

/* The confirmation got lost; the hello itself confirms. The kernel is not told (link.c). */
static void accept__believes_what_arrives(void **state)
{
	struct bench *b = *state;
	struct handshake_request r = request_of(1, CHANNEL_CONTROL, 5);

	add_peer(b, 1);
	b->attempt = 5;
	b->control = request(b, &r, "10.0.0.1");
	say_hello(b, THEIRS);
	assert_int_equal(fake.notifies, 0);
	assert_non_null(fake_last_post(WR_CONTROL_SEND));
}

static void dial__is_given_up_after_our_own_time(void **state)
{
	struct bench *b = *state;
	uint64_t due_ms;

	add_peer(b, PEER);
	for (int round = 0; round < 6; round++) {
		int resolves = fake.resolves;

		due_ms = OPS->next_deadline_ms(b->t);
		assert_true(due_ms > b->now_ms && due_ms <= b->now_ms + 1200);
		turn(b, due_ms - b->now_ms);
		/* The id is gone, the next dial has a time. */
		assert_int_equal(fake.live[FAKE_ID], 1);
		due_ms = OPS->next_deadline_ms(b->t);
		assert_true(due_ms <= b->now_ms + VERBS_BACKOFF_MIN_MS);
		turn(b, due_ms - b->now_ms);
		assert_int_equal(fake.resolves, resolves + 1);
	}
}

static void dial__is_given_up_while_connecting(void **state)
{
	struct bench *b = *state;

	add_peer(b, PEER);
	dial_to_connect(b);
	assert_int_equal(fake.live[FAKE_QP], 1);
	turn(b, 2000);
	assert_int_equal(fake.live[FAKE_QP], 0);
	assert_int_equal(fake.live[FAKE_ID], 1);
}

static void dial__backs_off_when_refused(void **state)
{
	struct bench *b = *state;
	uint64_t longest_ms = 0;

	add_peer(b, PEER);
	for (int round = 0; round < 12; round++) {
		uint64_t due_ms;

		fake_cm_event(RDMA_CM_EVENT_REJECTED, dial_to_connect(b), 8, NULL, 0);
		turn(b, 1);
		due_ms = OPS->next_deadline_ms(b->t);
		longest_ms = due_ms - b->now_ms > longest_ms ? due_ms - b->now_ms : longest_ms;
		turn(b, due_ms - b->now_ms);
	}
	assert_true(longest_ms >= 500 && longest_ms <= 1000);
	/* Said once, not each time. */
	assert_non_null(strstr(fake.log, "nobody listens there"));
	assert_null(strstr(strstr(fake.log, "nobody listens there") + 1, "nobody listens there"));
	assert_null(event_of(b, TRANSPORT_PEER_DOWN));
}

static void dial__repeats_at_once_when_stale(void **state)
{
	struct bench *b = *state;

	add_peer(b, PEER);
	for (int round = 0; round < 3; round++) {
		int resolves = fake.resolves;

		fake_cm_event(RDMA_CM_EVENT_REJECTED, dial_to_connect(b), 10, NULL, 0);
		turn(b, 1);
		turn(b, 0);
		assert_int_equal(fake.resolves, resolves + 1);
	}
}

static void dial__to_somebody_else_is_noticed(void **state)
{
	struct bench *b = *state;

	add_peer(b, PEER);
	b->control = dial_to_connect(b);
	b->attempt = last_request().attempt;
	fake_cm_event(RDMA_CM_EVENT_ESTABLISHED, b->control, 0, NULL, 0);
	turn(b, 1);
	b->peer = 9;
	say_hello(b, THEIRS);
	assert_non_null(strstr(fake.log, "somebody else answers there, node 9"));
	assert_int_equal(fake.live[FAKE_QP], 0);
}

static void dial__names_the_reason_of_a_rejection(void **state)
{
	struct bench *b = *state;
	struct handshake_reject reject = {REJECT_CLUSTER, PEER, THEIRS};
	uint8_t bytes[HANDSHAKE_REJECT_MAX] = {0};

	add_peer(b, PEER);
	verbs_handshake_put_reject(&reject, bytes);
	fake_cm_event(RDMA_CM_EVENT_REJECTED, dial_to_connect(b), 28, bytes, sizeof(bytes));
	turn(b, 1);
	assert_non_null(strstr(fake.log, "rejects our control channel: another cluster name"));
}

/* Any verb or call that fails while dialling costs that dial and nothing else. */
static void dial__survives_any_failing_call(void **state)
{
	struct bench *b = *state;

	add_peer(b, PEER);
	for (int at = 0; at < 6; at++) {
		turn(b, 3000);
		turn(b, 3000);
		fake.fail_at = fake.calls + at;
		fake_cm_event(RDMA_CM_EVENT_ADDR_RESOLVED, newest_id(), 0, NULL, 0);
		turn(b, 1);
		fake_cm_event(RDMA_CM_EVENT_ROUTE_RESOLVED, newest_id(), 0, NULL, 0);
		turn(b, 1);
		turn(b, 2000);
		fake.fail_at = -1;
	}
	for (int i = 0; i < 4 && fake.live[FAKE_ID] < 2; i++) {
		turn(b, 1000);
	}
	link_up_as_dialler(b, THEIRS);
}

/* --- who is let in --- */

static void assert_rejected(struct bench *b, const struct handshake_request *r, const char *from,
			    enum reject_reason reason)
{
	struct handshake_reject reject;
	int rejects = fake.rejects;
	int ids = fake.live[FAKE_ID];

	request(b, r, from);
	assert_int_equal(fake.rejects, rejects + 1);
	assert_int_equal(fake.live[FAKE_ID], ids);
	assert_true(
		verbs_handshake_get_reject(fake.reject_data, sizeof(fake.reject_data), &reject));
	assert_int_equal(reject.reason, reason);
	assert_int_equal(reject.node, 3);
	assert_true(reject.incarnation == 300);
}

static void accept__rejects_whom_it_must(void **state)
{
	struct bench *b = *state;
	struct handshake_request r;

	add_peer(b, 1);
	add_peer(b, PEER);
	r = request_of(1, CHANNEL_CONTROL, 1);
	r.cluster++;
	assert_rejected(b, &r, "10.0.0.1", REJECT_CLUSTER);
	r = request_of(1, CHANNEL_CONTROL, 1);
	r.to = 4;
	assert_rejected(b, &r, "10.0.0.1", REJECT_WRONG_NODE);
	r = request_of(2, CHANNEL_CONTROL, 1);
	assert_rejected(b, &r, "10.0.0.2", REJECT_UNKNOWN_NODE);
	r = request_of(1, CHANNEL_CONTROL, 1);
	assert_rejected(b, &r, "10.0.0.9", REJECT_ADDRESS);
	r = request_of(PEER, CHANNEL_CONTROL, 1);
	assert_rejected(b, &r, "10.0.0.5", REJECT_DIRECTION);
	r = request_of(1, CHANNEL_CONTROL, 1);
	r.slot_size_bytes = 4096;
	assert_rejected(b, &r, "10.0.0.1", REJECT_SLOT_SIZE);
	r = request_of(1, CHANNEL_BULK, 1);
	assert_rejected(b, &r, "10.0.0.1", REJECT_NO_SESSION);
	r = request_of(1, CHANNEL_PROBE, 1);
	assert_rejected(b, &r, "10.0.0.1", REJECT_ALIVE);
}

static void accept__rejects_garbage(void **state)
{
	struct bench *b = *state;
	uint8_t bytes[56];

	add_peer(b, 1);
	for (unsigned i = 0; i < 200; i++) {
		for (size_t k = 0; k < sizeof(bytes); k++) {
			bytes[k] = (uint8_t)(i * 31 + k * k * 7 + (k >> 2) * i);
		}
		fake_request("10.0.0.1", bytes, (uint8_t)(i % (sizeof(bytes) + 1)));
		turn(b, 1);
	}
	assert_int_equal(fake.rejects, 200);
	assert_int_equal(fake.accepts, 0);
	assert_int_equal(fake.live[FAKE_ID], 1);
}

static void accept__takes_no_attempt_twice(void **state)
{
	struct bench *b = *state;
	struct handshake_request r = request_of(1, CHANNEL_CONTROL, 39);

	add_peer(b, 1);
	link_up_as_acceptor(b, THEIRS, 40);
	assert_rejected(b, &r, "10.0.0.1", REJECT_OLD);
	r.attempt = 40;
	assert_rejected(b, &r, "10.0.0.1", REJECT_OLD);
	assert_null(event_of(b, TRANSPORT_PEER_DOWN));
	r = request_of(1, CHANNEL_BULK, 50);
	r.session = 39;
	assert_rejected(b, &r, "10.0.0.1", REJECT_NO_SESSION);
}

/* Who lies about a number locks the true node out for a moment, not for good. */
static void accept__believes_no_attempt_for_long(void **state)
{
	struct bench *b = *state;
	struct handshake_request r = request_of(1, CHANNEL_CONTROL, 0x70000000);
	int accepts;

	add_peer(b, 1);
	link_up_as_acceptor(b, THEIRS, 40);
	request(b, &r, "10.0.0.1");
	r.attempt = 41;
	assert_rejected(b, &r, "10.0.0.1", REJECT_OLD);
	accepts = fake.accepts;
	turn(b, 3000);
	turn(b, 3000);
	request(b, &r, "10.0.0.1");
	assert_int_equal(fake.accepts, accepts + 1);
}

static void accept__survives_any_failing_call(void **state)
{
	struct bench *b = *state;

	add_peer(b, 1);
	for (int at = 0; at < 4; at++) {
		struct handshake_request r = request_of(1, CHANNEL_CONTROL, 10 + (uint32_t)at);

		fake.fail_at = fake.calls + at;
		request(b, &r, "10.0.0.1");
		fake.fail_at = -1;
		turn(b, 5000);
		assert_int_equal(fake.live[FAKE_ID], 1);
	}
	link_up_as_acceptor(b, THEIRS, 40);
}

/* --- the ways down --- */

static void loss__is_held_until_the_refusal_proves_the_end(void **state)
{
	struct bench *b = *state;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	fake_cm_event(RDMA_CM_EVENT_DISCONNECTED, b->control, 0, NULL, 0);
	turn(b, 1);
	assert_null(event_of(b, TRANSPORT_PEER_DOWN));
	assert_int_equal(OPS->send_control(b->t, PEER, "x", 1), -ENOTCONN);
	turn(b, 100);
	fake_cm_event(RDMA_CM_EVENT_REJECTED, dial_to_connect(b), 8, NULL, 0);
	turn(b, 1);
	assert_non_null(event_of(b, TRANSPORT_PEER_DOWN));
	assert_true(event_of(b, TRANSPORT_PEER_DOWN)->gone);
	turn(b, 2000);
	assert_null(event_of(b, TRANSPORT_PEER_DOWN));
}

/* So it comes when the other side hung up before our confirmation reached it. */
static void loss__by_a_late_rejection_is_a_hang_up(void **state)
{
	struct bench *b = *state;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	fake_cm_event(RDMA_CM_EVENT_REJECTED, b->control, 28, NULL, 0);
	turn(b, 1);
	assert_null(event_of(b, TRANSPORT_PEER_DOWN));
	turn(b, 100);
	fake_cm_event(RDMA_CM_EVENT_REJECTED, dial_to_connect(b), 8, NULL, 0);
	turn(b, 1);
	assert_non_null(event_of(b, TRANSPORT_PEER_DOWN));
	assert_true(event_of(b, TRANSPORT_PEER_DOWN)->gone);
}

static void loss__of_a_living_process_is_not_its_end(void **state)
{
	struct bench *b = *state;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	fake_cm_event(RDMA_CM_EVENT_DISCONNECTED, b->control, 0, NULL, 0);
	turn(b, 1);
	turn(b, 100);
	/* It answers, and with the same incarnation. */
	b->said = b->heard = 0;
	b->control = dial_to_connect(b);
	b->attempt = last_request().attempt;
	fake_cm_event(RDMA_CM_EVENT_ESTABLISHED, b->control, 0, NULL, 0);
	turn(b, 1);
	assert_null(event_of(b, TRANSPORT_PEER_DOWN));
	b->heard = 1;
	say_hello(b, THEIRS);
	assert_non_null(event_of(b, TRANSPORT_PEER_DOWN));
	assert_false(event_of(b, TRANSPORT_PEER_DOWN)->gone);
}

static void loss__and_another_life_behind_the_same_address(void **state)
{
	struct bench *b = *state;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	fake_cm_event(RDMA_CM_EVENT_DISCONNECTED, b->control, 0, NULL, 0);
	turn(b, 1);
	turn(b, 100);
	b->heard = 0;
	b->control = dial_to_connect(b);
	b->attempt = last_request().attempt;
	fake_cm_event(RDMA_CM_EVENT_ESTABLISHED, b->control, 0, NULL, 0);
	turn(b, 1);
	b->heard = 1;
	say_hello(b, THEIRS + 1);
	assert_non_null(event_of(b, TRANSPORT_PEER_DOWN));
	assert_true(event_of(b, TRANSPORT_PEER_DOWN)->gone);
}

static void loss__without_an_answer_is_reported_in_the_end(void **state)
{
	struct bench *b = *state;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	fake_cm_event(RDMA_CM_EVENT_DISCONNECTED, b->control, 0, NULL, 0);
	turn(b, 1);
	for (int i = 0; i < 20 && !event_of(b, TRANSPORT_PEER_DOWN); i++) {
		turn(b, 100);
	}
	assert_non_null(event_of(b, TRANSPORT_PEER_DOWN));
	assert_false(event_of(b, TRANSPORT_PEER_DOWN)->gone);
}

static void loss__by_silence_is_reported_at_once(void **state)
{
	struct bench *b = *state;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	assert_int_equal(OPS->send_control(b->t, PEER, "x", 1), 0);
	done(b, WR_CONTROL_SEND, IBV_WC_RETRY_EXC_ERR);
	assert_non_null(event_of(b, TRANSPORT_PEER_DOWN));
	assert_false(event_of(b, TRANSPORT_PEER_DOWN)->gone);
}

/* Who does not dial asks. Returns what the owner hears when the question is answered by this
 * rejection. */
static bool probed_gone(struct bench *b, int status, uint64_t incarnation)
{
	struct handshake_reject alive = {REJECT_ALIVE, 1, incarnation};
	uint8_t bytes[HANDSHAKE_REJECT_MAX] = {0};
	bool gone;

	add_peer(b, 1);
	link_up_as_acceptor(b, THEIRS, 40);
	fake_cm_event(RDMA_CM_EVENT_DISCONNECTED, b->control, 0, NULL, 0);
	turn(b, 1);
	assert_null(event_of(b, TRANSPORT_PEER_DOWN));
	turn(b, 100);
	dial_to_connect(b);
	assert_int_equal(last_request().class, CHANNEL_PROBE);
	assert_int_equal(fake.live[FAKE_QP], 0);
	verbs_handshake_put_reject(&alive, bytes);
	fake_cm_event(RDMA_CM_EVENT_REJECTED, newest_id(), status, bytes, sizeof(bytes));
	turn(b, 1);
	assert_non_null(event_of(b, TRANSPORT_PEER_DOWN));
	gone = event_of(b, TRANSPORT_PEER_DOWN)->gone;
	/* And it does not go on asking, nor dialling. */
	turn(b, 5000);
	assert_int_equal(fake.live[FAKE_ID], 1);
	return gone;
}

static void acceptor__probes_and_finds_it_alive(void **state)
{
	assert_false(probed_gone(*state, 28, THEIRS));
}

static void acceptor__probes_and_finds_another_life(void **state)
{
	assert_true(probed_gone(*state, 28, THEIRS + 1));
}

static void acceptor__probes_and_finds_nobody(void **state)
{
	assert_true(probed_gone(*state, 8, 0));
}

static void acceptor__asks_again_when_nobody_answers(void **state)
{
	struct bench *b = *state;
	int turns = 0;

	add_peer(b, 1);
	link_up_as_acceptor(b, THEIRS, 40);
	fake_cm_event(RDMA_CM_EVENT_DISCONNECTED, b->control, 0, NULL, 0);
	turn(b, 1);
	while (!event_of(b, TRANSPORT_PEER_DOWN) && turns++ < 100) {
		turn(b, 20);
	}
	assert_false(event_of(b, TRANSPORT_PEER_DOWN)->gone);
	assert_true(fake.resolves >= 2 && fake.resolves <= 5);
}

static void acceptor__lets_a_new_life_replace_the_old(void **state)
{
	struct bench *b = *state;
	struct handshake_request r = request_of(1, CHANNEL_CONTROL, 2);

	add_peer(b, 1);
	link_up_as_acceptor(b, THEIRS, 40);
	r.incarnation = THEIRS + 1;
	request(b, &r, "10.0.0.1");
	assert_non_null(event_of(b, TRANSPORT_PEER_DOWN));
	assert_true(event_of(b, TRANSPORT_PEER_DOWN)->gone);
	assert_int_equal(fake.live[FAKE_QP], 1);
}

static void fence__returns_what_is_lent_and_says_nothing_more(void **state)
{
	struct bench *b = *state;
	struct transport_seg into = {.size_bytes = 100};
	int failed = 0;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	assert_int_equal(send_frames(b, PEER, 0, DEPTH), 0);
	assert_int_equal(send_frames(b, PEER, 99, 1), -ENOBUFS);
	assert_int_equal(OPS->read(b->t, PEER, 1, 0, &into, 7),
			 0); /* no key of ours: fails by itself */
	OPS->peer_fence(b->t, PEER);
	assert_int_equal(fake.live[FAKE_QP], 0);
	turn(b, 1);
	for (int i = 0; i < b->count; i++) {
		failed += b->events[i].kind == TRANSPORT_FAILED;
		assert_true(b->events[i].kind == TRANSPORT_FAILED ||
			    b->events[i].kind == TRANSPORT_READ_DONE);
	}
	assert_int_equal(failed, DEPTH);
	assert_non_null(event_of(b, TRANSPORT_READ_DONE));
	assert_int_equal(event_of(b, TRANSPORT_READ_DONE)->status, -EACCES);
	link_up_as_dialler(b, THEIRS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		bench_test(dial__goes_up_step_by_step),
		bench_test(accept__goes_up_step_by_step),
		bench_test(queue_pair__that_permits_too_much_is_not_used),
		bench_test(accept__believes_what_arrives),
		bench_test(dial__is_given_up_after_our_own_time),
		bench_test(dial__is_given_up_while_connecting),
		bench_test(dial__backs_off_when_refused),
		bench_test(dial__repeats_at_once_when_stale),
		bench_test(dial__to_somebody_else_is_noticed),
		bench_test(dial__names_the_reason_of_a_rejection),
		bench_test(dial__survives_any_failing_call),
		bench_test(accept__rejects_whom_it_must),
		bench_test(accept__rejects_garbage),
		bench_test(accept__takes_no_attempt_twice),
		bench_test(accept__believes_no_attempt_for_long),
		bench_test(accept__survives_any_failing_call),
		bench_test(loss__is_held_until_the_refusal_proves_the_end),
		bench_test(loss__by_a_late_rejection_is_a_hang_up),
		bench_test(loss__of_a_living_process_is_not_its_end),
		bench_test(loss__and_another_life_behind_the_same_address),
		bench_test(loss__without_an_answer_is_reported_in_the_end),
		bench_test(loss__by_silence_is_reported_at_once),
		bench_test(acceptor__probes_and_finds_it_alive),
		bench_test(acceptor__probes_and_finds_another_life),
		bench_test(acceptor__probes_and_finds_nobody),
		bench_test(acceptor__asks_again_when_nobody_answers),
		bench_test(acceptor__lets_a_new_life_replace_the_old),
		bench_test(fence__returns_what_is_lent_and_says_nothing_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
