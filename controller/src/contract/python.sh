#!/bin/sh
# Stands for the emulator's Python: clusters come up at once, a wheel is installed if it is there, and a notebook
# that sleeps goes on until its cluster or the emulator ends it. Nothing is computed.
case "$*" in
"-c "*)
    echo '{"python": "3.11.0", "pyspark": "3.5.9", "sites": []}'
    ;;
"-m venv "*)
    for folder; do :; done
    mkdir -p "$folder/bin" "$folder/lib/python3.11/site-packages"
    ln -s "$0" "$folder/bin/python"
    ;;
"-m brickline_driver cluster")
    read -r _
    echo '{"event": "ready", "port": 1, "secret": "none", "version": "3.5.9"}'
    cat >/dev/null
    ;;
"-m brickline_driver worker")
    echo '{"event": "ready"}'
    read -r job || exit 0
    case "$job" in
    *time.sleep*) cat >/dev/null ;;
    *) echo '{"event": "done", "result": "SUCCESS"}' ;;
    esac
    ;;
"-m pip "*)
    for wheel; do :; done
    if [ ! -f "$wheel" ]; then
        echo "no such file: $wheel" >&2
        exit 1
    fi
    name=$(basename "$wheel" .whl)
    mkdir -p "$(dirname "$4")/../lib/python3.11/site-packages/${name%-py3-none-any}.dist-info"
    ;;
*)
    # The reaper: what is left over ends by itself, since nothing is on the other end of its pipes any more.
    cat >/dev/null
    ;;
esac
