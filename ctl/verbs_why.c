/* why */
#include "ctl/verbs.h"
int verb_why(const struct ctl *c)
{
	(void) c;
	return 0;
}
