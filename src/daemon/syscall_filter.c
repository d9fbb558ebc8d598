/* SPDX-License-Identifier: BSD-3-Clause */
/* See syscall_filter.h. A call that is refused raises SIGSYS here, and the handler gives it its answer: so the daemon can tell its log
 * about it by name, and goes on. On processors whose registers are not known here the kernel answers by itself. */
#include "daemon/syscall_filter.h"

#include <errno.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

/* Names, not numbers: what libseccomp or this processor does not know is left out. Where the C library has
 * used one call and then a newer one for the same thing, both are here. */
static const char *const allowed[] = {
	/* The C library's own business. */
	"arch_prctl", "brk", "clock_getres", "clock_gettime", "clock_nanosleep", "exit",
	"exit_group", "futex", "futex_wait", "futex_waitv", "futex_wake", "get_robust_list",
	"getcpu", "getegid", "geteuid", "getgid", "getgroups", "getpid", "getppid", "getrandom",
	"getresgid", "getresuid", "getrlimit", "getrusage", "gettid", "gettimeofday", "getuid",
	"membarrier", "nanosleep", "restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask",
	"rt_sigreturn", "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity",
	"sched_getparam", "sched_getscheduler", "sched_yield", "set_robust_list", "set_tid_address",
	"sigaltstack", "sysinfo", "time", "uname",
	/* Memory; mmap and mprotect are below. */
	"fallocate", "get_mempolicy", "madvise", "mbind", "memfd_create", "mlock", "mlock2",
	"mremap", "msync", "munlock", "munmap",
	/* Waiting. */
	"epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
	"eventfd", "eventfd2", "pipe", "pipe2", "poll", "ppoll", "pselect6", "select",
	"timer_delete", "timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime",
	/* Files: configuration, log, recorder, ring number, /proc, /sys, /dev/infiniband. */
	"access", "chdir", "close", "close_range", "dup", "dup2", "dup3", "faccessat", "faccessat2",
	"fadvise64", "fchmod", "fcntl", "fdatasync", "fstat", "fstatfs", "fsync", "ftruncate",
	"getcwd", "getdents", "getdents64", "inotify_add_watch", "inotify_init1",
	"inotify_rm_watch", "lseek", "lstat", "newfstatat", "open", "openat", "openat2", "pread64",
	"preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readlink", "readlinkat",
	"readv", "rename", "renameat", "renameat2", "stat", "statfs", "statx", "unlink", "unlinkat",
	"write", "writev",
	/* Sockets; socket is below. */
	"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt",
	"listen", "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt",
	"shutdown",
	/* memory.c and others look at what they have. */
	"capget"};

/* Network for names in the configuration (resolvers, name services), netlink for addresses and devices. */
static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

/* What the C library asks of sockets, interfaces and files; verbs have a type of their own. */
static const unsigned int requests[] = {FIONBIO, FIONREAD,     SIOCOUTQ,
					TCGETS,	 SIOCGIFINDEX, SIOCGIFNAME};

/* <linux/prctl.h> has the first since Linux 5.17; the second is <asm/siginfo.h>'s, which cannot be had beside <signal.h>. */
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

#define VERBS_TYPE   0x1b00u
#define REQUEST_TYPE 0xff00u
#define WHOLE_INT    0xffffffffu

#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
	 CLONE_NEWCGROUP)
/* Its flags. */
#ifdef __s390__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* --- What was refused ----------------------------------------------------------------------------- */

#define NUMBERS_MAX 1024

static struct {
	atomic_uint_fast64_t count;
	atomic_bool news;
	atomic_bool refused[NUMBERS_MAX];
	bool told[NUMBERS_MAX];
} seen;

uint64_t syscall_filter_refused(void)
{
	return atomic_load(&seen.count);
}

int syscall_filter_next_refused(void)
{
	if (!atomic_load_explicit(&seen.news, memory_order_relaxed)) {
		return -1;
	}
	atomic_store(&seen.news, false);
	for (int i = 0; i < NUMBERS_MAX; i++) {
		if (atomic_load(&seen.refused[i]) && !seen.told[i]) {
			seen.told[i] = true;
			/* There may be more. */
			atomic_store(&seen.news, true);
			return i;
		}
	}
	return -1;
}

void syscall_filter_name(int number, char name[SYSCALL_FILTER_NAME_MAX])
{
	char *known = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

	snprintf(name, SYSCALL_FILTER_NAME_MAX, "%s", known ? known : "of an unknown name");
	free(known);
}

#if defined(__x86_64__)
#define CAN_ANSWER 1
static void answer(ucontext_t *caller, int err)
{
	caller->uc_mcontext.gregs[REG_RAX] = -err;
}
#elif defined(__aarch64__)
#define CAN_ANSWER 1
static void answer(ucontext_t *caller, int err)
{
	caller->uc_mcontext.regs[0] = (unsigned long long)-err;
}
#else
#define CAN_ANSWER 0
static void answer(ucontext_t *caller, int err)
{
	(void)caller;
	(void)err;
}
#endif

static void refuse(int number, siginfo_t *info, void *context)
{
	(void)number;
	if (info->si_code != SYS_SECCOMP) {
		return;
	}
	atomic_fetch_add(&seen.count, 1);
	if (info->si_syscall >= 0 && info->si_syscall < NUMBERS_MAX &&
	    !atomic_exchange(&seen.refused[info->si_syscall], true)) {
		atomic_store(&seen.news, true);
	}
	answer(context, ENOSYS);
}

