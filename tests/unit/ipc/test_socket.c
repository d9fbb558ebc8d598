/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets, descriptors and calls over UNIX sockets, with a peer that does not keep to the rules. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/socket.h"

static _Alignas(8) uint8_t buf[IPC_REPLY_MAX];
static int ends[2];

static int pair(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

static int unpair(void **state)
{
	(void)state;
	ipc_close(&ends[0]);
	ipc_close(&ends[1]);
	return 0;
}

static void address__fits_or_not(void **state)
{
	struct sockaddr_un address;
	char dir[120];

	(void)state;
	assert_int_equal(ipc_address("/run/x", &address), 0);
	assert_string_equal(address.sun_path, "/run/x/cpg.sock");
	memset(dir, 'a', sizeof(dir));
	dir[98] = 0; /* 98 + "/cpg.sock" + NUL is what there is */
	assert_int_equal(ipc_address(dir, &address), 0);
	dir[98] = 'a';
	dir[99] = 0;
	assert_int_equal(ipc_address(dir, &address), -ENAMETOOLONG);
	assert_int_equal(ipc_connect(dir), -ENAMETOOLONG);
}

static void run_dir__from_the_environment(void **state)
{
	(void)state;
	setenv("CORONET_RUN_DIR", "/some/where", 1);
	assert_string_equal(ipc_run_dir(), "/some/where");
	setenv("CORONET_RUN_DIR", "", 1);
	assert_string_equal(ipc_run_dir(), CORONET_DEFAULT_RUN_DIR);
	unsetenv("CORONET_RUN_DIR");
	assert_string_equal(ipc_run_dir(), CORONET_DEFAULT_RUN_DIR);
}

static void connect__nobody_there(void **state)
{
	(void)state;
	assert_int_equal(ipc_connect("/nowhere"), -ENOENT);
}

static void packet__with_data_and_descriptors(void **state)
{
	struct ipc_fds fds = {.count = 2, .fd = {0, 1}};
	struct ipc_fds got;

	(void)state;
	assert_int_equal(ipc_send_packet(ends[0], "head", 4, "data", 4, &fds, 0), 0);
	assert_int_equal(ipc_receive_packet(ends[1], buf, sizeof(buf), &got, 0), 8);
	assert_memory_equal(buf, "headdata", 8);
	assert_int_equal(got.count, 2);
	assert_true(fcntl(got.fd[0], F_GETFD) & FD_CLOEXEC);
	ipc_close_fds(&got);
	assert_int_equal(got.count, 0);
}

static int open_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < 100; fd++) {
		count += fcntl(fd, F_GETFD) >= 0;
	}
	return count;
}

static void packet__unexpected_descriptors_are_closed(void **state)
{
	struct ipc_fds fds = {.count = 3, .fd = {0, 1, 2}};
	int before = open_fds();

	(void)state;
	assert_int_equal(ipc_send_packet(ends[0], "x", 1, NULL, 0, &fds, 0), 0);
	assert_int_equal(ipc_receive_packet(ends[1], buf, sizeof(buf), NULL, 0), -EMSGSIZE);
	assert_int_equal(open_fds(), before);
}

static void packet__too_long(void **state)
{
	struct ipc_fds fds = {.count = 1, .fd = {0}};
	struct ipc_fds got;
	int before = open_fds();

	(void)state;
	assert_int_equal(ipc_send_packet(ends[0], "too long", 8, NULL, 0, &fds, 0), 0);
	assert_int_equal(ipc_receive_packet(ends[1], buf, 7, &got, 0), -EMSGSIZE);
	assert_int_equal(open_fds(), before);
}

static void packet__no_descriptor_left(void **state)
{
	struct ipc_fds fds = {.count = 1, .fd = {0}};
	struct rlimit old, none;
	struct ipc_fds got;

	(void)state;
	assert_int_equal(ipc_send_packet(ends[0], "x", 1, NULL, 0, &fds, 0), 0);
	getrlimit(RLIMIT_NOFILE, &old);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = old.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	assert_int_equal(ipc_receive_packet(ends[1], buf, sizeof(buf), &got, MSG_PEEK), -EMFILE);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_int_equal(ipc_receive_packet(ends[1], buf, sizeof(buf), &got, 0), 1);
	assert_int_equal(got.count, 1);
	ipc_close_fds(&got);
}

static void packet__nothing_and_nobody(void **state)
{
	(void)state;
	assert_int_equal(ipc_receive_packet(ends[1], buf, sizeof(buf), NULL, MSG_DONTWAIT),
			 -EAGAIN);
	ipc_close(&ends[0]);
	assert_int_equal(ipc_receive_packet(ends[1], buf, sizeof(buf), NULL, 0), 0);
	assert_int_equal(ipc_send_packet(ends[1], "x", 1, NULL, 0, NULL, 0), -EPIPE);
}

