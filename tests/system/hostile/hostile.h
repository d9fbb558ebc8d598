/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs that break every rule of the two protocols by which a daemon can be reached on its own host: that of its
 * clients and that of its peers over shared memory. They judge little: what counts is what becomes of the others. */
#ifndef CORONET_TEST_HOSTILE_H
#define CORONET_TEST_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/socket.h"

/* --- Dice: repeatable by their seed --- */

extern uint64_t hostile_seed;
uint64_t hostile_roll(void);
uint32_t hostile_below(uint32_t sides);
/* A number that is likely to hurt: near a limit, near a power of two, or any. */
uint64_t hostile_number(void);
void hostile_bytes(void *to, size_t size);

uint64_t hostile_now_ms(void);
void hostile_pause_ms(int ms);
/* Ends the program with status 1: the daemons did what they must not. */
__attribute__((noreturn, format(printf, 1, 2))) void hostile_fail(const char *format, ...);

/* One way of being hostile, and how often it was tried. */
struct hostile_way {
	const char *name;
	void (*run)(void);
	uint32_t times;
};
/* Any of them, again and again, until the time is over; prints how often each was. */
void hostile_all_ways(struct hostile_way *ways, uint32_t count, uint64_t ms);

/* --- A client that speaks by hand (raw.c) --- */

#define RAW_MEMORY_BYTES (1024u * 1024)

struct raw {
	int fd;
	struct ipc_fds fds; /* event, side, shared, slab */
	void *shared;
	uint64_t region;
	uint8_t *memory;
	int memory_fd;
};

extern const char *hostile_run_dir;
extern const struct ipc_request hostile_hello;

/* A connection; -1: the daemon takes none now. */
int raw_connect(void);
/* The status, or a negative errno. `raw->region` is the value of the reply. */
int raw_call(struct raw *raw, const struct ipc_request *request, struct ipc_fds *fds);
/* Connects and says hello; with a group it joins that and has send memory. False: not now. */
bool raw_open(struct raw *raw, uint32_t hello, const char *group);
void raw_close(struct raw *raw);
void raw_bell(struct raw *raw);
/* Fails unless the daemon hangs up. */
void raw_must_be_cut(struct raw *raw, const char *why);
/* Reads all events without looking at them. */
void raw_read_all(struct raw *raw);

/* --- What they do --- */

int hostile_clients(uint64_t ms);
int hostile_storm(uint64_t ms);
int hostile_refused(uint64_t ms);
/* arguments: the cluster, what main.c says, and the nodes */
int hostile_strangers(uint64_t ms, int count, char **args);
int hostile_node(uint64_t ms, int count, char **args);
int hostile_givers(uint64_t ms, int count, char **args);

#endif
