#!/bin/sh
# Stands for a training where a training is not what is tested: program.sh FOLDER NAME
# The name says what it does; every begin and end is a line in runs.txt, in the server's folder.
folder=$1
name=$2
id=$(basename "$folder")
state=$(dirname "$(dirname "$folder")")
echo "begin $id" >>"$state/runs.txt"
echo "this is $name"
case $name in
wait*) while [ ! -e "$state/go-$name" ]; do sleep 0.05; done ;;
train*) "$PYTHON" -m tests.punchcard.training "$folder" "$state" "$name" || exit ;;
fail*)
    echo "the column is missing" >"$folder/error.txt"
    exit 3
    ;;
stubborn*)
    # As Spark's Python workers: in a process group of its own; and deaf.
    "$PYTHON" -c '
import os, signal, time
os.setpgid(0, 0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
' &
    trap "" TERM
    wait
    sleep 600
    ;;
esac
mkdir -p "$state/results/$id"
printf '{"name": "%s"}' "$name" >"$state/results/$id/report.json"
case $name in train*)
    printf 'PK model' >"$state/results/$id/model.keras"
    printf 'PAR1 history' >"$state/results/$id/history.parquet"
    ;;
esac
echo "end $id" >>"$state/runs.txt"
