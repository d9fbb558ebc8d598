/* SPDX-License-Identifier: BSD-3-Clause */
/* What one member sends during a step, and when. */
#ifndef CORONET_BENCH_TRAFFIC_H
#define CORONET_BENCH_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/message.h"

struct bench;

enum {
	ECHOES_MAX = 1024
};

struct traffic {
	bool active; /* has messages to send, or echoes to wait for */
	bool in_flight;
	uint8_t *message;
	bool zcb; /* the message is memory of the service */
	uint64_t sent;
	uint64_t own;	/* of these, back here */
	uint64_t asked; /* of these, to be answered */
	uint64_t echoed;
	uint64_t try_again;
	uint64_t stop_ns;
	uint64_t record_ns; /* what is meant to be sent from here on, counts */
	uint64_t next_ns;
	uint64_t ask_ns;      /* messages that are alone are answered from here on */
	uint64_t intended_ns; /* of a message that is alone and has to be tried again; else 0 */
	uint64_t every_ns;
	uint64_t echo_every;
	uint32_t burst;
	/* Others' messages to be answered, oldest first. */
	struct data_header echoes[ECHOES_MAX];
	uint32_t echoes_first;
	uint32_t echoes_count;
};

/* Begins bench->step at begin_ns. */
void traffic_start(struct bench *bench, uint64_t begin_ns);
void traffic_stop(struct bench *bench);

/* Sends what can be sent now; returns for how long to wait then, if no event comes: 0 for not at all. */
uint64_t traffic_pump(struct bench *bench);

/* A message of this member is delivered to it. */
void traffic_own(struct bench *bench, const struct data_header *header);

/* A message of the member at place from: answered, if it is to be by this one. */
void traffic_other(struct bench *bench, uint32_t from, const struct data_header *header);

/* An answer to one of this member's. */
void traffic_echo(struct bench *bench, const struct data_header *header);

#endif
