/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scalars, error codes and dispatch flags shared by corosync's client interfaces.
 *
 * Part of the binary interface: every size, offset and value here equals corosync 3.1's and may
 * never change. The texts and the code are Coronet's own. The same facts stand as assertions in
 * tests/unit/common/test_abi.c, and are compared with the distribution's headers where these are
 * installed.
 */
#ifndef COROTYPES_H_DEFINED
#define COROTYPES_H_DEFINED

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CS_FALSE 0
#define CS_TRUE	 (!CS_FALSE)

/* Capacity of cs_name_t, bytes. Group names of cpg.h are another type: CPG_MAX_NAME_LENGTH. */
#define CS_MAX_NAME_LENGTH 256

/* The latest time a cs_time_t can say. */
#define CS_TIME_END ((cs_time_t)INT64_MAX)

/* The larger of two values; each argument may be evaluated twice. */
#define CS_MAX(x, y) (((x) > (y)) ? (x) : (y))

/* How long a request waits for the daemon's answer: for ever, but not longer than it lives. */
#define CS_IPC_TIMEOUT_MS  (-1)

#define CS_TIME_MS_IN_SEC  1000ULL
#define CS_TIME_US_IN_SEC  1000000ULL
#define CS_TIME_NS_IN_SEC  1000000000ULL
#define CS_TIME_US_IN_MSEC 1000ULL
#define CS_TIME_NS_IN_MSEC 1000000ULL
#define CS_TIME_NS_IN_USEC 1000ULL

/* Bits of the tracking flags that interfaces other than cpg.h take. */
#define CS_TRACK_CURRENT      0x01
#define CS_TRACK_CHANGES      0x02
#define CS_TRACK_CHANGES_ONLY 0x04

/*
 * printf formats: a node id (uint32_t), decimal; a ring's sequence (uint64_t), hex; a ring id,
 * which takes two arguments, node id and sequence, and prints both in hex.
 */
#define CS_PRI_NODE_ID	      "%" PRIu32
#define CS_PRI_NODE_ID_PADDED "%10" PRIu32
#define CS_PRI_RING_ID_SEQ    "%" PRIx64
#define CS_PRI_RING_ID	      "%" PRIx32 ".%" PRIx64

typedef int64_t cs_time_t;

/* A counted name; length in bytes, no terminating NUL. 258 bytes. */
typedef struct {
	uint16_t length;
	uint8_t value[CS_MAX_NAME_LENGTH];
} cs_name_t;

/* An interface version. 3 bytes. */
typedef struct {
	char releaseCode;
	unsigned char majorVersion;
	unsigned char minorVersion;
} cs_version_t;

/* How much one call of cpg_dispatch() does; see there. */
typedef enum {
	CS_DISPATCH_ONE = 1,
	CS_DISPATCH_ALL = 2,
	CS_DISPATCH_BLOCKING = 3,
	CS_DISPATCH_ONE_NONBLOCKING = 4
} cs_dispatch_flags_t;

/*
 * What every function returns. Success is 1, not 0; 0 and 29 mean nothing. The codes with a note
 * are those that functions of cpg.h give, which says when; the others stand here for sources that
 * name them.
 */
typedef enum {
	CS_OK = 1,
	CS_ERR_LIBRARY = 2, /* no daemon, or the connection to it is lost for good */
	CS_ERR_VERSION = 3,
	CS_ERR_INIT = 4,
	CS_ERR_TIMEOUT = 5,
	CS_ERR_TRY_AGAIN = 6,	  /* not now: dispatch, wait a little, call again */
	CS_ERR_INVALID_PARAM = 7, /* an argument is NULL or out of range */
	CS_ERR_NO_MEMORY = 8,	  /* here or in the daemon */
	CS_ERR_BAD_HANDLE = 9,	  /* never given out, or finalized */
	CS_ERR_BUSY = 10,
	CS_ERR_ACCESS = 11,	   /* neither root nor named in a uidgid section */
	CS_ERR_NOT_EXIST = 12,	   /* neither member nor joining */
	CS_ERR_NAME_TOO_LONG = 13, /* above CPG_MAX_NAME_LENGTH */
	CS_ERR_EXIST = 14,	   /* already a member */
	CS_ERR_NO_SPACE = 15,	   /* the caller's array is too short */
	CS_ERR_INTERRUPT = 16,
	CS_ERR_NAME_NOT_FOUND = 17,
	CS_ERR_NO_RESOURCES = 18, /* the daemon is at a limit of its own */
	CS_ERR_NOT_SUPPORTED = 19,
	CS_ERR_BAD_OPERATION = 20,
	CS_ERR_FAILED_OPERATION = 21,
	CS_ERR_MESSAGE_ERROR = 22,
	CS_ERR_QUEUE_FULL = 23,
	CS_ERR_QUEUE_NOT_AVAILABLE = 24,
	CS_ERR_BAD_FLAGS = 25,
	CS_ERR_TOO_BIG = 26,	 /* more bytes than one message may have */
	CS_ERR_NO_SECTIONS = 27, /* the iteration is at its end */
	CS_ERR_CONTEXT_NOT_FOUND = 28,
	CS_ERR_TOO_MANY_GROUPS = 30,
	CS_ERR_SECURITY = 100
} cs_error_t;

/*
 * Now, in nanoseconds of CLOCK_MONOTONIC; of the wall clock where a strict ISO C mode hides the
 * monotonic one. Thread-safe; cannot fail. Source: clock_gettime(2).
 */
static inline uint64_t cs_timestamp_get(void)
{
#ifdef CLOCK_MONOTONIC
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * CS_TIME_NS_IN_SEC + (uint64_t)now.tv_nsec;
#else
	struct timeval now;

	gettimeofday(&now, 0);
	return (uint64_t)now.tv_sec * CS_TIME_NS_IN_SEC +
	       (uint64_t)now.tv_usec * CS_TIME_NS_IN_USEC;
#endif
}

/*
 * cs_strerror - the name of an error code.
 *
 * Returns "success" for CS_OK, the constant's own name for any other code above, and
 * "unknown error" for anything else; never NULL. The text is static and read-only: nothing to
 * free. Thread-safe. In libcorosync_common. Source: cs_strerror(3).
 */
const char *cs_strerror(cs_error_t err);

/*
 * qb_to_cs_error - the code for a result in libqb's manner.
 *
 * result: zero or more for success, a negative errno for failure. Returns CS_OK for success and
 * CS_ERR_LIBRARY for an errno without a code of its own. Thread-safe. In libcorosync_common.
 * Source: qb_to_cs_error(3), which has the whole table.
 */
cs_error_t qb_to_cs_error(int result);

/*
 * hdb_error_to_cs - the code for a result of a handle table.
 *
 * res: zero for success, a negative errno for failure. Returns CS_OK for zero only; a positive
 * value is no result of a handle table and gives CS_ERR_LIBRARY. Thread-safe. In
 * libcorosync_common. Source: hdb_error_to_cs(3).
 */
cs_error_t hdb_error_to_cs(int res);

#ifdef __cplusplus
}
#endif

#endif /* COROTYPES_H_DEFINED */
