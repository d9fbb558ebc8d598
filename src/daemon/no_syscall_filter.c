/* SPDX-License-Identifier: BSD-3-Clause */
/* See syscall_filter.h: for builds without libseccomp, and for those of the sanitizers, which make calls of their own. */
#include "daemon/syscall_filter.h"

#include <errno.h>
#include <stdio.h>

int syscall_filter_install(bool forks)
{
	(void)forks;
	return -ENOSYS;
}

uint64_t syscall_filter_refused(void)
{
	return 0;
}

int syscall_filter_next_refused(void)
{
	return -1;
}

void syscall_filter_name(int number, char name[SYSCALL_FILTER_NAME_MAX])
{
	(void)number;
	snprintf(name, SYSCALL_FILTER_NAME_MAX, "?");
}
