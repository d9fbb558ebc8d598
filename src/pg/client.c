/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections of this node: the state table, and the requests that follow from it.
 *
 * A process is what a client has joined with. It outlives the client: after pg_client_close it
 * stays, without a client, until its leave has been delivered, and keeps its (pid, group) from
 * being joined anew. */
#include "pg/client.h"

#include <errno.h>

#include "base/check.h"

/* 0 stands where an event cannot come: own messages come back once each and in the order they
 * went. */
const struct pg_client_cell pg_client_table[PG_CLIENT_STATES][PG_CLIENT_EVENTS] =
	{
		[PG_UNJOINED] =
			{
				[PG_EV_JOIN] = {CS_OK, PG_JOINING, PG_DO_JOIN},
				[PG_EV_LEAVE] = {CS_ERR_NOT_EXIST, PG_UNJOINED, PG_DO_NOTHING},
				[PG_EV_MCAST] = {CS_ERR_NOT_EXIST, PG_UNJOINED, PG_DO_NOTHING},
				[PG_EV_CLOSE] = {CS_OK, PG_UNJOINED, PG_DO_NOTHING},
			},
		[PG_JOINING] =
			{
				[PG_EV_JOIN] = {CS_ERR_EXIST, PG_JOINING, PG_DO_NOTHING},
				[PG_EV_LEAVE] = {CS_OK, PG_LEAVING, PG_DO_LEAVE},
				[PG_EV_MCAST] = {CS_OK, PG_JOINING, PG_DO_MCAST},
				[PG_EV_CLOSE] = {CS_OK, PG_UNJOINED, PG_DO_ABANDON},
				[PG_EV_OWN_JOIN] = {CS_OK, PG_JOINED, PG_DO_NOTHING},
			},
		[PG_JOINED] =
			{
				[PG_EV_JOIN] = {CS_ERR_EXIST, PG_JOINED, PG_DO_NOTHING},
				[PG_EV_LEAVE] = {CS_OK, PG_LEAVING, PG_DO_LEAVE},
				[PG_EV_MCAST] = {CS_OK, PG_JOINED, PG_DO_MCAST},
				[PG_EV_CLOSE] = {CS_OK, PG_UNJOINED, PG_DO_ABANDON},
			},
		[PG_LEAVING] =
			{
				[PG_EV_JOIN] = {CS_ERR_TRY_AGAIN, PG_LEAVING, PG_DO_NOTHING},
				[PG_EV_LEAVE] = {CS_ERR_NOT_EXIST, PG_LEAVING, PG_DO_NOTHING},
				[PG_EV_MCAST] = {CS_ERR_NOT_EXIST, PG_LEAVING, PG_DO_NOTHING},
				[PG_EV_CLOSE] = {CS_OK, PG_UNJOINED, PG_DO_ABANDON},
				[PG_EV_OWN_JOIN] = {CS_OK, PG_LEAVING, PG_DO_NOTHING},
				[PG_EV_OWN_LEAVE] = {CS_OK, PG_UNJOINED, PG_DO_NOTHING},
			},
};

const char *pg_client_state_name(enum pg_client_state state)
{
	switch (state) {
	case PG_UNJOINED:
		return "unjoined";
	case PG_JOINING:
		return "joining";
	case PG_JOINED:
		return "joined";
	case PG_LEAVING:
		return "leaving";
	}
	return "unknown";
}

static struct pg_client *client_at(struct pg *pg, uint32_t client)
{
	struct pg_client *c;

	if (client >= pg->limits.clients_max) {
		return NULL;
	}
	c = &pg->clients[client];
	return c->open ? c : NULL;
}

static const struct pg_client_cell *cell_of(const struct pg_client *client,
					    enum pg_client_event event)
{
	return &pg_client_table[client->state][event];
}

static bool waits(const struct pg_request *request)
{
	return !list_empty(&request->link);
}

static void submit(struct pg *pg, const struct pg_request *request)
{
	const struct pg_process *p = request->process;
	bool joins = request->kind == PG_REQUEST_JOIN;
	uint32_t size;

	size = pg_msg_encode(joins ? PG_MSG_JOIN : PG_MSG_LEAVE, joins ? 0 : p->leave_reason,
			     p->pid, &p->group->name, pg_meta_room(pg, PG_META_MAX));
	pg_submit(pg, FRAME_AGREED, size, NULL);
}

