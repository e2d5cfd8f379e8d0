#!/usr/bin/env bash
# engines.sh NAME ENGINE... starts a container for each line of its input, all at once:
# a name, options, and a question, with | between. NAME is one that is there before. It
# prints what compare.sh sees of all, in the same order, and then their answers. It ends
# none of them: the end of the machine has to.
set -euo pipefail
name=$1
shift
said=$(tar -C rootfs -c . | "$@" import - course 2>&1) || { echo "$said" && exit 1; }
"$@" run --detach --name "$name" --ipc=shareable course sleep 1000 >/dev/null
mapfile -t lines
names=()
for line in "${lines[@]}"; do
  IFS='|' read -r row options _ <<<"$line"
  # podman looks for a program of its own.
  [[ $* != *podman ]] || options=${options/--init/--init --init-path=/usr/bin/docker-init}
  # shellcheck disable=SC2086 # they are words
  "$@" run --detach --name "$row" $options course sleep 1000 >/dev/null &
  names+=("$row")
done
wait
mapfile -t pids < <("$@" inspect --format '{{.State.Pid}}' "$name" "${names[@]}")
sudo scripts/compare.sh --neutral "${pids[@]}"
for line in "${lines[@]}"; do
  IFS='|' read -r row _ question <<<"$line"
  [[ -z $question ]] || "$@" exec "$row" sh -c "$question"
done
