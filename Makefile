# What a newcomer types:
#   make mailu DOMAIN=mail.example.com EMAIL_DOMAIN=example.com ADMIN_EMAIL=admin@example.com NO_START=true
#   make test
# Usable here, and included from AgencyStack's own Makefile: then only the targets for Mailu are defined.

.PHONY: mailu mailu-status mailu-logs mailu-restart mailu-backup mailu-restore mailu-listmonk mailu-test-email mailu-diagnose \
	mailu-update wordpress-mailu-integration mailu-program

mailu.goal := $(.DEFAULT_GOAL)
mailu.here := $(dir $(lastword $(MAKEFILE_LIST)))
mailu.included := $(filter-out $(firstword $(MAKEFILE_LIST)),$(lastword $(MAKEFILE_LIST)))
CARGO ?= cargo
# MAILU names the program. Without it: where this is included, what is installed; else what is built here.
ifndef MAILU
ifneq ($(mailu.included),)
mailu.installed := $(shell command -v mailu 2>/dev/null)
endif
mailu.built := $(if $(mailu.installed),,mailu-program)
MAILU := $(or $(mailu.installed),$(mailu.here)target/release/mailu)
endif
# One shell word, whatever it contains.
mailu.quoted = '$(subst ','\'',$(1))'
# The text of a variable as it was typed, dollar signs included.
mailu.typed = $(call mailu.quoted,$(value $(1)))
# An option, if the variable for it is set.
mailu.option = $(if $(value $(2)),$(1) $(call mailu.typed,$(2)))
mailu.flag = $(if $(filter true yes 1,$(value $(2))),$(1))
mailu.run = exec $(call mailu.quoted,$(MAILU)) $(call mailu.option,--root,ROOT) $(call mailu.flag,--json,JSON) $(call mailu.flag,--verbose,VERBOSE)
mailu.which = $(call mailu.option,--domain,DOMAIN) $(call mailu.option,--client-id,CLIENT_ID)

mailu-program:
	@command -v $(CARGO) >/dev/null || { echo "error: a Rust toolchain is needed; https://rustup.rs installs one" >&2; exit 2; }
	@cd $(call mailu.quoted,$(mailu.here)) && $(CARGO) build --quiet --release -p mailu-cli

# ADMIN_PASSWORD goes through the environment, so that it is in no argument list but that of make itself.
mailu: export MAILU_ADMIN_PASSWORD = $(value ADMIN_PASSWORD)
mailu: $(mailu.built) ## Install a mail server: DOMAIN EMAIL_DOMAIN ADMIN_EMAIL [CLIENT_ID] [ADMIN_PASSWORD] [ROOT] [FORCE=true] [WITH_DEPS=true] [NO_START=true]
	@$(if $(value ADMIN_PASSWORD),,unset MAILU_ADMIN_PASSWORD;) $(mailu.run) install $(mailu.which) \
		$(call mailu.option,--email-domain,EMAIL_DOMAIN) $(call mailu.option,--admin-email,ADMIN_EMAIL) \
		$(call mailu.flag,--force,FORCE) $(call mailu.flag,--with-deps,WITH_DEPS) $(call mailu.flag,--no-start,NO_START)

mailu-status: $(mailu.built) ## Show how it is: [DOMAIN] [CLIENT_ID] [ALL=true] [WATCH=true] [JSON=true]
	@$(mailu.run) status $(mailu.which) $(call mailu.flag,--all,ALL) $(call mailu.flag,--watch,WATCH)

mailu-logs: $(mailu.built) ## Show what services write: [DOMAIN] [CONTAINER=admin|smtp|imap|webmail|front…] [FOLLOW=true] [SINCE=10m] [TAIL=100]
	@$(mailu.run) logs $(mailu.which) $(call mailu.flag,--follow,FOLLOW) $(call mailu.option,--since,SINCE) $(call mailu.option,--tail,TAIL) \
		$(if $(value CONTAINER),-- $(call mailu.typed,CONTAINER))

mailu-restart: $(mailu.built) ## Restart services: [DOMAIN] [CONTAINER=smtp]
	@$(mailu.run) restart $(mailu.which) $(if $(value CONTAINER),-- $(call mailu.typed,CONTAINER))

mailu-backup: $(mailu.built) ## Back mail, accounts and configuration up, while it runs: [DOMAIN] [OUTPUT=/path/to/backup.tar.zst] [VERIFY=true]
	@$(mailu.run) backup $(mailu.which) $(call mailu.option,--output,OUTPUT) $(call mailu.flag,--verify,VERIFY)

