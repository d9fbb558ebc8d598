/* SPDX-License-Identifier: BSD-3-Clause */
/* The dialling side of links, and probes. */
#ifndef CORONET_SHM_DIAL_H
#define CORONET_SHM_DIAL_H

#include "shm/shm_int.h"

/* The peer's deadline_ms has come. */
void shm_dial_due(struct shm_peer *peer);
void shm_dial_control_answer(struct shm_peer *peer);
void shm_dial_bulk_answer(struct shm_peer *peer);
void shm_dial_probe_answer(struct shm_peer *peer);
void shm_dial_probe_close(struct shm_peer *peer);

#endif
