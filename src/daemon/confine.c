/* SPDX-License-Identifier: BSD-3-Clause */
/* See confine.h. The system calls about capabilities are made without libcap, which would be needed for nothing else. */
#include "daemon/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/syscall_filter.h"

#define BIT(capability) (UINT64_C(1) << (capability))

struct capability {
	unsigned int number;
	const char *name;
};

/* All that any part of the daemon uses. The last one is what giving up the others takes. */
static const struct capability known[] = {
	{CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"}, /* a ring0_port below 1024 */
	{CAP_NET_ADMIN, "CAP_NET_ADMIN"},		/* soft-RoCE devices */
	{CAP_IPC_LOCK, "CAP_IPC_LOCK"},			/* memory beyond RLIMIT_MEMLOCK */
	{CAP_SYS_NICE, "CAP_SYS_NICE"},			/* priority */
	{CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE"},		/* limits */
	{CAP_SETPCAP, "CAP_SETPCAP"},
};
#define KNOWN (sizeof(known) / sizeof(known[0]))

static enum confine_calls calls = CONFINE_CALLS_OPEN;

/* --- Capabilities --------------------------------------------------------------------------------- */

static int permitted(uint64_t *out)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data)) {
		return -errno;
	}
	*out = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

static int set_permitted(uint64_t wanted)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{.effective = (uint32_t)wanted, .permitted = (uint32_t)wanted},
		{.effective = (uint32_t)(wanted >> 32), .permitted = (uint32_t)(wanted >> 32)}};

	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/* Without CAP_SETPCAP it stays; it is the limit of what programs get that are run, and none can be. */
static void narrow_bounding_set(uint64_t wanted)
{
	for (unsigned int i = 0; i < CONFINE_CAPABILITIES_MAX; i++) {
		if (!(wanted & BIT(i)) && prctl(PR_CAPBSET_READ, (unsigned long)i, 0, 0, 0) == 1) {
			prctl(PR_CAPBSET_DROP, (unsigned long)i, 0, 0, 0);
		}
	}
}

/* Keeps those of `wanted` that are there. The inheritable and with them the ambient ones all go. */
static int keep(uint64_t wanted)
{
	uint64_t had = 0;
	int err = permitted(&had);

	if (err) {
		return err;
	}
	narrow_bounding_set(wanted);
	return set_permitted(had & wanted);
}

static uint64_t all_known(void)
{
	uint64_t set = 0;

	for (size_t i = 0; i < KNOWN; i++) {
		set |= BIT(known[i].number);
	}
	return set;
}

static bool lock_limit_is_finite(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur != RLIM_INFINITY;
}

/* Who could raise the limit of locked memory needs no leave to exceed it. */
static uint64_t still_needed(const struct confine_needs *needs)
{
	uint64_t set = 0;

	if (needs->memory && lock_limit_is_finite()) {
		set |= BIT(CAP_IPC_LOCK);
	}
	if (needs->softroce) {
		set |= BIT(CAP_NET_ADMIN);
	}
	if (needs->low_port) {
		set |= BIT(CAP_NET_BIND_SERVICE);
	}
	return set;
}

/* --- The steps ------------------------------------------------------------------------------------ */

void confine_begin(void)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1ul, 0ul, 0ul, 0ul);
	/* What cannot be dropped now is tried again, and then there is a log. */
	(void)keep(all_known());
}

void confine_capabilities(const struct confine_needs *needs)
{
	int err = keep(still_needed(needs));

	if (err) {
		log_say(LOG_PART_MAIN, LOG_WARNING, "capabilities cannot be given up: %s",
			strerror(-err));
	}
}

static enum confine_calls filter(bool wanted, bool forks)
{
	int err;

	if (!wanted) {
		return CONFINE_CALLS_OPEN;
	}
	err = syscall_filter_install(forks);
	if (err == -ENOSYS) {
		return CONFINE_CALLS_ABSENT;
	}
	if (err) {
		log_say(LOG_PART_MAIN, LOG_WARNING, "system calls are not filtered: %s",
			strerror(-err));
		return CONFINE_CALLS_FAILED;
	}
	return CONFINE_CALLS_NEEDED;
}

void confine_calls(bool wanted, bool forks)
{
	struct confine_facts facts;
	char text[CONFINE_TEXT_MAX];

	calls = filter(wanted, forks);
	confine_report(&facts);
	confine_capabilities_text(facts.capabilities, text);
	log_say(LOG_PART_MAIN, LOG_INFO, "runs on as user %u; capabilities: %s; system calls: %s",
		(unsigned int)geteuid(), text, confine_calls_name(calls));
}

/* --- What is left --------------------------------------------------------------------------------- */

void confine_tell(void)
{
	int number;
	char name[SYSCALL_FILTER_NAME_MAX];

	while ((number = syscall_filter_next_refused()) >= 0) {
		syscall_filter_name(number, name);
		log_say(LOG_PART_MAIN, LOG_WARNING,
			"system call %s (%d) was refused: the daemon is not meant to make it. If an adapter's "
			"library needs it, \"system { syscall_filter: no }\" lets it, from the next start on",
			name, number);
	}
}

void confine_report(struct confine_facts *out)
{
	*out = (struct confine_facts){.no_new_privileges =
					      prctl(PR_GET_NO_NEW_PRIVS, 0ul, 0ul, 0ul, 0ul) == 1,
				      .calls = calls,
				      .refused = syscall_filter_refused()};
	(void)permitted(&out->capabilities);
}

void confine_capabilities_text(uint64_t capabilities, char text[CONFINE_TEXT_MAX])
{
	size_t used = 0;

	snprintf(text, CONFINE_TEXT_MAX, "none");
	for (size_t i = 0; i < KNOWN; i++) {
		if (capabilities & BIT(known[i].number)) {
			used += (size_t)snprintf(text + used, CONFINE_TEXT_MAX - used, "%s%s",
						 used > 0 ? " " : "", known[i].name);
		}
	}
}

const char *confine_calls_name(enum confine_calls state)
{
	switch (state) {
	case CONFINE_CALLS_OPEN:
		return "all";
	case CONFINE_CALLS_NEEDED:
		return "filtered";
	case CONFINE_CALLS_ABSENT:
		return "all, there is no filter in this build";
	case CONFINE_CALLS_FAILED:
		return "all, the kernel did not take the filter";
	}
	return "unknown";
}
