/* SPDX-License-Identifier: BSD-3-Clause */
/* Linked into a daemon: on SIGUSR1 it does what somebody would who has taken the daemon over, and says what came of it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void tried(const char *what, long result)
{
	dprintf(STDERR_FILENO, "curious: %s: %s\n", what,
		result < 0 ? strerrorname_np(errno) : "done");
}

static void *nothing(void *arg)
{
	return arg;
}

/* With all signals blocked, as the C library does it. */
static long thread(void)
{
	pthread_t made;

	errno = pthread_create(&made, NULL, nothing, NULL);
	return errno ? -1 : 0;
}

static void be_curious(int number)
{
	static char name[] = "true";
	static char *const arguments[] = {name, NULL};

	(void)number;
	tried("run a program", execve("/bin/true", arguments, NULL));
	tried("trace a process", ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
	tried("listen to the network", socket(AF_PACKET, SOCK_RAW, 0));
	tried("send raw packets", socket(AF_INET, SOCK_RAW, 255));
	tried("fork", syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L));
	tried("make a thread", thread());
	tried("become nobody", syscall(SYS_setuid, 65534));
	tried("read what nobody keeps for itself", open(getenv("CURIOUS"), O_RDONLY));
}

__attribute__((constructor)) static void wait_for_the_signal(void)
{
	signal(SIGUSR1, be_curious);
}
