/* SPDX-License-Identifier: BSD-3-Clause */
/* See carrier.h. */
#include "daemon/carrier.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "config/exit_code.h"
#include "config/host_addrs.h"
#include "daemon/closer.h"
#include "daemon/log.h"
#include "softroce/softroce.h"

#define ADVICE_MAX 512

_Static_assert(CARRIER_DEVICE_MAX == SOFTROCE_NAME_MAX, "one size of device names");

static void transport_log(void *ctx, int priority, const char *text)
{
	struct carrier *carrier = ctx;

	if (carrier->trying) {
		messages_add(&carrier->said, priority, "%s", text);
	} else {
		log_say(LOG_PART_TRANSPORT, priority, "%s", text);
	}
}

static void tell(void *ctx, int priority, const char *text)
{
	(void)ctx;
	log_say(LOG_PART_TRANSPORT, priority, "%s", text);
}

/* What a transport complains about that is only tried is no error. */
static void tell_softly(void *ctx, int priority, const char *text)
{
	(void)ctx;
	log_say(LOG_PART_TRANSPORT, priority < LOG_INFO ? LOG_INFO : priority, "%s", text);
}

__attribute__((format(printf, 2, 3))) static void because(struct carrier *carrier,
							  const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(carrier->why, sizeof(carrier->why), format, args);
	va_end(args);
}

static int open_named(const struct config *config, uint64_t incarnation, const char *name,
		      struct carrier *carrier)
{
	const struct transport_ops *ops = transport_find(name);
	struct transport_config wanted = {
		.cluster_name = config->cluster_name,
		.node = config_local(config)->id,
		.incarnation = incarnation,
		.addr = config_local(config)->addr,
		.slot_size_bytes = config->slot_size_bytes,
		.slot_count = config->slots,
		.bulk_depth = CARRIER_BULK_DEPTH,
		.connect_timeout_ms = config->connect_timeout_ms,
		.ack_timeout_ms = config->ack_timeout_ms,
		.device = config->device[0] ? config->device : NULL,
		.log_ctx = carrier,
		.log = transport_log,
		.discard = closer_close,
	};
	int err;

	if (!ops) {
		transport_log(
			carrier, LOG_ERR,
			"transport rdma is not in this build: it was configured --without-verbs, "
			"or libibverbs and librdmacm were not there");
		return -ENODEV;
	}
	err = ops->open(&wanted, &carrier->transport);
	if (err == 0) {
		carrier->ops = ops;
	}
	return err;
}

/* --- Soft-RoCE ------------------------------------------------------------------------------------ */

static bool make_softroce(const struct config *config, struct carrier *carrier)
{
	const struct sockaddr *addr = (const struct sockaddr *)&config_local(config)->addr;
	char netdev[IF_NAMESIZE];
	char device[SOFTROCE_NAME_MAX];
	enum softroce_answer answer;
	bool created = false;

	if (!softroce_netdev_of(addr, netdev)) {
		log_say(LOG_PART_TRANSPORT, LOG_NOTICE,
			"no soft-RoCE device: no interface of this host has the address %s",
			config_local(config)->ring_addr);
		return false;
	}
	answer = softroce_ensure(netdev, NULL, device, &created);
	if (answer != SOFTROCE_OK) {
		log_say(LOG_PART_TRANSPORT, LOG_NOTICE, "no soft-RoCE device on %s: %s", netdev,
			softroce_answer_text(answer));
		return false;
	}
	if (created) {
		snprintf(carrier->softroce, sizeof(carrier->softroce), "%s", device);
		log_say(LOG_PART_TRANSPORT, LOG_NOTICE,
			"soft-RoCE device %s made on %s; it goes when the daemon stops", device,
			netdev);
	}
	return true;
}

/* The kernel waits until no process has the device open. Other daemons of this host may have, and librdmacm keeps it open in this one until
 * the very end: so a process of its own removes it, which must not have it open itself. */
