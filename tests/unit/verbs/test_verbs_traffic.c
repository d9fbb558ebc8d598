/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames, READs and control messages on a fake adapter: resends, credit, breaches, and completions
 * that make no sense. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/verbs/bench.h"
#include "verbs/timing.h"
#include "verbs/wrid.h"

/* --- bulk --- */

static void bulk__is_redialled_and_the_tail_sent_again_in_order(void **state)
{
	struct bench *b = *state;
	uint64_t first;
	int posts;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	assert_int_equal(send_frames(b, PEER, 0, 6), 0);
	first = fake.posts[fake.post_count - 6].wr_id;
	fake_complete(first, b->bulk->qp->qp_num, IBV_WC_SUCCESS, 0, false);
	fake_complete(first + 1, b->bulk->qp->qp_num, IBV_WC_REM_INV_REQ_ERR, 0, false);
	turn(b, 1);
	assert_non_null(event_of(b, TRANSPORT_SENT));
	assert_int_equal(event_of(b, TRANSPORT_SENT)->cookie, 0);
	assert_non_null(event_of(b, TRANSPORT_BULK_DOWN));
	assert_null(event_of(b, TRANSPORT_PEER_DOWN));
	/* Control works, frames are taken. */
	assert_int_equal(OPS->send_control(b->t, PEER, "x", 1), 0);
	assert_int_equal(send_frames(b, PEER, 6, 3), 0);
	posts = fake_count_posts(WR_FRAME_SEND);
	turn(b, 100);
	b->bulk = dial_to_connect(b);
	assert_int_equal(last_request().class, CHANNEL_BULK);
	fake_cm_event(RDMA_CM_EVENT_ESTABLISHED, b->bulk, 0, NULL, 0);
	turn(b, 1);
	done(b, WR_KEEPALIVE, IBV_WC_SUCCESS);
	assert_non_null(event_of(b, TRANSPORT_BULK_UP));
	assert_int_equal(fake_count_posts(WR_FRAME_SEND), posts + 8);
	for (int i = 0; i < 8; i++) {
		uint64_t wr_id = fake.posts[fake.post_count - 8 + i].wr_id;

		fake_complete(wr_id, b->bulk->qp->qp_num, IBV_WC_SUCCESS, 0, false);
	}
	turn(b, 1);
	assert_int_equal(b->count, 8);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(b->events[i].kind, TRANSPORT_SENT);
		assert_int_equal(b->events[i].cookie, i + 1);
	}
}

static void bulk__lost_by_the_acceptor_is_asked_for(void **state)
{
	struct bench *b = *state;
	struct handshake_request r;
	int controls;

	add_peer(b, 1);
	link_up_as_acceptor(b, THEIRS, 40);
	controls = fake_count_posts(WR_CONTROL_SEND);
	assert_int_equal(send_frames(b, 1, 0, 1), 0);
	done(b, WR_FRAME_SEND, IBV_WC_RETRY_EXC_ERR);
	assert_non_null(event_of(b, TRANSPORT_BULK_DOWN));
	assert_int_equal(fake_count_posts(WR_CONTROL_SEND), controls + 1);
	assert_int_equal(fake_last_post(WR_CONTROL_SEND)->head[0], CONTROL_RESET);
	assert_int_equal(fake_last_post(WR_CONTROL_SEND)->head[CONTROL_HEADER], 41);
	/* Again if nothing happens. */
	turn(b, 600);
	assert_int_equal(fake_count_posts(WR_CONTROL_SEND), controls + 2);
	r = request_of(1, CHANNEL_BULK, 50);
	r.session = 40;
	b->bulk = request(b, &r, "10.0.0.1");
	say_attempt(b, CONTROL_READY, 50);
	assert_non_null(event_of(b, TRANSPORT_BULK_UP));
	turn(b, 5000);
	assert_int_equal(fake_last_post(WR_FRAME_SEND)->qp_num, b->bulk->qp->qp_num);
}

static void bulk__is_reset_when_the_acceptor_asks(void **state)
{
	struct bench *b = *state;
	uint32_t bulk_attempt;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	bulk_attempt = last_request().attempt;
	say_attempt(b, CONTROL_RESET, bulk_attempt - 1);
	assert_null(event_of(b, TRANSPORT_BULK_DOWN));
	say_attempt(b, CONTROL_RESET, bulk_attempt);
	assert_non_null(event_of(b, TRANSPORT_BULK_DOWN));
}

