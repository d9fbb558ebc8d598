/* SPDX-License-Identifier: BSD-3-Clause */
/* What needs the host: files, uidgid.d, names of hosts, and which node this is. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "config_fixture.h"

static char directory[] = "/tmp/coronet-test-config-XXXXXX";
static char conf_path[128];

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void remove_file(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(remove(path), 0);
}

static struct parsed load(const char *text, const char *node)
{
	struct config_source source = {.path = conf_path, .node = node};
	struct parsed parsed = {0};

	write_file("coronet.conf", text);
	parsed.code = config_load(&source, &parsed.messages, &parsed.config);
	return parsed;
}

static void assert_local(const char *text, const char *node, uint32_t id)
{
	struct parsed parsed = load(text, node);

	if (parsed.code) {
		show(&parsed);
	}
	assert_int_equal(parsed.code, EXIT_OK);
	assert_int_equal(config_local(parsed.config)->id, id);
	parsed_free(&parsed);
}

static void assert_not_loaded(const char *text, const char *node, const char *message)
{
	struct parsed parsed = load(text, node);

	assert_int_equal(parsed.code, EXIT_CONFIG);
	assert_null(parsed.config);
	if (told(&parsed, message) != 1) {
		show(&parsed);
		fail_msg("expected: %s", message);
	}
	parsed_free(&parsed);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(directory)) {
		return -1;
	}
	snprintf(conf_path, sizeof(conf_path), "%s/coronet.conf", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	remove_file("coronet.conf");
	return rmdir(directory);
}

/* --- Files ------------------------------------------------------------------------------------- */

static void config_load__names_what_cannot_be_read(void **state)
{
	struct parsed parsed = {0};
	struct config_source source = {.path = "/nonexistent/coronet.conf"};

	(void)state;
	assert_int_equal(config_load(&source, &parsed.messages, &parsed.config), EXIT_CONFIG);
	assert_int_equal(told(&parsed, "/nonexistent/coronet.conf: cannot be read: No such file or "
				       "directory; write one, see coronet.conf(5)"),
			 1);
	parsed_free(&parsed);
	source.path = "/";
	assert_int_equal(config_load(&source, &parsed.messages, &parsed.config), EXIT_CONFIG);
	assert_int_equal(told(&parsed, "/: cannot be read: Is a directory"), 1);
	parsed_free(&parsed);
}

static void config_load__refuses_endless_files(void **state)
{
	struct parsed parsed = {0};
	struct config_source source = {.path = "/dev/zero"};

	(void)state;
	assert_int_equal(config_load(&source, &parsed.messages, &parsed.config), EXIT_CONFIG);
	assert_int_equal(told(&parsed, "a configuration has at most 1 MiB"), 1);
	parsed_free(&parsed);
}

static void config_load__reads_uidgid_d(void **state)
{
	struct parsed parsed;
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/uidgid.d", directory);
	assert_int_equal(mkdir(path, 0755), 0);
	write_file("uidgid.d/one", "uidgid {\nuid: 501\n}\n");
	write_file("uidgid.d/two", "# mine\nuidgid {\ngid: 502\n}\n");
	write_file("uidgid.d/two~", "what an editor leaves {");
	write_file("uidgid.d/.hidden", "as well");
	parsed = load(WHOLE(""), "1");
	assert_int_equal(parsed.code, EXIT_OK);
	assert_int_equal(parsed.config->uidgid.uid_count, 1);
	assert_int_equal(parsed.config->uidgid.uids[0], 501);
	assert_int_equal(parsed.config->uidgid.gids[0], 502);
	parsed_free(&parsed);

	write_file("uidgid.d/three", "totem {\nversion: 2\n}\n");
	assert_not_loaded(WHOLE(""), "1",
			  "uidgid.d/three:1: section totem: a file of uidgid.d may hold uidgid "
			  "sections only");
	write_file("uidgid.d/three", "uid: 4\n");
	assert_not_loaded(WHOLE(""), "1",
			  "uidgid.d/three:1: a file of uidgid.d may hold uidgid sections only");
	remove_file("uidgid.d/three");
	remove_file("uidgid.d/one");
	remove_file("uidgid.d/two");
	remove_file("uidgid.d/two~");
	remove_file("uidgid.d/.hidden");
	assert_int_equal(rmdir(path), 0);
}

