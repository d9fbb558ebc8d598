/* SPDX-License-Identifier: BSD-3-Clause */
/* Alone in its file: see the header. */
#include "base/wire_version.h"

const uint16_t wire_version = 3;
