/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What members of a benchmark say to each other, in the group that they measure. The first byte tells data from
 * agreements. All of it is in the machine's own byte order: a member with another one is recognized by its magic.
 */
#ifndef CORONET_BENCH_MESSAGE_H
#define CORONET_BENCH_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MESSAGE_DATA = 'D',
	MESSAGE_ECHO = 'E',
	MESSAGE_TALK = 'T'
};

#define TALK_MAGIC 0x636f6231u

/*
 * What a data message begins with; one that is shorter consists of the first bytes of it. An echo has the fields of the
 * message that it answers.
 */
struct data_header {
	uint8_t kind;
	uint8_t step; /* the last bits of the step's number */
	uint8_t wants_echo;
	uint8_t of;	 /* echo: whose message it answers, by place in the list of members */
	uint32_t digest; /* with verify: of everything else */
	uint64_t number; /* 0, 1, 2, ... of this sender in this step */
	uint64_t intended_ns;
};

enum talk_kind {
	TALK_HELLO = 1,
	TALK_STEP,
	TALK_END,
	TALK_RESULT,
	TALK_BYE
};

struct talk_header {
	uint8_t kind; /* MESSAGE_TALK */
	uint8_t talk;
	uint16_t unused;
	uint32_t magic;
	uint32_t step;
	uint32_t size; /* of what follows */
};

struct talk_hello {
	uint32_t sends;
};

/* What is measured next. */
struct talk_step {
	uint32_t mode;
	uint32_t guarantee;
	uint32_t zcb;
	uint32_t verify;
	uint32_t window;
	uint32_t run;
	uint64_t size;
	uint64_t warmup_ns;
	uint64_t duration_ns;
	uint64_t interval_ns;
	uint64_t rate;
};

/* A sender has sent all it will. */
struct talk_end {
	uint64_t sent;
	uint64_t try_again;
	uint32_t refused; /* the cs_error_t, when the service did not take this size */
	uint32_t unused;
};

/* What a member has seen; senders add two histograms in the mode latency, of own messages and of echoes. */
struct talk_result {
	uint64_t messages; /* in the window */
	uint64_t elapsed_ns;
	uint64_t cpu_ns;
	uint64_t daemon_cpu_ns;
	uint64_t faults;
	uint64_t order; /* digest of all deliveries of the step */
	uint64_t total; /* their number */
};

/* Fills a message's body once, before its step. */
void message_fill(uint8_t *message, size_t size);

/* Puts the header in front; with verify the number is written all over the message, and the digest is made. */
void message_stamp(uint8_t *message, size_t size, const struct data_header *header, bool verify);

/* As much of the header as the message has; the rest is 0. */
void message_header(const uint8_t *message, size_t size, struct data_header *header);

/*
 * Whether the bytes are what message_stamp() wrote with verify for this header; only kind, step and number of it are
 * looked at, and only as far as the message goes.
 */
bool message_intact(const uint8_t *message, size_t size, const struct data_header *expected);

/* One more delivery in the digest of an order; with any_order the digest is the same for all orders. */
uint64_t message_order(uint64_t order, uint32_t member, uint64_t number, bool any_order);

#endif
