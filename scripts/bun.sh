# Sourced by scripts/build and scripts/test, with $root set. `need_bun` puts the Bun that
# package.json pins on PATH. If it is missing, it is installed through npm or another Bun into a
# cache directory, without a change to the machine's own.

say() { printf '%s\n' "$*" >&2; }

need_bun() {
  wanted=$(sed -n 's/^ *"bun": "\([0-9.]*\)".*/\1/p' "$root/package.json")
  has_wanted bun && return

  home=${XDG_CACHE_HOME:-${HOME:-$root/.tmp}/.cache}/otpmint/bun-$wanted
  if ! has_wanted "$home/node_modules/.bin/bun"; then
    mkdir -p "$home"
    if command -v npm >/dev/null; then
      say "Getting Bun $wanted through npm into $home ..."
      npm install --prefix "$home" --no-save --no-audit --no-fund --loglevel=error \
        "bun@$wanted" >&2 || :
    elif command -v bun >/dev/null; then
      say "Getting Bun $wanted through Bun $(bun --version) into $home ..."
      (cd "$home" && echo '{}' >package.json && bun add --exact --trust "bun@$wanted" >&2) || :
    else
      say 'This machine has neither Node (with npm) nor Bun: install one of them first.'
      return 1
    fi
  fi
  PATH=$home/node_modules/.bin:$PATH
  export PATH
  has_wanted bun && return
  say "Bun $wanted could not be installed into $home (see above; does npm run install scripts?)."
  return 1
}

has_wanted() { [ "$("$1" --version 2>/dev/null)" = "$wanted" ]; }
