/* SPDX-License-Identifier: BSD-3-Clause */
/* One membership in the group that is measured, through libcpg's stock calls, or those of Coronet's own that were found
 * when the program runs. */
#ifndef CORONET_BENCH_LINK_H
#define CORONET_BENCH_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <coronet/cpg.h>

/* What corosync's libcpg has not. */
struct link_own {
	__typeof__(coronet_cpg_zcb_alloc) *alloc;
	__typeof__(coronet_cpg_zcb_free) *free;
	__typeof__(coronet_cpg_zcb_mcast_joined) *mcast;
};

struct link {
	struct link_own own; /* with link_open_in_place only */
	cpg_handle_t handle;
	int fd;
	struct cpg_name group;
	cs_error_t error; /* of the last call that did not end with CS_OK */
	bool open;
};

enum link_sent {
	LINK_SENT,
	LINK_AGAIN,   /* no room for now */
	LINK_REFUSED, /* the service does not take such a message, now or later */
	LINK_BROKEN
};

/* Connects and joins; waits up to patience_ns for a service that is not ready. 0, or -EIO and link->error. */
int link_open(struct link *link, const char *group, cpg_callbacks_t *callbacks, void *context,
	      uint64_t patience_ns);

/* The same with messages that are read in place, and buffers that are handed over. link->error is
 * CS_ERR_NOT_SUPPORTED when the libcpg that is loaded is not Coronet's. */
int link_open_in_place(struct link *link, const char *group, coronet_cpg_model_data_t *model,
		       void *context, uint64_t patience_ns);

enum link_sent link_send(struct link *link, cpg_guarantee_t guarantee, void *message, size_t size);

/* The same from memory of cpg_zcb_alloc(). */
enum link_sent link_send_zcb(struct link *link, cpg_guarantee_t guarantee, void *message,
			     size_t size);

enum link_sent link_judge(struct link *link, cs_error_t error);

/* Waits until an event is there, for at most so long. Whether one is there. */
bool link_wait(const struct link *link, uint64_t wait_ns);

/* Runs the callbacks of all events that are there: 0, or -EIO and link->error. */
int link_dispatch(struct link *link);

void link_close(struct link *link);

/* The file of the libcpg that is used, or "unknown". */
const char *link_library(void);

#endif
