/* SPDX-License-Identifier: BSD-3-Clause */
/* Log lines, and socket addresses as people read them; see log.h. */
#include "verbs/log.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void verbs_log(const struct transport *t, int priority, const char *format, ...)
{
	char text[512];
	va_list arguments;

	if (!t->config.log) {
		return;
	}
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	t->config.log(t->config.log_ctx, priority, text);
}

void verbs_addr_text(const struct sockaddr_storage *addr, char *text, size_t size)
{
	const struct sockaddr_in *in4 = (const struct sockaddr_in *)addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
	char host[INET6_ADDRSTRLEN] = "?";

	if (addr->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%u", host, verbs_addr_port(addr));
	} else {
		inet_ntop(AF_INET, &in4->sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, verbs_addr_port(addr));
	}
}

uint16_t verbs_addr_port(const struct sockaddr_storage *addr)
{
	if (addr->ss_family == AF_INET6) {
		return ntohs(((const struct sockaddr_in6 *)addr)->sin6_port);
	}
	return ntohs(((const struct sockaddr_in *)addr)->sin_port);
}

void verbs_addr_set_port(struct sockaddr_storage *addr, uint16_t port)
{
	if (addr->ss_family == AF_INET6) {
		((struct sockaddr_in6 *)addr)->sin6_port = htons(port);
	} else {
		((struct sockaddr_in *)addr)->sin_port = htons(port);
	}
}

bool verbs_addr_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family) {
		return false;
	}
	if (a->ss_family == AF_INET6) {
		return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
			      &((const struct sockaddr_in6 *)b)->sin6_addr,
			      sizeof(struct in6_addr)) == 0;
	}
	return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
	       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
}
