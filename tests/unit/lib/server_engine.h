/* SPDX-License-Identifier: BSD-3-Clause */
/* What the test server needs of an engine: implemented by a fake one, and by the real one with
 * one node. */
#ifndef CORONET_TESTS_UNIT_LIB_SERVER_ENGINE_H
#define CORONET_TESTS_UNIT_LIB_SERVER_ENGINE_H

#include "engine/engine.h"
#include "tests/unit/lib/server.h"

/* Makes slab and engine, and starts it. Exits with a message when it cannot. */
struct engine *server_engine_new(const struct server_options *options,
				 const struct engine_host *host, const char *dir,
				 struct slab_config *slab_config, struct slab **slab);
void server_engine_free(struct engine **engine, struct slab **slab);
/* Carries out a command of the second part. */
void server_engine_command(struct engine *engine, const struct server_command *command);
/* Fills in what the engine and the slab know. */
void server_engine_state(struct engine *engine, struct slab *slab, struct server_state *state);

#endif
