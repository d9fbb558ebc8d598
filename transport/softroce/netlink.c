/* SPDX-License-Identifier: BSD-3-Clause */
/* Codec and transport of RDMA netlink; see netlink.h. */
#include "softroce/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_MAX	 32768
#define ANSWER_TIMEOUT_S 5

static void append(struct nl_request *request, const void *bytes, size_t size)
{
	size_t padded = NLMSG_ALIGN(size);

	if (padded > sizeof(request->bytes) - request->size) {
		request->failed = true;
		return;
	}
	memset(request->bytes + request->size, 0, padded);
	memcpy(request->bytes + request->size, bytes, size);
	request->size += padded;
}

void softroce_nl_begin(struct nl_request *request, uint16_t command, uint16_t flags)
{
	struct nlmsghdr header = {
		.nlmsg_type = RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command),
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
		.nlmsg_seq = 1,
	};

	request->size = 0;
	request->failed = false;
	append(request, &header, sizeof(header));
}

static void append_attribute(struct nl_request *request, uint16_t attribute, const void *value,
			     size_t size)
{
	uint8_t bytes[NLA_HDRLEN + 256];
	struct nlattr header = {
		.nla_len = (uint16_t)(NLA_HDRLEN + size),
		.nla_type = attribute,
	};

	if (size > sizeof(bytes) - NLA_HDRLEN) {
		request->failed = true;
		return;
	}
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + NLA_HDRLEN, value, size);
	append(request, bytes, NLA_HDRLEN + size);
}

void softroce_nl_u32(struct nl_request *request, uint16_t attribute, uint32_t value)
{
	append_attribute(request, attribute, &value, sizeof(value));
}

void softroce_nl_text(struct nl_request *request, uint16_t attribute, const char *value)
{
	append_attribute(request, attribute, value, strlen(value) + 1);
}

static uint32_t value_u32(const uint8_t *value, size_t size)
{
	uint32_t out = 0;

	if (size >= sizeof(out)) {
		memcpy(&out, value, sizeof(out));
	}
	return out;
}

static const char *value_text(const uint8_t *value, size_t size)
{
	return memchr(value, 0, size) ? (const char *)value : NULL;
}

static bool parse_attributes(const uint8_t *at, size_t left, struct nl_answer *answer)
{
	struct nlattr header;

	while (left >= sizeof(header)) {
		size_t size;

		memcpy(&header, at, sizeof(header));
		if (header.nla_len < NLA_HDRLEN || header.nla_len > left) {
			return false;
		}
		size = header.nla_len - NLA_HDRLEN;
		switch (header.nla_type & NLA_TYPE_MASK) {
		case RDMA_NLDEV_ATTR_DEV_INDEX:
			answer->device_index = value_u32(at + NLA_HDRLEN, size);
			break;
		case RDMA_NLDEV_ATTR_PORT_INDEX:
			answer->port_index = value_u32(at + NLA_HDRLEN, size);
			break;
		case RDMA_NLDEV_ATTR_DEV_NAME:
			answer->device = value_text(at + NLA_HDRLEN, size);
			break;
		case RDMA_NLDEV_ATTR_NDEV_NAME:
			answer->netdev = value_text(at + NLA_HDRLEN, size);
			break;
		}
		size = NLA_ALIGN(header.nla_len);
		size = size < left ? size : left;
		at += size;
		left -= size;
	}
	return true;
}

/* 1: go on; 0: the last message was seen; negative errno. */
static int parse_message(const struct nlmsghdr *header, const uint8_t *body, size_t size,
			 void (*each)(void *ctx, const struct nl_answer *answer), void *ctx)
{
	struct nl_answer answer = {0};
	int32_t error;

	if (header->nlmsg_type == NLMSG_DONE) {
		return 0;
	}
	if (header->nlmsg_type == NLMSG_ERROR) {
		if (size < sizeof(error)) {
			return -EBADMSG;
		}
		memcpy(&error, body, sizeof(error));
		return error > 0 ? -EBADMSG : error;
	}
	if (!parse_attributes(body, size, &answer)) {
		return -EBADMSG;
	}
	if (each) {
		each(ctx, &answer);
	}
	return 1;
}

int softroce_nl_parse(const void *bytes, size_t size,
		      void (*each)(void *ctx, const struct nl_answer *answer), void *ctx)
{
	const uint8_t *at = bytes;
	struct nlmsghdr header;
	int result = 1;

	while (size > 0 && result == 1) {
		size_t step;

		if (size < sizeof(header)) {
			return -EBADMSG;
		}
		memcpy(&header, at, sizeof(header));
		if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > size) {
			return -EBADMSG;
		}
		result = parse_message(&header, at + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN,
				       each, ctx);
		step = NLMSG_ALIGN(header.nlmsg_len);
		step = step < size ? step : size;
		at += step;
		size -= step;
	}
	return result;
}

static int nl_exchange(int fd, const struct nl_request *request,
		       void (*each)(void *ctx, const struct nl_answer *answer), void *ctx)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct nlmsghdr header;
	static _Thread_local uint8_t answer[ANSWER_MAX];
	uint8_t out[sizeof(request->bytes)];
	int result = 1;

	memcpy(out, request->bytes, request->size);
	memcpy(&header, out, sizeof(header));
	header.nlmsg_len = (uint32_t)request->size;
	memcpy(out, &header, sizeof(header));
	if (sendto(fd, out, request->size, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0) {
		return -errno;
	}
	while (result == 1) {
		ssize_t size = recv(fd, answer, sizeof(answer), 0);

		if (size < 0) {
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		}
		result = size > 0 ? softroce_nl_parse(answer, (size_t)size, each, ctx) : -EBADMSG;
	}
	return result;
}

int softroce_nl_call(const struct nl_request *request,
		     void (*each)(void *ctx, const struct nl_answer *answer), void *ctx)
{
	struct timeval patience = {.tv_sec = ANSWER_TIMEOUT_S};
	int result;
	int fd;

	if (request->failed) {
		return -ENAMETOOLONG;
	}
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_RDMA);
	if (fd < 0) {
		return -errno;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	result = nl_exchange(fd, request, each, ctx);
	close(fd);
	return result;
}
