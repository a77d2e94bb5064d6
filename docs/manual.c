/* ward-docs: prints the KEYS part of ward.ini(5) from the table of keys. A tool of the build; it
 * is not installed. */
#include <stdio.h>

#include "spec/spec.h"

int main(void)
{
	spec_write_manual(stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}