static void request(struct pg *pg, struct pg_request *request)
{
	check(!waits(request));
	if (pg_active(pg)) {
		check(list_empty(&pg->queue));
		submit(pg, request);
	} else {
		list_append(&pg->queue, &request->link);
	}
}

void pg_queue_flush(struct pg *pg)
{
	check(pg_active(pg));
	while (!list_empty(&pg->queue)) {
		struct list *first = pg->queue.next;

		list_remove(first);
		submit(pg, list_entry(first, struct pg_request, link));
	}
}

static struct pg_process *process_find(const struct pg_group *group, uint32_t pid)
{
	if (!group) {
		return NULL;
	}
	list_for_each(it, &group->processes) {
		struct pg_process *p = list_entry(it, struct pg_process, in_group);

		if (p->pid == pid) {
			return p;
		}
	}
	return NULL;
}

static struct pg_process *process_new(struct pg *pg, uint32_t client, uint32_t pid,
				      const struct cpg_name *group)
{
	struct pg_process *p = pg_pool_take(&pg->process_pool);

	if (!p) {
		return NULL;
	}
	p->pid = pid;
	p->client = client;
	p->group = pg_group_need(pg, group->value, group->length);
	p->join = (struct pg_request){.kind = PG_REQUEST_JOIN, .process = p};
	p->leave = (struct pg_request){.kind = PG_REQUEST_LEAVE, .process = p};
	list_init(&p->join.link);
	list_init(&p->leave.link);
	list_append(&p->group->processes, &p->in_group);
	list_append(&pg->processes, &p->all);
	return p;
}

static void process_free(struct pg *pg, struct pg_process *p)
{
	struct pg_group *group = p->group;

	list_remove(&p->join.link);
	list_remove(&p->leave.link);
	list_remove(&p->in_group);
	list_remove(&p->all);
	pg_pool_give(&pg->process_pool, p);
	pg_group_settle(pg, group);
}

int pg_client_open(struct pg *pg, uint32_t client, bool initial_totem_event)
{
	pg_begin(pg);
	if (client >= pg->limits.clients_max) {
		return -EINVAL;
	}
	if (pg->clients[client].open) {
		return -EEXIST;
	}
	pg->clients[client] = (struct pg_client){
		.open = true,
		.initial_totem = initial_totem_event,
	};
	return 0;
}

/* Whatever the client still had under way goes on without it, or is undone if nobody has seen
 * it. */
static void abandon(struct pg *pg, struct pg_process *p, bool leaving)
{
	p->client = PG_NO_CLIENT;
	if (waits(&p->join)) {
		process_free(pg, p);
	} else if (!leaving) {
		p->leave_reason = CPG_REASON_PROCDOWN;
		request(pg, &p->leave);
	}
}

void pg_client_close(struct pg *pg, uint32_t client)
{
	struct pg_client *c;

	pg_begin(pg);
	c = client_at(pg, client);
	if (!c) {
		return;
	}
	if (cell_of(c, PG_EV_CLOSE)->effect == PG_DO_ABANDON) {
		abandon(pg, c->process, c->state == PG_LEAVING);
	}
	*c = (struct pg_client){0};
}

/* Who else on this node has, or had until a moment ago, this membership. */
static cs_error_t check_rival(const struct pg *pg, const struct pg_process *rival)
{
	if (!rival) {
		return CS_OK;
	}
	if (rival->client == PG_NO_CLIENT || pg->clients[rival->client].state == PG_LEAVING) {
		return CS_ERR_TRY_AGAIN;
	}
	return CS_ERR_EXIST;
}

static cs_error_t join_allowed(const struct pg *pg, const struct pg_client *c, uint32_t pid,
			       const struct cpg_name *group)
{
	cs_error_t answer = cell_of(c, PG_EV_JOIN)->answer;
	const struct pg_group *known;

	if (answer != CS_OK) {
		return answer;
	}
	known = pg_group_find(pg, group->value, group->length);
	answer = check_rival(pg, process_find(known, pid));
	if (answer == CS_OK && pg->in_view >= pg->limits.members_max) {
		answer = CS_ERR_NO_RESOURCES;
	}
	return answer;
}

