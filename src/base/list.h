/* SPDX-License-Identifier: BSD-3-Clause */
/* Intrusive doubly linked lists. A list and its nodes are the same type; an empty list points at
 * itself. */
#ifndef CORONET_BASE_LIST_H
#define CORONET_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_append(struct list *list, struct list *node)
{
	node->prev = list->prev;
	node->next = list;
	list->prev->next = node;
	list->prev = node;
}

/* Takes the node out of whatever list it is in; it is then a list of its own, so that a second call
 * is harmless. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* Moves all nodes of `from` in front of those of `to`. */
static inline void list_prepend_all(struct list *to, struct list *from)
{
	if (list_empty(from)) {
		return;
	}
	from->next->prev = to;
	from->prev->next = to->next;
	to->next->prev = from->prev;
	to->next = from->next;
	list_init(from);
}

/* Moves all nodes of `from` behind those of `to`. */
static inline void list_append_all(struct list *to, struct list *from)
{
	list_prepend_all(to->prev, from);
}

#define list_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#define list_for_each(it, head)	       for (struct list *it = (head)->next; it != (head); it = it->next)

/* Safe against removal of `it` inside the body. */
#define list_for_each_safe(it, after, head)                                   \
	for (struct list *it = (head)->next, *after = it->next; it != (head); \
	     it = after, after = it->next)

#endif
