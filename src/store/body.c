/* SPDX-License-Identifier: BSD-3-Clause */
/* Named holds on bodies. */
#include "store/body.h"

#include "base/check.h"

void body_hold(struct body *body, enum body_hold hold)
{
	check(body->holds[hold] < UINT32_MAX);
	body->holds[hold]++;
}

void body_drop(struct body *body, enum body_hold hold)
{
	check(body->holds[hold] > 0);
	body->holds[hold]--;
	for (int i = 0; i < HOLD_KINDS; i++) {
		if (body->holds[i] > 0) {
			return;
		}
	}
	body->free(body);
}

const char *body_hold_name(enum body_hold hold)
{
	switch (hold) {
	case HOLD_BUILD:
		return "build";
	case HOLD_STORE:
		return "store";
	case HOLD_SEND:
		return "send";
	case HOLD_CLIENT:
		return "client";
	case HOLD_LENT:
		return "lent";
	case HOLD_PIN:
		return "pin";
	}
	return "unknown";
}
