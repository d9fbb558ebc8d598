/* SPDX-License-Identifier: BSD-3-Clause */
/* The contract between libcpg and the daemon: packets on the request socket, and the layout of
 * the memory that both map. docs/clients.md tells the whole story. Library and daemon are built
 * together; IPC_VERSION guards against a mixture.
 *
 * Three sockets per connection:
 *   request  SOCK_SEQPACKET: one struct ipc_request there, one struct ipc_reply back
 *   event    SOCK_STREAM, what programs poll: a byte daemon -> client while events wait, no more
 *   side     SOCK_SEQPACKET: struct ipc_side daemon -> client; one-byte bells client -> daemon */
#ifndef CORONET_IPC_H
#define CORONET_IPC_H

#include <stdint.h>

#include <corosync/cpg.h>

#include "base/limits.h"

#define IPC_MAGIC	0x43525043u
#define IPC_VERSION	3u
#define IPC_SOCKET_NAME "cpg.sock"

/* --- Requests --- */

enum ipc_kind {
	IPC_HELLO = 1, /* value: IPC_MAGIC << 32 | IPC_VERSION; arg: enum ipc_hello */
	IPC_JOIN,      /* name, pid */
	IPC_LEAVE,     /* - */
	IPC_MEMBERS,   /* name, value: most entries wanted; data: struct cpg_address[] */
	IPC_LOCAL,     /* reply value: node id */
	IPC_ITERATE, /* arg: cpg_iteration_type_t, name; data: struct cpg_iteration_description_t[] */
	IPC_REGION_NEW,	 /* value: bytes; reply value: region, descriptor: its memory */
	IPC_REGION_FREE, /* value: region; no reply */
	IPC_FINALIZE,	 /* reply when all earlier sends are taken; then the connection ends */
	IPC_STATUS,	 /* data: text of the daemon's choice */
};
#define IPC_KINDS 10

/* What a connection is for. */
enum ipc_hello {
	IPC_HELLO_CLIENT = 0,
	IPC_HELLO_CLIENT_INITIAL = 1, /* CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF */
	IPC_HELLO_TOOL =
		2, /* MEMBERS, LOCAL, ITERATE and STATUS only; also before there is a ring */
};
/* Added to it: CORONET_CPG_DELIVER_IN_PLACE, records come with pins. */
#define IPC_HELLO_IN_PLACE 0x100u

struct ipc_request {
	uint32_t kind;
	uint32_t arg;
	uint64_t value;
	uint32_t pid;
	struct cpg_name name;
};
_Static_assert(sizeof(struct ipc_request) == 152, "packets have one size");

/* Followed by data_size bytes in the packet, unless the data is in the descriptor (IPC_IN_MEMFD). */
struct ipc_reply {
	uint32_t kind;
	uint32_t status; /* cs_error_t */
	uint64_t value;
	uint64_t data_size; /* bytes */
	uint32_t flags;
	uint32_t zero;
};
#define IPC_IN_MEMFD  1u
#define IPC_REPLY_MAX 8192u /* a whole packet */
#define IPC_DATA_MAX  (IPC_REPLY_MAX - (uint32_t)sizeof(struct ipc_reply))
#define IPC_FDS_MAX   4

/* Data of the reply to IPC_HELLO_CLIENT; descriptors: event socket, side socket, shared memory,
 * slab. */
struct ipc_welcome {
	uint32_t node;
	uint32_t zero;
	uint64_t slab_size; /* bytes */
};

/* On the side socket, daemon -> client. With a descriptor: the memory that events call `region`
 * from now on, `size` bytes. Without: the payload of the record that ends at `end` has moved to
 * `offset` of `region`.
 *
 * A payload moves when it is needed for the ring, or when the daemon ends the connection. First
 * it is copied, then this packet is sent, then events_moved grows, and only then the old place is
 * used anew. So a client that has copied a payload looks at events_moved, and if that has grown,
 * for packets. */
struct ipc_side {
	uint64_t region;
	uint64_t size;
	uint64_t end;
	uint64_t offset;
};

/* The connection has ended: what has not moved is lost. */
#define IPC_MOVED_END UINT64_MAX

/* --- Shared memory --- */

/* One index, alone on its cache line. Who writes it is said below; everything that the client can
 * write is hostile to the daemon. */
struct ipc_line {
	uint64_t value;
	uint64_t pad[7];
};

/* Moved: see struct ipc_side. */
struct ipc_indexes {
	struct ipc_line sends_published; /* client: descriptors written, ever */
	struct ipc_line sends_taken;	 /* daemon: descriptors read, ever */
	struct ipc_line sends_asleep;	 /* daemon 1: bell wanted; client 0: rung */
	struct ipc_line sends_hungry;	 /* client 1: waits for send memory; 0: has got some */
	struct ipc_line completions_published; /* daemon: tokens written, ever */
	struct ipc_line events_published;      /* daemon: bytes shown, ever; client: IPC_QUIET */
	struct ipc_line events_consumed;       /* client: bytes read, ever */
	struct ipc_line events_wake_at;	       /* daemon: bell wanted here; UINT64_MAX: never */
	struct ipc_line events_moved;	       /* daemon: payloads moved, ever; IPC_MOVED_END */
	struct ipc_line pins_cleared;	       /* client: pins cleared, ever */
	struct ipc_line pins_wanted;  /* daemon 1: bell wanted at the next; client 0: rung */
	struct ipc_line sends_wanted; /* client 1: waits for a SENDABLE event; daemon 0: comes */
};

