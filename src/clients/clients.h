/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon's side of client connections: who may connect, requests, sends, events, slow and
 * hostile clients. docs/clients.md. Runs under any loop that fills `struct clients_loop`.
 * Single-threaded; no call waits. */
#ifndef CORONET_CLIENTS_H
#define CORONET_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/engine.h"

struct clients;

typedef void clients_ready_fn(void *arg, short revents);

/* A loop that watches descriptors, level-triggered, with poll(2)'s event bits. After del the
 * callback is not run any more for that descriptor; add, mod and del are called from inside
 * callbacks too. add and mod: 0 or negative errno. */
struct clients_loop {
	void *ctx;
	int (*add)(void *ctx, int fd, short events, clients_ready_fn *ready, void *arg);
	int (*mod)(void *ctx, int fd, short events, clients_ready_fn *ready, void *arg);
	void (*del)(void *ctx, int fd);
	uint64_t (*now_ms)(void *ctx); /* the clock that engine_turn gets */
};

struct clients_config {
	const char *run_dir; /* must exist; the socket is made in it. Copied */
	uint32_t node;
	uint32_t nodes;		 /* that the ring may have */
	const struct slab *slab; /* the engine's; borrowed */
	struct slab_config slab_config;
	uint32_t connections_max; /* programs, <= the engine's pg.clients_max; tools likewise */
	/* Of them, programs and tools of one user together; root and the daemon's own user have no limit. 0: all */
	uint32_t user_connections_max;
	/* Send memory and unread messages of one user's programs together, root and the daemon's own user excepted;
	 * three quarters of it for sending. 0: as much as they like */
	uint64_t user_memory_max_bytes;
	uint64_t queue_max_bytes;  /* of one client's unread messages; 0: the default */
	uint64_t send_max_bytes;   /* send memory of one client; 0: the default */
	uint32_t inline_max_bytes; /* messages up to this go into the event ring; 0: none */
	uint32_t hello_max_ms;	   /* from connecting to the first packet; 0: the default */
	void *ctx;
	/* Beyond root, group 0 and the daemon's own user, which are let in anyway. groups: all of the
	 * client's, its primary one first. */
	bool (*allow)(void *ctx, uid_t uid, const gid_t *groups, size_t count);
	void (*log)(void *ctx, int priority, const char *text); /* priority as in syslog(3) */
	/* Closes a socket over which anything may have been sent, without waiting; false: let nobody in for a moment.
	 * NULL: close(2) */
	bool (*discard)(void *ctx, int fd);
	/* A text for the status tool, freed with free(3) by the caller; NULL: none. */
	char *(*status)(void *ctx);
};

#define CLIENTS_QUEUE_MAX_BYTES (256ull * 1024 * 1024)
#define CLIENTS_SEND_MAX_BYTES	(256ull * 1024 * 1024)
/* The largest message, beside the region that every member has (IPC_COMMON_REGION_BYTES). */
#define CLIENTS_SEND_MIN_BYTES	 (68ull * 1024 * 1024)
#define CLIENTS_INLINE_MAX_BYTES 1024u
/* The library says hello in the call that connects: whoever takes so long only takes a place. */
#define CLIENTS_HELLO_MAX_MS 5000u

/* Makes the socket (mode 0666: connecting is for everyone, being let in is not) and listens. A
 * socket file that nobody listens on is replaced. -EADDRINUSE when another daemon listens;
 * -ENAMETOOLONG, -ENOMEM, -EINVAL, or what the system said; the log names the path. */
int clients_new(const struct clients_config *config, const struct clients_loop *loop,
		struct engine *engine, struct clients **out);
/* Closes all connections and drops all holds; removes the socket. The engine must still be there;
 * memory of clients that the ring still needs goes when the engine lets go of it. */
void clients_free(struct clients **clients);

/* Call after every turn of the engine and after every round of callbacks. True: there is more to
 * do at once. */
bool clients_turn(struct clients *clients);
/* When to call clients_turn if nothing else happens before; UINT64_MAX: no need. Changes with
 * every turn. */
uint64_t clients_next_deadline_ms(const struct clients *clients);

/* While it is on, call clients_turn again and again and do not sleep: programs that have sent something
 * lately do not ring for more. After it is turned off, one more clients_turn comes before the first
 * sleep. Off at first. */
void clients_stay_awake(struct clients *clients, bool on);
/* While awake: a program has sent something, and clients_turn would take it. */
bool clients_waiting(const struct clients *clients);
/* Messages taken from programs, ever. */
uint64_t clients_taken(const struct clients *clients);

/* For the host callbacks of struct engine_host with the same names. NULL is accepted: then there
 * is nobody to tell. */
void clients_deliver(struct clients *clients, const struct engine_delivery *delivery);
void clients_confchg(struct clients *clients, const struct engine_confchg *confchg);
void clients_totem(struct clients *clients, uint32_t client, struct ringid ring,
		   const struct nodeset *members);
void clients_sent(struct clients *clients, uint32_t client, uint64_t cookie);
int clients_foreign(struct clients *clients, const struct engine_foreign *foreign,
		    uint32_t *region);
void clients_region_gone(struct clients *clients, uint32_t region);

struct clients_stats {
	uint32_t connected;		 /* programs now */
	uint64_t user_memory_max;	 /* bytes that one user may have; 0: no limit */
	uint64_t send_bytes;		 /* of send memory, registered now */
	uint64_t accepted, refused;	 /* connections ever */
	uint64_t disconnected;		 /* by us: slow, hostile or mute */
	uint64_t spilled, spilled_bytes; /* messages copied out for slow clients, ever */
	uint64_t events,
		inlined; /* events ever, and messages among them that went into the ring whole */
};
void clients_stats(const struct clients *clients, struct clients_stats *out);

/* One handle of a program. */
struct clients_handle {
	pid_t pid;
	uid_t uid;
	bool joined;	       /* or joining */
	struct cpg_name group; /* if joined */
	uint64_t unread_bytes; /* of events for it, in its ring and outside */
	uint64_t held_bytes;   /* of messages that it has read and still uses in place */
	uint64_t queue_bytes;  /* what counts against queue_max_bytes */
	uint32_t sends_on_way; /* messages of its send memory that are not released */
	bool waits_for_ring;   /* flow control: its next message has to wait */
	bool waits_for_memory; /* its send memory is all in use, says it */
};

/* All connections of one user. */
struct clients_user {
	uid_t uid;
	uint32_t connections;
	uint32_t regions;      /* of send memory */
	uint64_t send_bytes;   /* in them */
	uint64_t queued_bytes; /* what waits for those that do not read */
};
void clients_users(const struct clients *clients,
		   void (*each)(void *ctx, const struct clients_user *user), void *ctx);
/* In the order in which they connected; the call ends before clients are called again. */
void clients_handles(const struct clients *clients,
		     void (*each)(void *ctx, const struct clients_handle *handle), void *ctx);

#endif
