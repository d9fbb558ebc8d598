/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the clients room. Callbacks of the engine only queue, and mark a client for closing
 * (client_doom): calls of the engine start in a callback of the loop or in clients_turn. */
#ifndef CORONET_CLIENTS_INT_H
#define CORONET_CLIENTS_INT_H

#include <sys/socket.h>

#include "base/list.h"
#include "clients/clients.h"
#include "clients/pace.h"
#include "clients/seldom.h"
#include "clients/told.h"
#include "ipc/memory.h"
#include "ipc/shared.h"
#include "ipc/socket.h"

enum client_state {
	CLIENT_NEW,  /* has not said hello */
	CLIENT_OPEN, /* a program: the engine knows it */
	CLIENT_TOOL,
	CLIENT_CLOSED, /* waits for its memory to be freed */
};

/* Send memory, which outlives its client until the last message in it is released; or a segment with
 * large messages; or, foreign, memory of another node's client on this host. */
struct region {
	struct list link; /* in its client's, or on its own */
	bool foreign;
	uint64_t mark;		 /* foreign: of every opening of it (store/mark.h) */
	struct clients *clients; /* NULL when they are gone */
	struct client *client;	 /* NULL when it is gone, and of segments */
	uint32_t id;		 /* the engine's number */
	struct user *user; /* of whose memory it is; NULL: nobody's, or the clients are gone */
	uint64_t serial;   /* the clients' number, never used twice */
	struct ipc_memory memory;
	int shown_fd;		/* the same memory, for reading */
	uint64_t pinned_bytes;	/* messages in it that clients have not read */
	uint64_t granted_bytes; /* of them what clients may pin */
	struct list shown;	/* foreign: to whom, each by an opening of his own */
};

/* Memory of the ring's that clients may pin, and that cannot be taken back. */
struct granted {
	uint32_t slots;
	uint64_t extent_bytes;
	uint64_t peer_bytes; /* in other nodes' large regions */
};

/* Memory that messages of a slow client were copied into. */
struct chunk {
	struct list link;
	struct client *client;
	uint64_t serial;
	struct ipc_memory memory;
	int shown_fd;  /* the same memory, for reading */
	uint64_t used; /* bytes from the start */
	uint32_t live; /* messages that the client has not read */
	bool announced;
};

/* Something for a client to read: queued in `queue`, then in `in_ring` until read if it holds
 * memory, then in `kept` while its pin is set. */
struct event {
	struct list link;
	struct list held; /* in its client's, while it holds a body */
	struct ipc_event head;
	struct body *body;	 /* held, or NULL */
	uint64_t referred_bytes; /* its part of the client's */
	struct chunk *chunk;	 /* where it was or is being copied to, or NULL */
	uint64_t chunk_offset;
	uint64_t copied; /* bytes */
	bool moved;	 /* all of it is there, and the client knows */
	uint64_t queued_at_ms;
	uint64_t end;	   /* position in the ring behind it; 0: it is not there yet */
	bool by_reference; /* went into the ring with a body */
	uint64_t at;	   /* bytes of data that are in the ring already */
	uint64_t data_size;
	uint8_t data[]; /* group, or lists */
};

struct client {
	struct list link;   /* in clients.all or clients.closed */
	struct list active; /* in clients.active, or on its own */
	struct list mute;   /* in clients.mute until it says hello */
	uint64_t connected_at_ms;
	struct clients *clients;
	enum client_state state;
	bool overdue;	  /* doomed because it said no hello */
	const char *doom; /* why it will be closed; NULL: it will not */
	const char *slow; /* why it is told nothing more; what it sent is still taken */
	bool hung_up;	  /* its process is gone or has closed: take what it sent, then close */
	struct ucred cred;
	struct user *user;
	uint32_t number, serial; /* the engine's; tells cookies of its earlier clients from ours */
	int request_fd, event_fd, side_fd;
	bool request_watched, side_watched;
	struct ipc_memory shared;
	bool in_place; /* its records come with pins */
	bool joined;   /* a group, or is joining it */
	struct cpg_name group;

	/* sends */
	uint64_t taken, completed;
	uint64_t sends_end; /* hung up: what is published later does not count */
	uint32_t lent;	    /* messages whose memory the engine has */
	bool stalled;	    /* the engine had no room */
	bool unread;	    /* more in the ring than one turn takes */
	bool quiet;	    /* does not ring: it has to be looked at */
	uint32_t attention; /* sleeps of ours until it is forgotten that it sends */
	bool hungry;	    /* it has no send memory left, says it */
	uint64_t hungry_since_ms;
	bool progress; /* something it sent was taken or given back... */
	bool wants;    /* ...and it has to be told of that */
	struct list regions;
	uint64_t regions_size;
	uint32_t regions_count;

	/* the request that waits until the sends before it are taken */
	bool asked;
	struct ipc_request request;
	uint64_t request_after; /* value of `taken` */

