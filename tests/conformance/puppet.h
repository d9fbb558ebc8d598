/* SPDX-License-Identifier: BSD-3-Clause */
/* Puppets: ends in processes of their own, executed afresh from this program, that do what they
 * are told over a socket. They can be stopped and killed. */
#ifndef CORONET_CONFORMANCE_PUPPET_H
#define CORONET_CONFORMANCE_PUPPET_H

#include <sys/types.h>

#include "tests/conformance/end.h"

struct puppet {
	pid_t pid;
	int fd;
	uint32_t node;
};

enum puppet_order {
	PUPPET_LINK,   /* peer_add(node) */
	PUPPET_LOAD,   /* send `count` frames to node, and judge what node sends */
	PUPPET_ECHO,   /* send every control message back */
	PUPPET_BREAK,  /* break the bulk channel to node */
	PUPPET_STATUS, /* answered with struct puppet_status */
	PUPPET_QUIT,   /* close the transport and end */
};

struct puppet_command {
	enum puppet_order order;
	uint32_t node;
	uint64_t count;
};

struct puppet_status {
	struct end_link link; /* to the node of the command */
	uint64_t returned, expected, repeated;
	uint64_t area_key;
	bool broken;
	bool broke; /* the last PUPPET_BREAK found a channel to break */
};

/* Starts one; it opens its transport before this returns. */
void puppet_start(struct puppet *puppet, uint32_t node, uint64_t incarnation);
void puppet_tell(struct puppet *puppet, enum puppet_order order, uint32_t node, uint64_t count);
struct puppet_status puppet_ask(struct puppet *puppet, uint32_t node);
void puppet_signal(const struct puppet *puppet, int signal);
/* Orderly, unless it was killed. Harmless on a puppet that has ended. */
void puppet_end(struct puppet *puppet);
void puppet_kill(struct puppet *puppet);

/* main of a puppet: ARGV: program, "puppet", socket, node, incarnation, cluster name. */
int puppet_main(int argc, char **argv);

#endif
