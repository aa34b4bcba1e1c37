# SPDX-License-Identifier: MIT
# Makefile - everything that is built, checked and installed; `make help` lists it.
#
# It is the only one, and committed: what configure found out comes in from config.mk. In a build
# tree of its own, a two-line Makefile made by configure includes this one.

SHELL = /bin/sh
MAKEFLAGS += -rR --no-print-directory
srcdir := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))

.PHONY: all check demo install install-strip uninstall dist distcheck deb clean distclean tags help
.PHONY: bench bench-quick bench-growth bench-frames bench-programs torture
.PHONY: FORCE
.DELETE_ON_ERROR:
.SUFFIXES:
all:
# `make -j clean all` is to do one after the other.
ifneq ($(filter clean,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

# ---- configuration ----

# On a fresh clone make finds no config.mk, makes it by these rules, and starts over.
ifneq ($(filter-out clean distclean tags help,$(or $(MAKECMDGOALS),all)),)
include config.mk
endif

config.mk: config.status $(srcdir)/config.mk.in $(srcdir)/config.h.in
	@./config.status -q

config.status: $(srcdir)/configure
	@if [ -f $@ ]; then ./$@ -q --recheck; else $(srcdir)/configure -q; fi

$(srcdir)/configure: $(srcdir)/configure.ac
	@$(srcdir)/scripts/bootstrap $(if $(filter check,$(MAKECMDGOALS)),--tests)

# ---- how to compile ----

comma := ,
# Each kind of build has a folder of its own, so that they can stand side by side.
B := build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))

ifdef SANITIZE
sanitize := -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -g -O1
ifneq ($(findstring undefined,$(SANITIZE)),)
sanitize += -fno-sanitize-recover=undefined
endif
else
# FORTIFY only warns where nothing is optimised, and distributions may ask for it themselves.
optimised := $(filter-out -O0,$(lastword $(filter -O%,$(CFLAGS))))
asked_for := $(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS))
fortify := $(if $(asked_for),,$(if $(optimised),$(FORTIFY_CPPFLAGS)))
# A library that lacks one of its own modules is to fail here, not at its user's.
no_undefined := -Wl,-z,defs
endif

paths = -DSYSCONFDIR='"$(sysconfdir)"' -DLOCALSTATEDIR='"$(localstatedir)"' \
	-DRUNSTATEDIR='"$(runstatedir)"'
# Names of files begin at the source tree, wherever that is; the folder of the build is . The last one that fits counts.
prefix_map = $(if $(PREFIX_MAP),$(addprefix $(PREFIX_MAP),$(CURDIR)=. $(abspath $(srcdir))=. $(srcdir)/=))
# Position independent and hidden for all: each source is compiled once, for programs and libraries.
compile = $(CC) -std=c11 -D_GNU_SOURCE $(paths) -I. -I$(srcdir)/src $(fortify) $(CPPFLAGS) \
	$(WARN_CFLAGS) $(if $(WERROR),-Werror) $(HARDEN_CFLAGS) $(prefix_map) -fPIC -fvisibility=hidden -pthread \
	$(CFLAGS) $(sanitize)
link = $(CC) $(HARDEN_LDFLAGS) -pthread $(CFLAGS) $(sanitize) $(LDFLAGS)

# make V=1 shows the commands.
ifeq ($(V),1)
say = @:
else
q := @
say = @printf '  %s %s\n' '$1' '$2'
endif

# ---- what there is ----

in = $(patsubst $(srcdir)/%,%,$(sort $(wildcard $(addprefix $(srcdir)/,$1))))
obj = $(patsubst %.c,$(B)/%.o,$(call in,$1))

