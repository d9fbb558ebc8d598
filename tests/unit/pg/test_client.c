/* SPDX-License-Identifier: BSD-3-Clause */
/* The client state table: every cell, reached through the interface and looked at through it. */
#include "pg/client.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "feed.h"

#define PID 10

/* What a state is for those outside: the answers to join, leave and mcast. Whether messages come is
 * another thing: a client that leaves gets them if its join has its place already. */
struct face {
	cs_error_t join;
	cs_error_t leave;
	cs_error_t mcast;
};

static const struct face faces[PG_CLIENT_STATES] = {
	[PG_UNJOINED] = {CS_OK, CS_ERR_NOT_EXIST, CS_ERR_NOT_EXIST},
	[PG_JOINING] = {CS_ERR_EXIST, CS_OK, CS_OK},
	[PG_JOINED] = {CS_ERR_EXIST, CS_OK, CS_OK},
	[PG_LEAVING] = {CS_ERR_TRY_AGAIN, CS_ERR_NOT_EXIST, CS_ERR_NOT_EXIST},
};

/* What each cell must be, written down once more and independently of the table. */
struct expected {
	cs_error_t answer; /* 0: cannot happen */
	enum pg_client_state next;
	uint32_t submits;
};

static const struct expected expected[PG_CLIENT_STATES][PG_CLIENT_EVENTS] = {
	{{CS_OK, PG_JOINING, 1},
	 {CS_ERR_NOT_EXIST, PG_UNJOINED, 0},
	 {CS_ERR_NOT_EXIST, PG_UNJOINED, 0},
	 {CS_OK, PG_UNJOINED, 0},
	 {0},
	 {0}},
	{{CS_ERR_EXIST, PG_JOINING, 0},
	 {CS_OK, PG_LEAVING, 1},
	 {CS_OK, PG_JOINING, 1},
	 {CS_OK, PG_UNJOINED, 1},
	 {CS_OK, PG_JOINED, 0},
	 {0}},
	{{CS_ERR_EXIST, PG_JOINED, 0},
	 {CS_OK, PG_LEAVING, 1},
	 {CS_OK, PG_JOINED, 1},
	 {CS_OK, PG_UNJOINED, 1},
	 {0},
	 {0}},
	{{CS_ERR_TRY_AGAIN, PG_LEAVING, 0},
	 {CS_ERR_NOT_EXIST, PG_LEAVING, 0},
	 {CS_ERR_NOT_EXIST, PG_LEAVING, 0},
	 {CS_OK, PG_UNJOINED, 0},
	 {CS_OK, PG_LEAVING, 0},
	 {CS_OK, PG_UNJOINED, 0}},
};

/* Client 0 of a fresh node in that state; member 2:20 is in the group to talk to it. For the leaving
 * state `event` decides whether the join has been delivered before. */
static struct feed *reach(enum pg_client_state state, enum pg_client_event event)
{
	struct feed *f = feed_new(4, 16);

	feed_activate(f, 2);
	assert_null(feed_message(f, PG_MSG_JOIN, 2, 20, "g"));
	assert_int_equal(pg_client_open(f->pg, 0, false), 0);
	if (state == PG_UNJOINED) {
		return f;
	}
	assert_int_equal(feed_join(f, 0, PID, "g"), CS_OK);
	if (state == PG_JOINED || (state == PG_LEAVING && event != PG_EV_OWN_JOIN)) {
		assert_null(feed_own(f));
	}
	if (state == PG_LEAVING) {
		assert_int_equal(pg_leave(f->pg, 0), CS_OK);
		feed_collect(f);
	}
	return f;
}

/* Own messages are forged where the client did not send them; then they must change nothing. */
static cs_error_t own(struct feed *f, enum pg_msg_kind kind, bool sent)
{
	const char *reason = sent ? feed_own(f) : feed_message(f, kind, 1, PID, "g");

	return reason ? 0 : CS_OK;
}

