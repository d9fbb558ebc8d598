/* SPDX-License-Identifier: BSD-3-Clause */
/* The system calls that the daemon makes after its start; the kernel answers all others with ENOSYS, as an older kernel would
 * (docs/decisions.md, D22). syscall_filter.c when libseccomp is there, else no_syscall_filter.c. */
#ifndef CORONET_DAEMON_SYSCALL_FILTER_H
#define CORONET_DAEMON_SYSCALL_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#define SYSCALL_FILTER_NAME_MAX 64

/* For good, and for all threads and children. `forks`: a child may be made, which can run no program either. 0;
 * -ENOSYS: not in this build; or why the kernel did not take it. */
int syscall_filter_install(bool forks);

/* How often a call has been refused. */
uint64_t syscall_filter_refused(void);
/* The number of a call that was refused and not returned here before; -1: there is none. */
int syscall_filter_next_refused(void);
void syscall_filter_name(int number, char name[SYSCALL_FILTER_NAME_MAX]);

#endif
