# What the examples' `run` scripts share: a directory of their own, the built program, and waiting with a deadline.
scratch=$(mktemp -d)
end() {
    local status=$?
    for job in $(jobs -p); do kill "$job" 2>/dev/null || true; done
    wait
    ((status == 0)) || [[ ! -f $scratch/log ]] || cat "$scratch/log" >&2
    rm -rf "$scratch"
}
trap end EXIT

# Sets $program to the built program; builds it, unless $BIN says where it is built already.
program() {
    if [[ -z ${BIN-} ]]; then
        swift build --product "$1" >&2
        BIN=$(swift build --show-bin-path)
    fi
    program=$BIN/$1
}

say() { printf '\n%s\n' "$*"; }

# Asks until the answer is the one expected, for 30 s.
until_says() {
    local answer=
    for ((i = 0; i < 300; i++)); do
        answer=$(curl --silent --max-time 5 "$2" || true)
        if [[ $answer == "$1" ]]; then
            printf '    %s  %s\n' "$2" "$answer"
            return
        fi
        sleep 0.1
    done
    printf '%s said "%s", not "%s"\n' "$2" "$answer" "$1" >&2
    exit 1
}

# Waits for a line in the log, for 30 s.
until_logged() {
    for ((i = 0; i < 300; i++)); do
        if line=$(grep --max-count 1 --fixed-strings "$1" "$scratch/log"); then
            printf '    %s\n' "$line"
            return
        fi
        sleep 0.1
    done
    printf 'the log does not say "%s"\n' "$1" >&2
    exit 1
}
