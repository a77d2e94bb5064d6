/* What this host offers Ward, feature by feature, and what is lost without each. */
#pragma once

#include <jansson.h>

#include "spec/facts.h"

/** Fills cpus, kernel, kvm, bpf_cgroup, bpf_lsm and psi: by trying, never by reading lists. */
void doctor_probe(struct facts *facts);
/**
 * The "features" array of GET /v1/host. Tries what facts do not hold (a few milliseconds, in a
 * child where it would change the caller). @return a new array, or NULL when out of memory.
 */
json_t *doctor_report(const struct facts *facts);