static cs_error_t happen(struct feed *f, enum pg_client_state state, enum pg_client_event event)
{
	cs_error_t answer = CS_OK;

	switch (event) {
	case PG_EV_JOIN:
		return feed_join(f, 0, PID, "g");
	case PG_EV_LEAVE:
		answer = pg_leave(f->pg, 0);
		break;
	case PG_EV_MCAST:
		answer = pg_mcast(f->pg, 0, FRAME_AGREED, NULL);
		break;
	case PG_EV_CLOSE:
		pg_client_close(f->pg, 0);
		break;
	case PG_EV_OWN_JOIN:
		return own(f, PG_MSG_JOIN, state == PG_JOINING || state == PG_LEAVING);
	case PG_EV_OWN_LEAVE:
		return own(f, PG_MSG_LEAVE, state == PG_LEAVING);
	}
	feed_collect(f);
	return answer;
}

static struct feed *reach_and_happen(enum pg_client_state state, enum pg_client_event event)
{
	struct feed *f = reach(state, event);

	happen(f, state, event);
	if (event == PG_EV_CLOSE) {
		/* the next client under that number; the old one's messages are no concern of its */
		assert_int_equal(pg_client_open(f->pg, 0, false), 0);
		feed_own_all(f);
	}
	return f;
}

static void look(enum pg_client_state state, enum pg_client_event event, enum pg_client_state next)
{
	const struct face *face = &faces[next];
	bool joined = state == PG_JOINED || state == PG_LEAVING || event == PG_EV_OWN_JOIN;
	bool receives = joined && (next == PG_JOINED || next == PG_LEAVING);
	struct feed *f = reach_and_happen(state, event);

	assert_int_equal(feed_join(f, 0, PID, "g"), face->join);
	feed_free(f);
	f = reach_and_happen(state, event);
	assert_int_equal(pg_leave(f->pg, 0), face->leave);
	feed_free(f);
	f = reach_and_happen(state, event);
	assert_int_equal(pg_mcast(f->pg, 0, FRAME_AGREED, NULL), face->mcast);
	feed_free(f);
	f = reach_and_happen(state, event);
	assert_null(feed_message(f, PG_MSG_MCAST, 2, 20, "g"));
	assert_int_equal(feed_count(f, PG_ACT_DELIVER), receives);
	feed_free(f);
}

static void cell__answer_effect_and_next_state(void **unused)
{
	(void)unused;
	for (uint32_t s = 0; s < PG_CLIENT_STATES; s++) {
		for (uint32_t e = 0; e < PG_CLIENT_EVENTS; e++) {
			const struct expected *x = &expected[s][e];
			struct feed *f = reach((enum pg_client_state)s, (enum pg_client_event)e);
			uint32_t before = f->own;

			assert_int_equal(pg_client_table[s][e].answer, x->answer);
			assert_int_equal(happen(f, (enum pg_client_state)s,
						(enum pg_client_event)e),
					 x->answer);
			if (x->answer == 0) {
				assert_int_equal(pg_update(f->pg)->count, 0);
				feed_free(f);
				look((enum pg_client_state)s, (enum pg_client_event)e,
				     (enum pg_client_state)s);
				continue;
			}
			if (e < PG_EV_OWN_JOIN) {
				assert_int_equal(f->own - before, x->submits);
			}
			feed_free(f);
			assert_int_equal(pg_client_table[s][e].next, x->next);
			look((enum pg_client_state)s, (enum pg_client_event)e, x->next);
		}
	}
}

static void state_name__is_known_for_each(void **state)
{
	(void)state;
	assert_string_equal(pg_client_state_name(PG_UNJOINED), "unjoined");
	assert_string_equal(pg_client_state_name(PG_JOINING), "joining");
	assert_string_equal(pg_client_state_name(PG_JOINED), "joined");
	assert_string_equal(pg_client_state_name(PG_LEAVING), "leaving");
	assert_string_equal(pg_client_state_name((enum pg_client_state)9), "unknown");
}

