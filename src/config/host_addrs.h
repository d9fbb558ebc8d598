/* SPDX-License-Identifier: BSD-3-Clause */
/* The addresses of this host's interfaces. */
#ifndef CORONET_CONFIG_HOST_ADDRS_H
#define CORONET_CONFIG_HOST_ADDRS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define HOST_ADDRS_MAX 256

struct host_addrs {
	uint32_t count;
	struct sockaddr_storage addr[HOST_ADDRS_MAX]; /* without port */
	char interface[HOST_ADDRS_MAX][IF_NAMESIZE];
};

/* IPv4 and IPv6; none when the system does not say. */
void host_addrs_read(struct host_addrs *out);
/* Ports do not count. */
bool host_addrs_has(const struct host_addrs *host, const struct sockaddr_storage *addr);
/* The interface that owns the address, or NULL. */
const char *host_addrs_interface(const struct host_addrs *host,
				 const struct sockaddr_storage *addr);

/* "10.0.0.1", "fe80::1"; "?" for other families. */
#define HOST_ADDR_TEXT_MAX 64
void host_addr_text(const struct sockaddr_storage *addr, char text[HOST_ADDR_TEXT_MAX]);
bool host_addr_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

#endif
