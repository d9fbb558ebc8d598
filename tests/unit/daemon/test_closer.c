/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets that strangers have filled with descriptors whose closing waits. */
#include "daemon/closer.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/system/hostile/give.h"

#define STUCK_MS 400
#define SOON_MS	 5000

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* A UNIX socket with such a connection in it, unread; the stranger has gone. */
static int filled_socket(int *other)
{
	int pair[2];
	int fd;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	fd = given_linger(other);
	assert_true(fd >= 0 && give(pair[1], fd));
	close(pair[1]);
	return pair[0];
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool gone_soon(int fd)
{
	for (uint64_t end_ms = now_ms() + SOON_MS; now_ms() < end_ms && is_open(fd);) {
		pause_ms(1);
	}
	return !is_open(fd);
}

/* Else the other tests could not fail. */
static void close__waits_for_a_stranger(void **state)
{
	pid_t child = fork();
	int status;
	int other;

	(void)state;
	if (child == 0) {
		close(filled_socket(&other));
		_exit(0);
	}
	pause_ms(STUCK_MS);
	assert_int_equal(waitpid(child, &status, WNOHANG), 0);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
}

static void closer__waits_for_nobody(void **state)
{
	uint64_t begin_ms = now_ms();
	int other[8];
	int last = -1;

	(void)state;
	assert_int_equal(closer_start(), 0);
	for (int i = 0; i < 8; i++) {
		last = filled_socket(&other[i]);
		assert_true(closer_close(NULL, last));
	}
	assert_true(gone_soon(last));
	assert_true(now_ms() - begin_ms < 1000u * GIVEN_LINGER_S / 2);
	for (int i = 0; i < 8; i++) {
		close(other[i]);
	}
	closer_stop();
}

/* Nothing that was given to it stays open, and it says when there is too much of it. */
static void closer__says_when_it_is_late(void **state)
{
	int other[200];
	int fds[200];
	bool late = false;

	(void)state;
	for (int i = 0; i < 200; i++) {
		fds[i] = filled_socket(&other[i]);
	}
	assert_int_equal(closer_start(), 0);
	for (int i = 0; i < 200; i++) {
		late = !closer_close(NULL, fds[i]) || late;
	}
	assert_true(late);
	closer_stop();
	for (int i = 0; i < 200; i++) {
		assert_false(is_open(fds[i]));
		close(other[i]);
	}
}

static void closer__that_never_began_closes_at_once(void **state)
{
	int fd = dup(STDIN_FILENO);

	(void)state;
	assert_true(closer_close(NULL, fd));
	assert_false(is_open(fd));
	closer_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close__waits_for_a_stranger),
		cmocka_unit_test(closer__waits_for_nobody),
		cmocka_unit_test(closer__says_when_it_is_late),
		cmocka_unit_test(closer__that_never_began_closes_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
