/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tools ask the daemon for, besides libcpg: its status. */
#ifndef CORONET_TOOLS_ASK_H
#define CORONET_TOOLS_ASK_H

#include "tools/json_tree.h"

/* The status as JSON, freed with free(3) by the caller; NULL: the reason has been said on stderr, after the program's name. */
char *ask_status_text(const char *program);
/* The same, read; freed with json_tree_free. */
struct json_tree *ask_status(const char *program);

#endif
