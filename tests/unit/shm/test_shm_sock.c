/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared memory and sockets: who may map what how, who may talk, what a packet may hold. */
#include "shm/shm_sock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/shm_share.h"

static char cluster[64];

static void share_attach__sees_what_the_maker_writes(void **state)
{
	struct shm_map made, seen;
	int fd;

	(void)state;
	assert_int_equal(shm_share_new("test", 8192, &made, &fd), 0);
	assert_int_equal(shm_share_attach(fd, 8192, &seen), 0);
	assert_int_equal(seen.size_bytes, 8192);
	memset(made.base, 0x5a, 8192);
	assert_memory_equal(seen.base, made.base, 8192);
	shm_share_drop(&seen);
	shm_share_drop(&seen);
	assert_null(seen.base);
	shm_share_drop(&made);
	close(fd);
}

/* Whoever gets the descriptor can read, and do nothing else. */
static void share_new__is_writable_by_its_maker_only(void **state)
{
	struct shm_map made;
	void *mine;
	int fd;

	(void)state;
	assert_int_equal(shm_share_new("test", 4096, &made, &fd), 0);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	mine = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(mine, MAP_FAILED);
	assert_int_equal(mprotect(mine, 4096, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 1 << 20), -1);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	munmap(mine, 4096);
	shm_share_drop(&made);
	close(fd);
}

static void share_attach__refuses_memory_that_could_vanish(void **state)
{
	struct shm_map map = {.base = NULL};
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int pipes[2];

	(void)state;
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(shm_share_attach(fd, 4096, &map), -EPERM);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	assert_int_equal(shm_share_attach(fd, 4096, &map), -EPERM);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(shm_share_attach(fd, 8193, &map), -EMSGSIZE);
	assert_null(map.base);
	assert_int_equal(shm_share_attach(fd, 8192, &map), 0);
	shm_share_drop(&map);
	close(fd);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(shm_share_attach(pipes[0], 1, &map), -EPERM);
	assert_int_equal(shm_share_attach(-1, 1, &map), -EPERM);
	close(pipes[0]);
	close(pipes[1]);
}

/* Huge pages can be taken away by whoever may write to them. */
static void share_attach__refuses_huge_pages_that_others_write(void **state)
{
	struct shm_map map = {.base = NULL};
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);

	(void)state;
	if (fd < 0 || ftruncate(fd, 2 << 20)) {
		skip();
	}
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	assert_int_equal(shm_share_attach(fd, 1, &map), -EPERM);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
	/* There may be no such pages here. */
	assert_int_not_equal(shm_share_attach(fd, 1, &map), -EPERM);
	shm_share_drop(&map);
	close(fd);
}

static void sock_dial__is_refused_where_nobody_listens(void **state)
{
	int fd = -5;

	(void)state;
	assert_int_equal(shm_sock_dial(geteuid(), cluster, 1, &fd), -ECONNREFUSED);
	assert_int_equal(fd, -5);
}

static void sock_listen__needs_a_free_name(void **state)
{
	int listener, twin = -5, other, dialled;

	(void)state;
	assert_int_equal(shm_sock_listen(geteuid(), cluster, 1, &listener), 0);
	assert_int_equal(shm_sock_listen(geteuid(), cluster, 1, &twin), -EADDRINUSE);
	assert_int_equal(twin, -5);
	assert_int_equal(shm_sock_listen(geteuid(), cluster, 2, &other), 0);
	assert_int_equal(shm_sock_dial(geteuid(), cluster, 1, &dialled), 0);
	close(dialled);
	close(other);
	close(listener);
	/* Nothing is left behind. */
	assert_int_equal(shm_sock_dial(geteuid(), cluster, 1, &dialled), -ECONNREFUSED);
}

/* Names, users and nodes that differ never meet, also when they differ after the part that is
 * readable in the name. */
static void sock_names__are_distinct(void **state)
{
	char long_a[200], long_b[200];
	int listener, fd;

	(void)state;
	memset(long_a, 'c', sizeof(long_a));
	long_a[199] = 0;
	memcpy(long_b, long_a, sizeof(long_b));
	long_b[198] = 'd';
	assert_int_equal(shm_sock_listen(geteuid(), long_a, 1, &listener), 0);
	assert_int_equal(shm_sock_dial(geteuid(), long_b, 1, &fd), -ECONNREFUSED);
	assert_int_equal(shm_sock_dial(geteuid() + 1, long_a, 1, &fd), -ECONNREFUSED);
	assert_int_equal(shm_sock_dial(geteuid(), long_a, 11, &fd), -ECONNREFUSED);
	assert_int_equal(shm_sock_dial(geteuid(), long_a, 1, &fd), 0);
	close(fd);
	close(listener);
}

static void pair_of_sockets(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
}

static void sock_recv__gets_message_and_descriptors(void **state)
{
	struct shm_msg msg = {.kind = SHM_REGION_ADD, .key = 5, .size_bytes = 6};
	struct shm_packet packet;
	struct stat sent, got;
	int fds[2], spare = open("/dev/null", O_RDONLY);

	(void)state;
	pair_of_sockets(fds);
	assert_int_equal(shm_sock_recv(fds[1], &packet), -EAGAIN);
	assert_int_equal(shm_sock_send(fds[0], &msg, &spare, 1), 0);
	assert_int_equal(shm_sock_recv(fds[1], &packet), 0);
	assert_int_equal(packet.msg.kind, SHM_REGION_ADD);
	assert_int_equal(packet.msg.key, 5);
	assert_int_equal(packet.fd_count, 1);
	assert_int_equal(fstat(spare, &sent), 0);
	assert_int_equal(fstat(packet.fds[0], &got), 0);
	assert_int_equal(sent.st_ino, got.st_ino);
	assert_true(fcntl(packet.fds[0], F_GETFD) & FD_CLOEXEC);
	shm_packet_drop(&packet);
	assert_int_equal(packet.fd_count, 0);
	close(fds[0]);
	assert_int_equal(shm_sock_recv(fds[1], &packet), -ENOTCONN);
	close(fds[1]);
	close(spare);
}

