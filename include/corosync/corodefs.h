/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Constants that programs written for corosync find in this place: the numbers of its services,
 * the largest number of nodes, the size of an address.
 *
 * Of the services Coronet offers CPG_SERVICE; the other numbers are here because sources name them.
 */
#ifndef CORODEFS_H_DEFINED
#define CORODEFS_H_DEFINED

#include <netinet/in.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Nodes a ring may have, in corosync's interface. */
#ifdef HAVE_SMALL_MEMORY_FOOTPRINT
#define PROCESSOR_COUNT_MAX 16
#else
#define PROCESSOR_COUNT_MAX 384
#endif

/* Bytes that hold an address of either family. */
#define TOTEMIP_ADDRLEN (sizeof(struct in6_addr))

enum corosync_service_types {
	CMAP_SERVICE = 0,
	CFG_SERVICE = 1,
	CPG_SERVICE = 2,
	QUORUM_SERVICE = 3,
	PLOAD_SERVICE = 4,
	VOTEQUORUM_SERVICE = 5,
	MON_SERVICE = 6,
	WD_SERVICE = 7
};

#ifdef __cplusplus
}
#endif

#endif /* CORODEFS_H_DEFINED */