	/* events */
	struct ipc_event_writer writer;
	struct list queue, in_ring, kept;
	uint64_t pins[IPC_PINS / 64]; /* granted ones */
	uint32_t pin_hint;
	uint64_t pins_cleared; /* as last seen */
	struct granted granted;
	uint64_t queued_bytes;	 /* of our memory */
	uint64_t referred_bytes; /* payloads of unread messages that are not in its ring */
	uint64_t spilled_bytes;
	struct list held,
		held_slots; /* events that hold a body, and those in slots; oldest first */
	struct pace pace;
	uint32_t ring_held; /* records that went into the ring with a body */
	uint64_t ring_held_bytes;
	uint64_t wake_at;
	uint64_t moves;
	bool wake, byte_due; /* something to read in this turn; the last byte could not be sent */
	bool side_full;	     /* an announcement waits for room in the side socket */
	uint32_t announced;  /* since the side socket was last found empty */
	struct list chunks;
	uint64_t known[TRANSPORT_REGIONS_MAX / 64]; /* regions that were announced */
	struct list shown;			    /* of them other nodes' */
};

struct clients {
	struct clients_config config;
	struct clients_loop loop;
	struct engine *engine;
	char *run_dir;
	int listener;
	int spare_fd; /* given up for a moment to tell a client that there are no descriptors left */
	uint64_t listen_at_ms; /* again; 0: it listens */
	struct list all, active, closed;
	struct list mute, users; /* mute: oldest first */
	struct seldom_lines logged;
	struct told_status told;
	struct client *by_number[PG_CLIENTS_MAX];
	struct region *regions[TRANSPORT_REGIONS_MAX]; /* by the engine's number */
	uint32_t region_hint, serial;
	uint32_t shown; /* other nodes' regions, once for each client that was shown one */
	uint64_t region_serial;
	uint32_t connections, tools, pinned_slots;     /* the last: that clients keep */
	uint64_t pinned_extent_bytes;		       /* extents likewise */
	uint64_t pinned_send_bytes;		       /* send memory likewise */
	uint64_t pinned_peer_bytes;		       /* other nodes' likewise */
	uint64_t peer_bytes_seen, peer_bytes_since_ms; /* what they were, and since when */
	struct granted granted;			       /* of them what clients may pin */
	uint32_t hungry;	  /* clients that say they wait for send memory */
	uint32_t wanting;	  /* clients that wait to be told of progress */
	bool awake;		  /* clients_stay_awake */
	bool crowded;		  /* some wait for room in the ring: it is given in turn */
	uint64_t taken;		  /* messages, ever */
	bool news;		  /* there is some for one of them */
	uint32_t pressed_regions; /* send regions of which too much is kept */
	uint64_t relieve_at_ms;	  /* when some kept body will have been waited for long enough */
	struct clients_stats stats;
};

__attribute__((format(printf, 3, 4))) void clients_log(const struct clients *clients, int priority,
						       const char *format, ...);

/* clients.c */
void client_doom(struct client *client, const char *reason);
/* It does not read: its connection is cut, but what it has sent is taken first. */
void client_doom_slow(struct client *client, const char *reason);
/* No fault of its own: it is closed once what it sent is taken. */
void client_end(struct client *client);
void client_activate(struct client *client);
uint64_t clients_now(const struct clients *clients);

/* listen.c */
int clients_listen(struct clients *clients);
void clients_unlisten(struct clients *clients);
void clients_listen_again(struct clients *clients);
/* Closes *fd, if it is not -1, whatever was sent over it. */
void clients_discard(struct clients *clients, int *fd);

/* hello.c */
void client_hello(struct client *client, const struct ipc_request *request);
void clients_end_mute(struct clients *clients); /* whose first packet is overdue */
uint64_t clients_mute_deadline_ms(const struct clients *clients);
void client_log_mute(const struct client *client); /* not for each of many */

/* request.c */
void client_request_ready(void *client, short revents);
/* The next packet carries descriptors: the client is doomed, and nobody takes it. */
bool client_brings_fds(struct client *client, int fd);
void client_request_pump(struct client *client); /* of the waiting one, if its turn has come */
/* Dooms the client when the packet cannot be sent: it has at most one answer to come. */
void client_reply(struct client *client, enum ipc_kind kind, cs_error_t status, uint64_t value,
		  const void *data, uint64_t data_size, const struct ipc_fds *fds);

/* query.c: requests that only look */
void client_query(struct client *client, const struct ipc_request *request);

/* send.c */
/* Gives the engine what it takes, a bounded number at a time. */
void client_sends_pump(struct client *client);
void client_set_hungry(struct client *client, bool hungry);
void client_set_wants(struct client *client, bool wants);
/* Tells a program that waits for it that something it sent was taken or given back. */
void client_tell_sendable(struct client *client);
/* Everything published so far, or -1 when the client claims the impossible (it is doomed then). */
int64_t client_sends_published(struct client *client);

/* event.c */
struct event *client_event_new(struct client *client, enum ipc_event_kind kind, uint64_t data_size);
void client_event_free(struct client *client, struct event *event);
void client_event_queue(struct client *client, struct event *event);
void client_events_close(struct client *client);

/* ring.c */
/* Sees what was read, writes what fits. */
void client_events_pump(struct client *client);
/* Whether such a message goes into the ring whole; and it does, without a trace here. False: there is no room. */
bool client_inlines(const struct client *client, uint64_t size);
bool client_write_inline(struct client *client, struct ipc_event *head, const void *group,
			 const void *payload);
void client_wake(struct client *client);
/* Lets go of everything that was read when ipc_events_look was called last. */
void client_take_back(struct client *client);
/* Decides when the client has to ring a bell. True when that point has passed already. */
bool client_events_arm(struct client *client, bool urgent);
void client_side_ready(void *client, short revents);

#endif