static void open__numbers_are_checked(void **state)
{
	struct feed *f = feed_new(2, 8);
	struct cpg_name name = feed_name("g");

	(void)state;
	assert_int_equal(pg_client_open(f->pg, 2, false), -EINVAL);
	assert_int_equal(pg_client_open(f->pg, 1, false), 0);
	assert_int_equal(pg_client_open(f->pg, 1, false), -EEXIST);
	assert_int_equal(pg_join(f->pg, 0, 1, &name), CS_ERR_BAD_HANDLE);
	assert_int_equal(pg_leave(f->pg, UINT32_MAX), CS_ERR_BAD_HANDLE);
	assert_int_equal(pg_mcast(f->pg, 2, FRAME_AGREED, NULL), CS_ERR_BAD_HANDLE);
	pg_client_close(f->pg, 0);
	pg_client_close(f->pg, UINT32_MAX);
	name.length = GROUP_NAME_MAX + 1;
	assert_int_equal(pg_join(f->pg, 1, 1, &name), CS_ERR_NAME_TOO_LONG);
	feed_free(f);
}

static void join__with_all_processes_under_way_asks_to_try_again(void **state)
{
	struct feed *f = feed_new(1, 8);

	(void)state;
	feed_activate(f, 1);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(pg_client_open(f->pg, 0, false), 0);
		assert_int_equal(feed_join(f, 0, PID + i, "g"), CS_OK);
		pg_client_close(f->pg, 0);
		feed_collect(f);
	}
	assert_int_equal(pg_client_open(f->pg, 0, false), 0);
	assert_int_equal(feed_join(f, 0, PID + 2, "g"), CS_ERR_TRY_AGAIN);
	feed_own_all(f);
	assert_int_equal(feed_join(f, 0, PID + 2, "g"), CS_OK);
	feed_own_all(f);
	assert_int_equal(pg_iterate(f->pg, NULL, 0), 1);
	feed_free(f);
}

static void join__with_all_members_taken_says_so(void **state)
{
	struct feed *f = feed_new(1, 2);

	(void)state;
	feed_activate(f, 2);
	assert_int_equal(pg_client_open(f->pg, 0, false), 0);
	assert_null(feed_message(f, PG_MSG_JOIN, 2, 20, "g"));
	assert_null(feed_message(f, PG_MSG_JOIN, 2, 21, "g"));
	assert_int_equal(feed_join(f, 0, PID, "g"), CS_ERR_NO_RESOURCES);
	assert_null(feed_message(f, PG_MSG_LEAVE, 2, 21, "g"));
	assert_int_equal(feed_join(f, 0, PID, "g"), CS_OK);
	feed_free(f);
}

static void join__another_client_of_the_pid_that_is_leaving_asks_to_try_again(void **state)
{
	struct feed *f = feed_new(2, 8);

	(void)state;
	feed_activate(f, 1);
	assert_int_equal(pg_client_open(f->pg, 0, false), 0);
	assert_int_equal(pg_client_open(f->pg, 1, false), 0);
	assert_int_equal(feed_join(f, 0, PID, "g"), CS_OK);
	assert_int_equal(feed_join(f, 1, PID, "g"), CS_ERR_EXIST);
	assert_int_equal(pg_leave(f->pg, 0), CS_OK);
	feed_collect(f);
	assert_int_equal(feed_join(f, 1, PID, "g"), CS_ERR_TRY_AGAIN);
	feed_own_all(f);
	assert_int_equal(feed_join(f, 1, PID, "g"), CS_OK);
	feed_free(f);
}

static void before_the_first_view__requests_wait_and_messages_do_not(void **state)
{
	struct feed *f = feed_new(2, 8);

	(void)state;
	assert_int_equal(pg_client_open(f->pg, 0, true), 0);
	assert_int_equal(feed_join(f, 0, PID, "g"), CS_OK);
	assert_int_equal(pg_mcast(f->pg, 0, FRAME_AGREED, NULL), CS_ERR_TRY_AGAIN);
	assert_int_equal(f->own, 0);
	feed_activate(f, 1);
	assert_int_equal(pg_iterate(f->pg, NULL, 0), 1);
	feed_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cell__answer_effect_and_next_state),
		cmocka_unit_test(state_name__is_known_for_each),
		cmocka_unit_test(open__numbers_are_checked),
		cmocka_unit_test(join__with_all_processes_under_way_asks_to_try_again),
		cmocka_unit_test(join__with_all_members_taken_says_so),
		cmocka_unit_test(join__another_client_of_the_pid_that_is_leaving_asks_to_try_again),
		cmocka_unit_test(before_the_first_view__requests_wait_and_messages_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
