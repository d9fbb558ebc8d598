/* SPDX-License-Identifier: BSD-3-Clause */
/* A ring of one node, full with what its only program sends and never reads. Nobody else is there
 * whose doings would wake the daemon. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <corosync/cpg.h>

#include "tests/unit/lib/server.h"

#define ROUNDS	    100
#define ROUND_SENDS 4000
#define LIMIT_S	    60

static cs_error_t send_one(cpg_handle_t handle)
{
	static char text[] = "twenty bytes of text";
	struct iovec piece = {.iov_base = text, .iov_len = 20};

	return cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1);
}

static void fill(cpg_handle_t handle)
{
	for (int sent = 0, refused = 0; sent < ROUND_SENDS && refused < 50;) {
		cs_error_t error = send_one(handle);

		assert_true(error == CS_OK || error == CS_ERR_TRY_AGAIN);
		if (error == CS_OK) {
			sent++;
		} else {
			refused++;
			poll(NULL, 0, 1);
		}
	}
}

/* An answer comes after all that was sent before the question. */
static void full__questions_are_answered(void **state)
{
	static const struct cpg_name group = {.length = 4, .value = "full"};
	struct server *server = server_start(NULL);
	cpg_handle_t handle;
	unsigned int node = 0;

	(void)state;
	alarm(LIMIT_S);
	assert_int_equal(cpg_initialize(&handle, NULL), CS_OK);
	assert_int_equal(cpg_join(handle, &group), CS_OK);
	for (int i = 0; i < ROUNDS; i++) {
		fill(handle);
		assert_int_equal(cpg_local_get(handle, &node), CS_OK);
		assert_int_equal(node, 1);
	}
	assert_int_equal(cpg_finalize(handle), CS_OK);
	alarm(0);
	server_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full__questions_are_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
