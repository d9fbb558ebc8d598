/* SPDX-License-Identifier: BSD-3-Clause */
/* See ask.h. A tool's connection needs no ring: it is answered also while there is none. */
#include "tools/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "ipc/memory.h"
#include "ipc/socket.h"

#define ANSWER_SECONDS	 5
#define STATUS_BYTES_MAX (16u << 20)

static const char *advice(int err)
{
	switch (-err) {
	case ENOENT:
	case ECONNREFUSED:
		return ": no coronetd runs there (CORONET_RUN_DIR names its run directory)";
	case EAGAIN:
		return ": it is busy or stopped";
	default:
		return "";
	}
}

static char *complain(const char *program, const char *what, int err)
{
	fprintf(stderr, "%s: %s %s: %s%s\n", program, what, ipc_run_dir(), strerror(-err),
		advice(err));
	return NULL;
}

static char *refused(const char *program, uint32_t status)
{
	fprintf(stderr, "%s: the daemon refuses: %s (%u)%s\n", program,
		cs_strerror((cs_error_t)status), status,
		status == CS_ERR_ACCESS ? "; a uidgid section of its configuration may let you in"
					: "");
	return NULL;
}

/* Data of the reply, wherever it is, with a NUL behind it. */
static int take_text(const struct ipc_reply *reply, struct ipc_fds *fds, char **text)
{
	void *base = NULL;
	int err = 0;

	if (reply->data_size > STATUS_BYTES_MAX) {
		return -EMSGSIZE;
	}
	*text = calloc(1, reply->data_size + 1);
	if (!*text) {
		return -ENOMEM;
	}
	if (!(reply->flags & IPC_IN_MEMFD)) {
		memcpy(*text, reply + 1, reply->data_size);
		return 0;
	}
	err = fds->count == 1 ? ipc_memory_map(fds->fd[0], reply->data_size, PROT_READ, &base)
			      : -EBADMSG;
	if (err) {
		free(*text);
		return err;
	}
	memcpy(*text, base, reply->data_size);
	munmap(base, reply->data_size);
	return 0;
}

static int call(int fd, uint32_t kind, struct ipc_reply *reply, struct ipc_fds *fds)
{
	struct ipc_request request = {.kind = kind};

	if (kind == IPC_HELLO) {
		request.value = (uint64_t)IPC_MAGIC << 32 | IPC_VERSION;
		request.arg = IPC_HELLO_TOOL;
	}
	return ipc_call(fd, &request, reply, fds);
}

static char *ask(const char *program, int fd)
{
	union {
		struct ipc_reply reply;
		char bytes[IPC_REPLY_MAX];
	} answer;
	struct ipc_fds fds = {0};
	char *text = NULL;
	int err = call(fd, IPC_HELLO, &answer.reply, NULL);

	if (!err && answer.reply.status == CS_OK) {
		err = call(fd, IPC_STATUS, &answer.reply, &fds);
	}
	if (err) {
		return complain(program, "no answer from the daemon in", err);
	}
	if (answer.reply.status != CS_OK) {
		ipc_close_fds(&fds);
		return refused(program, answer.reply.status);
	}
	err = take_text(&answer.reply, &fds, &text);
	ipc_close_fds(&fds);
	return err ? complain(program, "no usable answer from the daemon in", err) : text;
}

char *ask_status_text(const char *program)
{
	struct timeval patience = {.tv_sec = ANSWER_SECONDS};
	char *text;
	int fd = ipc_connect(ipc_run_dir());

	if (fd < 0) {
		return complain(program, "cannot connect to the daemon in", fd);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	text = ask(program, fd);
	close(fd);
	return text;
}

struct json_tree *ask_status(const char *program)
{
	char *text = ask_status_text(program);
	struct json_tree *tree = NULL;
	const char *why;

	if (text && json_tree_new(text, strlen(text), &tree, &why)) {
		fprintf(stderr, "%s: the daemon's answer cannot be read: %s\n", program, why);
	}
	free(text);
	return tree;
}
