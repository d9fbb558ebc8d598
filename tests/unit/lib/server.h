/* SPDX-License-Identifier: BSD-3-Clause */
/* A daemon for tests: a child process that serves clients on an engine, and does what the test
 * tells it to. */
#ifndef CORONET_TESTS_UNIT_LIB_SERVER_H
#define CORONET_TESTS_UNIT_LIB_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct server;

struct server_options {
	bool not_ready;		  /* the engine has no ring yet */
	bool deny;		  /* uidgid allows nobody */
	uint64_t queue_max_bytes; /* 0: the default */
	uint32_t inline_max_bytes;
	uint32_t connections_max;	/* 0: 64 */
	uint32_t user_connections_max;	/* 0: all */
	uint64_t user_memory_max_bytes; /* 0: no limit */
	uint32_t hello_max_ms;		/* 0: the default */
	uint32_t slots;			/* 0: 256 */
	uint32_t files_max;		/* RLIMIT_NOFILE of the server; 0: as it is */
};

/* What a test can tell it. Commands of the second part exist only with the fake engine. */
enum server_op {
	SERVER_STATS,
	SERVER_QUIT,

	SERVER_HOLD,   /* a: 1: the engine takes nothing; 0: it does again */
	SERVER_READY,  /* there is a ring */
	SERVER_REMOTE, /* a messages of b bytes from node 2 to group "g"; contents as server_fill */
	SERVER_MEMBERS, /* a processes of node 2 join group "g" at once */
	SERVER_RING,	/* a nodes form a ring */
};

struct server_command {
	enum server_op op;
	uint64_t a, b;
};

/* What the status says about the handle that connected last. */
struct server_handle {
	uint32_t pid;
	uint32_t group_length; /* 0: none */
	char group_first;
	uint64_t unread_bytes, held_bytes, queue_bytes;
	uint32_t sends_on_way;
	bool waits_for_ring, waits_for_memory;
};

struct server_state {
	uint32_t handles;
	struct server_handle handle;
	uint32_t connected;
	uint64_t accepted, refused, disconnected;
	uint64_t spilled, spilled_bytes, inlined;
	uint32_t slots_taken;	/* of the slab */
	uint64_t extents_taken; /* bytes */
	uint64_t regions;	/* of send memory that the engine knows */
	uint64_t waiting;	/* messages of SERVER_REMOTE for which there is no room yet */
};

/* Starts it in a directory of its own and points CORONET_RUN_DIR there. NULL options: all
 * defaults. */
struct server *server_start(const struct server_options *options);
/* Ends it in order and checks that it exits with 0. NULL is accepted. */
void server_stop(struct server **server);
/* The same, and nothing may be left with it: no slot, no extent, no send memory. Those who died are
 * waited for. */
void server_stop_empty(struct server **server);
/* Ends it with a signal; server_stop then only cleans up. */
void server_kill(struct server *server, int signal);
void server_command(struct server *server, enum server_op op, uint64_t a, uint64_t b);
struct server_state server_state(struct server *server);
/* How many lines of its log contain `text`. */
int server_log_lines(struct server *server, const char *text);
bool server_logged(struct server *server, const char *text);
const char *server_dir(const struct server *server);
pid_t server_pid(const struct server *server);

/* Byte i of test message n. */
static inline uint8_t server_fill(uint64_t n, uint64_t i)
{
	return (uint8_t)(n * 31 + i * 7 + (i >> 8));
}

#endif
