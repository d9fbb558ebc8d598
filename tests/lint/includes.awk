# SPDX-License-Identifier: BSD-3-Clause
# Judges includes by docs/LAYERS. Input files in this order: the list of all files of the tree, docs/LAYERS,
# then FILE:LINE:CODE lines from strip.awk. Prints the faults.
function dirname(path) {
	return path ~ /\// ? substr(path, 1, match(path, /\/[^\/]*$/) - 1) : "."
}
function trim(s) {
	gsub(/^[ \t]+|[ \t]+$/, "", s)
	return s
}
function below(path, dir) {
	return path == dir || index(path, dir "/") == 1
}
# The longest row that fits the file.
function layer_of(path,    l, best) {
	best = ""
	for (l in ours) {
		if (below(path, l) && length(l) > length(best)) {
			best = l
		}
	}
	return best
}
# The path in this tree that a name stands for, or "".
function resolve(from, name, quoted) {
	if (quoted && (dirname(from) "/" name) in exists) {
		return dirname(from) "/" name
	}
	if (("include/" name) in exists) { return "include/" name }
	if (("src/" name) in exists) { return "src/" name }
	if (("transport/" name) in exists) { return "transport/" name }
	if (name in exists) { return name }
	return ""
}
function group_of(name,    g) {
	for (g in members) {
		if (in_list(name, members[g])) {
			return g
		}
	}
	return "os"
}
function in_list(name, list,    i, n, word) {
	n = split(list, word, /[ \t]+/)
	for (i = 1; i <= n; i++) {
		if (word[i] == name || (word[i] ~ /\/$/ && index(name, word[i]) == 1)) {
			return 1
		}
	}
	return 0
}
function may_include(l, target,    i, n, word) {
	if (ours[l] == "*") {
		return 1
	}
	n = split(ours[l], word, /[ \t]+/)
	for (i = 1; i <= n; i++) {
		if (below(target, word[i])) {
			return 1
		}
	}
	return 0
}
function judge_ours(file, line, target, l) {
	if (target ~ /_int\.h$/ && dirname(target) != dirname(file) && file !~ /^tests\/(unit|explore)\//) {
		print file ":" line ": " target " is private to " dirname(target)
	}
	if (dirname(target) != dirname(file) && !may_include(l, target)) {
		print file ":" line ": " l " may not include " target " (docs/LAYERS)"
	}
}
function judge_system(file, line, name, l) {
	if (!in_list("@" group_of(name), system_of[l]) && !in_list(name, system_of[l])) {
		print file ":" line ": " l " may not include <" name "> (docs/LAYERS)"
	}
}
# Own header first: proves that the header needs nothing before it.
function judge_first(file, line, target,    own) {
	own = file
	sub(/\.c$/, ".h", own)
	if (own in exists && target != own && !(target ~ /_int\.h$/ && dirname(target) == dirname(file))) {
		print file ":" line ": the first include must be its own header " own
	} else if (target == "" && !(file in has_main)) {
		print file ":" line ": the first include must be a header of this tree"
	}
}
FILENAME == ARGV[1] { exists[$0] = 1; next }
FILENAME == ARGV[2] {
	if ($0 ~ /^#/ || $0 ~ /^[ \t]*$/) { next }
	n = split($0, part, ":")
	if ($1 == "group") {
		members[$2] = trim(part[2])
	} else if (n == 3) {
		ours[trim(part[1])] = trim(part[2])
		system_of[trim(part[1])] = trim(part[3])
	} else {
		print "docs/LAYERS:" FNR ": not LAYER : OURS : SYSTEM"
	}
	next
}
FILENAME == ARGV[3] { has_main[$0] = 1; next }
{
	colon = index($0, ":")
	file = substr($0, 1, colon - 1)
	rest = substr($0, colon + 1)
	colon = index(rest, ":")
	line = substr(rest, 1, colon - 1)
	code = substr(rest, colon + 1)
	if (code !~ /^[ \t]*#[ \t]*include[ \t]*["<]/) { next }
	quoted = code ~ /include[ \t]*"/
	name = code
	sub(/^[^"<]*["<]/, "", name)
	sub(/[">].*$/, "", name)
	l = layer_of(file)
	if (l == "") {
		print file ": no row of docs/LAYERS fits this file"
		next
	}
	target = resolve(file, name, quoted)
	if (quoted && target == "" && name != "config.h") {
		print file ":" line ": \"" name "\" names no file of this tree"
		next
	}
	if (!(file in seen) && file ~ /\.c$/ && file ~ /^(src|transport)\//) {
		judge_first(file, line, target)
	}
	seen[file] = 1
	if (target != "") {
		judge_ours(file, line, target, l)
	} else if (name != "config.h") {
		judge_system(file, line, name, l)
	}
}
