/* Fuzzes what a context says through its notify socket: whatever the bytes, what comes out is
 * bounded, clean and the same however the datagram is laid out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/notify_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static void check_status(const char *s)
{
	char line[NOTIFY_STATUS_MAX + 16] = "STATUS=";
	struct notify_message again;

	require(strlen(s) <= NOTIFY_STATUS_MAX);
	for (const unsigned char *p = (const unsigned char *) s; *p; p++)
		require(*p >= 0x20 && *p != 0x7f);
	memcpy(line + 7, s, strlen(s) + 1);
	notify_parse(line, strlen(line), false, &again); /* clean text stays as it is */
	require(again.has_status && strcmp(again.status, s) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The first byte: whether its end is missing. A copy, so that ASan sees its borders. */
	bool cut = size && data[0] & 1;
	size_t len = size ? size - 1 : 0;
	char *text = malloc(len ? len : 1);
	struct notify_message m, all = { 0 };

	if (!text)
		return 0;
	if (len)
		memcpy(text, data + 1, len);
	notify_parse(text, len, cut, &m);
	check_status(m.status);
	require(m.has_status || m.status[0] == '\0');
	notify_merge(&all, &m);
	require(memcmp(&all, &m, sizeof(m)) == 0 || m.has_status);
	free(text);
	return 0;
}