static void remove_softroce(struct carrier *carrier)
{
	pid_t child;

	if (carrier->softroce[0] == '\0') {
		return;
	}
	child = fork();
	if (child == 0) {
		signal(SIGTERM, SIG_IGN);
		setsid();
		close_range(0, ~0u, 0);
		_exit(softroce_undo(carrier->softroce) == SOFTROCE_OK ? 0 : 1);
	}
	log_say(LOG_PART_TRANSPORT, LOG_NOTICE,
		"soft-RoCE device %s is being removed; if others use it, it goes with the last of them",
		carrier->softroce);
	carrier->softroce[0] = '\0';
}

/* --- The choice ----------------------------------------------------------------------------------- */

static bool all_nodes_here(const struct config *config)
{
	struct host_addrs host;

	host_addrs_read(&host);
	for (uint32_t i = 0; i < config->node_count; i++) {
		if (config->nodes[i].addr.ss_family != 0 &&
		    !host_addrs_has(&host, &config->nodes[i].addr)) {
			return false;
		}
	}
	return true;
}

static int open_rdma(const struct config *config, uint64_t incarnation, struct carrier *carrier)
{
	int err = open_named(config, incarnation, "rdma", carrier);

	if (err == 0) {
		because(carrier, "an RDMA adapter owns the ring address %s",
			config_local(config)->ring_addr);
		return 0;
	}
	if (err != -ENODEV || !config->softroce || !transport_find("rdma") ||
	    !make_softroce(config, carrier)) {
		return err;
	}
	err = open_named(config, incarnation, "rdma", carrier);
	if (err == 0) {
		because(carrier, "no adapter owns the ring address %s, so a soft-RoCE device does",
			config_local(config)->ring_addr);
	}
	return err;
}

static int refuse(const struct config *config)
{
	const struct config_node *node = config_local(config);
	char advice[ADVICE_MAX];

	softroce_advice((const struct sockaddr *)&node->addr, advice, sizeof(advice));
	log_say(LOG_PART_TRANSPORT, LOG_ERR,
		"no transport: no RDMA adapter owns the ring address %s of this node, and the nodes are "
		"not all on this host, so shared memory will not do: %s",
		node->ring_addr, advice);
	return -ENODEV;
}

static int open_auto(const struct config *config, uint64_t incarnation, struct carrier *carrier)
{
	int err = -ENODEV;

	if (config_local(config)->addr.ss_family != 0) {
		carrier->trying = true;
		err = open_rdma(config, incarnation, carrier);
		carrier->trying = false;
		/* An adapter that is there but cannot be used is a fault, not a reason to take another way. */
		messages_flush(&carrier->said, err == -ENODEV ? tell_softly : tell, NULL);
	}
	if (err != -ENODEV) {
		return err;
	}
	if (!all_nodes_here(config)) {
		return refuse(config);
	}
	because(carrier, "no RDMA adapter owns the ring address, and all nodes are on this host");
	return open_named(config, incarnation, "shm", carrier);
}

int carrier_open(const struct config *config, uint64_t incarnation, struct carrier *carrier)
{
	int err = -EINVAL;

	switch ((enum config_transport)config->transport) {
	case CONFIG_TRANSPORT_AUTO:
		err = open_auto(config, incarnation, carrier);
		break;
	case CONFIG_TRANSPORT_RDMA:
		err = open_rdma(config, incarnation, carrier);
		break;
	case CONFIG_TRANSPORT_SHM:
		because(carrier, "the configuration says so");
		err = open_named(config, incarnation, "shm", carrier);
		break;
	}
	if (err) {
		carrier_close(carrier);
		return EXIT_FATAL;
	}
	log_say(LOG_PART_TRANSPORT, LOG_NOTICE, "transport %s (%s): %s", carrier->ops->name,
		carrier->ops->device(carrier->transport), carrier->why);
	return EXIT_OK;
}

void carrier_close(struct carrier *carrier)
{
	if (carrier->ops) {
		carrier->ops->close(&carrier->transport);
	}
	remove_softroce(carrier);
	messages_fini(&carrier->said);
}
