/* How the rows of the table of keys are written. Private to keys*.c. */
#pragma once

#include "spec/choices.h"
#include "spec/row.h"
#include "spec/values.h"

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)
#define PIB (UINT64_C(1) << 50)
#define SECOND UINT64_C(1000000)
#define HOUR (3600 * SECOND)

#define TEXT(member) .type = &row_text, .at = { ROW_FIELD(member, char *) }
#define HOOK(key, member, what)                                                                    \
	{                                                                                          \
		.section = "hooks", .name = (key), ARGV(member), .fallback = "",                   \
		.allowed = "a program of the host by its absolute path, and its arguments, "       \
			   "without any expansion",                                                \
		.help = (what),                                                                    \
	}
#define WORDS(member) .type = &row_words, .at = { ROW_FIELD(member, struct strv) }
#define ARGV(member) .type = &row_argv, .at = { ROW_FIELD(member, struct strv) }
#define NUMBER(number, member) .type = &(number), .at = { ROW_FIELD(member, uint64_t) }
#define LIST(list, items, count, ctype)                                                            \
	.type = &(list), .at = { ROW_FIELD(items, ctype *), ROW_FIELD(count, size_t) }
#define WAYS(ways, member)                                                                         \
	.type = &(ways), .at = { ROW_FIELD(member.out, uint64_t), ROW_FIELD(member.in, uint64_t) }
#define WORD(member, ctype, words)                                                                 \
	.type = &row_choice_word, .at = { ROW_FIELD(member, ctype) }, .choice = &(words)
#define WORD_OR_PATH(member, ctype, path, words)                                                   \
	.type = &row_choice_path, .at = { ROW_FIELD(member, ctype), ROW_FIELD(path, char *) },     \
	.choice = &(words), .check = value_check_path

/** The keys of one section. */
struct row_section {
	const struct row *rows;
	size_t count;
};
extern const struct row_section keys_context, keys_files, keys_process, keys_cpu, keys_memory,
	keys_io, keys_network, keys_hooks;
