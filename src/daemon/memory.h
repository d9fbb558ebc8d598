/* SPDX-License-Identifier: BSD-3-Clause */
/* What the daemon's process takes of the machine's memory, as the kernel counts it. */
#ifndef CORONET_DAEMON_MEMORY_H
#define CORONET_DAEMON_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

struct memory_facts {
	uint64_t resident_bytes; /* pages that are there, those shared with others included */
	uint64_t locked_bytes;	 /* of them those that cannot be swapped out, by mlock(2) */
	uint64_t pinned_bytes;	 /* registered with adapters; a page counts each time */
};

/* 0 where the kernel does not say. */
void memory_facts(struct memory_facts *out);

/* The number of bytes behind `name` ("VmRSS:") in the text of a file like /proc/PID/status; 0: it is
 * not there. */
uint64_t memory_field(const char *text, const char *name);

/* Bytes. */
uint64_t memory_of_machine(void);

/* Whether RLIMIT_MEMLOCK binds this process, and at how many bytes. */
bool memory_lock_limit(uint64_t *bytes);

#endif
