/* SPDX-License-Identifier: BSD-3-Clause */
/* The one wrapper over qb_loop. */
#include "daemon/loop.h"

#include <errno.h>
#include <poll.h>
#include <qb/qbloop.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS	   UINT64_C(1000000)
#define LOOP_SIGNALS_MAX   8
#define LOOP_WATCHES_START 64

struct watch {
	struct loop *loop;
	loop_ready_fn *ready;
	void *arg;
};

struct signal_watch {
	struct loop *loop;
	loop_signal_fn *raised;
	void *arg;
	qb_loop_signal_handle handle;
};

struct loop {
	qb_loop_t *qb;
	uint64_t now_ms;
	bool inside;		/* a callback runs */
	struct watch **watches; /* by descriptor */
	uint32_t watches_size;
	struct signal_watch signals[LOOP_SIGNALS_MAX];
	uint32_t signal_count;
	loop_fn *due;
	void *due_arg;
	int timer_fd;
	uint64_t deadline_ms;	   /* of the running timer; UINT64_MAX: none runs */
	qb_loop_timer_handle past; /* runs as soon as the ready descriptors have had their turn */
	bool past_waits;
	loop_fn *settle;
	void *settle_arg;
};

static uint64_t clock_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / NS_PER_MS;
}

static void enter(struct loop *loop)
{
	loop->now_ms = clock_ms();
	loop->inside = true;
}

static void leave(struct loop *loop)
{
	if (loop->settle) {
		loop->settle(loop->settle_arg);
	}
	loop->inside = false;
}

/* --- The timer ------------------------------------------------------------------------------------
 * A timerfd: libqb's own timers turn the loop round and round during the last millisecond. What is due already is a timer of libqb's that
 * has run out: behind a job libqb would wait for descriptors first, for up to 50 ms. */

static void run_due(struct loop *loop)
{
	enter(loop);
	if (loop->due) {
		loop->due(loop->due_arg);
	}
	leave(loop);
}

static int32_t timer_due(int32_t fd, int32_t revents, void *data)
{
	struct loop *loop = data;
	uint64_t expirations;

	(void)revents;
	if (read(fd, &expirations, sizeof(expirations)) == (ssize_t)sizeof(expirations)) {
		loop->deadline_ms = UINT64_MAX;
		run_due(loop);
	}
	return 0;
}

static void past_due(void *data)
{
	struct loop *loop = data;

	loop->past_waits = false;
	run_due(loop);
}

static int timer_new(struct loop *loop)
{
	loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (loop->timer_fd < 0) {
		return -errno;
	}
	return qb_loop_poll_add(loop->qb, QB_LOOP_HIGH, loop->timer_fd, POLLIN, loop, timer_due);
}

static void timer_free(struct loop *loop)
{
	if (loop->past_waits) {
		qb_loop_timer_del(loop->qb, loop->past);
	}
	if (loop->timer_fd >= 0) {
		qb_loop_poll_del(loop->qb, loop->timer_fd);
		close(loop->timer_fd);
	}
}

void loop_timer(struct loop *loop, loop_fn *due, void *arg)
{
	loop->due = due;
	loop->due_arg = arg;
}

static void wake_now(struct loop *loop)
{
	if (!loop->past_waits) {
		loop->past_waits = qb_loop_timer_add(loop->qb, QB_LOOP_HIGH, 0, loop, past_due,
						     &loop->past) == 0;
	}
}

/* A timer that runs out too early costs one callback, which sets it anew; so it is only ever moved forward in time. */
void loop_wake_at(struct loop *loop, uint64_t deadline_ms)
{
	struct itimerspec at = {.it_value.tv_sec = (time_t)(deadline_ms / 1000),
				.it_value.tv_nsec = (long)(deadline_ms % 1000 * NS_PER_MS)};

	if (deadline_ms <= loop_now_ms(loop)) {
		wake_now(loop);
	} else if (deadline_ms < loop->deadline_ms &&
		   timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) == 0) {
		loop->deadline_ms = deadline_ms;
	}
}

/* --- Its life -------------------------------------------------------------------------------------- */

int loop_new(struct loop **out)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop) {
		return -ENOMEM;
	}
	loop->qb = qb_loop_create();
	loop->watches_size = LOOP_WATCHES_START;
	loop->watches = calloc(loop->watches_size, sizeof(*loop->watches));
	loop->timer_fd = -1;
	loop->deadline_ms = UINT64_MAX;
	if (!loop->qb || !loop->watches || timer_new(loop)) {
		loop_free(&loop);
		return -ENOMEM;
	}
	*out = loop;
	return 0;
}

