/* SPDX-License-Identifier: BSD-3-Clause */
/* One line for the daemon's log. */
#ifndef CORONET_VERBS_LOG_H
#define CORONET_VERBS_LOG_H

#include "verbs/verbs_int.h"

/* priority as in syslog(3); lines longer than 511 bytes are cut. */
void verbs_log(const struct transport *t, int priority, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "10.50.0.1:5405", "[fe80::1]:5405"; always terminated. */
void verbs_addr_text(const struct sockaddr_storage *addr, char *text, size_t size);
uint16_t verbs_addr_port(const struct sockaddr_storage *addr);
void verbs_addr_set_port(struct sockaddr_storage *addr, uint16_t port);
/* Same family and host; ports and scopes do not matter. */
bool verbs_addr_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

#endif
