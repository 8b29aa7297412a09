# Runs a server in the working directory and obeys orders on standard input, one a line, each answered by a line
# `done` or `failed`. When standard input ends, so does the server, and the directory is removed.
#
# PROGRAMS   the folder of PostgreSQL's programs
# TENTHS     how many tenths of a second a start may take

# Only the end of standard input ends this script, and no answer that nobody reads: the server would be left alone.
trap '' HUP INT PIPE TERM

folder=$(pwd)
server=

initialise() {
    "$PROGRAMS/initdb" --pgdata=data --auth=trust --no-sync --encoding=UTF8 --locale=C.UTF-8 \
        --username=flowtrail &&
        echo "include '../server.conf'" >>data/postgresql.conf
}

# Asked by the socket: behind the port could be another server, which was there before.
is_ready() {
    "$PROGRAMS/pg_isready" --quiet --host="$folder" --port="$1" --username=flowtrail --dbname=postgres
}

launch() {
    is_ready "$1" && return 0
    "$PROGRAMS/postgres" -D data &
    server=$!
    left=$TENTHS
    until is_ready "$1"; do
        left=$((left - 1))
        if [ "$left" -le 0 ] || ! kill -0 "$server"; then
            end QUIT
            return 1
        fi
        sleep 0.1
    done
}

end() {
    [ -n "$server" ] || return 0
    kill -"$1" "$server"
    wait "$server"
    server=
    return 0
}

while read -r order port; do
    case $order in
    initialise) initialise ;;
    start) launch "$port" ;;
    stop) end INT ;;
    kill) end QUIT ;;
    *) false ;;
    esac </dev/null >>log 2>&1 && echo done || echo failed
done

end QUIT >>log 2>&1
cd / && rm -rf "$folder"