static void sock_recv__refuses_nonsense(void **state)
{
	uint8_t bytes[SHM_MSG_SIZE_MAX + 100] = {SHM_WAKE};
	struct shm_packet packet;
	int fds[2];

	(void)state;
	pair_of_sockets(fds);
	/* Too long, even if its beginning were a message. */
	assert_true(send(fds[0], bytes, sizeof(bytes), 0) > 0);
	assert_int_equal(shm_sock_recv(fds[1], &packet), -EPROTO);
	assert_true(send(fds[0], "nonsense", 8, 0) > 0);
	assert_int_equal(shm_sock_recv(fds[1], &packet), -EPROTO);
	/* And what follows is read as if nothing had been. */
	assert_true(send(fds[0], bytes, 1, 0) > 0);
	assert_int_equal(shm_sock_recv(fds[1], &packet), 0);
	close(fds[0]);
	close(fds[1]);
}

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++) {
		count += fcntl(fd, F_GETFD) >= 0;
	}
	return count;
}

/* More descriptors than fit: the message is refused, and none of them stays open. */
static void sock_recv__keeps_no_descriptor_of_a_refused_message(void **state)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(20 * sizeof(int))];
	uint8_t wake = SHM_WAKE;
	struct iovec iov = {.iov_base = &wake, .iov_len = 1};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
	struct shm_packet packet;
	struct cmsghdr *rights;
	int fds[2], many[20], before;

	(void)state;
	pair_of_sockets(fds);
	for (int i = 0; i < 20; i++) {
		many[i] = fds[0];
	}
	before = open_descriptors();
	for (int count = 3; count <= 20; count++) {
		memset(control, 0, sizeof(control));
		header.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
		memcpy(CMSG_DATA(rights), many, (size_t)count * sizeof(int));
		assert_true(sendmsg(fds[0], &header, 0) == 1);
		if (shm_sock_recv(fds[1], &packet) == 0) {
			assert_true(count <= SHM_PACKET_FDS_MAX);
			assert_int_equal(packet.fd_count, count);
			shm_packet_drop(&packet);
		} else {
			assert_true(count > SHM_PACKET_FDS_MAX);
			assert_int_equal(packet.fd_count, 0);
		}
		assert_int_equal(open_descriptors(), before);
	}
	close(fds[0]);
	close(fds[1]);
}

static void sock_send__says_when_it_cannot(void **state)
{
	struct shm_msg wake = {.kind = SHM_WAKE};
	int fds[2], result = 0;

	(void)state;
	pair_of_sockets(fds);
	for (int i = 0; i < 1000000 && result == 0; i++) {
		result = shm_sock_send(fds[0], &wake, NULL, 0);
	}
	assert_int_equal(result, -EAGAIN);
	close(fds[1]);
	assert_true(shm_sock_send(fds[0], &wake, NULL, 0) < 0);
	close(fds[0]);
}

static void sock_alive__sees_a_hang_up_behind_what_was_said(void **state)
{
	struct shm_msg wake = {.kind = SHM_WAKE};
	int fds[2];

	(void)state;
	pair_of_sockets(fds);
	assert_true(shm_sock_alive(fds[0]));
	assert_int_equal(shm_sock_send(fds[1], &wake, NULL, 0), 0);
	assert_true(shm_sock_alive(fds[0]));
	close(fds[1]);
	assert_false(shm_sock_alive(fds[0]));
	close(fds[0]);
}

static void sock_holder__is_who_listens(void **state)
{
	uid_t uid = (uid_t)-1;
	int listener;

	(void)state;
	assert_int_equal(shm_sock_holder(geteuid(), cluster, 7, &uid), 0);
	assert_int_equal(shm_sock_listen(geteuid(), cluster, 7, &listener), 0);
	assert_int_equal(shm_sock_holder(geteuid(), cluster, 7, &uid), getpid());
	assert_int_equal(uid, geteuid());
	close(listener);
}

static void sock_trusted__knows_its_own_user(void **state)
{
	int fds[2], pipes[2];

	(void)state;
	pair_of_sockets(fds);
	assert_true(shm_sock_trusted(fds[0]));
	assert_int_equal(pipe(pipes), 0);
	assert_false(shm_sock_trusted(pipes[0]));
	close(fds[0]);
	close(fds[1]);
	close(pipes[0]);
	close(pipes[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(share_attach__sees_what_the_maker_writes),
		cmocka_unit_test(share_new__is_writable_by_its_maker_only),
		cmocka_unit_test(share_attach__refuses_memory_that_could_vanish),
		cmocka_unit_test(share_attach__refuses_huge_pages_that_others_write),
		cmocka_unit_test(sock_dial__is_refused_where_nobody_listens),
		cmocka_unit_test(sock_listen__needs_a_free_name),
		cmocka_unit_test(sock_names__are_distinct),
		cmocka_unit_test(sock_recv__gets_message_and_descriptors),
		cmocka_unit_test(sock_recv__refuses_nonsense),
		cmocka_unit_test(sock_recv__keeps_no_descriptor_of_a_refused_message),
		cmocka_unit_test(sock_send__says_when_it_cannot),
		cmocka_unit_test(sock_alive__sees_a_hang_up_behind_what_was_said),
		cmocka_unit_test(sock_holder__is_who_listens),
		cmocka_unit_test(sock_trusted__knows_its_own_user),
	};

	snprintf(cluster, sizeof(cluster), "test-sock-%d", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
