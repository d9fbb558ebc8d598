/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that is passed as a descriptor: sealed, and read-only for those who only read. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/memory.h"

static void new__sealed_and_private(void **state)
{
	struct ipc_memory memory;
	struct stat facts;

	(void)state;
	assert_int_equal(ipc_memory_new("test", 5000, &memory), 0);
	assert_int_equal(memory.size, 8192);
	assert_true(ftruncate(memory.fd, 0) < 0);
	assert_true(ftruncate(memory.fd, 16384) < 0);
	assert_int_equal(fstat(memory.fd, &facts), 0);
	assert_int_equal(facts.st_mode & 0777, 0600);
	assert_true(fcntl(memory.fd, F_GETFD) & FD_CLOEXEC);
	ipc_memory_free(&memory);
	assert_int_equal(memory.fd, -1);
	ipc_memory_free(&memory);
}

static void new__impossible_size(void **state)
{
	struct ipc_memory memory = {.fd = 77};

	(void)state;
	assert_true(ipc_memory_new("test", 1ull << 62, &memory) < 0);
	assert_int_equal(memory.fd, 77);
}

static void readonly__shows_but_does_not_give(void **state)
{
	struct ipc_memory memory;
	void *base;
	int fd;

	(void)state;
	assert_int_equal(ipc_memory_new("test", 4096, &memory), 0);
	memcpy(memory.base, "hello", 5);
	fd = ipc_memory_open_readonly(&memory);
	assert_true(fd >= 0);
	assert_true(write(fd, "x", 1) < 0);
	assert_int_equal(ipc_memory_map(fd, 4096, PROT_READ | PROT_WRITE, &base), -EACCES);
	assert_int_equal(ipc_memory_map(fd, 4096, PROT_READ, &base), 0);
	assert_memory_equal(base, "hello", 5);
	assert_true(mprotect(base, 4096, PROT_READ | PROT_WRITE) < 0);
	munmap(base, 4096);
	close(fd);
	ipc_memory_free(&memory);
}

static void map__refuses_what_could_shrink(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *base = NULL;

	(void)state;
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(ipc_memory_map(fd, 8192, PROT_READ, &base), -EBADMSG);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(ipc_memory_map(fd, 8193, PROT_READ, &base), -EBADMSG);
	assert_int_equal(ipc_memory_map(fd, 0, PROT_READ, &base), -EBADMSG);
	assert_int_equal(ipc_memory_map(fd, UINT64_MAX, PROT_READ, &base), -EBADMSG);
	assert_int_equal(ipc_memory_map(0, 4096, PROT_READ, &base), -EBADMSG);
	assert_null(base);
	assert_int_equal(ipc_memory_map(fd, 8192, PROT_READ, &base), 0);
	munmap(base, 8192);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new__sealed_and_private),
		cmocka_unit_test(new__impossible_size),
		cmocka_unit_test(readonly__shows_but_does_not_give),
		cmocka_unit_test(map__refuses_what_could_shrink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
