/* SPDX-License-Identifier: BSD-3-Clause */
/* The registry: what is built is found by its name, complete; what is not is not. */
#include "transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void complete(const struct transport_ops *ops, const char *name)
{
	assert_non_null(ops);
	assert_string_equal(ops->name, name);
	assert_true(ops->open && ops->close && ops->fd && ops->next_deadline_ms && ops->poll);
	assert_true(ops->flush);
	assert_true(ops->stay_awake);
	assert_true(ops->region_add && ops->region_remove && ops->slot_post);
	assert_true(ops->peer_add && ops->peer_remove && ops->peer_fence);
	assert_true(ops->send_control && ops->send_frame && ops->read);
	assert_true(ops->device && ops->peer_stats);
}

static void transport_find__lists_what_is_built(void **state)
{
	(void)state;
	complete(transport_find("shm"), "shm");
#ifdef HAVE_VERBS
	complete(transport_find("rdma"), "rdma");
#else
	assert_null(transport_find("rdma"));
#endif
}

static void transport_find__knows_no_other(void **state)
{
	(void)state;
	assert_null(transport_find(""));
	assert_null(transport_find("udp"));
	assert_null(transport_find("shm "));
	assert_null(transport_find("simulated"));
}

static void event_name__names_all(void **state)
{
	(void)state;
	for (int i = 0; i < TRANSPORT_EVENT_KINDS; i++) {
		assert_string_not_equal(transport_event_name((enum transport_event_kind)i),
					"unknown");
	}
	assert_string_equal(transport_event_name(TRANSPORT_EVENT_KINDS), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transport_find__lists_what_is_built),
		cmocka_unit_test(transport_find__knows_no_other),
		cmocka_unit_test(event_name__names_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