/* uidgid.d is next to what was named, wherever that links to. */
static void config_load__looks_for_uidgid_d_next_to_a_link(void **state)
{
	char path[256];
	char link[256];
	struct config_source source = {.path = link, .node = "1"};
	struct parsed parsed = {0};

	(void)state;
	write_file("coronet.conf", WHOLE(""));
	snprintf(path, sizeof(path), "%s/elsewhere", directory);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(link, sizeof(link), "%s/elsewhere/linked.conf", directory);
	assert_int_equal(symlink(conf_path, link), 0);
	snprintf(path, sizeof(path), "%s/elsewhere/uidgid.d", directory);
	assert_int_equal(mkdir(path, 0755), 0);
	write_file("elsewhere/uidgid.d/one", "uidgid {\nuid: 503\n}\n");
	parsed.code = config_load(&source, &parsed.messages, &parsed.config);
	assert_int_equal(parsed.code, EXIT_OK);
	assert_int_equal(parsed.config->uidgid.uid_count, 1);
	parsed_free(&parsed);
	remove_file("elsewhere/uidgid.d/one");
	remove_file("elsewhere/uidgid.d");
	remove_file("elsewhere/linked.conf");
	remove_file("elsewhere");
}

/* --- Addresses --------------------------------------------------------------------------------- */

#define TWO(transport, one, two)                                                               \
	"totem {\nversion: 2\n" transport "}\nnodelist {\nnode {\nnodeid: 1\nring0_addr: " one \
	"\n}\nnode {\nnodeid: 2\nname: b\nring0_addr: " two "\n}\n}\n"

static void config_resolve__looks_up_addresses(void **state)
{
	struct parsed parsed =
		load(TWO("interface {\nmcastport: 4321\n}\n", "198.51.100.1", "::1"), "1");
	const struct sockaddr_in *in4;
	char text[INET_ADDRSTRLEN];

	(void)state;
	assert_int_equal(parsed.code, EXIT_OK);
	in4 = (const struct sockaddr_in *)&parsed.config->nodes[0].addr;
	assert_int_equal(in4->sin_family, AF_INET);
	assert_string_equal(inet_ntop(AF_INET, &in4->sin_addr, text, sizeof(text)), "198.51.100.1");
	assert_int_equal(ntohs(in4->sin_port), 4321);
	assert_int_equal(parsed.config->nodes[1].addr.ss_family, AF_INET6);
	parsed_free(&parsed);
}

static void config_resolve__follows_ip_version(void **state)
{
	struct parsed parsed = load(TWO("ip_version: ipv4\n", "localhost", "198.51.100.2"), "1");

	(void)state;
	assert_int_equal(parsed.code, EXIT_OK);
	assert_int_equal(parsed.config->nodes[0].addr.ss_family, AF_INET);
	parsed_free(&parsed);
	assert_not_loaded(
		TWO("ip_version: ipv6\n", "::1", "198.51.100.2"), "1",
		"coronet.conf:10: ring0_addr of node 2: the address of \"198.51.100.2\" is not "
		"known");
}

static void config_resolve__names_unknown_hosts(void **state)
{
	(void)state;
	assert_not_loaded(TWO("", "198.51.100.1", "nobody.invalid"), "1",
			  "ring0_addr of node 2: the address of \"nobody.invalid\" is not known: ");
}

static void config_resolve__leaves_names_alone_with_shm(void **state)
{
	struct parsed parsed =
		load(TWO("transport: shm\n", "nobody.invalid", "nobody.invalid"), "2");

	(void)state;
	assert_int_equal(parsed.code, EXIT_OK);
	assert_int_equal(parsed.config->nodes[0].addr.ss_family, 0);
	assert_string_equal(parsed.config->nodes[0].ring_addr, "nobody.invalid");
	parsed_free(&parsed);
}

static void config_resolve__refuses_one_address_twice_with_rdma(void **state)
{
	(void)state;
	assert_not_loaded(
		TWO("transport: rdma\n", "198.51.100.1", "198.51.100.1"), "1",
		"coronet.conf:10: ring0_addr of node 2, 198.51.100.1, is that of node 1 as well; "
		"give them different ports (ring0_port)");
}

static void config_resolve__tells_nodes_of_one_address_apart_by_port(void **state)
{
	struct parsed parsed = load(
		TWO("transport: rdma\n", "198.51.100.1\nring0_port: 4000", "198.51.100.1"), "1");

	(void)state;
	assert_int_equal(parsed.code, EXIT_OK);
	assert_int_equal(ntohs(((struct sockaddr_in *)&parsed.config->nodes[0].addr)->sin_port),
			 4000);
	assert_int_equal(ntohs(((struct sockaddr_in *)&parsed.config->nodes[1].addr)->sin_port),
			 5405);
	parsed_free(&parsed);
}