void loop_free(struct loop **loop_ptr)
{
	struct loop *loop = *loop_ptr;

	if (!loop) {
		return;
	}
	for (uint32_t i = 0; i < loop->signal_count; i++) {
		qb_loop_signal_del(loop->qb, loop->signals[i].handle);
	}
	for (uint32_t i = 0; loop->watches && i < loop->watches_size; i++) {
		if (loop->watches[i]) {
			loop_del(loop, (int)i);
		}
	}
	if (loop->qb) {
		timer_free(loop);
		qb_loop_destroy(loop->qb);
	}
	free(loop->watches);
	free(loop);
	*loop_ptr = NULL;
}

void loop_run(struct loop *loop)
{
	qb_loop_run(loop->qb);
}

void loop_stop(struct loop *loop)
{
	qb_loop_stop(loop->qb);
}

uint64_t loop_now_ms(struct loop *loop)
{
	if (!loop->inside) {
		loop->now_ms = clock_ms();
	}
	return loop->now_ms;
}

bool loop_is_late(const struct loop *loop)
{
	return clock_ms() != loop->now_ms;
}

/* --- Descriptors --------------------------------------------------------------------------------- */

static int32_t watch_ready(int32_t fd, int32_t revents, void *data)
{
	struct watch *watch = data;
	struct loop *loop = watch->loop;

	(void)fd;
	enter(loop);
	/* The watch may be gone when this returns. */
	watch->ready(watch->arg, (short)revents);
	leave(loop);
	return 0;
}

static int grow(struct loop *loop, uint32_t fd)
{
	uint32_t size = loop->watches_size;
	struct watch **watches;

	while (size <= fd) {
		size *= 2;
	}
	watches = realloc(loop->watches, size * sizeof(*watches));
	if (!watches) {
		return -ENOMEM;
	}
	for (uint32_t i = loop->watches_size; i < size; i++) {
		watches[i] = NULL;
	}
	loop->watches = watches;
	loop->watches_size = size;
	return 0;
}

int loop_add(struct loop *loop, int fd, short events, loop_ready_fn *ready, void *arg)
{
	struct watch *watch;
	int err = 0;

	if (fd < 0) {
		return -EBADF;
	}
	if ((uint32_t)fd >= loop->watches_size) {
		err = grow(loop, (uint32_t)fd);
	}
	if (err || loop->watches[fd]) {
		return err ? err : -EEXIST;
	}
	watch = calloc(1, sizeof(*watch));
	if (!watch) {
		return -ENOMEM;
	}
	*watch = (struct watch){loop, ready, arg};
	err = qb_loop_poll_add(loop->qb, QB_LOOP_HIGH, fd, events, watch, watch_ready);
	if (err) {
		free(watch);
		return err;
	}
	loop->watches[fd] = watch;
	return 0;
}

static struct watch *find(const struct loop *loop, int fd)
{
	return fd >= 0 && (uint32_t)fd < loop->watches_size ? loop->watches[fd] : NULL;
}

int loop_mod(struct loop *loop, int fd, short events, loop_ready_fn *ready, void *arg)
{
	struct watch *watch = find(loop, fd);

	if (!watch) {
		return -EBADF;
	}
	watch->ready = ready;
	watch->arg = arg;
	return qb_loop_poll_mod(loop->qb, QB_LOOP_HIGH, fd, events, watch, watch_ready);
}

void loop_del(struct loop *loop, int fd)
{
	struct watch *watch = find(loop, fd);

	if (watch) {
		qb_loop_poll_del(loop->qb, fd);
		loop->watches[fd] = NULL;
		free(watch);
	}
}

/* --- Signals -------------------------------------------------------------------------------------- */

static int32_t signal_raised(int32_t number, void *data)
{
	struct signal_watch *watch = data;

	enter(watch->loop);
	watch->raised(watch->arg, number);
	leave(watch->loop);
	return 0;
}

int loop_signal(struct loop *loop, int number, loop_signal_fn *raised, void *arg)
{
	struct signal_watch *watch = &loop->signals[loop->signal_count];
	int err;

	if (loop->signal_count == LOOP_SIGNALS_MAX) {
		return -ENOSPC;
	}
	*watch = (struct signal_watch){.loop = loop, .raised = raised, .arg = arg};
	err = qb_loop_signal_add(loop->qb, QB_LOOP_HIGH, number, watch, signal_raised,
				 &watch->handle);
	if (err == 0) {
		loop->signal_count++;
	}
	return err;
}

void loop_settle(struct loop *loop, loop_fn *settle, void *arg)
{
	loop->settle = settle;
	loop->settle_arg = arg;
}
