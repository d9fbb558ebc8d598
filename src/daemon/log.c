/* SPDX-License-Identifier: BSD-3-Clause */
/* Log lines are composed here and handed to libqb under the name of their part as file name, by which its filters tell them apart. */
#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <qb/qblog.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/check.h"
#include "daemon/system_log.h"

#define LINE_MAX_BYTES 2048
#define RECORDER_BYTES (512 * 1024)
#define SILENT	       (-1)

static const char *const part_names[LOG_PARTS] = {"MAIN", "TOTEM", "TRANSPORT", "CPG"};

static struct {
	bool open;
	bool detached;
	bool fileline, function_name;
	int32_t stderr_target, syslog_target, file_target;
	int facility;
	char file_path[CONFIG_TEXT_MAX];
	int highest[LOG_PARTS]; /* least important priority that any target takes */
	bool recorder;
	char recorder_path[PATH_MAX];
	uint64_t lost, lost_to_syslog;
} state = {.stderr_target = -1, .syslog_target = -1, .file_target = -1};

const char *log_priority_name(int priority)
{
	static const char *const names[] = {"emerg",   "alert",	 "crit", "error",
					    "warning", "notice", "info", "debug"};

	return priority >= LOG_EMERG && priority <= LOG_DEBUG ? names[priority] : "trace";
}

static const char *part_name(uint32_t part)
{
	return part < LOG_PARTS ? part_names[part] : "QB";
}

/* --- stderr -------------------------------------------------------------------------------------- */

/* A pipe that can be written to takes PIPE_BUF bytes, which is more than a line, without waiting. */
static bool stderr_takes_a_line(void)
{
	struct pollfd watch = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&watch, 1, 0) == 1 && (watch.revents & POLLOUT);
}

static void write_line(const char *line, size_t size)
{
	if (!stderr_takes_a_line() || write(STDERR_FILENO, line, size) < 0) {
		state.lost++;
	}
}

static void stderr_line(int32_t target, struct qb_log_callsite *site, struct timespec *time,
			const char *text)
{
	char line[LINE_MAX_BYTES + 1] = "";
	size_t size;

	if (state.detached) {
		return;
	}
	if (state.lost > 0 && stderr_takes_a_line()) {
		size = (size_t)snprintf(line, sizeof(line), "(%llu lines were lost here)\n",
					(unsigned long long)state.lost);
		state.lost = 0;
		write_line(line, size);
		line[0] = '\0';
	}
	qb_log_target_format(target, site, time, text, line);
	size = strnlen(line, LINE_MAX_BYTES);
	line[size] = '\n';
	write_line(line, size + 1);
}

/* --- The system's log ---------------------------------------------------------------------------- */

/* Traces are libqb's own level. */
static int syslog_priority(uint8_t priority)
{
	return priority > LOG_DEBUG ? LOG_DEBUG : priority;
}

static void syslog_line(int32_t target, struct qb_log_callsite *site, struct timespec *time,
			const char *text)
{
	char line[LINE_MAX_BYTES + 1] = "";

	if (state.lost_to_syslog > 0) {
		snprintf(line, sizeof(line), "(%llu lines were lost here)",
			 (unsigned long long)state.lost_to_syslog);
		if (system_log_write(_PATH_LOG, state.facility | LOG_WARNING, line) == 0) {
			state.lost_to_syslog = 0;
		}
		line[0] = '\0';
	}
	qb_log_target_format(target, site, time, text, line);
	if (system_log_write(_PATH_LOG, state.facility | syslog_priority(site->priority), line)) {
		state.lost_to_syslog++;
	}
}

/* --- What goes where ----------------------------------------------------------------------------- */

static int32_t part_or_all(int32_t part, int32_t all)
{
	return part == -1 ? all : part;
}

static int level(const struct config_logging *logging, enum log_part part, int32_t on,
		 int32_t priority)
{
	int32_t debug = part_or_all(logging->parts[part].debug, logging->all.debug);

	if (!on) {
		return SILENT;
	}
	if (debug == CONFIG_DEBUG_OFF) {
		return priority;
	}
	return debug == CONFIG_DEBUG_TRACE ? LOG_TRACE : LOG_DEBUG;
}

