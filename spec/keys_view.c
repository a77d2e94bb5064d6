/* The keys of [files] and [process]: what a context sees, and may do. */
#include <string.h>
#include <sys/stat.h>

#include "spec/choices.h"
#include "spec/row.h"
#include "spec/shorthand.h"
#include "spec/values.h"

static const struct row files[] = {
	{
		.section = "files",
		.name = "root",
		WORD_OR_PATH(files.root, enum spec_root, files.root_path, choice_root),
		.fallback = "host",
		.allowed = "host or the absolute path of a DIRECTORY",
		.help = "What the context sees as /: this host's own tree with its secrets "
			"masked, or a directory.",
	},
	{
		.section = "files",
		.name = "mode",
		WORD(files.mode, enum spec_mode, choice_mode),
		.fallback = "cow",
		.allowed = "cow, read-only, read-write",
		.help = "Whether writes go to a layer of the context's own (cow), are refused, or "
			"reach the directory itself.",
	},
	{
		.section = "files",
		.name = "upper",
		.type = &row_upper,
		.at = { ROW_FIELD(files.upper, enum spec_upper),
			ROW_FIELD(files.upper_bytes, uint64_t) },
		.choice = &choice_upper,
		.min = MIB,
		.max = 16 * TIB,
		.fallback = "tmpfs:256M",
		.allowed = "tmpfs:SIZE or kept:SIZE, 1M..16T",
		.help = "Where the layer of mode = cow lies and how large it may grow: in memory, "
			"gone with the stop, or on disk, kept.",
	},
	{
		.section = "files",
		.name = "bind",
		LIST(row_bind, files.binds, files.bind_count, struct spec_bind),
		.fallback = "",
		.allowed = "SOURCE, SOURCE:TARGET, SOURCE:TARGET:ro or SOURCE:TARGET:rw",
		.help = "A file or directory of the host shown at TARGET (the same path when left "
			"out), read-only unless rw is said.",
	},
	{
		.section = "files",
		.name = "tmpfs",
		LIST(row_tmpfs, files.tmpfs, files.tmpfs_count, struct spec_tmpfs),
		.min = 4 * KIB,
		.max = 16 * TIB,
		.fallback = "",
		.allowed = "TARGET:SIZE, 4K..16T",
		.help = "An empty file system in memory at TARGET.",
	},
	{
		.section = "files",
		.name = "hide",
		WORDS(files.hide),
		.check = value_check_path,
		.fallback = "",
		.allowed = "absolute paths, no . or .. in them",
		.help = "Paths whose content the context cannot see; several may stand on one "
			"line.",
	},
	{
		.section = "files",
		.name = "show",
		WORDS(files.show),
		.check = value_check_path,
		.fallback = "",
		.allowed = "absolute paths, no . or .. in them",
		.help = "Paths of the host that are shown although root = host masks them as "
			"secrets.",
	},
	{
		.section = "files",
		.name = "device",
		WORDS(files.devices),
		.check = value_check_device,
		.fallback = "",
		.allowed = "paths below /dev",
		.help = "Devices of the host that the context may use, besides null, zero, full, "
			"random, urandom, tty and its terminals.",
	},
};
const struct row_section keys_files = { files, ARRAY_SIZE(files) };

static const struct row process[] = {
	{
		.section = "process",
		.name = "limit",
		NUMBER(row_number, process.limit),
		.min = 2,
		.max = 4194304,
		.endless = true,
		.live = true,
		.fallback = "4096",
		.allowed = "2..4194304 or max",
		.help = "How many processes and threads there may be at once.",
	},
	{
		.section = "process",
		.name = "capability",
		.type = &row_capability,
		.at = { ROW_FIELD(process.capabilities, uint64_t) },
		.fallback = "default",
		.allowed = "default, none, all, names such as net-bind-service, or changes of the "
			   "default: +net-admin -kill",
		.help = "The capabilities that processes of the context can have at all. The "
			"default is chown dac-override fowner fsetid kill setgid setuid setpcap "
			"net-bind-service sys-chroot setfcap; with a full init in ids of its "
			"own it is all, as its root is nobody on the host.",
	},
	{
		.section = "process",
		.name = "seccomp",
		WORD_OR_PATH(process.seccomp, enum spec_seccomp, process.seccomp_file,
			     choice_seccomp),
		.fallback = "default",
		.allowed = "default, strict, none or the absolute path of a FILE",
		.help = "Which system calls are let through.",
	},
	{
		.section = "process",
		.name = "rlimit",
		LIST(row_rlimit, process.rlimits, process.rlimit_count, struct spec_rlimit),
		.fallback = "",
		.allowed = "NAME VALUE or NAME SOFT:HARD with numbers, sizes or max: nofile "
			   "1024:4096",
		.help = "A resource limit of each process, by its name in setrlimit(2), lower "
			"case.",
	},
	{
		.section = "process",
		.name = "ids",
		.type = &row_ids,
		.at = { ROW_FIELD(process.ids, enum spec_ids),
			ROW_FIELD(process.ids_first, uint32_t),
			ROW_FIELD(process.ids_count, uint32_t) },
		.choice = &choice_ids,
		.fallback = "auto",
		.allowed = "auto, none or FIRST:COUNT, from 1 to 4294967294",
		.help = "The host's user and group ids that stand behind 0 and up inside: a range "
			"of its own, no user namespace at all, or the range given.",
	},
	{
		.section = "process",
		.name = "umask",
		.type = &row_umask,
		.at = { ROW_FIELD(process.umask, mode_t) },
		.max = ACCESSPERMS,
		.fallback = "022",
		.allowed = "000..777, octal",
		.help = "Permission bits that new files do not get.",
	},
};
const struct row_section keys_process = { process, ARRAY_SIZE(process) };
