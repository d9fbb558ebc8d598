/* SPDX-License-Identifier: BSD-3-Clause */
/* Iteration over groups and members. */
#include "compare.h"

#include <string.h>
#include <unistd.h>

/* Group "first" has the peers and this process, group "second" this process only. */
static struct cpg_name first, second;
static pid_t peer;

static cpg_handle_t populate(void)
{
	cpg_handle_t handle;

	first = group_of("iteration-first", 15);
	second = group_of("iteration-second", 16);
	peer = start_peer(&first);
	handle = open_joined(&first);
	open_joined(&second);
	return handle;
}

static const char *who(const struct cpg_iteration_description_t *item)
{
	if (item->pid == 0) {
		return "nobody";
	}
	return item->pid == (uint32_t)getpid() ? "me"
	       : item->pid == (uint32_t)peer   ? "peer"
					       : "a stranger";
}

/* Leftovers of other cases are none of this case's business. */
static bool mine(const struct cpg_name *group)
{
	return group->length >= 10 && memcmp(group->value, "iteration-", 10) == 0;
}

static void walk(cpg_handle_t handle, cpg_iteration_type_t type, const struct cpg_name *group)
{
	struct cpg_iteration_description_t item;
	cpg_iteration_handle_t iteration;
	cs_error_t error;

	say_error("initialize", cpg_iteration_initialize(handle, type, group, &iteration));
	memset(&item, 0, sizeof(item));
	while ((error = cpg_iteration_next(iteration, &item)) == CS_OK) {
		if (mine(&item.group)) {
			say("item", "%.*s %u:%s", (int)item.group.length, item.group.value,
			    item.nodeid, who(&item));
		}
	}
	say_error("end", error);
	say_error("finalize", cpg_iteration_finalize(iteration));
	say_error("finalize again", cpg_iteration_finalize(iteration));
}

static void names(void)
{
	walk(populate(), CPG_ITERATION_NAME_ONLY, NULL);
	kill_peer(peer);
}

static void one(void)
{
	walk(populate(), CPG_ITERATION_ONE_GROUP, &first);
	kill_peer(peer);
}

static void all(void)
{
	walk(populate(), CPG_ITERATION_ALL, NULL);
	kill_peer(peer);
}

static void unknown(void)
{
	struct cpg_name group = group_of("nobody-is-here", 14);

	walk(open_handle(0), CPG_ITERATION_ONE_GROUP, &group);
}

static void arguments(void)
{
	struct cpg_name group = case_group();
	cpg_handle_t handle = open_handle(0);
	cpg_iteration_handle_t iteration = 77;

	say_error("type 0", cpg_iteration_initialize(handle, 0, NULL, &iteration));
	say_error("type 4", cpg_iteration_initialize(handle, 4, NULL, &iteration));
	say_error("all, with a group",
		  cpg_iteration_initialize(handle, CPG_ITERATION_ALL, &group, &iteration));
	say_error("names, with a group",
		  cpg_iteration_initialize(handle, CPG_ITERATION_NAME_ONLY, &group, &iteration));
	say_error("one, without",
		  cpg_iteration_initialize(handle, CPG_ITERATION_ONE_GROUP, NULL, &iteration));
	say("handle", "%s", iteration == 77 ? "untouched" : "written");
	say_error("next of nothing",
		  cpg_iteration_next(77, &(struct cpg_iteration_description_t){.nodeid = 0}));
}

static void past_end(void)
{
	cpg_handle_t handle = populate();
	struct cpg_iteration_description_t item;
	cpg_iteration_handle_t iteration;
	const uint8_t *bytes = (const uint8_t *)&item;
	bool same = true;

	cpg_iteration_initialize(handle, CPG_ITERATION_ONE_GROUP, &second, &iteration);
	say_error("first", cpg_iteration_next(iteration, &item));
	memset(&item, 0x5a, sizeof(item));
	say_error("second", cpg_iteration_next(iteration, &item));
	for (size_t i = 0; i < sizeof(item); i++) {
		same = same && bytes[i] == 0x5a;
	}
	say("description", "%s", same ? "untouched" : "written");
	say_error("third", cpg_iteration_next(iteration, &item));
	kill_peer(peer);
}

static void snapshot(void)
{
	cpg_handle_t handle = populate(), watcher;
	struct cpg_iteration_description_t item;
	struct cpg_name third = group_of("iteration-third", 15);
	cpg_iteration_handle_t iteration;
	unsigned int items = 0;

	cpg_iteration_initialize(handle, CPG_ITERATION_ALL, NULL, &iteration);
	watcher = open_joined(&third);
	kill_peer(peer);
	settle(handle, 1);
	while (cpg_iteration_next(iteration, &item) == CS_OK) {
		items += mine(&item.group);
	}
	say("items", "%u", items);
	cpg_finalize(watcher);
}

static void dies_with_handle(void)
{
	cpg_handle_t handle = open_handle(0);
	struct cpg_iteration_description_t item;
	cpg_iteration_handle_t iteration;

	say_error("initialize",
		  cpg_iteration_initialize(handle, CPG_ITERATION_ALL, NULL, &iteration));
	say_error("finalize the handle", cpg_finalize(handle));
	say_error("next", cpg_iteration_next(iteration, &item));
	say_error("finalize", cpg_iteration_finalize(iteration));
}

static void two_at_once(void)
{
	cpg_handle_t handle = populate();
	struct cpg_iteration_description_t item;
	cpg_iteration_handle_t one_group, other_group;

	say_error("one",
		  cpg_iteration_initialize(handle, CPG_ITERATION_ONE_GROUP, &first, &one_group));
	say_error("other",
		  cpg_iteration_initialize(handle, CPG_ITERATION_ONE_GROUP, &second, &other_group));
	cpg_iteration_next(one_group, &item);
	say("one", "%.*s", (int)item.group.length, item.group.value);
	cpg_iteration_next(other_group, &item);
	say("other", "%.*s", (int)item.group.length, item.group.value);
	say_error("finalize one", cpg_iteration_finalize(one_group));
	say_error("next of the other", cpg_iteration_next(other_group, &item));
	kill_peer(peer);
}

const struct test iteration_tests[] = {{"iterate-names", names, false},
				       {"iterate-one", one, false},
				       {"iterate-all", all, false},
				       {"iterate-unknown", unknown, false},
				       {"iterate-arguments", arguments, false},
				       {"iterate-past-end", past_end, false},
				       {"iterate-snapshot", snapshot, false},
				       {"iterate-after-finalize", dies_with_handle, false},
				       {"iterate-two", two_at_once, false},
				       {NULL, NULL, false}};