static int stderr_level(const struct config_logging *logging, enum log_part part)
{
	const struct config_log *own = &logging->parts[part];
	const struct config_log *all = &logging->all;

	return level(logging, part, part_or_all(own->to_stderr, all->to_stderr),
		     part_or_all(own->logfile_priority, all->logfile_priority));
}

static int file_level(const struct config_logging *logging, enum log_part part)
{
	const struct config_log *own = &logging->parts[part];
	const struct config_log *all = &logging->all;

	return level(logging, part, part_or_all(own->to_logfile, all->to_logfile),
		     part_or_all(own->logfile_priority, all->logfile_priority));
}

static int syslog_level(const struct config_logging *logging, enum log_part part)
{
	const struct config_log *own = &logging->parts[part];
	const struct config_log *all = &logging->all;

	return level(logging, part, part_or_all(own->to_syslog, all->to_syslog),
		     part_or_all(own->syslog_priority, all->syslog_priority));
}

static void filter(int32_t target, const struct config_logging *logging,
		   int (*level_of)(const struct config_logging *, enum log_part))
{
	bool any = false;

	qb_log_filter_ctl(target, QB_LOG_FILTER_CLEAR_ALL, QB_LOG_FILTER_FILE, "*", LOG_TRACE);
	for (int part = 0; part < LOG_PARTS; part++) {
		int least = level_of(logging, (enum log_part)part);

		if (least != SILENT) {
			qb_log_filter_ctl(target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE,
					  part_names[part], (uint8_t)least);
			any = true;
		}
		if (least > state.highest[part]) {
			state.highest[part] = least;
		}
	}
	/* libqb's own complaints: its files have names in small letters. */
	if (any) {
		qb_log_filter_ctl(target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE_REGEX, "^[a-z]",
				  LOG_WARNING);
	}
	qb_log_ctl(target, QB_LOG_CONF_MAX_LINE_LEN, LINE_MAX_BYTES);
	qb_log_ctl(target, QB_LOG_CONF_ENABLED, any);
}

static const char *line_format(const struct config_logging *logging)
{
	switch ((enum config_timestamp)logging->timestamp) {
	case CONFIG_TIMESTAMP_OFF:
		return "%7p [%9g] %b";
	case CONFIG_TIMESTAMP_ON:
		return "%t %7p [%9g] %b";
	case CONFIG_TIMESTAMP_HIRES:
		return "%T %7p [%9g] %b";
	}
	return "%b";
}

static int open_file(const struct config_logging *logging)
{
	const char *path = logging->all.logfile;
	bool wanted = false;

	for (int part = 0; part < LOG_PARTS; part++) {
		wanted = wanted || file_level(logging, (enum log_part)part) != SILENT;
	}
	if (state.file_target >= 0 && (!wanted || strcmp(path, state.file_path) != 0)) {
		qb_log_file_close(state.file_target);
		state.file_target = -1;
	}
	if (!wanted || path[0] == '\0') {
		return 0;
	}
	if (state.file_target < 0) {
		state.file_target = qb_log_file_open(path);
		snprintf(state.file_path, sizeof(state.file_path), "%s", path);
	} else {
		/* After a reload the old file may have been moved away. */
		return qb_log_file_reopen(state.file_target, NULL);
	}
	return state.file_target < 0 ? state.file_target : 0;
}

static void say_broken(const char *text)
{
	log_say(LOG_PART_MAIN, LOG_CRIT, "%s", text);
}

static void init(int facility)
{
	if (!state.open) {
		qb_log_init("coronetd", facility, LOG_EMERG);
		qb_log_ctl(QB_LOG_SYSLOG, QB_LOG_CONF_ENABLED, false);
		qb_log_tags_stringify_fn_set(part_name);
		state.stderr_target = qb_log_custom_open(stderr_line, NULL, NULL, NULL);
		state.syslog_target = qb_log_custom_open(syslog_line, NULL, NULL, NULL);
		state.open = true;
		check_tell_also(say_broken);
	}
}