mailu-restore: $(mailu.built) ## Restore a backup: [DOMAIN] BACKUP_FILE=/path/to/backup.tar.gz
	@$(mailu.run) restore $(mailu.which) $(if $(value BACKUP_FILE),-- $(call mailu.typed,BACKUP_FILE))

mailu-listmonk: $(mailu.built) ## Have Listmonk send through this server: [DOMAIN] [EXEMPT=true]
	@$(mailu.run) integrate $(mailu.which) listmonk $(call mailu.flag,--exempt,EXEMPT)

mailu-test-email: $(mailu.built) ## Send a message and follow it: [DOMAIN] [TO=address] [SUBJECT] [BODY] [FROM PASSWORD_FILE]
	@$(mailu.run) test-email $(mailu.which) $(call mailu.option,--from,FROM) $(call mailu.option,--password-file,PASSWORD_FILE) \
		$(call mailu.option,--subject,SUBJECT) $(call mailu.option,--body,BODY) $(if $(value TO),-- $(call mailu.typed,TO))

mailu-diagnose: $(mailu.built) ## Say what keeps mail from being delivered: [DOMAIN] [ONLY=dns] [CHANGES=true]
	@$(mailu.run) diagnose $(mailu.which) $(call mailu.option,--only,ONLY) $(call mailu.flag,--changes,CHANGES)

mailu-update: $(mailu.built) ## Go to another release of Mailu, or take over a server of the old installer: [DOMAIN] [VERSION=2024.06.57] [DRY_RUN=true]
	@$(mailu.run) update $(mailu.which) $(call mailu.option,--to,VERSION) $(call mailu.flag,--dry-run,DRY_RUN)

wordpress-mailu-integration: $(mailu.built) ## Have a WordPress site send through this server: DOMAIN=blog.example.com MAIL_DOMAIN=mail.example.com
	@$(mailu.run) integrate $(call mailu.option,--domain,MAIL_DOMAIN) $(call mailu.option,--client-id,CLIENT_ID) wordpress \
		$(if $(value DOMAIN),-- $(call mailu.typed,DOMAIN))

ifeq ($(mailu.included),)
.PHONY: build tools check test e2e e2e-full bench

build: mailu-program ## Build the program.

tools: ## Install what the tests compare with.
	@sh tests/tools/install.sh

check: ## Formatting, lints, the purity of the core, documentation.
	$(CARGO) fmt --all --check
	$(CARGO) clippy --quiet -p mailu-core --all-targets -- -D warnings
	$(CARGO) clippy --quiet --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --quiet --no-deps --workspace --exclude mailu-node --exclude mailu-py

test: tools ## Everything that needs no engine.
	$(CARGO) test --quiet -p mailu-core
	$(CARGO) build --quiet --workspace
	MAILU_TEST_SECRETS_LEAST=100 tests/tools/no_secrets.sh $(CARGO) test --quiet --workspace
	sh mailu-py/test.sh
	sh mailu-node/test.sh

e2e: tools ## A real Docker engine with the images of tests/stack, on a network of its own. Needs root.
	$(CARGO) build --quiet -p mailu-cli
	$(CARGO) test --quiet --no-run -p mailu-tests --features e2e --test e2e
	tests/stack/engine.sh run $(CARGO) test --quiet --offline -p mailu-tests --features e2e --test e2e -- engine:: mail:: delivery:: diagnosed::what_is_broken_is_named modes:: again:: clients:: kept::a_backup kept::one_deleted updated::good taken_over:: accounts::every apps:: wordpress:: integrate::an_app newsletter:: inbox::

e2e-full: e2e ## And the long ones: every verb, faults of the host, installations and updates killed at 36 and 40 points, backups under load.
	MAILU_E2E_FULL=1 tests/stack/engine.sh run $(CARGO) test --quiet --offline -p mailu-tests --features e2e --test e2e -- --nocapture verbs:: accounts:: integrate:: delivery:: diagnosed:: interrupted:: kept:: updated::

bench: tools ## Measurements against named opponents.
	$(CARGO) build --quiet --release -p mailu-cli
	$(CARGO) bench --quiet -p mailu-tests --bench bench
else
# What `make` alone does is not for us to say.
.DEFAULT_GOAL := $(mailu.goal)
endif
