/* SPDX-License-Identifier: BSD-3-Clause */
/* The registry: the transports that this build has. */
#include "transport.h"

#include <string.h>

#include "shm/shm.h"
#ifdef HAVE_VERBS
#include "verbs/verbs.h"
#endif

static const struct transport_ops *const built[] = {
#ifdef HAVE_VERBS
	&transport_verbs,
#endif
	&transport_shm,
};

const struct transport_ops *transport_find(const char *name)
{
	for (size_t i = 0; i < sizeof(built) / sizeof(built[0]); i++) {
		if (strcmp(built[i]->name, name) == 0) {
			return built[i];
		}
	}
	return NULL;
}

const char *transport_event_name(enum transport_event_kind kind)
{
	switch (kind) {
	case TRANSPORT_PEER_UP:
		return "PEER_UP";
	case TRANSPORT_PEER_DOWN:
		return "PEER_DOWN";
	case TRANSPORT_BULK_DOWN:
		return "BULK_DOWN";
	case TRANSPORT_BULK_UP:
		return "BULK_UP";
	case TRANSPORT_CONTROL:
		return "CONTROL";
	case TRANSPORT_FRAME:
		return "FRAME";
	case TRANSPORT_SENT:
		return "SENT";
	case TRANSPORT_FAILED:
		return "FAILED";
	case TRANSPORT_READ_DONE:
		return "READ_DONE";
	case TRANSPORT_LOST:
		return "LOST";
	}
	return "unknown";
}
