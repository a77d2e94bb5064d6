/* What contexts left of the network to those to come is removed when nobody came. */
#pragma once

struct manager;

/** Something may have been left. */
void tidy_soon(struct manager *m);
void tidy_done(struct manager *m);
