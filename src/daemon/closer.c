/* SPDX-License-Identifier: BSD-3-Clause */
/* See closer.h. The thread gets descriptors through a pipe. A signal that comes again and again while it closes ends
 * what a close(2) waits for: such a connection goes on to be closed by the kernel alone. */
#include "daemon/closer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* glibc names it since 2.35. */
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define MANY	   64u
#define AT_ONCE	   64
#define STACK_SIZE (64 * 1024)
/* Longer than closing takes that waits for nobody. */
#define HURRY_NS 500000

static struct {
	pthread_t thread;
	int ends[2];
	atomic_bool runs;
	atomic_uint waiting;
	timer_t timer;
	bool timed;
	sem_t begun;
} closer;

static void hurry(bool on)
{
	struct itimerspec every = {0};

	if (on) {
		every.it_value.tv_nsec = every.it_interval.tv_nsec = HURRY_NS;
	}
	if (closer.timed) {
		timer_settime(closer.timer, 0, &every, NULL);
	}
}

static void make_timer(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGURG};

	event.sigev_notify_thread_id = gettid();
	closer.timed = timer_create(CLOCK_MONOTONIC, &event, &closer.timer) == 0;
}

static void *run(void *unused)
{
	int fds[AT_ONCE];
	ssize_t size;

	(void)unused;
	make_timer();
	sem_post(&closer.begun);
	while ((size = read(closer.ends[0], fds, sizeof(fds))) != 0) {
		if (size < 0) {
			continue;
		}
		hurry(true);
		for (size_t i = 0; i < (size_t)size / sizeof(fds[0]); i++) {
			close(fds[i]);
			atomic_fetch_sub(&closer.waiting, 1);
		}
		hurry(false);
	}
	return NULL;
}

static void wake(int number)
{
	(void)number;
}

/* All others are the process's, and those that tell of a fault cannot wait. */
static void own_signals(sigset_t *set)
{
	static const int own[] = {SIGURG, SIGSYS, SIGSEGV, SIGBUS,
				  SIGFPE, SIGILL, SIGABRT, SIGTRAP};

	sigfillset(set);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		sigdelset(set, own[i]);
	}
}

static int make_thread(void)
{
	pthread_attr_t attributes;
	sigset_t blocked, before;
	int err;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN + STACK_SIZE);
	own_signals(&blocked);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	err = pthread_create(&closer.thread, &attributes, run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -err;
}

int closer_start(void)
{
	/* Without SA_RESTART. */
	const struct sigaction action = {.sa_handler = wake};
	int err;

	if (sigaction(SIGURG, &action, NULL) || pipe2(closer.ends, O_CLOEXEC)) {
		return -errno;
	}
	fcntl(closer.ends[1], F_SETFL, O_NONBLOCK);
	sem_init(&closer.begun, 0, 0);
	err = make_thread();
	if (err) {
		close(closer.ends[0]);
		close(closer.ends[1]);
		return err;
	}
	while (sem_wait(&closer.begun)) {
	}
	atomic_store(&closer.runs, true);
	return 0;
}

bool closer_close(void *ctx, int fd)
{
	unsigned waiting;

	(void)ctx;
	if (!atomic_load(&closer.runs)) {
		close(fd);
		return true;
	}
	waiting = atomic_fetch_add(&closer.waiting, 1);
	if (write(closer.ends[1], &fd, sizeof(fd)) != (ssize_t)sizeof(fd)) {
		atomic_fetch_sub(&closer.waiting, 1);
		close(fd);
	}
	return waiting < MANY;
}

void closer_stop(void)
{
	if (!atomic_exchange(&closer.runs, false)) {
		return;
	}
	close(closer.ends[1]);
	pthread_join(closer.thread, NULL);
	close(closer.ends[0]);
	if (closer.timed) {
		timer_delete(closer.timer);
	}
	sem_destroy(&closer.begun);
}