/* --- The rules ------------------------------------------------------------------------------------ */

static int allow(scmp_filter_ctx filter, const char *name, unsigned int count,
		 const struct scmp_arg_cmp *conditions)
{
	int number = seccomp_syscall_resolve_name(name);

	/* Negative: this processor has no such call, or libseccomp has not heard of it. */
	return number < 0
		       ? 0
		       : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, count, conditions);
}

static int allow_all(scmp_filter_ctx filter, const char *const *names, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		err = allow(filter, names[i], 0, NULL);
	}
	return err;
}

/* Only if (argument & mask) == value. */
static int allow_if(scmp_filter_ctx filter, const char *name, unsigned int argument, uint64_t mask,
		    uint64_t value)
{
	return allow(filter, name, 1,
		     &(struct scmp_arg_cmp){argument, SCMP_CMP_MASKED_EQ, mask, value});
}

/* Registers hold 64 bits, and what is in the upper half of an int is anybody's guess. */
static int allow_if_int(scmp_filter_ctx filter, const char *name, unsigned int argument,
			unsigned int value)
{
	return allow_if(filter, name, argument, WHOLE_INT, value);
}

/* No memory is ever both written and executed; libraries are still mapped, for name services. */
static int allow_mapping(scmp_filter_ctx filter)
{
	int err = allow_if(filter, "mmap", 2, PROT_EXEC, 0);

	err = err ? err : allow_if(filter, "mmap", 2, PROT_EXEC | PROT_WRITE, PROT_EXEC);
	return err ? err : allow_if(filter, "mprotect", 2, PROT_EXEC, 0);
}

static int allow_talking(scmp_filter_ctx filter)
{
	int err = allow_if(filter, "ioctl", 1, REQUEST_TYPE, VERBS_TYPE);

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]) && !err; i++) {
		err = allow_if_int(filter, "ioctl", 1, requests[i]);
	}
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && !err; i++) {
		err = allow_if_int(filter, "socket", 0, (unsigned int)families[i]);
	}
	return err ? err : allow_if_int(filter, "socketpair", 0, AF_UNIX);
}

/* Signals to itself, for abort(3); its own limits, to look at; names of threads and of memory. */
static int allow_itself(scmp_filter_ctx filter)
{
	struct scmp_arg_cmp looks[] = {{0, SCMP_CMP_MASKED_EQ, WHOLE_INT, 0},
				       {2, SCMP_CMP_EQ, 0, 0}};
	int err = allow_if_int(filter, "tgkill", 0, (unsigned int)getpid());

	err = err ? err : allow(filter, "prlimit64", 2, looks);
	err = err ? err : allow_if_int(filter, "prctl", 0, PR_SET_NAME);
	err = err ? err : allow_if_int(filter, "prctl", 0, PR_GET_NO_NEW_PRIVS);
	return err ? err : allow_if_int(filter, "prctl", 0, PR_SET_VMA);
}

static int allow_forking(scmp_filter_ctx filter)
{
	int err = allow(filter, "setsid", 0, NULL);

	return err ? err : allow_if(filter, "clone", CLONE_FLAGS, NAMESPACES, 0);
}

static int refuse_politely(scmp_filter_ctx filter, const char *name, int with)
{
	int number = seccomp_syscall_resolve_name(name);

	return number < 0 ? 0 : seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)with), number, 0);
}

/* The C library makes threads and processes with all signals blocked: a trap would end the daemon then. It tries
 * clone3, whose flags no filter can see, and takes clone when there is none. */
static int refuse_forking(scmp_filter_ctx filter, bool forks)
{
	int err = refuse_politely(filter, "clone3", ENOSYS);

	if (err || forks) {
		return err;
	}
	err = refuse_politely(filter, "clone", EPERM);
	err = err ? err : refuse_politely(filter, "vfork", EPERM);
	return err ? err : refuse_politely(filter, "fork", EPERM);
}

static int add_rules(scmp_filter_ctx filter, bool forks)
{
	int err = allow_all(filter, allowed, sizeof(allowed) / sizeof(allowed[0]));

	err = err ? err : allow_mapping(filter);
	err = err ? err : allow_talking(filter);
	err = err ? err : allow_itself(filter);
	err = err ? err : refuse_forking(filter, forks);
	return err || !forks ? err : allow_forking(filter);
}

/* Whoever calls the kernel by another processor's conventions is not this program any more. */
static void set_up(scmp_filter_ctx filter)
{
	seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* The kernel's log too (audit), which this process cannot keep silent. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	/* Older kernels slow down filtered processes against Spectre, as they may run foreign code; this one does not. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	/* A search tree instead of a list. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
}

int syscall_filter_install(bool forks)
{
	struct sigaction action = {.sa_sigaction = refuse, .sa_flags = SA_SIGINFO | SA_NODEFER};
	scmp_filter_ctx filter;
	int err;

	/* The list lacks what only 32-bit processors have instead. */
	if (sizeof(void *) < sizeof(uint64_t)) {
		return -ENOSYS;
	}
	filter = seccomp_init(CAN_ANSWER ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(ENOSYS));
	if (!filter) {
		return -ENOMEM;
	}
	set_up(filter);
	err = add_rules(filter, forks);
	if (!err && sigaction(SIGSYS, &action, NULL)) {
		err = -errno;
	}
	err = err ? err : seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
