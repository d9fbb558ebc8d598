/* SPDX-License-Identifier: BSD-3-Clause */
/* The softroce room by hand, for the lab's case: softroce_try list | possible | ensure NETDEV
 * [NAME] | undo DEVICE | advice IPV4. Prints the answer; exit status 0 for SOFTROCE_OK, else 10 +
 * the answer. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "softroce/softroce.h"

#define LINKS_MAX 64

static int result(enum softroce_answer answer)
{
	printf("%s\n", softroce_answer_text(answer));
	return answer == SOFTROCE_OK ? 0 : 10 + (int)answer;
}

static int list(void)
{
	struct softroce_link links[LINKS_MAX];
	int count;
	enum softroce_answer answer = softroce_list(links, LINKS_MAX, &count);

	for (int i = 0; answer == SOFTROCE_OK && i < count; i++) {
		printf("%s port %u netdev %s %s\n", links[i].device, links[i].port, links[i].netdev,
		       links[i].rxe ? "rxe" : "other");
	}
	return result(answer);
}

static int ensure(const char *netdev, const char *wish)
{
	char device[SOFTROCE_NAME_MAX] = "";
	bool created = false;
	enum softroce_answer answer = softroce_ensure(netdev, wish, device, &created);

	if (answer == SOFTROCE_OK) {
		printf("%s %s\n", created ? "created" : "found", device);
	}
	return result(answer);
}

static int advice(const char *text)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	char help[512];

	if (inet_pton(AF_INET, text, &address.sin_addr) != 1) {
		return 2;
	}
	softroce_advice((struct sockaddr *)&address, help, sizeof(help));
	printf("%s\n", help);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		return list();
	}
	if (argc == 2 && strcmp(argv[1], "possible") == 0) {
		return result(softroce_possible());
	}
	if (argc >= 3 && strcmp(argv[1], "ensure") == 0) {
		return ensure(argv[2], argc > 3 ? argv[3] : NULL);
	}
	if (argc == 3 && strcmp(argv[1], "undo") == 0) {
		return result(softroce_undo(argv[2]));
	}
	if (argc == 3 && strcmp(argv[1], "advice") == 0) {
		return advice(argv[2]);
	}
	fprintf(stderr, "usage: softroce_try list|possible|ensure|undo|advice ...\n");
	return 2;
}
