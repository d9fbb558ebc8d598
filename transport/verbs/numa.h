/* SPDX-License-Identifier: BSD-3-Clause */
/* Which NUMA node an adapter is attached to. */
#ifndef CORONET_VERBS_NUMA_H
#define CORONET_VERBS_NUMA_H

/* `device_dir` is the adapter's directory in sysfs (/sys/class/infiniband/NAME). -1: it does not
 * say, as soft-RoCE never does, or not with a number of a node. */
int verbs_numa_node(const char *device_dir);

#endif
