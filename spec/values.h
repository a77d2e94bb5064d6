/* What a text may be: one function per kind, each a row's `check`. Private to spec/. */
#pragma once

/** @return what is wrong with it, to follow the value in a sentence, or NULL. */
const char *value_check_path(const char *value);
const char *value_check_device(const char *value);
const char *value_check_user(const char *value);
const char *value_check_owner(const char *value); /* of the host */
const char *value_check_hostname(const char *value);
const char *value_check_variable(const char *value);
const char *value_check_list(const char *value); /* "0-3,6": CPUs, memory nodes */
const char *value_check_name(const char *value); /* of a context, or in its letters */
const char *value_check_address(const char *value); /* [network]: base/inet.h says what */
const char *value_check_port(const char *value);
const char *value_check_peer(const char *value); /* or any, none */
const char *value_check_allow(const char *value);
const char *value_check_ip(const char *value);
const char *value_check_interface(const char *value);
const char *value_check_gateway(const char *value); /* or none */
const char *value_check_mac(const char *value);
const char *value_check_forward(const char *value);