/* The client adds it to events_published when it has read everything up to there. The daemon's next
 * value is without it, and whoever replaces a value that had it sends one byte on the event socket. So
 * there is one byte for each time that the client was quiet, and the client takes it before it is
 * quiet again. */
#define IPC_QUIET (UINT64_C(1) << 63)

/* A message in send memory. The token comes back through the completions when the memory is free
 * again; an empty message has no memory, region 0 and no token. */
struct ipc_send {
	uint64_t region;
	uint64_t offset;
	uint64_t size;
	uint32_t token;
	uint32_t guarantee; /* 0, 2 or 3 of cpg_guarantee_t */
};
_Static_assert(sizeof(struct ipc_send) == 32, "shared layout");

#define IPC_SENDS 2048u /* descriptors in the ring; a power of two */
#define IPC_COMPLETIONS \
	4096u /* messages whose memory a client may have lent at a time; a power of two */
#define IPC_COMMON_REGION_BYTES (4u * 1024 * 1024) /* send memory that every member has */
#define IPC_LARGE_REGIONS_BYTES \
	(32u * 1024 * 1024) /* all larger regions that the library asks for by itself */
/* When the common region has had no room for so long, the library takes memory elsewhere, and the daemon tells a program that waits
 * to try again. */
#define IPC_STARVED_MS	   8000u
#define IPC_EVENT_BYTES	   (256u * 1024) /* a power of two */

#define IPC_SENDS_AT	   4096u
#define IPC_COMPLETIONS_AT (IPC_SENDS_AT + IPC_SENDS * (uint32_t)sizeof(struct ipc_send))
#define IPC_EVENTS_AT	   (IPC_COMPLETIONS_AT + IPC_COMPLETIONS * 4u)
#define IPC_PINS_AT	   (IPC_EVENTS_AT + IPC_EVENT_BYTES)
#define IPC_PINS	   4096u /* bytes, one for each pin */
#define IPC_SHARED_SIZE	   (IPC_PINS_AT + IPC_PINS)
_Static_assert(sizeof(struct ipc_indexes) <= IPC_SENDS_AT, "indexes have a page");
_Static_assert(IPC_SHARED_SIZE % 4096 == 0, "whole pages");

/* --- Events --- */

/* Region 0 of events is the slab; others are announced on the side socket before they are used.
 * Numbers are never used twice. */
#define IPC_REGION_SLAB 0u

enum ipc_event_kind {
	IPC_EVENT_PAD = 1,  /* nothing: the ring's end comes sooner than the next record's */
	IPC_EVENT_MESSAGE,  /* payload: region, offset, length */
	IPC_EVENT_INLINE,   /* payload: behind the group's name */
	IPC_EVENT_CONFCHG,  /* a part of a struct ipc_confchg with its lists */
	IPC_EVENT_TOTEM,    /* a part of a struct ipc_totem with its list */
	IPC_EVENT_GONE,	    /* region is not used any more; not an event that anyone waits for */
	IPC_EVENT_SENDABLE, /* something sent was taken or given back since sends_wanted was set */
};

/* One record in the event ring: this, `data_size` bytes, padding up to a multiple of 8. Records
 * are contiguous. */
struct ipc_event {
	uint32_t size; /* of the whole record */
	uint16_t kind;
	uint16_t group_size; /* MESSAGE, INLINE: the data begins with the group's name */
	uint32_t node;
	uint32_t pid;
	uint64_t region;
	uint64_t offset; /* MESSAGE: in the region; CONFCHG, TOTEM: of this part in the whole */
	uint64_t length; /* MESSAGE, INLINE: of the payload; CONFCHG, TOTEM: of the whole */
	uint32_t data_size;
	uint16_t flags;
	uint16_t pin; /* MESSAGE: from 1; the payload stays while it is set; 0: none */
};
#define IPC_EVENT_STAYS 1u /* MESSAGE: the payload is in memory that is used for nothing else */

/* A pin is a byte of the client's: 1 while the program uses the payload in place. The client sets
 * it, and then looks at events_moved: either it sees that the payload has moved, or the daemon,
 * which looks at the pin after it has said so, leaves the old place alone. The record may be
 * consumed at once. */
_Static_assert(sizeof(struct ipc_event) == 48, "shared layout");

/* Data of one record at most; longer events come in parts. */
#define IPC_EVENT_DATA_MAX 16384u

/* Followed by member, left and joined addresses. */
struct ipc_confchg {
	uint32_t members_count, left_count, joined_count;
	struct cpg_name group;
};

/* Followed by node ids. */
struct ipc_totem {
	uint64_t ring_seq;
	uint32_t ring_node;
	uint32_t count;
};

#endif