/* A reload keeps what is known: the second name could not be looked up. */
static void config_load__reload_looks_up_what_is_new(void **state)
{
	struct parsed first = load(TWO("", "198.51.100.1", "198.51.100.2"), "2");
	struct config_source source = {.path = conf_path, .known = first.config};
	struct parsed second = {0};

	(void)state;
	assert_int_equal(first.code, EXIT_OK);
	snprintf(first.config->nodes[0].ring_addr, CONFIG_TEXT_MAX, "known.invalid");
	write_file("coronet.conf", TWO("", "known.invalid", "198.51.100.3"));
	second.code = config_load(&source, &second.messages, &second.config);
	assert_int_equal(second.code, EXIT_OK);
	assert_int_equal(config_local(second.config)->id, 2);
	assert_memory_equal(&second.config->nodes[0].addr, &first.config->nodes[0].addr,
			    sizeof(first.config->nodes[0].addr));
	assert_memory_not_equal(&second.config->nodes[1].addr, &first.config->nodes[1].addr,
				sizeof(first.config->nodes[0].addr));
	parsed_free(&second);
	write_file("coronet.conf", TWO("", "unknown.invalid", "198.51.100.3"));
	assert_int_equal(config_load(&source, &second.messages, &second.config), EXIT_CONFIG);
	parsed_free(&second);
	write_file("coronet.conf", "totem {\nversion: 2\n}\nnodelist {\nnode {\nnodeid: 1\n}\n}\n");
	assert_int_equal(config_load(&source, &second.messages, &second.config), EXIT_CONFIG);
	assert_int_equal(
		told(&second, "node 2, which this daemon is, is not among the nodes any more"), 1);
	parsed_free(&second);
	parsed_free(&first);
}

/* --- The local node ---------------------------------------------------------------------------- */

static void config_find_local__takes_what_node_says(void **state)
{
	(void)state;
	assert_local(TWO("", "198.51.100.1", "198.51.100.2"), "2", 2);
	assert_local(TWO("", "198.51.100.1", "198.51.100.2"), "b", 2);
	assert_local(TWO("", "198.51.100.1", "198.51.100.2"), "198.51.100.1", 1);
	assert_not_loaded(TWO("", "198.51.100.1", "198.51.100.2"), "3",
			  "there is no node with name, address or id \"3\"; the nodes are 1 "
			  "(198.51.100.1), 2 (b)");
	assert_not_loaded(TWO("", "198.51.100.1", "198.51.100.2"), "",
			  "there is no node with name, address or id \"\"");
}

static void config_find_local__finds_the_hosts_name(void **state)
{
	char text[1024];
	struct utsname system;

	(void)state;
	assert_int_equal(uname(&system), 0);

	/* The name may have no address here: only shm does not ask for one. */
	snprintf(text, sizeof(text), TWO("transport: shm\n", "198.51.100.1", "%s"),
		 system.nodename);
	assert_local(text, NULL, 2);
	snprintf(text, sizeof(text), TWO("transport: shm\n", "198.51.100.1", "%.*s.example"),
		 (int)strcspn(system.nodename, "."), system.nodename);
	assert_local(text, NULL, 2);
}

static void config_find_local__finds_the_hosts_address(void **state)
{
	(void)state;
	assert_local(TWO("", "198.51.100.1", "127.0.0.1"), NULL, 2);
	assert_local(TWO("", "127.9.9.9", "198.51.100.2"), NULL, 1);
}

static void config_find_local__says_when_it_cannot_know(void **state)
{
	(void)state;
	assert_not_loaded(TWO("", "198.51.100.1", "198.51.100.2"), NULL,
			  "none of the nodes is this host: no name is the host's (");
	assert_not_loaded(
		TWO("", "127.0.0.1", "127.0.0.1"), NULL,
		"which node is this? Several are on this host: say --node and a name or id. "
		"The nodes are 1 (127.0.0.1), 2 (b)");
	assert_not_loaded(TWO("transport: shm\n", "198.51.100.1", "198.51.100.2"), NULL,
			  "which node is this? Several are on this host");
}

static void config_find_local__one_node_with_shm_is_this_one(void **state)
{
	(void)state;
	assert_local(
		"totem {\nversion: 2\ntransport: shm\n}\nnodelist {\nnode {\nnodeid: 9\n}\n}\n",
		NULL, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_load__names_what_cannot_be_read),
		cmocka_unit_test(config_load__refuses_endless_files),
		cmocka_unit_test(config_load__reads_uidgid_d),
		cmocka_unit_test(config_load__looks_for_uidgid_d_next_to_a_link),
		cmocka_unit_test(config_resolve__looks_up_addresses),
		cmocka_unit_test(config_resolve__follows_ip_version),
		cmocka_unit_test(config_resolve__names_unknown_hosts),
		cmocka_unit_test(config_resolve__leaves_names_alone_with_shm),
		cmocka_unit_test(config_resolve__refuses_one_address_twice_with_rdma),
		cmocka_unit_test(config_resolve__tells_nodes_of_one_address_apart_by_port),
		cmocka_unit_test(config_load__reload_looks_up_what_is_new),
		cmocka_unit_test(config_find_local__takes_what_node_says),
		cmocka_unit_test(config_find_local__finds_the_hosts_name),
		cmocka_unit_test(config_find_local__finds_the_hosts_address),
		cmocka_unit_test(config_find_local__says_when_it_cannot_know),
		cmocka_unit_test(config_find_local__one_node_with_shm_is_this_one),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
