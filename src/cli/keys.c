/* Ctrl-a keys. See keys.h; the keys are in key.def. */
#include "cli/keys.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#define CTRL_A 1

static void key_quit(struct keys *k)
{
	k->quit(k->context);
}

static void key_help(struct keys *k);

static const struct key {
	char letter;
	void (*act)(struct keys *k);
	const char *help;
} table[] = {
#define KEY(letter, action, help) { letter, key_##action, help },
#include "cli/key.def"
#undef KEY
};

static void say(const char *text)
{
	struct pollfd writable = { .fd = STDERR_FILENO, .events = POLLOUT };

	/* A terminal that is gone or stopped leaves nobody to tell. */
	if (poll(&writable, 1, 0) && write(STDERR_FILENO, text, strlen(text)) < 0)
		return;
}

static void key_help(struct keys *k)
{
	(void)k;
	say("\r\n");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char key[] = { ' ', ' ', 'C', 't', 'r', 'l', '-', 'a', ' ', table[i].letter, ' ', ' ', 0 };

		say(key);
		say(table[i].help);
		say("\r\n");
	}
	say("  Ctrl-a Ctrl-a  send Ctrl-a to the guest\r\n");
}

/* false: the byte after Ctrl-a was a key of ours, or unknown; nothing for the guest. */
static bool take_escaped(struct keys *k, u8 byte)
{
	if (byte == CTRL_A)
		return true;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].letter == byte) {
			table[i].act(k);
			return false;
		}
	}
	key_help(k);
	return false;
}

size_t keys_filter(void *keys, u8 *bytes, size_t count)
{
	struct keys *k = keys;
	size_t left = 0;

	for (size_t i = 0; i < count; i++) {
		bool pass = true;

		if (k->escaped) {
			k->escaped = false;
			pass = take_escaped(k, bytes[i]);
		} else if (bytes[i] == CTRL_A) {
			k->escaped = true;
			pass = false;
		}
		if (pass)
			bytes[left++] = bytes[i];
	}
	return left;
}