static void bulk__that_never_carries_ends_the_link(void **state)
{
	struct bench *b = *state;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	for (int i = 0; i < 50 && !event_of(b, TRANSPORT_PEER_DOWN); i++) {
		fake_cm_event(RDMA_CM_EVENT_DISCONNECTED, b->bulk, 0, NULL, 0);
		turn(b, 1);
		if (event_of(b, TRANSPORT_PEER_DOWN)) {
			break;
		}
		turn(b, 1100);
		done_all(b);
		b->bulk = dial_to_connect(b);
		fake_cm_event(RDMA_CM_EVENT_ESTABLISHED, b->bulk, 0, NULL, 0);
		turn(b, 1);
		done_all(b);
		assert_non_null(event_of(b, TRANSPORT_BULK_UP));
		done_all(b);
		b->heard++;
		say(b, CONTROL_CREDIT, NULL, 0);
	}
	assert_non_null(event_of(b, TRANSPORT_PEER_DOWN));
	assert_false(event_of(b, TRANSPORT_PEER_DOWN)->gone);
}

static void idle__links_are_proved_again_and_again(void **state)
{
	struct bench *b = *state;
	int posts;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	posts = fake_count_posts(WR_KEEPALIVE);
	assert_true(OPS->next_deadline_ms(b->t) > b->now_ms + 500);
	turn(b, 1001);
	assert_int_equal(fake_count_posts(WR_KEEPALIVE), posts + 2);
	/* One at a time: the adapter is at it. */
	turn(b, 5000);
	assert_int_equal(fake_count_posts(WR_KEEPALIVE), posts + 2);
	done(b, WR_KEEPALIVE, IBV_WC_RETRY_EXC_ERR);
	assert_non_null(event_of(b, TRANSPORT_BULK_DOWN));
}

/* --- control's rules --- */

static void control__stops_when_the_peer_takes_nothing(void **state)
{
	struct bench *b = *state;
	uint32_t sent = 0;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	while (OPS->send_control(b->t, PEER, "x", 1) == 0) {
		done(b, WR_CONTROL_SEND, IBV_WC_SUCCESS);
		sent++;
		assert_true(sent < 100);
	}
	assert_int_equal(OPS->send_control(b->t, PEER, "x", 1), -ENOBUFS);
	/* "Ready" has no credit back either. */
	assert_int_equal(sent, CONTROL_QUOTA - CONTROL_RESERVE - 1);
	b->heard = 2 + sent;
	say(b, CONTROL_CREDIT, NULL, 0);
	assert_int_equal(OPS->send_control(b->t, PEER, "x", 1), 0);
}

static void control__gives_credit_before_it_runs_out(void **state)
{
	struct bench *b = *state;
	int posts;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	posts = fake_count_posts(WR_CONTROL_SEND);
	for (int i = 0; i < CONTROL_QUOTA - CONTROL_RESERVE; i++) {
		say(b, CONTROL_DATA, "hello", 5);
		assert_non_null(event_of(b, TRANSPORT_CONTROL));
		assert_memory_equal(event_of(b, TRANSPORT_CONTROL)->data, "hello", 5);
	}
	turn(b, 0);
	assert_true(fake_count_posts(WR_CONTROL_SEND) > posts);
	assert_int_equal(fake_last_post(WR_CONTROL_SEND)->head[0], CONTROL_CREDIT);
}

struct breach {
	const char *what;
	uint8_t bytes[16];
	uint32_t size;
};

static void control__breaches_cost_the_link(void **state)
{
	static const struct breach breaches[] = {
		{"no header", {1, 0, 0}, 3},
		{"unknown kind", {9, 0, 1, 0, 0, 0, 0, 0, 1}, 9},
		{"kind zero", {0, 0, 1, 0, 0, 0, 0, 0, 1}, 9},
		{"not zero", {1, 1, 1, 0, 0, 0, 0, 0, 1}, 9},
		{"size beyond", {1, 0, 9, 0, 0, 0, 0, 0, 1}, 9},
		{"size short of", {1, 0, 0, 0, 0, 0, 0, 0, 1}, 9},
		{"credit of what was never sent", {1, 0, 1, 0, 99, 0, 0, 0, 1}, 9},
		{"credit taken back", {1, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 1}, 9},
		{"second hello", {2, 0, 1, 0, 1, 0, 0, 0, 1}, 9},
		{"ready from the acceptor", {4, 0, 4, 0, 1, 0, 0, 0, 1, 0, 0, 0}, 12},
		{"reset cut short", {5, 0, 2, 0, 1, 0, 0, 0, 1, 0}, 10},
	};

	for (size_t i = 0; i < sizeof(breaches) / sizeof(breaches[0]); i++) {
		struct bench *b = *state;

		add_peer(b, PEER);
		link_up_as_dialler(b, THEIRS);
		say_raw(b, b->control, breaches[i].bytes, breaches[i].size);
		if (!event_of(b, TRANSPORT_PEER_DOWN) || event_of(b, TRANSPORT_CONTROL)) {
			fail_msg("%s is not seen", breaches[i].what);
		}
		assert_non_null(strstr(fake.log, "breaks the protocol"));
		assert_int_equal(fake.live[FAKE_QP], 0);
		bench_teardown(state);
		assert_int_equal(bench_setup(state), 0);
	}
}

