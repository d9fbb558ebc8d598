/* SPDX-License-Identifier: BSD-3-Clause */
/* What is left after each step, asked of the kernel. There is no way back, so every case is a process of its own. */
#include "daemon/confine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netdb.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/syscall_filter.h"

#define BIT(capability) (UINT64_C(1) << (capability))

/* --- Cases as processes --------------------------------------------------------------------------- */

#define SKIPPED 77

/* Fails the case, in its process. */
#define check(condition)                                                                   \
	do {                                                                               \
		if (!(condition)) {                                                        \
			dprintf(STDERR_FILENO, "%s:%d: not so: %s (errno %d)\n", __FILE__, \
				__LINE__, #condition, errno);                              \
			_exit(1);                                                          \
		}                                                                          \
	} while (0)

static int status_of(void (*body)(void))
{
	pid_t child = fork();
	int status = 0;

	assert_true(child >= 0);
	if (child == 0) {
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void passes(void (*body)(void))
{
	int status = status_of(body);

	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
		skip();
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- Capabilities --------------------------------------------------------------------------------- */

static uint64_t permitted(void)
{
	struct confine_facts facts;

	confine_report(&facts);
	return facts.capabilities;
}

static bool bounded_by(uint64_t set)
{
	for (unsigned int i = 0; i <= CAP_LAST_CAP; i++) {
		if (!(set & BIT(i)) && prctl(PR_CAPBSET_READ, (unsigned long)i) == 1) {
			return false;
		}
	}
	return true;
}

static void only_root_has_any(void)
{
	if (geteuid() != 0 || !(permitted() & BIT(CAP_SETPCAP))) {
		_exit(SKIPPED);
	}
}

static void begin(void)
{
	uint64_t used = BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_NET_ADMIN) | BIT(CAP_IPC_LOCK) |
			BIT(CAP_SYS_NICE) | BIT(CAP_SYS_RESOURCE) | BIT(CAP_SETPCAP);
	uint64_t had = permitted();

	only_root_has_any();
	check(had & ~used);
	confine_begin();
	check(permitted() == (had & used));
	check(bounded_by(used));
	check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void begin__keeps_what_the_start_takes(void **state)
{
	(void)state;
	passes(begin);
}

static uint64_t left_with(rlim_t locked, struct confine_needs needs)
{
	struct rlimit limit = {locked, locked};

	only_root_has_any();
	if (setrlimit(RLIMIT_MEMLOCK, &limit)) {
		/* Root in a container need not be allowed to raise it. */
		_exit(SKIPPED);
	}
	confine_begin();
	confine_capabilities(&needs);
	check(bounded_by(permitted()));
	return permitted();
}

static void left_unlimited(void)
{
	check(left_with(RLIM_INFINITY, (struct confine_needs){.memory = true}) == 0);
}

static void left_limited(void)
{
	check(left_with(1 << 20, (struct confine_needs){.memory = true}) == BIT(CAP_IPC_LOCK));
}

static void left_limited_without_adapter(void)
{
	check(left_with(1 << 20, (struct confine_needs){0}) == 0);
}

static void left_with_softroce(void)
{
	check(left_with(1 << 20, (struct confine_needs){.softroce = true}) == BIT(CAP_NET_ADMIN));
}

static void left_with_low_port(void)
{
	check(left_with(1 << 20, (struct confine_needs){.low_port = true}) ==
	      BIT(CAP_NET_BIND_SERVICE));
}

static void capabilities__keeps_what_is_still_needed(void **state)
{
	(void)state;
	passes(left_limited);
	passes(left_limited_without_adapter);
	passes(left_with_softroce);
	passes(left_with_low_port);
	passes(left_unlimited);
}

static void capabilities_text__names_them(void **state)
{
	char text[CONFINE_TEXT_MAX];

	(void)state;
	confine_capabilities_text(0, text);
	assert_string_equal(text, "none");
	confine_capabilities_text(BIT(CAP_IPC_LOCK) | BIT(CAP_NET_ADMIN), text);
	assert_string_equal(text, "CAP_NET_ADMIN CAP_IPC_LOCK");
	confine_capabilities_text(UINT64_MAX, text);
	assert_non_null(strstr(text, "CAP_SETPCAP"));
}

/* --- System calls --------------------------------------------------------------------------------- */

static void install(bool forks)
{
	int err;

	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	err = syscall_filter_install(forks);
	if (err == -ENOSYS) {
		_exit(SKIPPED);
	}
	check(err == 0);
}

#define refused(call)                                   \
	do {                                            \
		errno = 0;                              \
		check((call) == -1 && errno == ENOSYS); \
	} while (0)

static void try_what_is_not_listed(void)
{
	static const long calls[] = {SYS_execve,      SYS_execveat,	    SYS_ptrace,
				     SYS_mount,	      SYS_umount2,	    SYS_bpf,
				     SYS_init_module, SYS_finit_module,	    SYS_delete_module,
				     SYS_kexec_load,  SYS_process_vm_readv, SYS_process_vm_writev,
				     SYS_userfaultfd, SYS_unshare,	    SYS_setns,
				     SYS_keyctl,      SYS_add_key,	    SYS_perf_event_open,
				     SYS_chroot,      SYS_pivot_root,	    SYS_reboot,
				     SYS_swapon,      SYS_setuid,	    SYS_setgid,
				     SYS_setgroups,   SYS_capset,	    SYS_kill,
				     SYS_tkill,	      SYS_seccomp,	    SYS_open_by_handle_at,
				     SYS_mknodat,     SYS_linkat,	    SYS_symlinkat,
				     SYS_fchownat,    SYS_personality,	    SYS_io_uring_setup,
				     SYS_io_setup,    SYS_shmget,	    SYS_sched_setscheduler,
				     1000000};
	sigset_t all;

	install(false);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		/* Arguments that none of them could do harm with. */
		refused(syscall(calls[i], -1L, 0L, 0L, 0L, 0L, 0L));
	}
	check(syscall_filter_refused() == sizeof(calls) / sizeof(calls[0]));
	/* With all signals blocked, as the C library does it: an answer, not the end of the process. */
	check(sigfillset(&all) == 0 && sigprocmask(SIG_BLOCK, &all, NULL) == 0);
	check(fork() == -1 && errno == EPERM);
	check(syscall(SYS_clone3, NULL, 0L) == -1 && errno == ENOSYS);
}

static void filter__refuses_what_is_not_on_its_list(void **state)
{
	(void)state;
	passes(try_what_is_not_listed);
}

static void name_them(void)
{
	char name[SYSCALL_FILTER_NAME_MAX];
	int number;

	install(false);
	check(syscall_filter_next_refused() == -1);
	refused(syscall(SYS_ptrace, -1L, 0L, 0L, 0L));
	refused(syscall(SYS_ptrace, -1L, 0L, 0L, 0L));
	refused(syscall(SYS_setns, -1L, 0L));
	number = syscall_filter_next_refused();
	check(number == SYS_ptrace);
	syscall_filter_name(number, name);
	check(strcmp(name, "ptrace") == 0);
	check(syscall_filter_next_refused() == SYS_setns);
	check(syscall_filter_next_refused() == -1);
	refused(syscall(SYS_ptrace, -1L, 0L, 0L, 0L));
	check(syscall_filter_next_refused() == -1);
	check(syscall_filter_refused() == 4);
}

static void filter__names_each_once(void **state)
{
	(void)state;
	passes(name_them);
}

static void try_arguments(void)
{
	struct rlimit limit;
	void *page;

	install(false);
	refused(socket(AF_PACKET, SOCK_RAW, 0));
	refused(socket(AF_VSOCK, SOCK_STREAM, 0));
	check(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
	/* What is above an int in the register does not count. */
	check(syscall(SYS_socket, (1L << 40) | AF_UNIX, (long)SOCK_STREAM, 0L) >= 0);
	refused(syscall(SYS_mmap, 0L, 4096L, (long)(PROT_WRITE | PROT_EXEC),
			(long)(MAP_PRIVATE | MAP_ANONYMOUS), -1L, 0L));
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(page != MAP_FAILED);
	refused(mprotect(page, 4096, PROT_READ | PROT_EXEC));
	check(mprotect(page, 4096, PROT_READ) == 0);
	refused(ioctl(STDIN_FILENO, TIOCSTI, page));
	refused(ioctl(STDIN_FILENO, SIOCSIFFLAGS, page));
	refused(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	refused(setrlimit(RLIMIT_NOFILE, &limit));
	refused(syscall(SYS_prlimit64, (long)getppid(), (long)RLIMIT_NOFILE, 0L, 0L));
	refused(syscall(SYS_tgkill, (long)getppid(), (long)getppid(), 0L));
	check(syscall(SYS_tgkill, (long)getpid(), (long)gettid(), 0L) == 0);
}

static void filter__looks_at_arguments(void **state)
{
	(void)state;
	passes(try_arguments);
}

static void descriptors_and_files(void)
{
	struct itimerspec soon = {.it_value.tv_nsec = 1000000};
	struct epoll_event event = {.events = EPOLLIN};
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	int set = epoll_create1(EPOLL_CLOEXEC);
	int memory = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	check(timer >= 0 && set >= 0 && memory >= 0 && eventfd(0, EFD_CLOEXEC) >= 0);
	check(timerfd_settime(timer, 0, &soon, NULL) == 0);
	check(epoll_ctl(set, EPOLL_CTL_ADD, timer, &event) == 0);
	check(epoll_wait(set, &event, 1, 10000) == 1);
	check(ftruncate(memory, 4096) == 0 && fchmod(memory, 0600) == 0);
	check(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	check(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0) != MAP_FAILED);
	check(open("/etc/hostname", O_RDONLY) >= 0 || errno == ENOENT);
}

/* As a reload with names in the configuration does. */
static void names(void)
{
	struct addrinfo wanted = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	time_t now = time(NULL);
	struct tm parts;

	check(getpwnam("root"));
	check(getpwnam("nobody-knows-this-user") == NULL);
	check(getaddrinfo("localhost", "1", &wanted, &found) == 0 || !found);
	getaddrinfo("nobody-knows-this-host.invalid", NULL, &wanted, &found);
	check(localtime_r(&now, &parts));
}

static void try_what_is_needed(void)
{
	install(false);
	descriptors_and_files();
	names();
	check(syscall_filter_refused() == 0);
}

static void filter__lets_through_what_is_needed(void **state)
{
	(void)state;
	passes(try_what_is_needed);
}

static void fork_when_it_may(void)
{
	int ends[2];
	char answer = 0;

	check(pipe(ends) == 0);
	install(true);
	/* The child's child is nobody's to wait for. */
	if (fork() == 0) {
		errno = 0;
		answer = execl("/bin/true", "true", NULL) == -1 && errno == ENOSYS ? 'y' : 'n';
		_exit(write(ends[1], &answer, 1) != 1);
	}
	check(read(ends[0], &answer, 1) == 1 && answer == 'y');
	check(syscall_filter_refused() == 0);
	refused(syscall(SYS_clone, (long)(CLONE_NEWUSER | SIGCHLD), 0L, 0L, 0L, 0L));
}

static void filter__children_are_bound_too(void **state)
{
	(void)state;
	passes(fork_when_it_may);
}

static void call_abort(void)
{
	install(false);
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void filter__abort_is_an_abort(void **state)
{
	int status = status_of(call_abort);

	(void)state;
	if (WIFEXITED(status)) {
		skip();
	}
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

#ifdef __x86_64__
/* getpid(2) by the conventions of 32-bit programs. */
static void call_as_another_processor(void)
{
	long result = 20;

	install(false);
	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
	_exit(1);
}

static void filter__another_way_into_the_kernel_ends_the_process(void **state)
{
	int status = status_of(call_as_another_processor);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
		skip();
	}
	/* SIGSEGV: this kernel has no such way. */
	assert_true(WIFSIGNALED(status));
	assert_true(WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begin__keeps_what_the_start_takes),
		cmocka_unit_test(capabilities__keeps_what_is_still_needed),
		cmocka_unit_test(capabilities_text__names_them),
		cmocka_unit_test(filter__refuses_what_is_not_on_its_list),
		cmocka_unit_test(filter__names_each_once),
		cmocka_unit_test(filter__looks_at_arguments),
		cmocka_unit_test(filter__lets_through_what_is_needed),
		cmocka_unit_test(filter__children_are_bound_too),
		cmocka_unit_test(filter__abort_is_an_abort),
#ifdef __x86_64__
		cmocka_unit_test(filter__another_way_into_the_kernel_ends_the_process),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