cs_error_t pg_join(struct pg *pg, uint32_t client, uint32_t pid, const struct cpg_name *group)
{
	struct pg_client *c;
	cs_error_t answer;

	pg_begin(pg);
	c = client_at(pg, client);
	if (!c) {
		return CS_ERR_BAD_HANDLE;
	}
	if (group->length > GROUP_NAME_MAX) {
		return CS_ERR_NAME_TOO_LONG;
	}
	answer = join_allowed(pg, c, pid, group);
	if (answer != CS_OK) {
		return answer;
	}
	c->process = process_new(pg, client, pid, group);
	if (!c->process) { /* all taken by leaves under way: they will be back */
		return CS_ERR_TRY_AGAIN;
	}
	c->state = cell_of(c, PG_EV_JOIN)->next;
	request(pg, &c->process->join);
	return CS_OK;
}

cs_error_t pg_leave(struct pg *pg, uint32_t client)
{
	const struct pg_client_cell *cell;
	struct pg_client *c;

	pg_begin(pg);
	c = client_at(pg, client);
	if (!c) {
		return CS_ERR_BAD_HANDLE;
	}
	cell = cell_of(c, PG_EV_LEAVE);
	c->state = cell->next;
	if (cell->effect == PG_DO_LEAVE) {
		/* Behind the join if that is still under way: the order keeps them so. */
		c->process->leave_reason = CPG_REASON_LEAVE;
		request(pg, &c->process->leave);
	}
	return cell->answer;
}

cs_error_t pg_mcast(struct pg *pg, uint32_t client, enum frame_guarantee guarantee,
		    const struct pg_payload *payload)
{
	const struct pg_client_cell *cell;
	const struct pg_process *p;
	struct pg_client *c;
	uint32_t size;

	pg_begin(pg);
	c = client_at(pg, client);
	if (!c) {
		return CS_ERR_BAD_HANDLE;
	}
	cell = cell_of(c, PG_EV_MCAST);
	if (cell->effect != PG_DO_MCAST) {
		return cell->answer;
	}
	if (!pg_active(pg)) {
		return CS_ERR_TRY_AGAIN;
	}
	p = c->process;
	size = pg_msg_encode(PG_MSG_MCAST, 0, p->pid, &p->group->name,
			     pg_meta_room(pg, PG_META_MAX));
	pg_submit(pg, guarantee, size, payload);
	return cell->answer;
}

static const char *own_event(struct pg *pg, struct pg_process *p, enum pg_client_event event)
{
	const struct pg_client_cell *cell;
	struct pg_client *c;

	if (p->client == PG_NO_CLIENT) {
		return NULL;
	}
	c = &pg->clients[p->client];
	check(c->process == p);
	cell = cell_of(c, event);
	if (cell->answer != CS_OK) {
		return "own message that was never sent";
	}
	c->state = cell->next;
	return NULL;
}

const char *pg_own_join(struct pg *pg, const struct pg_msg *msg, struct pg_process **out)
{
	struct pg_process *p = process_find(pg_group_find(pg, msg->name, msg->name_size), msg->pid);

	if (!p || p->joined || waits(&p->join)) {
		return "own join that was never sent";
	}
	p->joined = true;
	*out = p;
	return own_event(pg, p, PG_EV_OWN_JOIN);
}

const char *pg_own_leave(struct pg *pg, const struct pg_msg *msg, struct pg_process **out)
{
	struct pg_process *p = process_find(pg_group_find(pg, msg->name, msg->name_size), msg->pid);

	if (!p || !p->joined || p->leave_reason == 0 || waits(&p->leave)) {
		return "own leave that was never sent";
	}
	*out = p;
	return own_event(pg, p, PG_EV_OWN_LEAVE);
}

void pg_own_gone(struct pg *pg, struct pg_process *process)
{
	check(!waits(&process->join) && !waits(&process->leave));
	if (process->client != PG_NO_CLIENT) {
		check(pg->clients[process->client].state == PG_UNJOINED);
		pg->clients[process->client].process = NULL;
	}
	process_free(pg, process);
}

void pg_own_initial_totem(struct pg *pg, struct pg_process *process)
{
	struct pg_client *c;

	if (process->client == PG_NO_CLIENT) {
		return;
	}
	c = &pg->clients[process->client];
	if (c->initial_totem && !c->totem_told) {
		c->totem_told = true;
		pg_fan_totem(pg, process->client);
	}
}