/* All peers share the receive places: one more than it was given is another's. */
static void control__beyond_its_credit_costs_the_link(void **state)
{
	struct bench *b = *state;

	add_peer(b, 6);
	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	for (int i = 0; i < 5; i++) {
		say_nothing_often(b, CONTROL_QUOTA - CONTROL_RESERVE);
		done_all(b);
		b->heard = (uint32_t)fake_count_posts(WR_CONTROL_SEND);
		assert_null(event_of(b, TRANSPORT_PEER_DOWN));
	}
	say_nothing_often(b, CONTROL_QUOTA + 1);
	assert_non_null(event_of(b, TRANSPORT_PEER_DOWN));
}

static void control__before_hello_costs_the_connection(void **state)
{
	struct bench *b = *state;
	struct handshake_request r = request_of(1, CHANNEL_CONTROL, 5);

	add_peer(b, 1);
	b->control = request(b, &r, "10.0.0.1");
	say(b, CONTROL_DATA, "x", 1);
	assert_null(event_of(b, TRANSPORT_CONTROL));
	assert_int_equal(fake.live[FAKE_QP], 0);
}

/* --- an adapter that talks nonsense --- */

static void completions__of_nothing_are_harmless(void **state)
{
	struct bench *b = *state;
	uint64_t wr_id;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	fake_complete(0, 1, IBV_WC_SUCCESS, 0, true);
	fake_complete(UINT64_MAX, 1, IBV_WC_SUCCESS, 0, false);
	fake_complete(verbs_wrid_pack((struct wrid){WR_FRAME_RECV, 0, 0, 5000}), 1, IBV_WC_SUCCESS,
		      0, false);
	fake_complete(verbs_wrid_pack((struct wrid){WR_CONTROL_RECV, 0, 0, 5000}), 1,
		      IBV_WC_SUCCESS, 0, true);
	fake_complete(verbs_wrid_pack((struct wrid){WR_CONTROL_RECV, 0, 0, CONTROL_SLOTS_MAX - 1}),
		      1, IBV_WC_SUCCESS, 0, true);
	fake_complete(verbs_wrid_pack((struct wrid){WR_FRAME_SEND, 63, 9, 0}), 1, IBV_WC_SUCCESS, 0,
		      false);
	fake_complete(verbs_wrid_pack((struct wrid){WR_FRAME_SEND, 200, 9, 0}), 1,
		      IBV_WC_GENERAL_ERR, 0, false);
	turn(b, 1);
	assert_int_equal(b->count, 0);
	/* A dead queue pair's completion: right peer, old generation. */
	assert_int_equal(send_frames(b, PEER, 0, 1), 0);
	wr_id = fake_last_post(WR_FRAME_SEND)->wr_id;
	fake_complete(wr_id - (1ull << 32), 1, IBV_WC_WR_FLUSH_ERR, 0, false);
	turn(b, 1);
	assert_int_equal(b->count, 0);
	done(b, WR_FRAME_SEND, IBV_WC_SUCCESS);
	assert_non_null(event_of(b, TRANSPORT_SENT));
	/* A frame from a queue pair that is nobody's: its slot is posted again, the owner hears
	 * nothing. */
	fake_complete(verbs_wrid_pack((struct wrid){WR_FRAME_RECV, 0, 0, 3}), 999, IBV_WC_SUCCESS,
		      50, false);
	turn(b, 1);
	assert_int_equal(b->count, 0);
	assert_int_equal(OPS->slot_post(b->t, 3), -EEXIST);
}

static void completions__out_of_order_break_the_channel(void **state)
{
	struct bench *b = *state;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	assert_int_equal(send_frames(b, PEER, 0, 3), 0);
	done(b, WR_FRAME_SEND, IBV_WC_SUCCESS);
	assert_null(event_of(b, TRANSPORT_SENT));
	assert_non_null(event_of(b, TRANSPORT_BULK_DOWN));
	assert_non_null(strstr(fake.log, "not the oldest"));
}

static void posting__refused_by_the_adapter_breaks_the_channel(void **state)
{
	struct bench *b = *state;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	fake.post_errno = ENOMEM;
	assert_int_equal(send_frames(b, PEER, 0, 1), 0);
	fake.post_errno = 0;
	turn(b, 0);
	assert_non_null(event_of(b, TRANSPORT_BULK_DOWN));
	assert_null(event_of(b, TRANSPORT_FAILED));
}

/* An adapter that gathers fewer pieces than we could use gets queue pairs and frames to its measure
 * (the fake refuses others). */