int log_open(const struct config_logging *logging)
{
	int err;

	init(logging->all.syslog_facility);
	for (int part = 0; part < LOG_PARTS; part++) {
		/* The recorder takes everything but traces. */
		state.highest[part] = logging->blackbox ? LOG_DEBUG : SILENT;
	}
	state.fileline = logging->fileline;
	state.function_name = logging->function_name;
	state.facility = logging->all.syslog_facility;
	if (state.syslog_target >= 0) {
		qb_log_format_set(state.syslog_target, "[%g] %b");
		filter(state.syslog_target, logging, syslog_level);
	}
	if (state.stderr_target >= 0) {
		qb_log_format_set(state.stderr_target, line_format(logging));
		filter(state.stderr_target, logging, stderr_level);
	}
	err = open_file(logging);
	if (state.file_target >= 0) {
		qb_log_format_set(state.file_target, line_format(logging));
		filter(state.file_target, logging, file_level);
	}
	if (err) {
		log_say(LOG_PART_MAIN, LOG_ERR, "cannot write the log to %s: %s",
			logging->all.logfile, strerror(-err));
	}
	return err;
}

void log_detach_stderr(void)
{
	state.detached = true;
}

void log_close(void)
{
	if (state.open) {
		qb_log_fini();
		system_log_close();
		state.open = false;
	}
}

/* Line ends and control characters from outside must not forge lines of the log. */
static void make_printable(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f) {
			*text = '?';
		}
	}
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static size_t origin(char *text, size_t size, const char *file, int line, const char *function)
{
	size_t used = 0;

	if (state.fileline) {
		used += (size_t)snprintf(text, size, "%s:%d ", base_name(file), line);
	}
	if (state.function_name && used < size) {
		used += (size_t)snprintf(text + used, size - used, "%s ", function);
	}
	return used < size ? used : size - 1;
}

void log_write(enum log_part part, int priority, const char *file, int line, const char *function,
	       const char *format, ...)
{
	char text[LINE_MAX_BYTES - 128];
	size_t used;
	va_list args;

	if (!state.open || priority > state.highest[part]) {
		return;
	}
	used = origin(text, sizeof(text), file, line, function);
	va_start(args, format);
	vsnprintf(text + used, sizeof(text) - used, format, args);
	va_end(args);
	make_printable(text);
	if (text[0] != '\0') {
		qb_log_from_external_source("", part_names[part], "%s", (uint8_t)priority, 0, part,
					    text);
	}
}

/* --- The flight recorder ------------------------------------------------------------------------- */

/* They are mapped: their names in /dev/shm are not needed, and would stay behind when the daemon is killed. */
static void hide_recorder_files(void)
{
	static const char *const ends[] = {"header", "data"};
	char path[128];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "/dev/shm/qb-coronetd-%d-blackbox-%s", (int)getpid(),
			 ends[i]);
		unlink(path);
	}
}

static void crashed(int number)
{
	log_recorder_write();
	/* SA_RESETHAND: this time with the default action. */
	raise(number);
}

static void catch_crashes(void)
{
	static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
	struct sigaction action = {.sa_handler = crashed, .sa_flags = (int)SA_RESETHAND};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		sigaction(numbers[i], &action, NULL);
	}
}

void log_recorder_start(const char *path)
{
	int err;

	snprintf(state.recorder_path, sizeof(state.recorder_path), "%s", path);
	qb_log_ctl(QB_LOG_BLACKBOX, QB_LOG_CONF_SIZE, RECORDER_BYTES);
	qb_log_filter_ctl(QB_LOG_BLACKBOX, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*", LOG_DEBUG);
	err = qb_log_ctl(QB_LOG_BLACKBOX, QB_LOG_CONF_ENABLED, true);
	if (err) {
		log_say(LOG_PART_MAIN, LOG_WARNING, "no flight recorder: %s", strerror(-err));
		return;
	}
	hide_recorder_files();
	state.recorder = true;
	catch_crashes();
}

int log_recorder_write(void)
{
	ssize_t written;

	if (!state.recorder) {
		return -ENOENT;
	}
	/* libqb does not truncate: an older, longer recording would shine through. */
	if (unlink(state.recorder_path) < 0 && errno != ENOENT) {
		return -errno;
	}
	written = qb_log_blackbox_write_to_file(state.recorder_path);
	return written < 0 ? (int)written : 0;
}
