/* SPDX-License-Identifier: BSD-3-Clause */
/* Linked before the one of the base room, this makes a daemon of another version of the protocol, one that we shall never have. */
#include "base/wire_version.h"

const uint16_t wire_version = UINT16_MAX;