static void frames__have_the_pieces_that_the_adapter_gathers(void **state)
{
	struct transport_seg segs[14];
	struct bench *b = *state;

	fake.attr.max_sge = 13;
	bench_reopen(b);
	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	for (uint32_t i = 0; i < 14; i++) {
		segs[i] = (struct transport_seg){.size_bytes = 10, .offset = i * 100ull};
	}
	assert_int_equal(OPS->send_frame(b->t, PEER, segs, 14, 1), -EMSGSIZE);
	assert_int_equal(OPS->send_frame(b->t, PEER, segs, 13, 1), 0);
	assert_int_equal(fake_last_post(WR_FRAME_SEND)->size_bytes, 130);
	done(b, WR_FRAME_SEND, IBV_WC_SUCCESS);
	assert_non_null(event_of(b, TRANSPORT_SENT));
}

static void frames__arrive_in_slots(void **state)
{
	struct bench *b = *state;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	fake_complete(verbs_wrid_pack((struct wrid){WR_FRAME_RECV, 0, 0, 7}), b->bulk->qp->qp_num,
		      IBV_WC_SUCCESS, 123, false);
	turn(b, 1);
	assert_int_equal(b->count, 1);
	assert_int_equal(b->events[0].kind, TRANSPORT_FRAME);
	assert_int_equal(b->events[0].node, PEER);
	assert_int_equal(b->events[0].slot, 7);
	assert_int_equal(b->events[0].size_bytes, 123);
	assert_int_equal(OPS->slot_post(b->t, 7), 0);
}

/* An adapter that reports the last receive place: it is waited for, a little, before the queue pair
 * is destroyed. */
static void loss__waits_for_places_that_the_adapter_still_has(void **state)
{
	struct bench *b = *state;
	struct transport_peer_stats stats;

	fake.attr.vendor_id = 0x2c9;
	bench_reopen(b);
	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	fake.async[0] = (struct ibv_async_event){.event_type = IBV_EVENT_QP_LAST_WQE_REACHED};
	fake.async[1] = fake.async[0];
	fake.async[0].element.qp = b->control->qp;
	fake.async[1].element.qp = b->bulk->qp;
	fake.async_count = 2;
	fake_cm_event(RDMA_CM_EVENT_DISCONNECTED, b->control, 0, NULL, 0);
	turn(b, 1);
	assert_int_equal(fake.async_count, 0);
	assert_int_equal(OPS->peer_stats(b->t, PEER, &stats), 0);
	assert_false(stats.up);
	/* And not for ever. */
	turn(b, 100);
	link_up_as_dialler(b, THEIRS);
	fake_cm_event(RDMA_CM_EVENT_DISCONNECTED, b->control, 0, NULL, 0);
	turn(b, 1);
	assert_int_equal(fake.live[FAKE_QP], 0);
}

static void device_removal__ends_everything_once(void **state)
{
	struct bench *b = *state;

	add_peer(b, PEER);
	link_up_as_dialler(b, THEIRS);
	assert_int_equal(send_frames(b, PEER, 0, 2), 0);
	fake_cm_event(RDMA_CM_EVENT_DEVICE_REMOVAL, b->control, 0, NULL, 0);
	turn(b, 1);
	assert_non_null(event_of(b, TRANSPORT_PEER_DOWN));
	assert_non_null(event_of(b, TRANSPORT_FAILED));
	assert_non_null(event_of(b, TRANSPORT_LOST));
	assert_int_equal(fake.live[FAKE_QP], 0);
	assert_non_null(strstr(fake.log, "is lost"));
	turn(b, 5000);
	assert_int_equal(b->count, 0);
	assert_true(OPS->next_deadline_ms(b->t) == UINT64_MAX);
	assert_int_equal(OPS->send_control(b->t, PEER, "x", 1), -ENOTCONN);
	assert_int_equal(OPS->slot_post(b->t, 0), -EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		bench_test(bulk__is_redialled_and_the_tail_sent_again_in_order),
		bench_test(bulk__lost_by_the_acceptor_is_asked_for),
		bench_test(bulk__is_reset_when_the_acceptor_asks),
		bench_test(bulk__that_never_carries_ends_the_link),
		bench_test(idle__links_are_proved_again_and_again),
		bench_test(control__stops_when_the_peer_takes_nothing),
		bench_test(control__gives_credit_before_it_runs_out),
		bench_test(control__breaches_cost_the_link),
		bench_test(control__beyond_its_credit_costs_the_link),
		bench_test(control__before_hello_costs_the_connection),
		bench_test(completions__of_nothing_are_harmless),
		bench_test(completions__out_of_order_break_the_channel),
		bench_test(posting__refused_by_the_adapter_breaks_the_channel),
		bench_test(frames__have_the_pieces_that_the_adapter_gathers),
		bench_test(frames__arrive_in_slots),
		bench_test(loss__waits_for_places_that_the_adapter_still_has),
		bench_test(device_removal__ends_everything_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
