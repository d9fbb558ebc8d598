/* SPDX-License-Identifier: BSD-3-Clause */
/* What the daemon gives up: capabilities in two steps, and in a third all system calls but those that it makes after its start. What is
 * given up does not come back, whoever may then be running in this process. */
#ifndef CORONET_DAEMON_CONFINE_H
#define CORONET_DAEMON_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

enum confine_calls {
	CONFINE_CALLS_OPEN,   /* not filtered: the configuration says so */
	CONFINE_CALLS_NEEDED, /* only those that are needed */
	CONFINE_CALLS_ABSENT, /* not filtered: this build cannot */
	CONFINE_CALLS_FAILED, /* not filtered: the kernel refused */
};

/* What an adapter may take that is not open yet. */
struct confine_needs {
	bool memory;   /* is registered with it */
	bool softroce; /* it may have to be made, and then removed at the end */
	bool low_port; /* it is listened on */
};

#define CONFINE_CAPABILITIES_MAX 64
#define CONFINE_TEXT_MAX	 256

struct confine_facts {
	uint64_t capabilities; /* permitted, one bit for each */
	bool no_new_privileges;
	enum confine_calls calls;
	uint64_t refused; /* system calls, so far */
};

/* Before anything from outside is read: drops the capabilities that no part of the daemon uses, so that a file it
 * could not read again later is missing at the start already; no program it might run would have more than it has. */
void confine_begin(void);
/* When limits and priority are set: drops the rest but what is needed. Before an adapter is opened, because the kernel takes nothing
 * more through its descriptors from a process whose capabilities have changed since. */
void confine_capabilities(const struct confine_needs *needs);
/* When all is open and nobody has been served: filters the system calls if `wanted`, and says in the log what is left.
 * `forks`: a child will have to be made. */
void confine_calls(bool wanted, bool forks);

/* Says in the log which system calls have been refused, each of them once. Cheap when there are none. */
void confine_tell(void);

void confine_report(struct confine_facts *out);
/* "CAP_IPC_LOCK CAP_NET_ADMIN", or "none". */
void confine_capabilities_text(uint64_t capabilities, char text[CONFINE_TEXT_MAX]);
/* One word. */
const char *confine_calls_name(enum confine_calls calls);

#endif
