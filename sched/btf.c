/* Reads BTF, the kernel's description of its own types. The blob is the kernel's, but every step is
 * bounded all the same: a damaged one gives -EBADMSG or -ENOENT, not a walk through memory. */
#include "sched/btf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

#define BTF_PATH "/sys/kernel/btf/vmlinux"
#define BTF_BYTES_MAX (64u << 20)
#define NESTED_MAX 8 /* anonymous structs within structs, typedefs of typedefs */

/* Bytes that follow the head of a type. */
static long tail_size(const struct btf_type *t)
{
	long n = BTF_INFO_VLEN(t->info);

	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return n * (long) sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return n * (long) sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
		return n * (long) sizeof(struct btf_enum64);
	case BTF_KIND_FUNC_PROTO:
		return n * (long) sizeof(struct btf_param);
	case BTF_KIND_DATASEC:
		return n * (long) sizeof(struct btf_var_secinfo);
	case BTF_KIND_FWD:
	case BTF_KIND_PTR:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return 0;
	default:
		return -EBADMSG;
	}
}

static const struct btf_type *type_at(const struct btf *b, uint32_t id)
{
	return id > 0 && id < b->count
		       ? (const struct btf_type *) (const void *) (b->data + b->types[id])
		       : NULL;
}

static const char *name_at(const struct btf *b, uint32_t offset)
{
	return offset < b->strings_len ? b->strings + offset : "";
}

/* Notes where each type begins, between `at` and `end`. */
static int index_types(struct btf *b, size_t at, size_t end)
{
	uint32_t room = 0;

	b->count = 1; /* number 0 is void */
	while (at + sizeof(struct btf_type) <= end) {
		long tail = tail_size((const struct btf_type *) (const void *) (b->data + at));
		uint32_t *types = b->types;

		if (tail < 0 || at + sizeof(struct btf_type) + (size_t) tail > end)
			return -EBADMSG;
		if (b->count >= room) {
			room = room ? room * 2 : 65536;
			types = reallocarray(b->types, room, sizeof(*types));
			if (types == NULL)
				return -ENOMEM;
			b->types = types;
		}
		types[b->count++] = (uint32_t) at;
		at += sizeof(struct btf_type) + (size_t) tail;
	}
	return at == end ? 0 : -EBADMSG;
}

/* Whether [from, from + len) lies in the blob, aligned as its parts are. */
static bool inside(const struct btf *b, uint64_t from, uint64_t len)
{
	return from <= b->len && len <= b->len - from;
}

int btf_parse(char *data, size_t len, struct btf *ret)
{
	struct btf b = { .data = data, .len = len };
	const struct btf_header *h = (const struct btf_header *) (const void *) data;
	int r = -EBADMSG;

	if (len >= sizeof(*h) && h->magic == BTF_MAGIC && h->hdr_len % 4 == 0 &&
	    h->type_off % 4 == 0 && inside(&b, (uint64_t) h->hdr_len + h->type_off, h->type_len) &&
	    inside(&b, (uint64_t) h->hdr_len + h->str_off, h->str_len) && h->str_len > 0) {
		b.strings = data + h->hdr_len + h->str_off;
		b.strings_len = h->str_len;
		if (b.strings[b.strings_len - 1] == '\0')
			r = index_types(&b, (size_t) h->hdr_len + h->type_off,
					(size_t) h->hdr_len + h->type_off + h->type_len);
	}
	if (r < 0) {
		btf_done(&b);
		return r;
	}
	*ret = b;
	return 0;
}

int btf_open(struct btf *ret)
{
	char *data = NULL;
	size_t len = 0;
	int r = file_read_at(AT_FDCWD, BTF_PATH, BTF_BYTES_MAX, &data, &len);

	return r < 0 ? r : btf_parse(data, len, ret);
}

void btf_done(struct btf *b)
{
	free(b->data);
	free(b->types);
	*b = (struct btf){ 0 };
}

/* The first type of one of the kinds in the mask that bears the name. */
static uint32_t find(const struct btf *b, uint32_t kinds, const char *name)
{
	for (uint32_t id = 1; id < b->count; id++) {
		const struct btf_type *t = type_at(b, id);

		if ((kinds & 1u << BTF_INFO_KIND(t->info)) != 0 &&
		    strcmp(name_at(b, t->name_off), name) == 0)
			return id;
	}
	return 0;
}

/* Past typedefs and qualifiers. */
static const struct btf_type *resolve(const struct btf *b, uint32_t id)
{
	const struct btf_type *t = type_at(b, id);

	for (unsigned i = 0; t != NULL && i < NESTED_MAX; i++) {
		switch (BTF_INFO_KIND(t->info)) {
		case BTF_KIND_TYPEDEF:
		case BTF_KIND_CONST:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_TYPE_TAG:
			t = type_at(b, t->type);
			break;
		default:
			return t;
		}
	}
	return t;
}

/* Finds one member, also in what has no name. @ret_bits where it begins; @return its type or 0. */
static uint32_t member(const struct btf *b, const struct btf_type *t, const char *name, size_t len,
		       unsigned depth, uint64_t *ret_bits)
{
	const struct btf_member *m = (const struct btf_member *) (const void *) (t + 1);
	bool flag = BTF_INFO_KFLAG(t->info);
	unsigned kind = BTF_INFO_KIND(t->info);

	if ((kind != BTF_KIND_STRUCT && kind != BTF_KIND_UNION) || depth == 0)
		return 0;
	for (unsigned i = 0; i < BTF_INFO_VLEN(t->info); i++, m++) {
		uint64_t bits = flag ? BTF_MEMBER_BIT_OFFSET(m->offset) : m->offset, inner = 0;
		const char *own = name_at(b, m->name_off);
		const struct btf_type *anonymous = *own == '\0' ? resolve(b, m->type) : NULL;
		uint32_t type = 0;

		if (strncmp(own, name, len) == 0 && own[len] == '\0')
			type = m->type;
		else if (anonymous != NULL)
			type = member(b, anonymous, name, len, depth - 1, &inner);
		if (type != 0) {
			*ret_bits = bits + inner;
			return type;
		}
	}
	return 0;
}

long btf_offset(const struct btf *b, const char *structure, const char *path)
{
	const struct btf_type *t = type_at(b, find(b, 1u << BTF_KIND_STRUCT, structure));
	uint64_t sum = 0;

	for (; t != NULL && *path != '\0'; path += strspn(path, ".")) {
		size_t len = strcspn(path, ".");
		uint64_t bits = 0;
		uint32_t type = member(b, t, path, len, NESTED_MAX, &bits);

		if (type == 0)
			return -ENOENT;
		sum += bits / 8;
		path += len;
		if (*path == '\0')
			return (long) sum;
		t = resolve(b, type);
	}
	return -ENOENT;
}

long btf_enumerator(const struct btf *b, const char *enumeration, const char *name)
{
	const struct btf_type *t = type_at(b, find(b, 1u << BTF_KIND_ENUM, enumeration));
	const struct btf_enum *v = (const struct btf_enum *) (const void *) (t + 1);

	for (unsigned i = 0; t != NULL && i < BTF_INFO_VLEN(t->info); i++)
		if (strcmp(name_at(b, v[i].name_off), name) == 0)
			return v[i].val;
	return -ENOENT;
}

long btf_function(const struct btf *b, const char *name)
{
	uint32_t id = find(b, 1u << BTF_KIND_FUNC, name);

	return id != 0 ? (long) id : -ENOENT;
}