/* The system tells of the bell that nobody has read before it gives what was sent. */
static void packet__sender_ended_with_unread_bytes(void **state)
{
	struct ipc_fds fds;

	(void)state;
	assert_int_equal(ipc_send_packet(ends[0], "a", 1, NULL, 0, &(struct ipc_fds){.count = 1},
					 MSG_DONTWAIT),
			 0);
	assert_int_equal(ipc_send_packet(ends[0], "bc", 2, NULL, 0, NULL, 0), 0);
	assert_int_equal(ipc_send_packet(ends[1], "!", 1, NULL, 0, NULL, 0), 0);
	ipc_close(&ends[0]);
	assert_int_equal(ipc_receive_packet(ends[1], buf, sizeof(buf), &fds, MSG_DONTWAIT), 1);
	assert_int_equal(fds.count, 1);
	ipc_close_fds(&fds);
	assert_int_equal(ipc_receive_packet(ends[1], buf, sizeof(buf), &fds, MSG_DONTWAIT), 2);
	assert_int_equal(ipc_receive_packet(ends[1], buf, sizeof(buf), &fds, MSG_DONTWAIT), 0);
}

static void answer(uint32_t kind, uint64_t data_size, uint32_t flags, size_t sent)
{
	struct ipc_reply reply = {.kind = kind, .data_size = data_size, .flags = flags};
	static const uint8_t data[64];

	assert_int_equal(ipc_send_packet(ends[1], &reply, sizeof(reply), data, sent, NULL, 0), 0);
}

static void call__checks_the_answer(void **state)
{
	struct ipc_request request = {.kind = IPC_LOCAL};

	(void)state;
	answer(IPC_LOCAL, 16, 0, 16);
	assert_int_equal(ipc_call(ends[0], &request, buf, NULL), 0);
	answer(IPC_JOIN, 0, 0, 0);
	assert_int_equal(ipc_call(ends[0], &request, buf, NULL), -EBADMSG);
	answer(IPC_LOCAL, 17, 0, 16);
	assert_int_equal(ipc_call(ends[0], &request, buf, NULL), -EBADMSG);
	answer(IPC_LOCAL, UINT64_MAX, 0, 0);
	assert_int_equal(ipc_call(ends[0], &request, buf, NULL), -EBADMSG);
	assert_int_equal(ipc_send_packet(ends[1], "short", 5, NULL, 0, NULL, 0), 0);
	assert_int_equal(ipc_call(ends[0], &request, buf, NULL), -EBADMSG);
}

static void call__answer_came_before_the_question(void **state)
{
	struct ipc_request request = {.kind = IPC_HELLO};

	(void)state;
	answer(IPC_HELLO, 0, 0, 0);
	ipc_close(&ends[1]);
	assert_int_equal(ipc_call(ends[0], &request, buf, NULL), 0);
	assert_int_equal(ipc_call(ends[0], &request, buf, NULL), -EPIPE);
}

/* Closing with the question unread makes the kernel report an error before the answer. */
static void call__answered_and_closed_unread(void **state)
{
	struct ipc_request request = {.kind = IPC_HELLO};

	(void)state;
	assert_int_equal(ipc_send_packet(ends[0], "unread", 6, NULL, 0, NULL, 0), 0);
	answer(IPC_HELLO, 0, 0, 0);
	ipc_close(&ends[1]);
	assert_int_equal(ipc_call(ends[0], &request, buf, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address__fits_or_not),
		cmocka_unit_test(run_dir__from_the_environment),
		cmocka_unit_test(connect__nobody_there),
		cmocka_unit_test_setup_teardown(packet__with_data_and_descriptors, pair, unpair),
		cmocka_unit_test_setup_teardown(packet__unexpected_descriptors_are_closed, pair,
						unpair),
		cmocka_unit_test_setup_teardown(packet__too_long, pair, unpair),
		cmocka_unit_test_setup_teardown(packet__no_descriptor_left, pair, unpair),
		cmocka_unit_test_setup_teardown(packet__nothing_and_nobody, pair, unpair),
		cmocka_unit_test_setup_teardown(packet__sender_ended_with_unread_bytes, pair,
						unpair),
		cmocka_unit_test_setup_teardown(call__checks_the_answer, pair, unpair),
		cmocka_unit_test_setup_teardown(call__answer_came_before_the_question, pair,
						unpair),
		cmocka_unit_test_setup_teardown(call__answered_and_closed_unread, pair, unpair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
