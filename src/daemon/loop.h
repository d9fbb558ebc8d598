/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon's loop: libqb's, with descriptors, signals and one timer. After each callback the `settle` function runs: there the engine's
 * deadline is looked at again, for any callback may have changed it. One loop per process; single-threaded. */
#ifndef CORONET_DAEMON_LOOP_H
#define CORONET_DAEMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

typedef void loop_ready_fn(void *arg, short revents);
typedef void loop_fn(void *arg);
typedef void loop_signal_fn(void *arg, int number);

int loop_new(struct loop **out);
void loop_free(struct loop **loop);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* CLOCK_MONOTONIC, read when the callback that runs now began. */
uint64_t loop_now_ms(struct loop *loop);
/* That is not the time any more. */
bool loop_is_late(const struct loop *loop);

/* Level-triggered, with poll(2)'s event bits. All three may be called from inside callbacks; after loop_del the callback does not run
 * any more. 0 or negative errno. */
int loop_add(struct loop *loop, int fd, short events, loop_ready_fn *ready, void *arg);
int loop_mod(struct loop *loop, int fd, short events, loop_ready_fn *ready, void *arg);
void loop_del(struct loop *loop, int fd);

int loop_signal(struct loop *loop, int number, loop_signal_fn *raised, void *arg);

/* The timer: `due` runs once the deadline has passed, and then not again until the next loop_wake_at. A deadline that has passed lets the
 * ready descriptors have their turn first. UINT64_MAX: never. */
void loop_timer(struct loop *loop, loop_fn *due, void *arg);
void loop_wake_at(struct loop *loop, uint64_t deadline_ms);

void loop_settle(struct loop *loop, loop_fn *settle, void *arg);

#endif
