/* SPDX-License-Identifier: BSD-3-Clause */
/* The epoll set, the listener, the guests. */
#include "shm/shm_io.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shm/shm_greet.h"
#include "shm/shm_link.h"
#include "shm/shm_log.h"
#include "shm/shm_sock.h"

#define SHM_IO_EVENTS	    64
#define SHM_ACCEPT_PAUSE_MS 200
/* In one go; who connects in a storm must not keep us there. */
#define ACCEPTS_MAX 32

int shm_io_watch(struct transport *t, int fd, enum shm_socket which, uint32_t index)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)which << 32 | index};

	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0) {
		return 0;
	}
	if (errno == EEXIST && epoll_ctl(t->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0) {
		return 0;
	}
	return -errno;
}

/* Guests that cannot be let in keep the listener readable: it is left alone for a while, or its
 * owner would spin. */
static void listener_pause(struct transport *t)
{
	if (t->listen_fd >= 0) {
		epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, t->listen_fd, NULL);
		t->accept_ms = t->now_ms + SHM_ACCEPT_PAUSE_MS;
	}
}

void shm_io_discard(struct transport *t, int fd)
{
	const struct transport_config *config = &t->config;

	if (!config->discard) {
		close(fd);
	} else if (!config->discard(config->log_ctx, fd)) {
		listener_pause(t);
	}
}

static void guest_drop(struct shm_guest *guest)
{
	close(guest->fd);
	guest->fd = -1;
}

static void guest_ready(struct transport *t, uint32_t index)
{
	struct shm_guest *guest = &t->guests[index];
	struct shm_packet packet;
	int result;

	if (guest->fd < 0) {
		return;
	}
	result = shm_sock_recv(guest->fd, &packet);
	if (result == -EAGAIN) {
		return;
	}
	if (result == 0) {
		/* One that gave up while we were busy must not replace a link that it has made
		 * since. */
		if (shm_sock_alive(guest->fd) && shm_greet(t, guest->fd, &packet)) {
			guest->fd = -1;
		}
		shm_packet_drop(&packet);
	}
	if (guest->fd >= 0) {
		guest_drop(guest);
	}
}

/* Whoever has been silent for longest makes room: a crowd of them must not keep a peer out. */
static uint32_t guest_place(struct transport *t)
{
	uint32_t oldest = 0;

	for (uint32_t i = 0; i < SHM_GUESTS_MAX; i++) {
		if (t->guests[i].fd < 0) {
			return i;
		}
		if (t->guests[i].deadline_ms < t->guests[oldest].deadline_ms) {
			oldest = i;
		}
	}
	guest_drop(&t->guests[oldest]);
	return oldest;
}

static void guest_admit(struct transport *t, int fd)
{
	uint32_t index;

	if (!shm_sock_trusted(fd)) {
		if (shm_log_guest(t)) {
			shm_log(&t->config, LOG_WARNING,
				"shm: refused a connection from another user's process");
		}
		shm_io_discard(t, fd);
		return;
	}
	index = guest_place(t);
	if (shm_io_watch(t, fd, SHM_SOCKET_GUEST, index)) {
		close(fd);
		return;
	}
	t->guests[index] = (struct shm_guest){
		.fd = fd, .deadline_ms = t->now_ms + t->config.connect_timeout_ms};
	/* A peer speaks as soon as it is connected. */
	guest_ready(t, index);
}

static void listener_resume(struct transport *t)
{
	if (shm_io_watch(t, t->listen_fd, SHM_SOCKET_LISTEN, 0) == 0) {
		t->accept_ms = 0;
	} else {
		t->accept_ms = t->now_ms + SHM_ACCEPT_PAUSE_MS;
	}
}

static void cannot_accept(struct transport *t, int err)
{
	if (shm_log_guest(t)) {
		shm_log(&t->config, LOG_ERR, "shm: cannot let a peer in: %s", strerrordesc_np(err));
	}
	listener_pause(t);
}

static void listener_ready(struct transport *t)
{
	for (int i = 0; i < ACCEPTS_MAX && !t->accept_ms; i++) {
		int fd = accept4(t->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			guest_admit(t, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			cannot_accept(t, errno);
		}
		return;
	}
}

static void socket_ready(struct transport *t, enum shm_socket which, uint32_t index)
{
	switch (which) {
	case SHM_SOCKET_BELL:
		/* Silenced when there is nothing left to do: shm_bell_sleep. */
		break;
	case SHM_SOCKET_LISTEN:
		listener_ready(t);
		break;
	case SHM_SOCKET_GUEST:
		guest_ready(t, index);
		break;
	case SHM_SOCKET_CONTROL:
	case SHM_SOCKET_BULK:
	case SHM_SOCKET_PROBE:
		if (t->peers[index]) {
			shm_link_socket(t->peers[index], which);
		}
		break;
	}
}

void shm_io_poll(struct transport *t)
{
	struct epoll_event events[SHM_IO_EVENTS];
	int count = epoll_wait(t->epoll_fd, events, SHM_IO_EVENTS, 0);

	t->io_ms = t->now_ms;
	for (int i = 0; i < count; i++) {
		socket_ready(t, (enum shm_socket)(events[i].data.u64 >> 32),
			     (uint32_t)events[i].data.u64);
	}
}

void shm_io_tick(struct transport *t)
{
	if (t->accept_ms && t->now_ms >= t->accept_ms) {
		listener_resume(t);
	}
	for (uint32_t i = 0; i < SHM_GUESTS_MAX; i++) {
		if (t->guests[i].fd >= 0 && t->now_ms >= t->guests[i].deadline_ms) {
			guest_drop(&t->guests[i]);
		}
	}
}

uint64_t shm_io_deadline_ms(const struct transport *t)
{
	uint64_t due_ms = t->accept_ms ? t->accept_ms : SHM_NEVER;

	for (uint32_t i = 0; i < SHM_GUESTS_MAX; i++) {
		if (t->guests[i].fd >= 0 && t->guests[i].deadline_ms < due_ms) {
			due_ms = t->guests[i].deadline_ms;
		}
	}
	return due_ms;
}

void shm_io_close(struct transport *t)
{
	const int fds[] = {t->epoll_fd, t->bell_fd, t->board_fd};
	int listen_fd = t->listen_fd;

	t->listen_fd = -1;
	if (listen_fd >= 0) {
		shm_io_discard(t, listen_fd);
	}

	for (uint32_t i = 0; i < SHM_GUESTS_MAX; i++) {
		if (t->guests[i].fd >= 0) {
			guest_drop(&t->guests[i]);
		}
	}
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] >= 0) {
			close(fds[i]);
		}
	}
}
