/* SPDX-License-Identifier: BSD-3-Clause */
/* Interface addresses from getifaddrs(3); see host_addrs.h. */
#include "config/host_addrs.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static void take(struct host_addrs *out, const struct ifaddrs *one)
{
	size_t size = one->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
							  : sizeof(struct sockaddr_in6);

	memset(&out->addr[out->count], 0, sizeof(out->addr[0]));
	memcpy(&out->addr[out->count], one->ifa_addr, size);
	snprintf(out->interface[out->count], IF_NAMESIZE, "%s", one->ifa_name);
	out->count++;
}

void host_addrs_read(struct host_addrs *out)
{
	struct ifaddrs *all = NULL;

	out->count = 0;
	if (getifaddrs(&all)) {
		return;
	}
	for (const struct ifaddrs *one = all; one && out->count < HOST_ADDRS_MAX;
	     one = one->ifa_next) {
		if (one->ifa_addr &&
		    (one->ifa_addr->sa_family == AF_INET || one->ifa_addr->sa_family == AF_INET6)) {
			take(out, one);
		}
	}
	freeifaddrs(all);
}

bool host_addr_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family) {
		return false;
	}
	if (a->ss_family == AF_INET) {
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	}
	return a->ss_family == AF_INET6 &&
	       memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
		      &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

const char *host_addrs_interface(const struct host_addrs *host, const struct sockaddr_storage *addr)
{
	for (uint32_t i = 0; i < host->count; i++) {
		if (host_addr_equal(&host->addr[i], addr)) {
			return host->interface[i];
		}
	}
	return NULL;
}

/* All of 127.0.0.0/8 is this host, although one address of it is listed. */
static bool is_loopback(const struct sockaddr_storage *addr)
{
	return addr->ss_family == AF_INET &&
	       ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

bool host_addrs_has(const struct host_addrs *host, const struct sockaddr_storage *addr)
{
	return is_loopback(addr) || host_addrs_interface(host, addr) != NULL;
}

void host_addr_text(const struct sockaddr_storage *addr, char text[HOST_ADDR_TEXT_MAX])
{
	const void *bytes = addr->ss_family == AF_INET
				    ? (const void *)&((const struct sockaddr_in *)addr)->sin_addr
				    : &((const struct sockaddr_in6 *)addr)->sin6_addr;

	if ((addr->ss_family != AF_INET && addr->ss_family != AF_INET6) ||
	    !inet_ntop(addr->ss_family, bytes, text, HOST_ADDR_TEXT_MAX)) {
		snprintf(text, HOST_ADDR_TEXT_MAX, "?");
	}
}
