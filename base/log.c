/* One write(2) a line, so that lines of several processes do not mix. What came from outside is
 * inside the message: control characters are replaced, so nobody forges a line. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048

static enum log_level max_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level max)
{
	max_level = max;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	int saved = errno;
	va_list ap;

	if (level > max_level)
		return;
	/* The prefix is for journald; a person at a terminal does not need it. */
	int prefix = isatty(STDERR_FILENO) ? 0 : snprintf(line, sizeof(line), "<%d>", (int) level);

	va_start(ap, fmt);
	int n = vsnprintf(line + prefix, sizeof(line) - (size_t) prefix - 1, fmt, ap);
	va_end(ap);
	if (n >= 0) {
		size_t end = (size_t) prefix + (size_t) n;

		if (end > sizeof(line) - 2)
			end = sizeof(line) - 2;
		for (size_t i = (size_t) prefix; i < end; i++) {
			if ((unsigned char) line[i] < ' ' || line[i] == 0x7f)
				line[i] = line[i] == '\n' ? ' ' : '?';
		}
		line[end] = '\n';
		ssize_t ignored = write(STDERR_FILENO, line, end + 1);
		(void) ignored;
	}
	errno = saved;
}