zogd_objs := $(call obj,src/daemon/main.c)
sprog_objs := $(filter-out $(B)/src/sprog/libsprog%,$(call obj,src/sprog/*.c))
zogctl_objs := $(call obj,src/zogctl/zogctl.c)
# What the libraries are made of.
sprog_lib := $(call obj,src/base/*.c src/wire/*.c src/ring/*.c src/sprog/libsprog*.c)
petrichor_lib := $(call obj,src/petrichor/*.c)
# Every module that is not a program's own: programs and tests take from here what they use.
zog_objs := $(sprog_lib) $(filter-out $(zogd_objs) $(zogctl_objs),$(call obj,$(addprefix src/,$(addsuffix /*.c,\
	store petrichor daemon zogctl))))

sbin_programs := $(if $(zogd_objs),zogd) $(if $(zogctl_objs),zogctl)
bin_programs := $(if $(sprog_objs),sprog)
programs := $(addprefix $(B)/,$(sbin_programs) $(bin_programs))

# The ABI number grows when a function of the header goes or changes, the revision when one is added.
libraries := sprog petrichor
sprog_abi := 0
sprog_revision := 4
petrichor_abi := 0
petrichor_revision := 0
soname = lib$1.so.$($1_abi)
shared = $(call soname,$1).$($1_revision)
libs := $(foreach l,$(libraries),$(addprefix $(B)/,lib$l.a $(call shared,$l) $(call soname,$l) lib$l.so))

# Small programs that show what the libraries are for.
samples := $(patsubst %.c,$(B)/%,$(call in,doc/samples/*.c))

man_pages := $(call in,doc/man/*.[1-8])
filled := $(addprefix $(B)/,$(patsubst %.in,%,$(call in,scripts/*.in src/*/*.pc.in)) $(man_pages))

all: $(B)/zog.a $(programs) $(libs) $(filled) $(samples)

# ---- programs and libraries ----

# These change only when what they say changes: then all that was made with them is made again.
$(B)/flags: text = $(compile) $(link)
$(B)/objects: text = $(zog_objs)
$(B)/folders: text = $(fill)
$(B)/flags $(B)/objects $(B)/folders: FORCE | $(B)/
	$(file >$@.new,$(text))@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(B)/:
	@mkdir -p $@

$(B)/%.o: $(srcdir)/%.c $(B)/flags
	$(call say,CC,$*.c)
	@mkdir -p $(@D)
	$q$(compile) -MMD -MP -c -o $@ $<

$(B)/zog.a: $(zog_objs) $(B)/objects
	$(call say,AR,$@)
	@rm -f $@
	$q$(AR) cqsD $@ $(zog_objs)

$(B)/zogd: $(zogd_objs)
$(B)/sprog: $(sprog_objs)
$(B)/zogctl: $(zogctl_objs)
$(programs): $(B)/zog.a
	$(call say,LD,$@)
	$q$(link) $(PIE_LDFLAGS) -o $@ $(filter %.o,$^) $(B)/zog.a $(LIBS)

# With -flto the object would else hold nothing that objcopy can read.
lto = $(if $(findstring -flto,$(CFLAGS)),$(RELOC_LDFLAGS))

# A library's user sees what its header says: one relocatable object, in which all else is local, for
# the names of our modules are no business of the program that it is linked into.
define library
$(B)/lib$1.a: $($1_lib) $(B)/objects
	$$(call say,AR,$$@)
	@rm -f $$@
	$$q$$(CC) $$(CFLAGS) -r -nostdlib $$(lto) -o $(B)/lib$1.o $($1_lib)
	$$q$$(OBJCOPY) --localize-hidden $(B)/lib$1.o
	$$q$$(AR) cqsD $$@ $(B)/lib$1.o

$(B)/$(call shared,$1): $($1_lib) $(B)/objects
	$$(call say,LD,$$@)
	$$q$$(link) -shared $$(no_undefined) -Wl,-soname,$(call soname,$1) -o $$@ $($1_lib) $$(LIBS)

$(B)/$(call soname,$1) $(B)/lib$1.so: $(B)/$(call shared,$1)
	@ln -sf $(call shared,$1) $$@
endef
$(foreach l,$(libraries),$(eval $(call library,$l)))

# As their readers would build them: with the installed headers and libraries alone.
$(samples): $(B)/%: $(B)/%.o $(B)/libpetrichor.a
	$(call say,LD,$@)
	$q$(link) $(PIE_LDFLAGS) -o $@ $< $(B)/libpetrichor.a $(LIBS)
$(B)/doc/samples/%.o: private CPPFLAGS += -I$(srcdir)/src/petrichor

# ---- files that name folders ----

fill = sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@PREFIX@|$(prefix)|g' \
	-e 's|@BINDIR@|$(bindir)|g' -e 's|@SBINDIR@|$(sbindir)|g' -e 's|@LIBDIR@|$(libdir)|g' \
	-e 's|@INCLUDEDIR@|$(includedir)|g' -e 's|@SYSCONFDIR@|$(sysconfdir)|g' \
	-e 's|@LOCALSTATEDIR@|$(localstatedir)|g' -e 's|@RUNSTATEDIR@|$(runstatedir)|g'

