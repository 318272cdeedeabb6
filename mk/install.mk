# `make install`: the program, its manual page and its completion, all from what the program says of itself.

DESTDIR ?=
INSTALL_ROOT = $(DESTDIR)$(PREFIX)

install: all
	install -D -m 755 $(PROGRAM) $(INSTALL_ROOT)/bin/subring
	install -d $(INSTALL_ROOT)/share/man/man1 $(INSTALL_ROOT)/share/bash-completion/completions
	$(PROGRAM) help man >$(INSTALL_ROOT)/share/man/man1/subring.1
	$(PROGRAM) help bash >$(INSTALL_ROOT)/share/bash-completion/completions/subring

uninstall:
	rm -f $(INSTALL_ROOT)/bin/subring $(INSTALL_ROOT)/share/man/man1/subring.1 \
		$(INSTALL_ROOT)/share/bash-completion/completions/subring
.PHONY: uninstall
