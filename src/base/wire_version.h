/* SPDX-License-Identifier: BSD-3-Clause */
/* The version of all that daemons say to each other: frames, control messages, and what transports say when they
 * connect. Daemons with different ones do not connect, and both say so. */
#ifndef CORONET_BASE_WIRE_VERSION_H
#define CORONET_BASE_WIRE_VERSION_H

#include <stdint.h>

/* A variable, so that a test can link a daemon of another version. */
extern const uint16_t wire_version;

#endif