$(B)/%: $(srcdir)/%.in $(B)/folders
	@mkdir -p $(@D)
	@$(fill) $< >$@

$(B)/doc/man/%: $(srcdir)/doc/man/% $(B)/folders
	@mkdir -p $(@D)
	@$(fill) $< >$@

# ---- tests ----

names = $(patsubst tests/%,%,$(basename $(call in,$1)))
c_tests := $(call names,tests/unit/check_*.c) $(call names,tests/ring/[0-9][0-9]-*.c)
sh_tests := $(call names,tests/build/*.sh tests/petrichor/*.sh tests/ring/[0-9][0-9]-*.sh)
# The cheap ones first, then the ring's from simple to cruel. TESTS="build ring/01" chooses some.
all_tests := $(foreach kind,unit build petrichor ring,$(sort $(filter $(kind)/%,$(c_tests) $(sh_tests))))
tests := $(if $(TESTS),$(filter $(addsuffix %,$(TESTS)),$(all_tests)),$(all_tests))
test_programs := $(addprefix $(B)/tests/,$(filter $(c_tests),$(tests)))
harness_objs := $(call obj,tests/ring/harness*.c)
test_env = TOP='$(abspath $(srcdir))' BUILD='$(abspath $(B))' ZOGD='$(abspath $(B)/zogd)' \
	SPROG='$(abspath $(B)/sprog)' ZOGCTL='$(abspath $(B)/zogctl)' CC='$(CC)' NM='$(NM)' \
	SANITIZE='$(SANITIZE)'

$(B)/tests/%.o: private CPPFLAGS += $(CHECK_CFLAGS)

$(addprefix $(B)/tests/,$(c_tests)): %: %.o $(B)/zog.a
	$(call say,LD,$@)
	$q$(link) $(PIE_LDFLAGS) -o $@ $(filter %.o,$^) $(B)/zog.a $(CHECK_LIBS) $(LIBS)
$(addprefix $(B)/tests/,$(filter ring/%,$(c_tests))): $(harness_objs)

# What a ring costs: tests/bench/bench.h. They need no Check.
bench_programs := $(addprefix $(B)/tests/bench/,bench load rawring frames)
bench_body := $(call obj,tests/bench/body.c)
$(B)/tests/bench/bench: $(call obj,tests/bench/bench*.c) $(bench_body)
$(B)/tests/bench/load: $(call obj,tests/bench/load*.c) $(bench_body)
$(B)/tests/bench/rawring: $(call obj,tests/bench/rawring.c)
$(B)/tests/bench/frames: $(call obj,tests/bench/frames.c)
$(B)/tests/bench/frames.o: private CPPFLAGS += $(MSGPACK_CFLAGS)
$(B)/tests/bench/frames: private LIBS += $(MSGPACK_LIBS)
$(bench_programs): $(B)/zog.a
	$(call say,LD,$@)
	$q$(link) $(PIE_LDFLAGS) -o $@ $(filter %.o,$^) $(B)/zog.a $(LIBS) -lm

bench-programs: all $(bench_programs)
bench bench-quick bench-growth: bench-programs
	@$(B)/tests/bench/bench $(patsubst bench-%,--%,$(filter-out bench,$@)) $(BENCH)
	$(if $(filter bench,$@),@$(B)/tests/bench/frames --out $(B)/frames.tsv)
bench-frames: $(B)/tests/bench/frames
	@$< --out $(B)/frames.tsv $(BENCH)

ifneq ($(HAVE_CHECK),)
check: all $(test_programs) $(if $(filter build/bench,$(tests)),$(bench_programs))
	@$(test_env) $(srcdir)/tests/run $(tests)
else ifeq ($(asked_for_check),)
# Configured without Check: get it, look again, and start over; once.
check:
	@$(srcdir)/scripts/bootstrap --tests
	@./config.status -q --recheck && ./config.status -q
	@$(MAKE) check asked_for_check=yes
else
check:
	@echo 'make check: configure does not find Check; see config.log' >&2; exit 1
endif

# SECONDS and SEED are said, or chosen; what fails leaves its folder there.
torture_dir := $(B)/torture
torture: all $(B)/tests/ring/41-torture
	@mkdir -p $(torture_dir)
	@$(test_env) TMPDIR='$(abspath $(torture_dir))' ZOG_TORTURE_SECONDS='$(SECONDS)' ZOG_TORTURE_SEED='$(SEED)' \
		$(B)/tests/ring/41-torture

demo: all
	@$(test_env) $(srcdir)/scripts/demo

# ---- install ----

INSTALL = install
initdir = $(sysconfdir)/init.d
logrotatedir = $(sysconfdir)/logrotate.d
defaultdir = $(sysconfdir)/default
systemdunitdir = $(prefix)/lib/systemd/system
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d
completiondir = $(datarootdir)/bash-completion/completions
pkgconfigdir = $(libdir)/pkgconfig

# MODE:FILE:PLACE; install and uninstall go by the same list.
installed = \
	$(foreach p,$(sbin_programs),755:$(B)/$p:$(sbindir)/$p) \
	$(foreach p,$(bin_programs),755:$(B)/$p:$(bindir)/$p) \
	$(foreach l,$(libraries),644:$(srcdir)/src/$l/$l.h:$(includedir)/$l.h \
		644:$(B)/lib$l.a:$(libdir)/lib$l.a \
		755:$(B)/$(call shared,$l):$(libdir)/$(call shared,$l) \
		644:$(B)/src/$l/$l.pc:$(pkgconfigdir)/$l.pc) \
	$(foreach p,$(man_pages),644:$(B)/$p:$(mandir)/man$(subst .,,$(suffix $p))/$(notdir $p)) \
	755:$(B)/scripts/zogd.init:$(initdir)/zogd \
	644:$(B)/scripts/zogd.service:$(systemdunitdir)/zogd.service \
	644:$(B)/scripts/zog.logrotate:$(logrotatedir)/zog \
	644:$(B)/scripts/zog.sysusers:$(sysusersdir)/zog.conf \
	644:$(B)/scripts/zog.tmpfiles:$(tmpfilesdir)/zog.conf \
	$(foreach p,$(sbin_programs) $(bin_programs),644:$(B)/scripts/zog.bash-completion:$(completiondir)/$p)
# What an administrator edits stays: neither overwritten nor removed.
kept = 644:$(B)/scripts/zogd.conf:$(sysconfdir)/zog/zogd.conf \
	644:$(B)/scripts/zogd.default:$(defaultdir)/zogd \
	644:$(srcdir)/scripts/ring.example:$(sysconfdir)/zog/ring
own_dirs = $(localstatedir)/log/zog $(localstatedir)/lib/zog
lib_links = $(foreach l,$(libraries),$(libdir)/$(call soname,$l) $(libdir)/lib$l.so)

install: all
	@set -e; for i in $(installed) $(kept:%=keep:%); do \
		keep=; case $$i in keep:*) keep=yes i=$${i#keep:} ;; esac; \
		mode=$${i%%:*} place=$(DESTDIR)$${i##*:} file=$${i#*:} file=$${file%:*}; \
		if [ "$$keep" ] && [ -e "$$place" ]; then echo "  KEPT $$place"; continue; fi; \
		echo "  INSTALL $$place"; $(INSTALL) -D -m $$mode $$file "$$place"; \
	done
	@$(foreach l,$(libraries),for i in $(call soname,$l) lib$l.so; do \
		ln -sf $(call shared,$l) "$(DESTDIR)$(libdir)/$$i"; done;)
	@for i in $(own_dirs); do $(INSTALL) -d "$(DESTDIR)$$i"; done

install-strip: install
	@for i in $(sbin_programs:%=$(sbindir)/%) $(bin_programs:%=$(bindir)/%) \
		$(foreach l,$(libraries),$(libdir)/$(call shared,$l)); do $(STRIP) --strip-unneeded "$(DESTDIR)$$i"; done
	@for i in $(libraries); do $(STRIP) --strip-debug "$(DESTDIR)$(libdir)/lib$$i.a"; done

uninstall:
	@for i in $(installed) $(lib_links); do \
		echo "  REMOVE $(DESTDIR)$${i##*:}"; rm -f "$(DESTDIR)$${i##*:}"; done
	@for i in $(own_dirs); do rmdir "$(DESTDIR)$$i" 2>/dev/null || :; done

# ---- tarball ----

dist_name = zog-$(VERSION)

# From what git has, or what the tarball's MANIFEST says; the same input gives the same bytes.
dist: $(srcdir)/configure $(B)/flags
	@set -e; \
	if [ -e $(srcdir)/.git ]; then \
		git -C $(srcdir) ls-files | grep -v '^\.git' >$(B)/MANIFEST.new; \
		printf 'MANIFEST\nconfigure\n' >>$(B)/MANIFEST.new; \
		epoch=$${SOURCE_DATE_EPOCH:-$$(git -C $(srcdir) log -1 --format=%ct)}; \
	else \
		cat $(srcdir)/MANIFEST >$(B)/MANIFEST.new; \
		epoch=$${SOURCE_DATE_EPOCH:-$$(date -r $(srcdir)/MANIFEST +%s)}; \
	fi; \
	LC_ALL=C sort -u $(B)/MANIFEST.new >$(B)/MANIFEST; rm $(B)/MANIFEST.new; \
	grep -v '^MANIFEST$$' $(B)/MANIFEST | \
	tar -cf $(B)/dist.tar --format=gnu --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
		--mtime="@$$epoch" --transform='s,^,$(dist_name)/,' \
		-C $(abspath $(B)) MANIFEST -C $(abspath $(srcdir)) -T -; \
	gzip -9n <$(B)/dist.tar >$(dist_name).tar.gz; rm $(B)/dist.tar
	@echo $(dist_name).tar.gz

distcheck: dist
	@MAKE='$(MAKE)' TESTS='$(DISTCHECK_TESTS)' $(srcdir)/scripts/distcheck $(dist_name)

# ---- packages ----

# The tarball, unpacked below the build, with scripts/debian as its debian/. What is made is left in build/deb.
deb: dist
	@command -v dpkg-buildpackage >/dev/null && command -v dh >/dev/null || \
		{ echo 'make deb: please install: dpkg-dev debhelper' >&2; exit 1; }
	@rm -rf $(B)/deb && mkdir -p $(B)/deb
	@cp $(dist_name).tar.gz $(B)/deb/zog_$(VERSION).orig.tar.gz
	@tar -xzf $(dist_name).tar.gz -C $(B)/deb && cp -R $(srcdir)/scripts/debian $(B)/deb/$(dist_name)/debian
	@chmod -R u+w $(B)/deb && $(fill) $(srcdir)/scripts/debian/changelog >$(B)/deb/$(dist_name)/debian/changelog
	@cd $(B)/deb/$(dist_name) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL dpkg-buildpackage -us -uc $(or $(DEB_FLAGS),-b)
	@cd $(B)/deb && ls *.deb

# ---- the rest ----

tags:
	@cd $(srcdir) && ctags -R src tests

# Only folders that are surely ours: build is a name that others give, too.
clean:
	@for i in build build-*; do if [ -f $$i/flags ]; then rm -rf $$i; fi; done
	@rm -f tags

distclean: clean
	@rm -f config.mk config.h config.log config.status zog-*.tar.gz
	@rm -rf autom4te.cache

help:
	@sed -n 's/^#:\( \|$$\)//p' $(srcdir)/Makefile

#: make                  build zogd, sprog and libsprog, in build/; on a fresh clone configure first
#: make demo             a ring of five on this machine: messages in, and the proof that all have them
#: make check            every test; TESTS="unit ring/01" only these, TEST_TIMEOUT=300 seconds for each,
#:                       VERBOSE=1 shows the output of good ones too, KEEP=1 keeps their folders
#: make torture          a ring under a random mix of faults: SECONDS=3600 SEED=7
#: make bench            what this build does, against processes that only copy: a table, and tables and plots in
#:                       build/bench.out; BENCH="--only one --rounds 3" chooses, BENCH=--list says what there is
#: make bench-quick      the same in less than two minutes; bench-growth: how cost grows, and catching up;
#:                       bench-frames: encoding and decoding of tnetstrings, which bench does, too
#: make install          DESTDIR=..., prefix=...; the configuration files that are there stay
#: make install-strip    the same, without debugging symbols
#: make uninstall        all but the configuration files
#: make dist             zog-VERSION.tar.gz
#: make distcheck        and try it: read-only, without autoconf, built elsewhere, installed, uninstalled
#: make deb              Debian packages, in build/deb
#: make tags             for editors
#: make clean            remove what make built; distclean: what configure made as well
#:
#: SANITIZE=address,undefined or SANITIZE=thread builds and checks with sanitizers, in build-*/
#: WERROR=1 makes warnings errors; V=1 shows the commands; CC, CFLAGS and LDFLAGS are yours

-include $(wildcard $(B)/src/*/*.d $(B)/tests/*/*.d $(B)/doc/samples/*.d)
