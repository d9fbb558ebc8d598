/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel says about the process's memory. */
#include "daemon/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include <cmocka.h>

#define MIB (1024u * 1024)

static void field__is_found_at_the_start_of_a_line(void **state)
{
	static const char text[] = "Name:\tVmRSS: 3\nVmLck:\t     123 kB\nVmRSS:\t 7 kB\nVmPin:\n";

	(void)state;
	assert_int_equal(memory_field(text, "VmLck:"), 123 * 1024);
	assert_int_equal(memory_field(text, "VmRSS:"), 7 * 1024);
	assert_int_equal(memory_field(text, "VmPin:"), 0);
	assert_int_equal(memory_field(text, "VmHWM:"), 0);
	assert_int_equal(memory_field("", "VmHWM:"), 0);
}

static void facts__grow_with_what_is_touched_and_locked(void **state)
{
	struct memory_facts before;
	struct memory_facts after;
	void *memory =
		mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(memory, MAP_FAILED);
	memory_facts(&before);
	memset(memory, 1, 16 * MIB);
	memory_facts(&after);
	assert_in_range(after.resident_bytes - before.resident_bytes, 15 * MIB, 32 * MIB);
	/* Sanitizers make mlock(2) do nothing. */
	if (syscall(SYS_mlock, memory, 4 * MIB) == 0) {
		memory_facts(&after);
		assert_in_range(after.locked_bytes - before.locked_bytes, 4 * MIB, 5 * MIB);
	}
	munmap(memory, 16 * MIB);
}

static void drop_capability(unsigned int capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	data[CAP_TO_INDEX(capability)].effective &= ~CAP_TO_MASK(capability);
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

static void lock_limit__binds_whoever_lacks_the_capability(void **state)
{
	struct rlimit limit = {64 * 1024, 64 * 1024};
	uint64_t bytes = 0;

	(void)state;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	drop_capability(CAP_IPC_LOCK);
	assert_true(memory_lock_limit(&bytes));
	assert_int_equal(bytes, 64 * 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(field__is_found_at_the_start_of_a_line),
		cmocka_unit_test(facts__grow_with_what_is_touched_and_locked),
		cmocka_unit_test(lock_limit__binds_whoever_lacks_the_capability),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
