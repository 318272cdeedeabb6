/* Formatted text into a buffer: see format.h. Each conversion knows its length before it is written. */
#include "base/format.h"
#include "base/string.h"

struct sink {
	char *out;
	size_t size, length;
};

struct conversion {
	bool left, zero, plus, space, alternate;
	unsigned width;
	int precision; /* -1: none */
	unsigned bytes; /* of an integer argument */
};

#define DIGITS_MAX 24 /* 2^64 in decimal has 20 */

static void put(struct sink *s, char c)
{
	if (s->length + 1 < s->size)
		s->out[s->length] = c;
	s->length++;
}

static void put_repeated(struct sink *s, char c, size_t times)
{
	while (times--)
		put(s, c);
}

/* prefix (a sign, 0x), then zeros, then text, padded to the width. */
static void put_field(struct sink *s, const struct conversion *v, const char *prefix, size_t zeros, const char *text,
		      size_t length)
{
	size_t prefix_length = strlen(prefix), used = prefix_length + zeros + length;
	size_t padding = v->width > used ? v->width - used : 0;

	if (padding && v->zero && !v->left) {
		zeros += padding;
		padding = 0;
	}
	if (!v->left)
		put_repeated(s, ' ', padding);
	for (size_t i = 0; i < prefix_length; i++)
		put(s, prefix[i]);
	put_repeated(s, '0', zeros);
	for (size_t i = 0; i < length; i++)
		put(s, text[i]);
	if (v->left)
		put_repeated(s, ' ', padding);
}

static void put_number(struct sink *s, struct conversion *v, u64 value, unsigned base, const char *prefix, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[DIGITS_MAX];
	size_t at = DIGITS_MAX, length;

	for (; value; value /= base)
		text[--at] = digits[value % base];
	if (at == DIGITS_MAX && v->precision != 0)
		text[--at] = '0';
	length = DIGITS_MAX - at;
	if (v->precision >= 0)
		v->zero = false;
	put_field(s, v, prefix, v->precision > (int)length ? (size_t)v->precision - length : 0, text + at, length);
}

static void put_text(struct sink *s, struct conversion *v, const char *text)
{
	size_t length = 0;

	if (!text)
		text = "(null)";
	while ((v->precision < 0 || length < (size_t)v->precision) && text[length])
		length++;
	v->zero = false;
	put_field(s, v, "", 0, text, length);
}

static const char *parse_flags(const char *fmt, struct conversion *v)
{
	for (;; fmt++) {
		if (*fmt == '-')
			v->left = true;
		else if (*fmt == '0')
			v->zero = true;
		else if (*fmt == '+')
			v->plus = true;
		else if (*fmt == ' ')
			v->space = true;
		else if (*fmt == '#')
			v->alternate = true;
		else
			return fmt;
	}
}

static const char *parse_number(const char *fmt, va_list *args, int *number)
{
	if (*fmt == '*') {
		*number = va_arg(*args, int);
		return fmt + 1;
	}
	for (*number = 0; *fmt >= '0' && *fmt <= '9'; fmt++)
		*number = *number < 100000 ? *number * 10 + (*fmt - '0') : *number;
	return fmt;
}

static const char *parse_size(const char *fmt, struct conversion *v)
{
	v->bytes = sizeof(int);
	for (;; fmt++) {
		if (*fmt == 'h')
			v->bytes /= 2;
		else if (*fmt == 'l' || *fmt == 'z' || *fmt == 'j' || *fmt == 't')
			v->bytes = sizeof(long);
		else
			return fmt;
	}
}

static const char *parse_conversion(const char *fmt, va_list *args, struct conversion *v)
{
	int width;

	*v = (struct conversion){ .precision = -1 };
	fmt = parse_number(parse_flags(fmt, v), args, &width);
	if (width < 0)
		v->left = true;
	v->width = width < 0 ? 0u - (unsigned)width : (unsigned)width;
	if (*fmt == '.')
		fmt = parse_number(fmt + 1, args, &v->precision);
	return parse_size(fmt, v);
}

static void put_signed(struct sink *s, struct conversion *v, s64 value)
{
	const char *sign = value < 0 ? "-" : v->plus ? "+" : v->space ? " " : "";

	if (v->bytes < sizeof(int))
		value = v->bytes == 1 ? (s8)value : (s16)value;
	put_number(s, v, value < 0 ? 0 - (u64)value : (u64)value, 10, sign, false);
}

static void put_unsigned(struct sink *s, struct conversion *v, u64 value, char letter)
{
	unsigned base = letter == 'u' ? 10 : letter == 'o' ? 8 : 16;
	const char *prefix = !v->alternate || !value || base != 16 ? "" : letter == 'X' ? "0X" : "0x";

	if (v->bytes < sizeof(int))
		value &= v->bytes == 1 ? UINT8_MAX : UINT16_MAX;
	put_number(s, v, value, base, prefix, letter == 'X');
}

/* fmt points to the letter of the conversion. */
static void put_conversion(struct sink *s, struct conversion *v, const char *fmt, va_list *args)
{
	char c;

	switch (*fmt) {
	case 'd':
	case 'i':
		put_signed(s, v, v->bytes == sizeof(long) ? va_arg(*args, long) : va_arg(*args, int));
		break;
	case 'u':
	case 'o':
	case 'x':
	case 'X':
		put_unsigned(s, v, v->bytes == sizeof(long) ? va_arg(*args, unsigned long) : va_arg(*args, unsigned),
			     *fmt);
		break;
	case 'p':
		v->alternate = true;
		put_unsigned(s, v, (u64)(uintptr_t)va_arg(*args, void *), 'x');
		break;
	case 's':
		put_text(s, v, va_arg(*args, const char *));
		break;
	case 'c':
		c = (char)va_arg(*args, int);
		v->zero = false;
		put_field(s, v, "", 0, &c, 1);
		break;
	default:
		put(s, '%');
		put(s, *fmt);
	}
}

size_t format_list(char *out, size_t size, const char *fmt, va_list args)
{
	struct sink s = { .out = out, .size = size };
	struct conversion v;
	va_list rest;

	va_copy(rest, args);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(&s, *fmt);
			continue;
		}
		if (*++fmt == '%') {
			put(&s, '%');
			continue;
		}
		fmt = parse_conversion(fmt, &rest, &v);
		if (!*fmt)
			break;
		put_conversion(&s, &v, fmt, &rest);
	}
	va_end(rest);
	if (size)
		out[s.length < size ? s.length : size - 1] = 0;
	return s.length;
}

size_t format(char *out, size_t size, const char *fmt, ...)
{
	va_list args;
	size_t length;

	va_start(args, fmt);
	length = format_list(out, size, fmt, args);
	va_end(args);
	return length;
}
