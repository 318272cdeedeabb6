/* Options that describe devices: disks, networks, and where byte streams lead. See device_options.h. */
#include "cli/device_options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "cli/suboptions.h"

/* "Device Identification" of virtio block devices. */
#define DISK_ID_MAX 20
#define PORT_MAX 65535

static bool unknown_key(const char *option, const char *key, const char *(*name)(size_t index), const char *expected,
			struct host_error *error)
{
	host_error_set(error, "%s: '%s' is not known, the nearest is '%s'; expected %s", option, key,
		       nearest_name(key, strlen(key), name), expected);
	return false;
}

/* ---- streams ---- */

bool device_set_stream(const char *option, char *text, bool tty_allowed, struct stream_option *out, struct host_error *error)
{
	static const struct { const char *key; enum stream_kind kind; bool path; } kinds[] = {
		{ "tty", STREAM_TTY, false }, { "stdio", STREAM_TTY, false }, { "file", STREAM_FILE, true },
		{ "unix", STREAM_UNIX, true }, { "null", STREAM_NULL, false }, { "none", STREAM_NULL, false },
	};
	char *rest = text, *key = text, *value = text;
	bool one = suboption_next(&rest, &key, &value) && !*rest;

	for (size_t i = 0; one && i < ARRAY_LENGTH(kinds); i++) {
		if (strcmp(kinds[i].key, key) || kinds[i].path != (*value != 0) ||
		    (kinds[i].kind == STREAM_TTY && !tty_allowed))
			continue;
		*out = (struct stream_option){ kinds[i].kind, kinds[i].path ? value : NULL };
		return true;
	}
	host_error_set(error, "%s '%s': expected %sfile=FILE, unix=PATH or null", option, key, tty_allowed ? "tty, " : "");
	return false;
}

/* ---- disks ---- */

static const char *disk_key(size_t index)
{
	static const char *const keys[] = { "path", "ro", "id", NULL };

	return keys[index];
}

bool device_add_disk(struct run_options *o, char *text, struct host_error *error)
{
	struct disk_option *disk = &o->disks[o->disk_count];
	char *rest = text, *key, *value;

	if (o->disk_count == MACHINE_MAX_DISKS)
		return host_error_set(error, "--disk: at most %u disks", MACHINE_MAX_DISKS), false;
	*disk = (struct disk_option){ 0 };
	while (suboption_next(&rest, &key, &value)) {
		if (!strcmp(key, "path") && *value)
			disk->path = value;
		else if (!strcmp(key, "id") && *value && strlen(value) <= DISK_ID_MAX)
			disk->id = value;
		else if (!strcmp(key, "id"))
			return host_error_set(error, "--disk id=%s: expected 1 to %d characters", value, DISK_ID_MAX), false;
		else if (strcmp(key, "ro"))
			return unknown_key("--disk", key, disk_key, "path=FILE[,ro=on][,id=NAME]", error);
		else if (!suboption_switch("--disk ro", value, &disk->read_only, error))
			return false;
	}
	if (!disk->path)
		return host_error_set(error, "--disk: path=FILE is missing"), false;
	o->disk_count++;
	return true;
}

/* ---- networks ---- */

static const char *net_key(size_t index)
{
	static const char *const keys[] = { "mode", "forward", "ifname", "mac", NULL };

	return keys[index];
}

static bool parse_mac(const char *text, u8 *mac)
{
	unsigned byte[6];
	int end = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4], &byte[5], &end) != 6 ||
	    text[end] || byte[0] & 1)
		return false;
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (u8)byte[i];
	return true;
}

/* Locally administered, the same for the same position in each run, so that a guest recognises its card. */
static void default_mac(u8 *mac, unsigned index)
{
	const u8 prefix[] = { 0x52, 0x54, 0x00, 0x53, 0x52 };

	memcpy(mac, prefix, sizeof(prefix));
	mac[5] = (u8)(index + 1);
}

static bool parse_port(const char *text, char **end, u16 *port)
{
	unsigned long value = isdigit((unsigned char)*text) ? strtoul(text, end, 10) : 0;

	*port = (u16)value;
	return value >= 1 && value <= PORT_MAX;
}

/* [ADDRESS/]HOST[:GUEST]; without an address only this host's programs reach the port. */
static bool parse_forward(char *text, struct net_forward *out)
{
	char *slash = strchr(text, '/'), *ports = slash ? slash + 1 : text, *end;
	struct in_addr address;

	out->address = "127.0.0.1";
	if (slash) {
		*slash = 0;
		out->address = text;
		if (inet_pton(AF_INET, text, &address) != 1)
			return false;
	}
	if (!parse_port(ports, &end, &out->host_port))
		return false;
	out->guest_port = out->host_port;
	return !*end || (*end == ':' && parse_port(end + 1, &end, &out->guest_port) && !*end);
}

static bool add_forward(struct net_option *net, char *value, struct host_error *error)
{
	char copy[64];

	snprintf(copy, sizeof(copy), "%s", value);
	if (net->forwards == NET_MAX_FORWARDS) {
		host_error_set(error, "--net: at most %u times forward=", NET_MAX_FORWARDS);
		return false;
	}
	if (parse_forward(value, &net->forward[net->forwards++]))
		return true;
	host_error_set(error, "--net forward=%s: expected HOST:GUEST ports such as 8080:80, "
		       "or 0.0.0.0/8080:80 for the whole network", copy);
	return false;
}

static bool set_mode(const char *value, struct net_option *net, bool *none, struct host_error *error)
{
	*none = !strcmp(value, "none");
	if (!strcmp(value, "user"))
		net->mode = NET_USER;
	else if (!strcmp(value, "tap"))
		net->mode = NET_TAP;
	else if (!*none)
		return host_error_set(error, "--net mode=%s: expected user, tap or none", value), false;
	return true;
}

static bool set_key(struct net_option *net, const char *key, char *value, bool *none, struct host_error *error)
{
	if (!strcmp(key, "mode"))
		return set_mode(value, net, none, error);
	if (!strcmp(key, "forward"))
		return add_forward(net, value, error);
	if (!strcmp(key, "mac")) {
		if (parse_mac(value, net->mac))
			return true;
		host_error_set(error, "--net mac=%s: expected six bytes, the first even, as in 52:54:00:12:34:56", value);
		return false;
	}
	if (strcmp(key, "ifname"))
		return unknown_key("--net", key, net_key, "mode=user|tap|none, forward=, ifname=, mac=", error);
	net->interface = value;
	return true;
}

bool device_add_net(struct run_options *o, char *text, struct host_error *error)
{
	struct net_option *net = &o->nets[o->net_count];
	char *rest = text, *key, *value;
	bool none = false;

	if (o->net_count == MACHINE_MAX_NETS)
		return host_error_set(error, "--net: at most %u network cards", MACHINE_MAX_NETS), false;
	*net = (struct net_option){ .mode = NET_USER };
	default_mac(net->mac, o->net_count);
	while (suboption_next(&rest, &key, &value))
		if (!set_key(net, key, value, &none, error))
			return false;
	if (net->mode == NET_TAP && (!net->interface || !*net->interface))
		return host_error_set(error, "--net mode=tap: ifname=TAP is missing"), false;
	if (net->mode != NET_TAP && net->interface)
		return host_error_set(error, "--net ifname=%s: only with mode=tap", net->interface), false;
	if ((none || net->mode != NET_USER) && net->forwards)
		return host_error_set(error, "--net forward=: only with mode=user"), false;
	o->net_count += !none;
	return true;
}
