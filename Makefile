# What a newcomer types:
#   make mailu DOMAIN=mail.example.com EMAIL_DOMAIN=example.com ADMIN_EMAIL=admin@example.com NO_START=true
#   make test
# Usable here, and included from AgencyStack's own Makefile.

.PHONY: build tools check test e2e e2e-full bench mailu

here := $(dir $(lastword $(MAKEFILE_LIST)))
CARGO ?= cargo
MAILU ?= $(here)target/release/mailu
# One shell word, whatever it contains.
quoted = '$(subst ','\'',$(1))'
# The text of a variable as it was typed, dollar signs included.
typed = $(call quoted,$(value $(1)))

build: ## Build the program.
	@command -v $(CARGO) >/dev/null || { echo "error: a Rust toolchain is needed; https://rustup.rs installs one" >&2; exit 2; }
	@cd $(call quoted,$(here)) && $(CARGO) build --quiet --release -p mailu-cli

# ADMIN_PASSWORD goes through the environment, so that it is in no argument list but that of make itself.
mailu: export MAILU_ADMIN_PASSWORD = $(value ADMIN_PASSWORD)
mailu: $(if $(filter command%,$(origin MAILU)),,build) ## Make a deployment: DOMAIN EMAIL_DOMAIN ADMIN_EMAIL [CLIENT_ID] [ADMIN_PASSWORD] [ROOT] [FORCE=true] [WITH_DEPS=true] [NO_START=true]
	@$(if $(value ADMIN_PASSWORD),,unset MAILU_ADMIN_PASSWORD;) exec $(call quoted,$(MAILU)) \
		$(if $(value ROOT),--root $(call typed,ROOT)) install \
		$(if $(value DOMAIN),--domain $(call typed,DOMAIN)) \
		$(if $(value EMAIL_DOMAIN),--email-domain $(call typed,EMAIL_DOMAIN)) \
		$(if $(value ADMIN_EMAIL),--admin-email $(call typed,ADMIN_EMAIL)) \
		$(if $(value CLIENT_ID),--client-id $(call typed,CLIENT_ID)) \
		$(if $(filter true,$(FORCE)),--force) \
		$(if $(filter true,$(WITH_DEPS)),--with-deps) \
		$(if $(filter true,$(NO_START)),--no-start) \
		$(if $(filter true,$(VERBOSE)),--verbose)

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
	tests/stack/engine.sh run $(CARGO) test --quiet --offline -p mailu-tests --features e2e --test e2e

e2e-full bench mailu

here := $(dir $(lastword $(MAKEFILE_LIST)))
CARGO ?= cargo
MAILU ?= $(here)target/release/mailu
# One shell word, whatever it contains.
quoted = '$(subst ','\'',$(1))'
# The text of a variable as it was typed, dollar signs included.
typed = $(call quoted,$(value $(1)))

build: ## Build the program.
	@command -v $(CARGO) >/dev/null || { echo "error: a Rust toolchain is needed; https://rustup.rs installs one" >&2; exit 2; }
	@cd $(call quoted,$(here)) && $(CARGO) build --quiet --release -p mailu-cli

# ADMIN_PASSWORD goes through the environment, so that it is in no argument list but that of make itself.
mailu: export MAILU_ADMIN_PASSWORD = $(value ADMIN_PASSWORD)
mailu: $(if $(filter command%,$(origin MAILU)),,build) ## Make a deployment: DOMAIN EMAIL_DOMAIN ADMIN_EMAIL [CLIENT_ID] [ADMIN_PASSWORD] [ROOT] [FORCE=true] [WITH_DEPS=true] [NO_START=true]
	@$(if $(value ADMIN_PASSWORD),,unset MAILU_ADMIN_PASSWORD;) exec $(call quoted,$(MAILU)) \
		$(if $(value ROOT),--root $(call typed,ROOT)) install \
		$(if $(value DOMAIN),--domain $(call typed,DOMAIN)) \
		$(if $(value EMAIL_DOMAIN),--email-domain $(call typed,EMAIL_DOMAIN)) \
		$(if $(value ADMIN_EMAIL),--admin-email $(call typed,ADMIN_EMAIL)) \
		$(if $(value CLIENT_ID),--client-id $(call typed,CLIENT_ID)) \
		$(if $(filter true,$(FORCE)),--force) \
		$(if $(filter true,$(WITH_DEPS)),--with-deps) \
		$(if $(filter true,$(NO_START)),--no-start) \
		$(if $(filter true,$(VERBOSE)),--verbose)

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

e2e: tools ## A real Docker engine; starts one if none runs.
	$(CARGO) build --quiet -p mailu-cli
	tests/stack/engine.sh run $(CARGO) test --quiet -p mailu-tests --features e2e --test e2e

e2e-full: e2e ## The long sweeps. There are none yet beyond those of `test` and `e2e`.

bench: tools ## Measurements against named opponents.
	$(CARGO) build --quiet --release -p mailu-cli
	$(CARGO) bench --quiet -p mailu-tests --bench bench
