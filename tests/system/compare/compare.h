/* SPDX-License-Identifier: BSD-3-Clause */
/* A program that calls every function of libcpg with good and bad arguments and prints what came
 * of it, one line per fact, without anything that differs from run to run. It is compiled once,
 * against the reference's headers, linked to the reference's library, and run on the reference
 * and on Coronet; the outputs are compared.
 *
 * Every case is a child process of its own, in a group of its own, with a limit of time: many of
 * them end or hang the reference. A line reads "CASE what: result". */
#ifndef COMPARE_H
#define COMPARE_H

#include <corosync/cpg.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct test {
	const char *name;
	void (*run)(void);
	/* The reference hangs here: it is given only so long as --patience says. */
	bool stuck;
};

extern const struct test handle_tests[];
extern const struct test argument_tests[];
extern const struct test group_tests[];
extern const struct test message_tests[];
extern const struct test zcb_tests[];
extern const struct test dispatch_tests[];
extern const struct test iteration_tests[];
extern const struct test process_tests[];
/* These leave the reference's daemon with wrong state, the last of them ends it. */
extern const struct test dirty_tests[];

/* Runs the case in a child, and says how it ended if not well. */
void run_case(const struct test *test);

/* Prints "CASE what: ...". */
void say(const char *what, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say_error(const char *what, cs_error_t error);
/* The constant's name without its prefix. */
const char *error_name(cs_error_t error);

/* The name of the case that runs, which its group has too. */
const char *case_name(void);
struct cpg_name case_group(void);
struct cpg_name group_of(const char *bytes, size_t length);

/* --- Handles that record their events
 * ----------------------------------------------------------- */

/* Handle of model 1 with all callbacks; "flags" as in cpg_model_v1_data_t. Ends the case when
 * that fails. */
cpg_handle_t open_handle(unsigned int flags);
/* The same, joined to the group, with the own join dispatched and forgotten. */
cpg_handle_t open_joined(const struct cpg_name *group);
/* Joins, and again when that is not possible yet. */
cs_error_t join_patiently(cpg_handle_t handle, const struct cpg_name *group);
/* Dispatches until so many events have come since the last call of recorded(), and then until
 * nothing comes. */
void settle(cpg_handle_t handle, unsigned int events);
/* What was recorded since the last call. The text lives until the next call. */
const char *recorded(void);
unsigned int recorded_count(void);
void record(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Called in every recorded event if not NULL. */
extern void (*on_event)(cpg_handle_t handle);
/* Process ids are printed by name. */
void name_process(pid_t pid, const char *name);

void deliver_cb(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid,
		void *message, size_t size);
void confchg_cb(cpg_handle_t handle, const struct cpg_name *group,
		const struct cpg_address *members, size_t members_count,
		const struct cpg_address *left, size_t left_count, const struct cpg_address *joined,
		size_t joined_count);
void totem_cb(cpg_handle_t handle, struct cpg_ring_id ring, uint32_t count, const uint32_t *nodes);

/* --- Messages
 * ----------------------------------------------------------------------------------- */

/* Bytes with a pattern; the caller's to free. */
uint8_t *pattern(size_t size);
/* Sends "size" bytes of the pattern in "pieces" pieces, again and again while that is not
 * possible yet. */
cs_error_t send_pattern(cpg_handle_t handle, size_t size, unsigned int pieces);
/* cpg_mcast_joined of these bytes. */
cs_error_t send_bytes(cpg_handle_t handle, const void *bytes, size_t size);

/* --- Time and processes
 * ------------------------------------------------------------------------- */

void pause_ms(unsigned int milliseconds);
/* Whether the descriptor is readable within so many ms. */
bool readable(int fd, int timeout_ms);
/* A child that joins the group and stays until it is killed. Returns when its join is there. */
pid_t start_peer(const struct cpg_name *group);
void kill_peer(pid_t pid);

/* What the script directs by standard input, for events on several nodes. */
int run_member(const char *group, bool totem);
/* Phases in which the script stops, kills or removes the daemon; they print a line "ready" for
 * it. */
int run_without_daemon(void);
int run_daemon_ends(void);
int run_daemon_stops(void);
int run_access(void);

#endif
